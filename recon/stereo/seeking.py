"""Lines that stand out in one view alone, sought in the other.

A contour without a partner is tried at several depths: where both images show a line along it, bands move it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from veristem.datasets.intermediate import Contours, Matches
from veristem.datasets.polyline import resample
from veristem.recon.contours.learned import SCALE_PX
from veristem.recon.stereo.bands import Bands

_APART = 1.0  # distance from what is matched beyond which a contour is without a partner, in scales
_SHORTEST = 3.5  # piece of a contour that is tried, in scales
_GRID = 1.3  # between disparities that are tried, in scales
_SURE = 0.5  # largest standard deviation of a disparity that counts as found, in scales


def sought(
    contours: Contours,
    matches: Matches,
    bands: Bands,
    epipolar: np.ndarray,
    disparity_nm: tuple[float, float],
    weights: str | None = None,
) -> Matches:
    """Matches, and curves along contours that have none.

    Parameters
    ----------
    contours : Contours
        Of all views, on the focus plane.
    matches : Matches
        Of two of them.
    bands : Bands
        Of the same two.
    epipolar : (2,) float
        Unit vector of the epipolar direction.
    disparity_nm : (float, float)
        Allowed range of the disparity [nm].
    weights : path, optional
        As of `Bands.corrected`.
    """
    scale = bands.step * SCALE_PX
    low, high = disparity_nm
    edges = np.linspace(low, high, int(np.ceil((high - low) / (_GRID * scale))) + 1)
    places, sigmas = list(matches.places_nm), list(matches.sigma_nm)
    for number, view in enumerate(matches.views):
        seen = [curve[number] for curve in places]
        for piece, _ in [*alone(contours.curves_nm[view], contours.sigma_nm[view], seen, scale)]:
            most, best = 0.0, Matches(matches.views, (), ())
            for disparity in (edges[:-1] + edges[1:]) / 2:
                other = piece + (disparity if number == 0 else -disparity) * epipolar
                start = np.stack([piece, other] if number == 0 else [other, piece])
                begun = Matches(matches.views, (start,), (np.full(len(piece), scale),))
                found = _sure(bands.corrected(begun, epipolar, weights), epipolar, disparity_nm, scale)
                told = sum(len(sigma) / (1 + np.median(sigma) / bands.step) for sigma in found.sigma_nm)
                if told > most:
                    most, best = told, found
            places += best.places_nm
            sigmas += best.sigma_nm
    return Matches(matches.views, tuple(places), tuple(sigmas))


def alone(
    curves: Sequence[np.ndarray], sigmas: Sequence[np.ndarray], matched: Sequence[np.ndarray], scale: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pieces (K, 2) of the contours of a view, and their errors (K,), that nothing matched is near to."""
    from scipy.spatial import KDTree

    step = scale / SCALE_PX
    tree = KDTree(np.concatenate(matched)) if matched else None
    for curve, sigma in zip(curves, sigmas):
        points, errors = resample(curve, sigma, step)
        far = np.full(len(points), np.inf) if tree is None else tree.query(points)[0]
        free = np.flatnonzero(far > _APART * scale)
        for run in np.split(free, np.flatnonzero(np.diff(free) > 1) + 1):
            if (len(run) - 1) * step >= _SHORTEST * scale:
                yield points[run], errors[run]


def _sure(found: Matches, epipolar: np.ndarray, disparity_nm: tuple[float, float], scale: float) -> Matches:
    """Of what was found, what is placed well enough, and within the foil."""
    slack = scale / SCALE_PX
    kept = []
    for places, sigma in zip(found.places_nm, found.sigma_nm):
        disparity = (places[1] - places[0]) @ epipolar
        inside = disparity.min() > disparity_nm[0] - slack and disparity.max() < disparity_nm[1] + slack
        if inside and np.median(sigma) < _SURE * scale:
            kept.append((places, sigma))
    return Matches(found.views, tuple(p for p, _ in kept), tuple(s for _, s in kept))
