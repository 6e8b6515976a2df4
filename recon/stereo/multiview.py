"""lines-multiview: lines from any number of views of one specimen, two or more.

Contours of all views are matched pair by pair, the widest first; what the other views do not show is dropped, and each
curve is then moved to where all of them, weighed by their errors, see it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import project, widest_pair
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo.all_views import AllViews
from veristem.recon.stereo.pairs import Ready, in_the_middle, middle_nm, ready
from veristem.recon.stereo.seeking import alone
from veristem.recon.stereo.triangulate import triangulate

_NARROW = 0.4  # of the widest parallax: pairs below it are not matched
_PAIRS = 12  # at most that are
_SHOWN = 0.3  # share of the other views that must show a piece of a curve


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    register: bool = False,
    bands: bool = True,
    band_weights: str | None = None,
) -> CurveSet:
    """Curves in 3D from all views.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views; of two the answer is that of the pair.
    alignment, contours, depth_margin_nm, depth_range_nm, scale_nm, register, bands, band_weights
        As of `classical.reconstruct`; contours are ``learned`` if nothing else is named.

    Raises
    ------
    InputError
        With fewer than two views, views without parallax, or a bad parameter.
    """
    views = ready(acquisition, alignment, scale_nm, depth_margin_nm, depth_range_nm, register)
    deep, directions, focus = acquisition.thickness_nm, views.alignment.directions_rad, acquisition.focus_nm
    pairs = _pairs(directions)
    found = views.contours(contours, "learned")
    if deep is not None and views.free:
        depths, _ = triangulate(views.wider().matched(found, pairs[0]), directions, focus)
        views = views.about(middle_nm(depths, deep, depth_margin_nm))
    curves, sigmas = [], []
    all_views = AllViews(found, directions, focus, views.scale_nm)
    for pair in pairs:
        some = _unexplained(found, pair, curves, views) if curves else found
        matches = views.matched(some, pair, bands, band_weights)
        for curve, sigma in zip(*triangulate(matches, directions, focus)):
            others = [view for view in range(len(directions)) if view not in pair]
            for piece, error in all_views.pieces(curve, sigma, others, _SHOWN):
                moved, told = all_views.moved(piece, error)
                curves.append(moved)
                sigmas.append(told)
    if deep is not None and views.free:
        curves = in_the_middle(curves, deep, depth_margin_nm)
    return CurveSet(tuple(curves), tuple(sigmas), crystal_from_specimen(acquisition))


def _pairs(directions_rad: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of views to match, the widest first, in an order that is that of their directions alone."""
    widest_pair(directions_rad)  # refuses views without parallax
    tangents = np.tan(directions_rad)
    listed = []
    for pair in itertools.combinations(sorted(range(len(tangents)), key=lambda v: tuple(-tangents[v])), 2):
        parallax = float(np.linalg.norm(tangents[pair[0]] - tangents[pair[1]]))
        listed.append((-round(parallax, 9), *(tuple(-tangents[v]) for v in pair), pair))
    listed.sort()
    return [pair for width, _, _, pair in listed if width <= _NARROW * listed[0][0]][:_PAIRS]


def _unexplained(contours: Contours, pair: tuple[int, int], curves: Sequence[np.ndarray], views: Ready) -> Contours:
    """The contours of two views without those along which curves are known; the other views are empty."""
    pieces: list[tuple] = [() for _ in contours.curves_nm]
    for view in pair:
        seen = [project(c, views.alignment.directions_rad[view], views.acquisition.focus_nm) for c in curves]
        pieces[view] = tuple(alone(contours.curves_nm[view], contours.sigma_nm[view], seen, views.scale_nm))
    return Contours(
        tuple(tuple(curve for curve, _ in view) for view in pieces),
        tuple(tuple(sigma for _, sigma in view) for view in pieces),
    )
