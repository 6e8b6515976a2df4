"""
A Merlin scan to lines
======================

A 4D scan holds a diffraction pattern for every scan pixel. Two discs in it, chosen afterwards, are two views of the
foil from two sides, taken at once; from these lines are made. The scan here is simulated and written as a Merlin
file, ``.mib``, so that the end can be compared with the truth. One of yours goes the same way.
"""

# %%
# A scan
# ------
#
# 96 × 96 patterns of 48 × 48 pixels, small so that this page is built in seconds, and a scan of the vacuum, which
# shows the rim of the disc without a specimen.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import veristem as vs
from veristem.datasets.formats.scans import read_scan

folder = Path(tempfile.mkdtemp())
made = vs.simulate(
    "gate-foil",
    folder,
    values={
        "recipe.seed": 6,
        "specimen.field_nm": [192.0, 192.0],
        "scan.shape": [96, 96],
        "microscope.detector": {
            "kind": "pixelated",
            "shape": [48, 48],
            "pixel_mrad": 4.2,
            "pair_angle_deg": 8.0,
            "radius_mrad": 10.0,
            "vacuum_shape": [4, 4],
        },
    },
)
patterns = read_scan(folder / "scan.zspy").data[:]
print(patterns.shape, "scan y, scan x, detector y, detector x;", patterns.dtype)


def write_mib(path, frames):
    """A file as the detector writes it: before each frame a header, rows from below, big-endian."""
    with open(path, "wb") as file:
        for number, frame in enumerate(frames.astype(">u4"), 1):
            rows, columns = frame.shape
            head = f"MQ1,{number:06d},00384,01,{columns:04d},{rows:04d},U32,   1x1,01,2026-01-01 12:00:00.000000,"
            head += "0.00059,0,0,0,2.0E+0,5.11E+2," + "0.0E+0," * 6 + "3RX,011,511,"
            head += "MQ1A,2026-01-01T12:00:00.000000000Z,590000ns,12,"
            file.write(head.encode().ljust(384, b"\0") + frame[::-1].tobytes())


write_mib(folder / "scan.mib", patterns.reshape(-1, 48, 48))

# %%
# The mean of all patterns: the bright-field disc, and across it the Kikuchi line, where the Bragg condition holds.
# Along that line the excitation error stays the same, so two discs on it show lines with the same contrast.

_, ax = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
extent_mrad = 4.2 * 24
shown = ax.imshow(
    patterns.mean(axis=(0, 1)), cmap="gray", extent=(-extent_mrad, extent_mrad, extent_mrad, -extent_mrad)
)
ax.set(xlabel="angle along x (mrad)", ylabel="angle along y (mrad)", title="mean of all patterns")
plt.colorbar(shown, shrink=0.8, label="counted electrons per detector pixel")

# %%
# Views
# -----
#
# On the command line ``veristem virtual scan.mib --vacuum vacuum.zspy --pair-angle-deg 8 --radius-mrad 10
# --convergence-mrad 91 --pixel-nm 2 --energy-keV 200 --thickness-nm 80 --scan-shape 96 96 -o views.h5``. The file
# tells neither scan step nor energy. Centre and angle of a pixel come from the rim of the disc, the direction of the
# pair from the Kikuchi line; both are told.

from veristem.bench.files.virtual import ViewOptions, write_views

asked = ViewOptions(
    pair_angle_deg=8.0,
    radius_mrad=10.0,
    convergence_mrad=91.0,
    pixel_nm=2.0,
    energy_keV=200.0,
    thickness_nm=80.0,
    scan_shape=(96, 96),
)
for line in write_views(folder / "scan.mib", folder / "vacuum.zspy", folder / "views.h5", asked):
    print(line)

from veristem.reports.figures import stereo_pair

images = vs.load(folder / "views.h5")
figure_views = stereo_pair(images)
figure_views

# %%
# Lines
# -----
#
# Below, the lines that are there are grey, seen along the beam and from the side; colours tell how far what was found
# lies from them.

found = vs.reconstruct(images, "stereo-learned", out=folder / "lines.vtp", say=print)
scores = vs.score(made.truth, found)
for key in ("precision", "recall", "f_score", "depth_rmse_nm"):
    print(f"{key:13s} {scores[key]:.2f}")

from veristem.bench.pages.compared import compared

figure_lines = compared(made.truth, {"stereo-learned": found})
figure_lines

# %%
# Other angles cost nothing but a second: the scan is there, and ``--pair-angle-deg``, ``--radius-mrad`` and
# ``--views`` make other views of it. What they are worth for the depth is a report:
# :doc:`/generated/reports/detector-radius`.
