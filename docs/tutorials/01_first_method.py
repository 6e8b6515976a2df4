"""
Your first method
=================

A method is a function: images in, curves in space out. Here one is written in twenty lines, tried on a foil whose
lines are known, and compared with one that ships.
"""

# %%
# A specimen and its images
# -------------------------
#
# A recipe makes a foil with dislocations in it and images it as a STEM would. ``gate-foil`` is a small one; single
# keys can be set, each with its unit in its name. What comes back holds the truth and, apart from it, what a
# microscope would have given.

import numpy as np

import veristem as vs
from veristem.datasets import Acquisition, CurveSet
from veristem.reports.figures import stereo_pair

made = vs.simulate("gate-foil", values={"recipe.seed": 6})
images = made.acquisition
print(f"{images.views.shape} views, rows, columns; {images.pixel_nm:g} nm a pixel, foil of {images.thickness_nm:g} nm")
for view, angle in enumerate(np.degrees(images.directions_rad)):
    print(f"view {view}: rays come in at ({angle[0]:+.2f}, {angle[1]:+.2f}) degrees along x and y")

# %%
# Two virtual discs of one scan look at the foil from two sides. The arrow is g, the reflection that is excited; the
# pair lies across it, so that both views have the same excitation error. What lies deep is shifted between the views.

figure = stereo_pair(images)
figure

# %%
# A method
# --------
#
# It sees images and nominal geometry, nothing else. In each row the darkest pixel of either view is taken for a line.
# The shift between both, the disparity, tells the depth: a point at depth z shows at x − (z − focus) tan θ, so
# disparity (second less first) is (z − focus) (tan θ₁ − tan θ₂).


def darkest(acquisition: Acquisition, reach_px: float = 4.0) -> CurveSet:
    """Lines through the darkest pixels of every row, where both views have one in the foil."""
    first, second = acquisition.views - np.median(acquisition.views, axis=2, keepdims=True)
    left, right = first.argmin(axis=1), second.argmin(axis=1)
    slope = np.subtract(*np.tan(acquisition.directions_rad[:, 0]))
    depth = acquisition.focus_nm + (right - left) * acquisition.pixel_nm / slope
    x, y = (left + right + 1) / 2 * acquisition.pixel_nm, (np.arange(len(left)) + 0.5) * acquisition.pixel_nm
    points = np.column_stack([x, y, depth])
    inside = (depth >= 0) & (depth <= acquisition.thickness_nm)
    # a new line begins where a row has no point, or one far from that of the row above
    jump = np.abs(np.diff(left, prepend=left[0])) > reach_px
    pieces = np.split(points, np.flatnonzero(jump | ~inside))
    pieces = [piece[inside[(piece[:, 1] / acquisition.pixel_nm).astype(int)]] for piece in pieces]
    return CurveSet(tuple(piece for piece in pieces if len(piece) > 5))


mine = darkest(images)
print(f"{len(mine.curves_nm)} curves, {sum(map(len, mine.curves_nm))} vertices")

# %%
# How well?
# ---------
#
# `vs.score` compares with the truth. F is the harmonic mean of precision (how much of what was found is near a true
# line) and recall (how much of the true lines was found), near meaning within 10 nm.

theirs = vs.reconstruct(images, "stereo-learned")
for name, found in (("darkest", mine), ("stereo-learned", theirs)):
    scores = vs.score(made.truth, found)
    told = {key: scores[key] for key in ("precision", "recall", "f_score", "depth_rmse_nm")}
    print(f"{name:15s}", "  ".join(f"{key} {value:.2f}" for key, value in told.items() if value is not None))

# %%
# Both over the truth, in grey, seen along the beam and edge-on; the colour is the distance to the nearest true line.
# On the command line: ``veristem view truth.h5 mine.vtp theirs.vtp --error --svg compared.svg``.

from veristem.bench.pages.compared import compared

figure_compared = compared(made.truth, {"darkest": mine, "stereo-learned": theirs})
figure_compared

# %%
# In a file ``mine.py``, the same function is a method everywhere: ``veristem reconstruct acquisition.h5 --method
# mine:darkest -o mine.vtp``, and in studies, ``veristem study cantor-default -o results --method mine:darkest
# --method stereo-learned``. How it becomes a package of its own, or a program in another language:
# :doc:`/generated/contributing`.
