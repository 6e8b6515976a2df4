"""constant: the same answer whatever the images. It tests the harness; any method must beat its score."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.reconstruction import CurveSet


def reconstruct(acquisition: Acquisition, *, alignment=None, contours=None, matches=None) -> CurveSet:
    """One straight line through the middle of the field, in the focus plane; the other arguments are not used."""
    width, height = acquisition.field_nm
    z = acquisition.focus_nm
    line = np.array([[0.25 * width, 0.5 * height, z], [0.75 * width, 0.5 * height, z]])
    return CurveSet((line,))
