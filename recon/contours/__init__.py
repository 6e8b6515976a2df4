"""Centrelines of dislocation images."""

from __future__ import annotations

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Contours
from veristem.datasets.outside import imported
from veristem.recon.methods import CONTOURS


def find_contours(name: str, views: np.ndarray, pixel_nm: float, scale_nm: float | None) -> Contours:
    """Contours of views (V, Y, X) in one of the ways of `CONTOURS`, with pixels and half the width of a line [nm].

    Raises
    ------
    InputError
        When there is no such way.
    """
    if name not in CONTOURS:
        raise InputError(f"contours: {str(name)[:40]!r} found, allowed are {', '.join(CONTOURS)}")
    return imported(CONTOURS[name], "contours")(views, pixel_nm, scale_nm)
