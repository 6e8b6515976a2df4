"""Shapes of lines across themselves, from the bands along all curves of an acquisition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_EVEN, _ODD = 4, 3  # shapes


class Profiles(NamedTuple):
    """Shapes (U, M) of which lines are made, their slopes [1/nm], and the standard deviation (M,) of each amplitude.

    The first two are the background, level and inclined; the others have unit length under the weight across a band.
    """

    shapes: np.ndarray
    slopes: np.ndarray
    spread: np.ndarray

    def by_parity(self, ground: float, even: float, odd: float) -> np.ndarray:
        """(M,) shares of the spread of each shape, and of the background itself."""
        symmetric = self.shapes[0] * self.shapes[-1] > 0
        share = np.where(symmetric, even, odd) * np.where(np.isfinite(self.spread), self.spread, 1.0)
        return np.where(np.isfinite(self.spread), share, ground)


def profiles_of(bands: np.ndarray, across: np.ndarray, taper: np.ndarray, odd: bool = True) -> Profiles:
    """Principal components of bands.

    Parameters
    ----------
    bands : (N, U) float
        Grey levels across lines.
    across : (U,) float
        Places, symmetric about 0 [nm].
    taper : (U,) float
        Weights.
    odd : bool
        Whether lines may be other than symmetric. A line's place is that about which it is symmetric, as far as it is.
    """
    root = np.sqrt(taper)
    shapes, spread = [], []
    grounds = []
    for parity, ground, count in ((1, np.ones_like(across), _EVEN), (-1, across, _ODD if odd else 0)):
        ground = ground * root / np.linalg.norm(ground * root)
        part = (bands + parity * bands[:, ::-1]) / 2 * root
        part = part - np.outer(part @ ground, ground)
        value, vector = np.linalg.eigh(part.T @ part / max(len(part), 1))
        grounds.append(ground)
        shapes += list(vector[:, ::-1].T[:count])
        spread += list(np.sqrt(np.maximum(value[::-1][:count], 1e-12)))
    table = np.column_stack(grounds + shapes) / root[:, None]
    return Profiles(table, np.gradient(table, across, axis=0), np.array([np.inf, np.inf, *spread]))
