"""A true mask and one that was found, and how masks are drawn from lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from veristem.bench.metrics.pair import Samples
from veristem.datasets.errors import InputError
from veristem.datasets.polyline import steps
from veristem.datasets.shapes import as_array
from veristem.datasets.truth import LineTruth


@dataclass(frozen=True, eq=False)
class MaskPair:
    """Pixels of both sides; the interface is that of `Pair`, with a weight of 1 a pixel and distances in pixels.

    Parameters
    ----------
    truth_mask, found_mask : (Y, X) bool
        Both masks.
    truth, found : Samples
        Their pixels, each with its distance to the nearest of the other side [px].
    tolerance_px : float
        Distance within which a pixel counts as found; 0 asks for the pixel itself.
    pixel_nm : float or None
        Pixel size [nm]; scores by length have no value without.
    """

    truth_mask: np.ndarray
    found_mask: np.ndarray
    truth: Samples
    found: Samples
    tolerance_px: float
    pixel_nm: float | None = None

    @staticmethod
    def of(truth, found, tolerance_px: float = 0.0, pixel_nm: float | None = None) -> MaskPair:
        """Both sides of a comparison.

        Raises
        ------
        InputError
            On masks that are not of one shape or have other values than 0 and 1, or a tolerance below 0.
        """
        if not (np.isfinite(tolerance_px) and tolerance_px >= 0):
            raise InputError(f"tolerance_px: {tolerance_px} found, 0 or more allowed")
        there, got = _mask("truth", truth), _mask("found", found)
        if there.shape != got.shape:
            raise InputError(f"masks: shapes {there.shape} and {got.shape} found, one shape allowed")
        return MaskPair(there, got, _pixels(there, got), _pixels(got, there), tolerance_px, pixel_nm)

    def within(self, samples: Samples) -> np.ndarray:
        """(N,) whether each pixel lies within the tolerance of the other side."""
        return samples.distance_nm <= self.tolerance_px + 1e-9


def _mask(name: str, value) -> np.ndarray:
    mask = np.asarray(value)
    if mask.ndim != 2:
        raise InputError(f"{name}: {mask.ndim} dimensions found, a mask of 2 allowed")
    if mask.dtype != bool and not ((mask == 0) | (mask == 1)).all():
        raise InputError(f"{name}: other values than 0 and 1 found, only these allowed in a mask")
    return mask.astype(bool)


def _pixels(mask: np.ndarray, other: np.ndarray) -> Samples:
    from scipy.ndimage import distance_transform_edt

    count = int(mask.sum())
    distance = np.asarray(distance_transform_edt(~other))[mask] if other.any() else np.full(count, np.inf)
    nothing = np.full(count, np.nan)
    return Samples(np.ones(count), distance, np.full((count, 3), np.nan), np.full(count, -1), nothing)


def draw(curves_nm: Iterable[np.ndarray], shape: tuple[int, int], pixel_nm: float) -> np.ndarray:
    """Every pixel that a polyline passes, however it is written; both sides of a comparison are drawn so.

    Parameters
    ----------
    curves_nm : iterable of (K, 2) float
        Polylines (x, y) in the image [nm], as in `Contours`; what lies beyond the image is left out.
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
        Pixel size [nm].

    Returns
    -------
    (Y, X) bool

    Raises
    ------
    InputError
        On a curve of another shape, or a coordinate that is not finite.
    """
    mask = np.zeros(shape, bool)
    for curve in curves_nm:
        curve = as_array("curves_nm", curve, (None, 2))
        mask[pixels_along(curve, shape, pixel_nm)[:2]] = True
    return mask


def pixels_along(curve_nm: np.ndarray, shape: tuple[int, int], pixel_nm: float) -> tuple[np.ndarray, ...]:
    """Row (N,) and column (N,) of every pixel that a polyline (K, 2) passes, where and for how long.

    ``at`` (N,) is the middle of the line's way through the pixel, in vertices: 2.25 is a quarter of the way from vertex
    2 to vertex 3. ``length`` (N,) is how long that way is [px]. What lies beyond the image is left out.
    """
    curve = np.asarray(curve_nm, float) / pixel_nm
    vertices = np.arange(len(curve))
    borders = np.sort(np.concatenate([vertices, *map(_crossings, curve.T)]))
    at, share = (borders[1:] + borders[:-1]) / 2, np.diff(borders)
    at, share = at[share > 1e-9], share[share > 1e-9]
    column, row = (np.floor(np.interp(at, vertices, c)).astype(int) for c in curve.T)
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    length = share * steps(curve)[at.astype(int)]
    return row[inside], column[inside], at[inside], length[inside]


def _crossings(coordinate: np.ndarray) -> np.ndarray:
    """Where a coordinate, linear between its vertices (K,), passes whole numbers, in vertices."""
    first, last = coordinate[:-1], coordinate[1:]
    lowest = np.floor(np.minimum(first, last))
    count = (np.floor(np.maximum(first, last)) - lowest).astype(int)
    part = np.repeat(np.arange(len(count)), count)
    whole = lowest[part] + 1 + np.arange(len(part)) - np.repeat(np.cumsum(count) - count, count)
    return part + (whole - first[part]) / (last - first)[part]


def true_mask(truth: LineTruth, view: int) -> np.ndarray:
    """The visible lines of a truth as a mask (Y, X) of one of its views."""
    return mask_of(truth.network.chains(truth.visible), truth, view)


def mask_of(curves_nm: Iterable[np.ndarray], truth: LineTruth, view: int) -> np.ndarray:
    """Curves (K, 3) in the foil, a reconstruction's say, as a mask (Y, X) of one of the views of a truth."""
    shape = truth.expected.shape[1:]
    return draw((truth.project(curve, view) for curve in curves_nm), shape, truth.field_nm[0] / shape[1])
