"""stereo-thesis: disparities of a network that matches by itself, snapped to contours: the baseline of deep stereo.

The network (Altingövde et al., Ultramicroscopy 234 (2022) 113460; `volume` has it) gives each pixel of the first view a
distribution over disparities, whose mean is taken (soft-argmin; Kendall et al., ICCV 2017). Along each contour of the
first view that moves it to the second, where it is snapped to the nearest contour; what has none near is left out.
Neither the disparity of neighbours along a contour nor which contour they were snapped to is compared. Weights and
their card lie in ``recon/weights``; `veristem train volume` makes others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import composed, inverse, mapped, widest_pair
from veristem.datasets.intermediate import Alignment, Contours, Matches
from veristem.datasets.polyline import resample
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.contours.learned import SCALE_PX, like_training, normalised
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo import classical
from veristem.recon.stereo.matching import epipolar_axes, runs
from veristem.recon.stereo.pairs import Ready, in_the_middle, ready
from veristem.recon.stereo.rows import to_rows, turned
from veristem.recon.stereo.triangulate import refine, triangulate
from veristem.recon.trained import trained

VERSION = 1
LEVELS = 17  # disparities that are compared, as many below 0 as above
LEVEL_PX = 2.0  # between them, in pixels of the views: one of half their resolution
RANGE_PX = LEVEL_PX * (LEVELS // 2)
_ROWS = 12.0  # how much less a contour may lie off the row than along it, where it is snapped to
_FINE_PX = 0.1  # between points of contours that are snapped to


class Disparity(NamedTuple):
    """What the network tells of each pixel of half the resolution (Y, X): mean and standard deviation [px], and
    whether the disparity lies beyond its range: that most is told of an outermost level."""

    mean_px: np.ndarray
    sigma_px: np.ndarray
    beyond: np.ndarray


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    matches: Matches | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 400.0,
    scale_nm: float | None = None,
    weights: str | None = None,
    snap_px: float = 3.0,
    register: bool = False,
) -> CurveSet:
    """Curves in 3D from the pair of views with the largest angle between them.

    Parameters
    ----------
    acquisition, alignment, matches, depth_margin_nm, depth_range_nm, scale_nm, register
        As of `classical.reconstruct`.
    contours : optional
        As of `classical.reconstruct`; those of the network of contours if not given, whose features the network of
        disparities sees.
    weights : path, optional
        A .onnx file of `veristem train volume`; that of the package if not given.
    snap_px : float
        How far from a contour of the second view a vertex may be moved to it, in pixels of a third of ``scale_nm``;
        0 leaves vertices where the network has them.

    Raises
    ------
    InputError
        As `classical.reconstruct`, for weights that cannot be used, and for a foil so thick, or views so far apart,
        that disparities may lie beyond the range of the network.
    """
    if not 0 <= snap_px <= RANGE_PX:
        raise InputError(f"snap_px: {snap_px:g} found, 0 to {RANGE_PX:g} allowed")
    if matches is not None:
        return classical.reconstruct(
            acquisition, alignment=alignment, matches=matches, depth_margin_nm=depth_margin_nm,
            depth_range_nm=depth_range_nm, scale_nm=scale_nm, register=register,
        )  # fmt: skip
    views = ready(acquisition, alignment, scale_nm, depth_margin_nm, depth_range_nm, register)
    deep, directions, focus = acquisition.thickness_nm, views.alignment.directions_rad, acquisition.focus_nm
    pair = widest_pair(directions)
    found = views.contours(contours, "learned")
    matched = _matched(views.wider() if views.free else views, found, pair, weights, snap_px)
    curves, sigma = triangulate(matched, directions, focus)
    if deep is not None and views.free:
        curves = in_the_middle(curves, deep, depth_margin_nm)
    return CurveSet(tuple(curves), tuple(sigma), crystal_from_specimen(acquisition))


def soft_argmin(outputs: np.ndarray, calibration: float = 1.0) -> Disparity:
    """Mean and spread of the distributions that logits (`LEVELS` or more, Y, X) of disparities tell.

    The mean is biased towards 0 where a broad distribution is cut off at the end of the range.
    """
    logits = outputs[:LEVELS] - outputs[:LEVELS].max(axis=0)
    share = np.exp(logits) / np.exp(logits).sum(axis=0)
    level = LEVEL_PX * (np.arange(LEVELS) - LEVELS // 2)[:, None, None]
    mean = (share * level).sum(axis=0)
    variance = (share * (level - mean) ** 2).sum(axis=0)
    most = share.argmax(axis=0)
    return Disparity(mean, calibration * np.sqrt(variance), (most == 0) | (most == LEVELS - 1))


def _matched(views: Ready, contours: Contours, pair: tuple[int, int], weights: str | None, snap_px: float) -> Matches:
    """Contours of the first view of a pair with their disparities, smoothed along each."""
    a, step = views.acquisition, views.scale_nm / SCALE_PX
    epipolar, parallax = epipolar_axes(views.alignment.directions_rad, pair)
    limits = views.disparities_nm(parallax)
    middle, half = sum(limits) / 2, (limits[1] - limits[0]) / 2
    if half > RANGE_PX * step:
        raise InputError(
            f"disparities: ±{half:.3g} nm found of {views.depths_nm[1] - views.depths_nm[0]:.4g} nm of depth and "
            f"{np.degrees(np.arctan(parallax)):.3g} degrees between views, ±{RANGE_PX * step:.3g} nm allowed for "
            "stereo-thesis; stereo-learned has no such bound"
        )
    to_first, size = to_rows(a.field_nm, epipolar, step)
    to_second = to_first - [[0, 0, middle / step], [0, 0, 0]]  # so that disparities lie about 0
    images = [_seen(views, view, place, size) for view, place in zip(pair, (to_first, to_second))]
    network = trained("volume", VERSION, weights)
    told = soft_argmin(network(np.stack(images)), float(network.calibration[0]))
    others = [
        resample(mapped(curve, to_second), np.zeros(len(curve)), _FINE_PX)[0] for curve in contours.curves_nm[pair[1]]
    ]
    snap = _Snap(np.concatenate([np.zeros((0, 2)), *others]), snap_px)
    places, sigmas = [], []
    for curve, error in zip(contours.curves_nm[pair[0]], contours.sigma_nm[pair[0]]):
        points, _ = resample(curve, error, a.pixel_nm)
        at = mapped(points, to_first)
        i, j = np.clip((at / 2).astype(int), 0, np.array(told.mean_px.shape[::-1]) - 1).T
        disparity, near = snap(at, told.mean_px[j, i])
        disparity = step * disparity + middle
        kept = near & ~told.beyond[j, i] & (disparity >= limits[0]) & (disparity <= limits[1])
        for run in runs(np.flatnonzero(kept), len(points), a.pixel_nm, views.scale_nm):
            places.append(np.stack([points[run], points[run] + disparity[run, None] * epipolar]))
            sigmas.append(step * told.sigma_px[j[run], i[run]])
    return refine(Matches(pair, tuple(places), tuple(sigmas)), epipolar, views.scale_nm)


def _seen(views: Ready, view: int, place: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A view as the network sees it: about its background, and turned by ``place`` from the focus plane to pixels."""
    a, to_image = views.acquisition, views.alignment.to_image
    image, zoom = like_training(a.views[view], SCALE_PX * a.pixel_nm / views.scale_nm)
    from_pixels = np.column_stack([np.diag(a.pixel_nm / zoom), np.zeros(2)])
    if to_image is not None:
        from_pixels = composed(inverse(to_image[view]), from_pixels)
    return turned(normalised(image), composed(place, from_pixels), size)


