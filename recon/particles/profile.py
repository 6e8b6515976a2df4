"""The shade of one sphere: its thickness along the beam, blurred by a pixel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

POINTS = 4096  # of the table, evenly in the square of the distance
RIM_PX = 1.2  # the table goes on so far beyond the radius, four times the blur
_BLUR_PX = 1 / np.sqrt(12)  # standard deviation of a pixel's area


@lru_cache(maxsize=32)
def shade_profile(radius_px: float) -> np.ndarray:
    """Thickness [px] of a sphere at squares of distance even from 0 to (radius + `RIM_PX`)², (POINTS,) float64.

    The chord 2 sqrt(R² - r²) is convolved with a Gaussian as wide as a pixel: integral of chord(r') r'/s²
    exp(-(r - r')² / 2s²) ive(0, r r'/s²) dr'.
    """
    from scipy.interpolate import CubicSpline
    from scipy.special import ive

    angle = (np.arange(300) + 0.5) / 300 * np.pi / 2  # r' = R sin(angle): the steep edge is sampled densely
    there = radius_px * np.sin(angle)
    weight = 2 * radius_px**2 * np.cos(angle) ** 2 * there * (np.pi / 2 / 300) / _BLUR_PX**2
    coarse = np.linspace(0.0, radius_px + RIM_PX, 120)[:, None]
    kernel = np.exp(-((coarse - there) ** 2) / (2 * _BLUR_PX**2)) * ive(0, coarse * there / _BLUR_PX**2)
    where = np.sqrt(np.linspace(0.0, (radius_px + RIM_PX) ** 2, POINTS))
    return CubicSpline(coarse[:, 0], kernel @ weight)(where)
