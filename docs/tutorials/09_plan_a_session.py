"""
Plan a session
==============

Which aperture, discs, current and dwell time, before anyone sits down at the microscope? The planner images small
foils of the crystal in every set-up that a microscope offers, or looks them up where they ship, and says what a method
is expected to make of them.
"""

# %%
# The question
# ------------
#
# What is in the microscope is a recipe, with its pixels; what can be chosen is a microscope,
# ``veristem list microscopes``. A session has limits, here 20 000 electrons per nm² in all.

import textwrap

import veristem as vs
from veristem.bench.pages.plan import sentence

plan = vs.plan("cantor-stereo", "themis-4d", dose_per_nm2=2e4)
print(plan.number)
print(textwrap.fill(sentence(plan), 80))

# %%
# The answer is a set
# -------------------
#
# The first of these is the best; the next ones, as many as ``plan.chosen`` says, cannot be told from it. Each number
# has brackets: kinds of foils differ far more than conditions do.

print(plan.chosen, "of", len(plan.options))
for option in plan.options[:5]:
    depth, low, high = option.depth_nm
    print(f"{option.setup.text}: {option.recall[0]:.2f} found, depths {depth:.1f} nm ({low:.1f} to {high:.1f})")

# %%
# What more electrons buy
# -----------------------
#
# The best set-up of each kind at each dose, with the recommended one. Depth gains slowly from electrons, much more
# slowly than the limit, which falls as the root of the dose. A step is where another pair begins to find enough.

from veristem.bench.plan.setups import KINDS
from veristem.reports.plan import fronts_figure

best = plan.options[0]
fronts = {KINDS[kind]: front for kind, front in plan.fronts.items()}
figure = fronts_figure(fronts, (best.shot.dose_per_nm2 * best.setup.scans, best.depth_nm[0]))
figure

# %%
# The other way round: a wish
# ---------------------------
#
# With a wish the planner looks for the least dose that meets it, and says so when none does.

wish = vs.plan("cantor-stereo", "themis-4d", dose_per_nm2=1e6, depth_nm=4, completeness=0.6)
print(textwrap.fill(sentence(wish), 80))

# %%
# Settings to take along
# ----------------------
#
# ``veristem plan -o plan`` writes a page whose sliders turn angle, radius and dose, a sheet to print, and a recipe for
# each set-up that cannot be told from the best; ``veristem simulate plan/recipe-1.toml -o run`` shows what it would
# give. ``--verify 4`` runs the method itself on the four best before they are trusted.

from veristem.bench.pages.plan import sheet

print(sheet(plan).split("\n| set-up")[0])
