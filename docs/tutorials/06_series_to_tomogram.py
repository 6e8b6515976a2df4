"""
A tilt series to a tomogram
===========================

Many tilts instead of two: a volume, as other programs take it, and lines from the same views.
"""

# %%
# A series
# --------
#
# The foil is tilted about g, so that the excitation error, and with it the contrast, stays the same.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import veristem as vs
from veristem.datasets import formats
from veristem.reports.figures import scale_bar, show_view

folder = Path(tempfile.mkdtemp())
made = vs.simulate(
    "tilt-series",
    values={
        "specimen.thickness_nm": 100.0,
        "specimen.field_nm": [256.0, 256.0],
        "specimen.beams": 2,
        "scan.shape": [128, 128],
        "scan.dwell_us": 200.0,
        "stage.tilts_deg": {"start": -44.0, "stop": 44.0, "step": 4.0},
        "stage.shift_nm": 0.0,
        "stage.axis_error_deg": 0.0,
    },
)
images = made.acquisition
tilts_deg = np.degrees(images.tilts_rad)
print(f"{len(images.views)} views from {tilts_deg[0]:.0f} to {tilts_deg[-1]:.0f} degrees")

_, axes = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
for ax, view in zip(axes, (0, len(images.views) // 2, -1)):
    show_view(ax, images, images.views[view], cmap="gray")
    ax.set_title(f"{tilts_deg[view]:+.0f}°")

# %%
# For other programs
# ------------------
#
# ``veristem convert acquisition.h5 series.mrc`` writes the series for IMOD, tomviz, ETSpy or ASTRA, with the angles
# beside it.

from veristem.bench.files.convert import convert_files

formats.write(folder / "acquisition.h5", images)
convert_files([folder / "acquisition.h5"], folder / "series.mrc")
print(*(path.name for path in sorted(folder.glob("series.*"))))
print((folder / "series.rawtlt").read_text().split()[:4], "...")

# %%
# A volume
# --------
#
# ``tomo-sirt`` reconstructs by iteration; with learned contours it does so from where lines are in each view.
# ``volume=true`` returns the volume, and a name that ends in ``.mrc`` writes it.

volume = vs.reconstruct(images, "tomo-sirt contours=learned", out=folder / "tomogram.mrc")
print(volume.values.shape, "z, y, x;", f"{volume.voxel_nm:g} nm a voxel")

_, axes = plt.subplots(2, 1, figsize=(4.4, 5.6), layout="constrained", height_ratios=[256, 100])
depth, height, width = np.multiply(volume.values.shape, volume.voxel_nm)
axes[0].imshow(volume.values.max(axis=0), cmap="magma", extent=(0, width, height, 0))
axes[0].set(xlabel="x (nm)", ylabel="y (nm)", title="largest value along the beam")
scale_bar(axes[0])
top = volume.origin_nm[2]
axes[1].imshow(volume.values.max(axis=1), cmap="magma", extent=(0, width, top + depth, top))
axes[1].set(xlabel="x (nm)", ylabel="z (nm)", title="seen edge-on")

# %%
# Lines
# -----
#
# The same method without ``volume=true`` looks for the lines in it.

lines = vs.reconstruct(images, "tomo-sirt contours=learned", out=folder / "lines.vtp")
scores = vs.score(made.truth, lines)
for key in ("precision", "recall_visible", "f_score_visible", "depth_rmse_nm_visible"):
    print(f"{key:22s} {scores[key]:.2f}")

from veristem.bench.pages.compared import compared

figure = compared(made.truth, {"tomo-sirt contours=learned": lines})
figure

# %%
# ``veristem view tomogram.mrc lines.vtp --html both.html`` shows the surface of the volume and the lines together, to
# turn.
