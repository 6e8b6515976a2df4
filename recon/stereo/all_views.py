"""Where the contours of all views show a curve in space, and the curve moved to where they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Contours
from veristem.datasets.polyline import resample
from veristem.recon.stereo.bands import normals_of
from veristem.recon.stereo.triangulate import SMOOTHING, smoothing_spline

_NEAR = 1.0  # distance of a contour that may be a curve's image, in scales
_ALIKE = 1.5  # length over which it counts how many views show a curve, in scales
_LEAST = 0.03  # error of a contour that is more than it says, in scales
_MODEL = 0.085  # error of disparity that is contrast, which differs between the views, in scales
_CHANGE = 0.3  # depth by which lines seem off, as contrast changes with the direction, in scales
_TIMES = 2  # that curves are moved
_SHORTEST = 3.5  # curve that is kept, in scales
_LOOSE_NM = 1000.0  # standard deviation of a depth of which nothing is known


class AllViews:
    """Contours of all views on the focus plane.

    Parameters
    ----------
    contours : Contours
        Of every view, without the foreshortening and the shift of its image.
    directions_rad : (V, 2) float
        Of the views [rad].
    focus_nm : float
        Depth of the focus plane [nm].
    scale_nm : float
        Half the width of a line's image [nm].
    """

    def __init__(self, contours: Contours, directions_rad: np.ndarray, focus_nm: float, scale_nm: float):
        self.directions, self.focus, self.scale = directions_rad, focus_nm, scale_nm
        self.trees = [_tree(*view, scale_nm / 12) for view in zip(contours.curves_nm, contours.sigma_nm)]

    def offsets(self, curve: np.ndarray, view: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far aside (K,) of the image of a curve (K, 3) its contour in a view lies, the error of that, NaN where
        there is none, and the normal (K, 2) [nm]."""
        image = project(curve, self.directions[view], self.focus)
        normal = normals_of(image[None], self.scale)[0]
        aside, error = np.full(len(curve), np.nan), np.full(len(curve), np.nan)
        if (tree := self.trees[view]) is not None:
            distance, index = tree[0].query(image)
            near, found = distance < _NEAR * self.scale, tree[1][np.minimum(index, len(tree[1]) - 1)]
            aside[near] = ((found[near, :2] - image[near]) * normal[near]).sum(axis=1)
            error[near] = found[near, 2]
        return aside, error, normal

    def pieces(self, curve, sigma, views: Sequence[int], share: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pieces of a curve that a share of some views show, in even steps; the whole where there are no such views."""
        even, error = resample(curve, sigma, self.scale / 3)
        shown = np.ones(len(even))
        if len(views):
            met = [np.isfinite(self.offsets(even, view)[0]) for view in views]
            shown = gaussian_filter1d(np.mean(met, axis=0), 3 * _ALIKE, mode="nearest")
        kept = np.flatnonzero(shown >= share)
        for run in np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1):
            if len(run) >= max(3, 3 * _SHORTEST) or len(run) == len(even):
                yield even[run], error[run]

    def moved(self, curve, sigma) -> tuple[np.ndarray, np.ndarray]:
        """A curve in even steps, moved to where all views see it, and the standard deviation of its depth.

        By least squares for the shift of each vertex along its normal and in depth; both are smoothed along the curve
        as those of a pair are.
        """
        scale, step, was = self.scale, self.scale / 3, curve[:, 2]
        at, prior = step * np.arange(len(curve)), np.minimum(sigma, _LOOSE_NM)
        tangents = np.tan(self.directions)
        far = np.linalg.norm(tangents - tangents.mean(axis=0), axis=1)
        for _ in range(_TIMES):
            along = normals_of(curve[None, :, :2], scale)[0]
            normal_matrix, right = np.zeros((len(curve), 2, 2)), np.zeros((len(curve), 2))
            for view in range(len(tangents)):
                aside, error, normal = self.offsets(curve, view)
                error = np.hypot(error + _LEAST * scale, _CHANGE * scale * far[view])
                weight = np.where(np.isfinite(aside), 1 / np.nan_to_num(error, nan=1.0) ** 2, 0.0)
                row = np.column_stack([(normal * along).sum(axis=1), -normal @ tangents[view]])
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
        lever = max(np.linalg.norm(np.ptp(tangents, axis=0)), 1e-9)
        noise = deep_sigma**2 * min(1.0, step / (SMOOTHING * scale))
        return curve, np.sqrt(noise + scale**2 * ((_MODEL / lever) ** 2 + _CHANGE**2))


def _tree(curves, sigmas, step_nm: float):
    """Points along the contours of a view with their errors, and a tree to find them by; None when there are none."""
    points = [np.column_stack(resample(curve, sigma, step_nm)) for curve, sigma in zip(curves, sigmas)]
    if not points:
        return None
    table = np.concatenate(points)
    return KDTree(table[:, :2]), table
