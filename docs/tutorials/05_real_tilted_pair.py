"""
A real tilted pair
==================

Two images of one foil, between which the stage was tilted: files as a microscope leaves them, not aligned, the tilt
axis not known. The images here are simulated, so that the end can be compared with the truth; yours go the same way.
"""

# %%
# Two files
# ---------
#
# A bright-field image at -5° and one at +5°, of a stage that also moved. They are saved as plain ``.tif``, without
# anything that tells where the views lie.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile

import veristem as vs
from veristem.reports.figures import show_view

folder = Path(tempfile.mkdtemp())
made = vs.simulate(
    "demo-foil",
    values={
        "specimen.thickness_nm": 100.0,
        "specimen.field_nm": [320.0, 320.0],
        "specimen.network": {"generator": "glide", "density_per_m2": 6e13},
        "specimen.relaxed_faces": False,
        "microscope.convergence_mrad": 8.0,
        "microscope.detector": {"kind": "annular", "outer_mrad": 8.0},
        "stage.tilts_deg": [-5.0, 5.0],
        "stage.shift_nm": 10.0,
        "scan.shape": [160, 160],
    },
)
for name, view in zip(("left", "right"), made.acquisition.views):
    tifffile.imwrite(folder / f"{name}.tif", view.astype(np.float32))

# %%
# From files to images that a method takes
# ----------------------------------------
#
# On the command line ``veristem convert left.tif right.tif pair.h5 --pair-angle-deg 10 --pixel-nm 2 --tilt-axis-deg
# find --thickness-nm 100``. ``find`` looks for the tilt axis in the images; without it they are taken for two views
# of one scan.

from veristem.bench.files.convert import convert_files

note = convert_files(
    [folder / "left.tif", folder / "right.tif"],
    folder / "pair.h5",
    pair_angle_deg=10.0,
    pixel_nm=2.0,
    tilt_axis_deg="find",
    thickness_nm=100.0,
    say=print,
)
print(note)
images = vs.load(folder / "pair.h5")

_, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
for ax, view, tilt in zip(axes, images.views, np.degrees(images.tilts_rad)):
    show_view(ax, images, view, cmap="gray")
    ax.set_title(f"stage at {tilt:+.0f}°".replace("-", "−"))

# %%
# Lines
# -----
#
# The method registers the views by itself and tells how well: points that are alike in both, how far they lie across
# the direction in which parallax moves them, and that images hold no zero of depth.

found = vs.reconstruct(images, "stereo-learned", out=folder / "lines.vtp", say=print, tell=print)
print(len(found.curves_nm), "curves")

# %%
# Of a real pair there is no truth. ``veristem report`` of the folder then tells how far the lines lie from the
# contours of both images. Here the truth is known. A common shift in depth is what such images cannot tell, so the
# error in depth is given with its mean and without. Below, the lines that are there are grey, seen along the beam and
# from the side; colours tell how far what was found lies from them.

scores = vs.score(made.truth, found)
for key in ("f_score_visible", "depth_bias_nm", "depth_rmse_nm", "depth_spread_nm"):
    print(f"{key:16s} {scores[key]:.2f}")

from veristem.bench.pages.compared import compared

figure = compared(made.truth, {"stereo-learned": found})
figure
