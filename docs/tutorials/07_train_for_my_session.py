"""
Train for my session
====================

``stereo-learned`` finds lines by a small network that ships with the package. It has seen foils of many materials and
microscopes. For a session of your own it can be trained about your recipe. Here that is done as small as it can be, in
a minute or two, to see all that comes of it; a training to be used takes an hour or more.
"""

# %%
# A session is a recipe
# ---------------------
#
# ``veristem recipe cantor-stereo -o my-session.toml`` writes one to edit: material, thickness, g, detector, dwell time.
# The one below has thin foils, imaged by two beams, which is fast.
#
# To train needs PyTorch, ``pip install "veristem[learn]"``. To use weights needs none.

import tempfile
from pathlib import Path

import veristem as vs
from veristem.datasets.recipe import load_recipe

folder = Path(tempfile.mkdtemp())
session = load_recipe("gate-foil").with_values({"specimen.thickness_nm": 50.0})

# %%
# Train
# -----
#
# Foils are drawn about the recipe, each with a density, thickness, angle, radius and dose of its own, and imaged; every
# sixth is not trained on but checks what was learned. ``minutes`` sets how many there are. On the command line this is
# ``veristem train contours my-session.toml -o weights --minutes 1``. Whenever it is stopped, the same call goes on
# where it was.

trained = vs.train("contours", folder / "weights", recipes=[session], minutes=1, device="cpu", workers=1)
for note in trained.notes:
    print(note)
print(f"on foils that were not trained on: precision {trained.best.precision:.2f}, recall {trained.best.recall:.2f}")

# %%
# How it went: the loss, which falls, and how many of the lines are found in images of foils that were not trained on.
# Where that still rises at the end, more steps would help; where it has become flat, more foils.

from veristem.reports.training import learning_curve

figure_curve = learning_curve(trained.history)
figure_curve

# %%
# What is known of weights
# ------------------------
#
# Every training writes a card beside the weights: what it has seen, how well it does on foils that it has not. First
# the beginning of this one, then the same lines of the card that ships; all cards: :doc:`/reference/methods`.

from importlib import resources

shipped = resources.files("veristem.recon").joinpath("weights/contours.md")
for card in (trained.weights.with_name("card.md"), shipped):
    lines = card.read_text(encoding="utf-8").splitlines()
    print(*lines[lines.index("## Made by") + 2 :][:16], "", sep="\n")

# %%
# Use weights
# -----------
#
# Parameters of a method follow its name, so weights of your own are ``"stereo-learned
# weights=weights/contours.onnx"``, on the command line, in studies and here. What is in the file is part of the key
# of a run: other weights are run anew.
#
# Three foils of the session, which no training has seen, and three methods: the classical one, what was just trained,
# and the weights that ship. Scores are of the curves in space, those of a card above of lines in an image.

methods = {
    "classical": "stereo-classical",
    "trained here": f"stereo-learned weights={trained.weights}",
    "shipped": "stereo-learned",
}
f_scores = {name: [] for name in methods}
for seed in (1, 2, 3):
    made = vs.simulate(session, values={"recipe.seed": seed})
    found = {name: vs.reconstruct(made.acquisition, method) for name, method in methods.items()}
    for name, curves in found.items():
        f_scores[name].append(vs.score(made.truth, curves)["f_score"] or 0.0)
for name, values in f_scores.items():
    print(f"{name:12s}  F of the foils: {'  '.join(f'{f:.2f}' for f in values)}   mean {sum(values) / 3:.2f}")

# %%
# The last of these foils, its lines in grey:

from veristem.bench.pages.compared import compared

figure_compared = compared(made.truth, found, width="page")
figure_compared

# %%
# So small a training has seen ten foils; the weights that ship have seen 85, none as thin as these. Neither is what
# thirty minutes about your own recipe give. A second network corrects the curves by looking at both images along them;
# it learns from the same foils:
#
# .. code-block:: sh
#
#    veristem train contours my-session.toml -o weights --minutes 30
#    veristem train bands my-session.toml -o bands --minutes 30 --examples weights
#
# Is it better for my session?
# ----------------------------
#
# Three foils tell little. A study compares both on the same foils, seed by seed, and its page says whether the
# difference could be chance:
#
# .. code-block:: sh
#
#    veristem study cantor-default -o results --method stereo-learned \
#      --method "stereo-learned weights=weights/contours.onnx band_weights=bands/bands.onnx"
#    veristem report results
