"""The crystal's axes in a 3D scene: three strokes from the upper corner of the foil."""

from __future__ import annotations

import numpy as np

_LENGTH = 0.15  # of the shorter side of the foil
# of Okabe and Ito's palette
LEGEND = [("crystal x", "#D55E00"), ("crystal y", "#009E73"), ("crystal z", "#0072B2")]
WORDS = "the strokes at its corner are the Cartesian axes of the crystal, x orange, y green, z blue"


def add_crystal_axes(plotter, crystal_from_specimen: np.ndarray | None, size_nm, origin_nm=(0.0, 0.0, 0.0)) -> bool:
    """Add the Cartesian axes of the crystal, whose orientation is (3, 3); whether it is known."""
    import pyvista as pv

    if crystal_from_specimen is None:
        return False
    start, length = np.asarray(origin_nm, float), _LENGTH * min(size_nm[:2])
    for axis, (_, colour) in zip(crystal_from_specimen, LEGEND):  # rows: its axes in the specimen frame
        plotter.add_mesh(pv.Line(start, start + length * axis), color=colour, line_width=6)
    return True
