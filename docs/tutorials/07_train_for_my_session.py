"""
Train for my session
====================

``stereo-learned`` finds lines by a small network that ships with the package. It has seen foils of many materials and
microscopes. For a session of your own it can be trained about your recipe.
"""

# %%
# The command
# -----------
#
# ``veristem recipe cantor-stereo -o my-session.toml`` writes a recipe to edit: material, thickness, g, detector,
# dwell time. Then
#
# .. code-block:: sh
#
#    veristem train contours my-session.toml -o weights --minutes 30
#    veristem train bands my-session.toml -o bands --minutes 30 --examples weights
#
# Foils are drawn about your recipe, imaged, and learned from. That takes an hour or more, so it is not run here; this
# page uses the weights that ship, which such a training made. It needs PyTorch, ``pip install "veristem[learn]"``; to
# use weights needs none.

# %%
# What is known of weights
# ------------------------
#
# Every training writes a card beside the weights: what it has seen, how well it does on foils that it has not, by
# material and by thickness. This is the beginning of the card that ships; all cards: :doc:`/reference/methods`.

from importlib import resources

card = resources.files("veristem.recon").joinpath("weights/contours.md").read_text(encoding="utf-8")
print(*card.splitlines()[:24], sep="\n")

# %%
# Use weights
# -----------
#
# Parameters of a method follow its name, so weights of your own are ``"stereo-learned
# weights=weights/contours.onnx"``, on the command line, in studies and here. What is in the file is part of the key
# of a run: other weights are run anew.

import veristem as vs

weights = resources.files("veristem.recon").joinpath("weights/contours.onnx")
made = vs.simulate("gate-foil", values={"recipe.seed": 3})
found = {
    "stereo-classical": vs.reconstruct(made.acquisition, "stereo-classical"),
    "stereo-learned": vs.reconstruct(made.acquisition, f"stereo-learned weights={weights}"),
}
for name, curves in found.items():
    scores = vs.score(made.truth, curves)
    print(f"{name:17s} F {scores['f_score']:.2f}, precision {scores['precision']:.2f}, recall {scores['recall']:.2f}")

from veristem.bench.pages.compared import compared

figure = compared(made.truth, found)

# %%
# Is it better for my session?
# ----------------------------
#
# One foil tells little. A study compares both on the same foils, seed by seed, and its page says whether the
# difference could be chance:
#
# .. code-block:: sh
#
#    veristem study cantor-default -o results --method stereo-learned \
#      --method "stereo-learned weights=weights/contours.onnx band_weights=bands/bands.onnx"
#    veristem report results
