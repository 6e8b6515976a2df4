"""
Why did seed 4 fail?
====================

A study says that a method fails on one specimen. Is the specimen hard, or the method wrong, and in which of its
stages?
"""

# %%
# Six specimens
# -------------
#
# A study runs a method on several seeds of a recipe, and returns a table with a row a run. Every specimen is made by
# its seed alone, so any of them can be made again.

import tempfile
from pathlib import Path

import veristem as vs
from veristem.datasets.recipe import Study

folder = Path(tempfile.mkdtemp())
study = Study(name="seeds", recipe="gate-foil", methods=["stereo-classical"], seeds=6)
table = vs.study(study, folder / "results")
columns = ["seed", "recall_visible", "f_score_visible", "line_cnr"]
print(table[columns].to_string(index=False, float_format="{:.2f}".format))

# %%
# Look at it
# ----------
#
# The specimen that fares worst, made again from its seed: the two images that the method gets.

seed = int(table.set_index("seed")["f_score_visible"].idxmin())
print("the worst is seed", seed)
made = vs.simulate("gate-foil", values={"recipe.seed": seed})

from veristem.reports.figures import stereo_pair

figure = stereo_pair(made.acquisition)
figure

# %%
# Which stage?
# ------------
#
# ``stereo-classical`` finds contours in each image, matches those of both, and triangulates. A study can hand in any
# of these from the truth, ``contours=truth``, and what then becomes better tells which stage made the error. A second
# method on the same images tells whether the lines can be found at all.

methods = ["stereo-classical", "stereo-classical contours=truth", "stereo-classical matches=truth", "stereo-learned"]
again = Study(name="stages", recipe="gate-foil", methods=methods, seeds=1, first_seed=seed)
stages = vs.study(again, folder / "stages")
print(stages[["method", "recall_visible", "f_score_visible"]].to_string(index=False, float_format="{:.2f}".format))

# %%
# The numbers name the stage: where true contours alone lift F, the contours were the fault. Here are both methods on
# this foil over its truth, in grey. The panel of one that found nothing shows the truth alone.

from veristem.bench.pages.compared import compared

found = {name: vs.reconstruct(made.acquisition, name) for name in ("stereo-classical", "stereo-learned")}
for name, curves in found.items():
    print(f"{name}: {len(curves.curves_nm)} curves")
figure_compared = compared(made.truth, found)
figure_compared

# %%
# The page of a study does this by itself for its worst run: ``veristem report results``. With more than one method in
# it, and stages from the truth beside them, it has an error budget.
