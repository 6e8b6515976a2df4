"""lines-multiview: lines from any number of views of one specimen, two or more.

Contours of all views are matched pair by pair, the widest first; what the other views do not show is dropped, and each
curve is then moved to where all of them, weighed by their errors, see it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import project, widest_pair
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.polyline import resample
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo.bands import normals_of
from veristem.recon.stereo.pairs import Ready, in_the_middle, middle_nm, ready
from veristem.recon.stereo.seeking import alone
from veristem.recon.stereo.triangulate import SMOOTHING, smoothing_spline, triangulate

_NARROW = 0.4  # of the widest parallax: pairs below it are not matched
_PAIRS = 12  # at most that are
_NEAR = 1.0  # distance of a contour that may be a curve's image, in scales
_SHOWN = 0.3  # share of the other views that must show a piece of a curve
_ALIKE = 1.5  # length over which it counts how many views show a curve, in scales
_LEAST = 0.03  # error of a contour that is more than it says, in scales
_MODEL = 0.085  # error of disparity that is contrast, which differs between the views, in scales
_TIMES = 2  # that curves are moved
_SHORTEST = 3.5  # curve that is kept, in scales
_LOOSE_NM = 1000.0  # standard deviation of a depth of which nothing is known


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
    trees = [_tree(found, view, views.scale_nm) for view in range(len(directions))]
    for pair in pairs:
        some = _unexplained(found, pair, curves, views) if curves else found
        matches = views.matched(some, pair, bands, band_weights)
        for curve, sigma in zip(*triangulate(matches, directions, focus)):
            for piece, error in _shown(curve, sigma, pair, trees, views):
                moved, told = _moved(piece, error, trees, views)
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


def _tree(contours: Contours, view: int, scale_nm: float):
    """Points along the contours of a view, finely, with their errors; None when there are none."""
    points = [
        np.column_stack(resample(curve, sigma, scale_nm / 12))
        for curve, sigma in zip(contours.curves_nm[view], contours.sigma_nm[view])
    ]
    if not points:
        return None
    table = np.concatenate(points)
    return KDTree(table[:, :2]), table


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


def _offsets(curve: np.ndarray, tree, view: int, views: Ready):
    """How far aside (K,) of the image of a curve its contour in a view lies, the error of that, NaN where there is
    none, and the normal (K, 2) [nm]."""
    image = project(curve, views.alignment.directions_rad[view], views.acquisition.focus_nm)
    normal = normals_of(image[None], views.scale_nm)[0]
    aside, error = np.full(len(curve), np.nan), np.full(len(curve), np.nan)
    if tree is not None:
        distance, index = tree[0].query(image)
        near = distance < _NEAR * views.scale_nm
        aside[near] = ((tree[1][index[near], :2] - image[near]) * normal[near]).sum(axis=1)
        error[near] = tree[1][index[near], 2]
    return aside, error, normal


def _shown(curve, sigma, pair, trees, views: Ready) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pieces of a curve that the views beside its own pair show too; the whole where there are no others."""
    even, error = resample(curve, sigma, views.scale_nm / 3)
    others = [view for view in range(len(trees)) if view not in pair]
    shown = np.ones(len(even))
    if others:
        met = [np.isfinite(_offsets(even, trees[view], view, views)[0]) for view in others]
        shown = gaussian_filter1d(np.mean(met, axis=0), 3 * _ALIKE, mode="nearest")
    kept = np.flatnonzero(shown >= _SHOWN)
    for run in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
        if len(run) >= max(3, 3 * _SHORTEST) or len(run) == len(even):
            yield even[run], error[run]


def _moved(curve, sigma, trees, views: Ready) -> tuple[np.ndarray, np.ndarray]:
    """A curve moved to where all views see it, and the standard deviation of its depth.

    By least squares for the shift of each vertex along its normal and in depth; both are smoothed along the curve as
    those of a pair are.
    """
    scale, step, was = views.scale_nm, views.scale_nm / 3, curve[:, 2]
    at, prior = step * np.arange(len(curve)), np.minimum(sigma, _LOOSE_NM)
    for _ in range(_TIMES):
        along = normals_of(curve[None, :, :2], scale)[0]
        normal_matrix, right = np.zeros((len(curve), 2, 2)), np.zeros((len(curve), 2))
        for view, tree in enumerate(trees):
            aside, error, normal = _offsets(curve, tree, view, views)
            weight = np.where(np.isfinite(aside), 1 / np.nan_to_num(error + _LEAST * scale, nan=1.0) ** 2, 0.0)
            tangent = np.tan(views.alignment.directions_rad[view])
            row = np.column_stack([(normal * along).sum(axis=1), -normal @ tangent])
            normal_matrix += weight[:, None, None] * row[:, :, None] * row[:, None, :]
            right += weight[:, None] * row * np.nan_to_num(aside)[:, None]
        normal_matrix[:, 0, 0] += scale**-2.0  # nothing lies far aside
        known = step / (SMOOTHING * scale * prior**2)  # of the depth before, by many vertices together
        normal_matrix[:, 1, 1] += known
        right[:, 1] += (was - curve[:, 2]) * known
        covariance = np.linalg.inv(normal_matrix)
        shift = (covariance @ right[..., None])[..., 0]
        aside_sigma, deep_sigma = np.sqrt(covariance[:, [0, 1], [0, 1]]).T
        depth = smoothing_spline(at, curve[:, 2] + shift[:, 1], deep_sigma, SMOOTHING * scale)(at)
        aside = smoothing_spline(at, shift[:, 0], aside_sigma, SMOOTHING * scale)(at)
        curve = np.column_stack([curve[:, :2] + aside[:, None] * along, depth])
    lever = max(np.linalg.norm(np.ptp(np.tan(views.alignment.directions_rad), axis=0)), 1e-9)
    return curve, np.sqrt(deep_sigma**2 * min(1.0, step / (SMOOTHING * scale)) + (_MODEL * scale / lever) ** 2)
