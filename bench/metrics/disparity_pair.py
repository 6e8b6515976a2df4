"""A true disparity on the pixels of the lines of a first view and one that was found, and how both are drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from veristem.bench.metrics.mask_pair import pixels_along
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import project, widest_pair
from veristem.datasets.truth import LineTruth

_ONE_PX = 1.0  # disparities of one pixel that differ by more are of two lines


@dataclass(frozen=True, eq=False)
class DisparityPair:
    """Errors of disparity on the pixels of the true lines.

    Parameters
    ----------
    error_px : (N,) float
        For each pixel of the truth the distance of the disparity found from the true one [px]; NaN where none is given.
    """

    error_px: np.ndarray

    @staticmethod
    def of(truth_px, found_px, reach_px: float) -> DisparityPair:
        """Each pixel of the truth against the nearest one with a disparity, no farther than ``reach_px``.

        Parameters
        ----------
        truth_px, found_px : (Y, X) float
            Disparity of the pixels of the first view [px], NaN where there is none.
        reach_px : float
            0 asks for the pixel itself, which a dense map has.

        Raises
        ------
        InputError
            On maps that are not of one shape, an infinite disparity, or a reach below 0.
        """
        from scipy.ndimage import distance_transform_edt

        if not (np.isfinite(reach_px) and reach_px >= 0):
            raise InputError(f"reach_px: {reach_px} found, 0 or more allowed")
        truth, found = np.asarray(truth_px, float), np.asarray(found_px, float)
        if truth.ndim != 2 or truth.shape != found.shape:
            raise InputError(f"disparity: shapes {truth.shape} and {found.shape} found, one shape (Y, X) allowed")
        if np.isinf(truth).any() or np.isinf(found).any():
            raise InputError("disparity: an infinite one found, finite numbers allowed, and NaN where there is none")
        there = np.isfinite(truth)
        if np.isnan(found).all():
            return DisparityPair(np.full(there.sum(), np.nan))
        distance, nearest = distance_transform_edt(np.isnan(found), return_indices=True)  # type: ignore[misc]
        error = np.abs(found[tuple(nearest[:, there])] - truth[there])
        return DisparityPair(np.where(distance[there] <= reach_px + 1e-9, error, np.nan))

    def share_above(self, limit_px: float) -> float | None:
        """Share of the pixels whose error exceeds a limit; one that has no disparity does. None without any."""
        return float((~(self.error_px <= limit_px)).mean()) if len(self.error_px) else None


def draw_disparity(
    curves_nm: Iterable[np.ndarray], disparities_nm: Iterable[np.ndarray], shape: tuple[int, int], pixel_nm: float
) -> np.ndarray:
    """Mean disparity of what passes each pixel, by length; both sides of a comparison are drawn so.

    Parameters
    ----------
    curves_nm : iterable of (K, 2) float
        Polylines (x, y) in the first view [nm].
    disparities_nm : iterable of (K,) float
        Disparity of each of their vertices, linear between them [nm].
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
        Pixel size [nm].

    Returns
    -------
    (Y, X) float
        Disparity [px]; NaN where no line is, and where lines cross whose disparities differ by more than a pixel.
    """
    total, length = np.zeros(shape), np.zeros(shape)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    for curve, disparity in zip(curves_nm, disparities_nm):
        row, column, at, way = pixels_along(curve, shape, pixel_nm)
        value = np.interp(at, np.arange(len(curve)), disparity) / pixel_nm
        np.add.at(total, (row, column), value * way)
        np.add.at(length, (row, column), way)
        np.minimum.at(low, (row, column), value)
        np.maximum.at(high, (row, column), value)
    one = (length > 0) & (high - low <= _ONE_PX)
    return np.where(one, total / np.where(one, length, 1), np.nan)


def true_disparity(truth: LineTruth, views: tuple[int, int] | None = None) -> np.ndarray:
    """Disparity of the visible true lines, on the pixels of the first view.

    It is that of `Matches`: d = (z - z_f) |tan theta_1 - tan theta_2| along the epipolar direction, second view less
    first, so that it grows with depth. Places are those on the focus plane, which is the image unless it was tilted or
    moved.

    Parameters
    ----------
    truth : LineTruth
        The lines, and the true directions of the views.
    views : (int, int), optional
        First and second view; the widest pair if not given.

    Returns
    -------
    (Y, X) float
        As of `draw_disparity`.
    """
    return disparity_of(truth.network.chains(truth.visible), truth, views)


def disparity_of(curves_nm: Iterable[np.ndarray], truth: LineTruth, views: tuple[int, int] | None = None) -> np.ndarray:
    """Disparity (Y, X) [px] of curves (K, 3) in the foil, a reconstruction's say; the rest as of `true_disparity`."""
    first, second = truth.directions_rad[list(views or widest_pair(truth.directions_rad))]
    parallax = float(np.linalg.norm(np.tan(first) - np.tan(second)))
    shape, curves = truth.expected.shape[1:], list(curves_nm)
    places = (project(curve, first, truth.focus_nm) for curve in curves)
    disparities = ((curve[:, 2] - truth.focus_nm) * parallax for curve in curves)
    return draw_disparity(places, disparities, shape, truth.field_nm[0] / shape[1])
