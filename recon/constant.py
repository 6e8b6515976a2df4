"""constant: the same answer whatever the images. It tests the harness; any method must beat its score."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.reconstruction import CurveSet, PointSet, Reconstruction


def reconstruct(acquisition: Acquisition) -> Reconstruction:
    """One straight line, or one particle, in the middle of the field and the focus plane."""
    width, height = acquisition.field_nm
    z = acquisition.focus_nm
    if acquisition.kind == "particles":
        return PointSet(np.array([[0.5 * width, 0.5 * height, z]]))
    line = np.array([[0.25 * width, 0.5 * height, z], [0.75 * width, 0.5 * height, z]])
    return CurveSet((line,))