class _Snap:
    """Disparities moved to where the row meets a contour of the second view, if one is near.

    Parameters
    ----------
    points_px : (N, 2) float
        Along the contours of the second view.
    reach_px : float
        How far they may be; 0 for all to stay where they are.
    """

    def __init__(self, points_px: np.ndarray, reach_px: float):
        from scipy.spatial import KDTree

        self.points, self.reach = points_px, reach_px
        self.anywhere, self.along = KDTree(points_px), KDTree(points_px * [1.0, _ROWS])

    def __call__(self, places_px: np.ndarray, disparity_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Disparities (K,) of places (K, 2) of the first view, and whether a contour is near.

        One that runs along the row, or that ends there, is near without being met: the disparity stays.
        """
        if not self.reach:
            return disparity_px, np.ones(len(disparity_px), bool)
        if not len(self.points):
            return disparity_px, np.zeros(len(disparity_px), bool)
        moved = places_px + disparity_px[:, None] * [1.0, 0.0]
        near = np.isfinite(self.anywhere.query(moved, distance_upper_bound=self.reach)[0])
        found = self.along.query(moved * [1.0, _ROWS], distance_upper_bound=self.reach)
        distance, index = (np.asarray(part) for part in found)
        met = np.isfinite(distance)
        snapped = disparity_px.copy()
        snapped[met] = self.points[index[met], 0] - places_px[met, 0]
        return snapped, near | met
