"""The darkest row of every column, in the focus plane: no depth at all, but a start."""

from __future__ import annotations

import numpy as np

from veristem.datasets import Acquisition, CurveSet


def reconstruct(acquisition: Acquisition, *, alignment=None, contours=None, matches=None) -> CurveSet:
    """One curve across the field, from images and nominal geometry alone."""
    image = acquisition.views.mean(axis=0)
    columns = np.arange(image.shape[1])
    x, y = (columns + 0.5) * acquisition.pixel_nm, (image.argmin(axis=0) + 0.5) * acquisition.pixel_nm
    return CurveSet((np.column_stack([x, y, np.full(len(x), acquisition.focus_nm)]),))
