"""How far two views are from being registered: parallax moves features along the epipolar direction alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import epipolar_direction, widest_pair

REGISTERED_PX = 1.0  # vertical residual up to which depths can be trusted
_SURE = 3.0  # standard errors beyond it that a warning takes
_RATIO = 0.7  # of the distances to the best and the second best descriptor (Lowe 2004)
_FEWEST = 12  # matches that a median is made of
_LARGEST_PX = 1024  # side of the images that are compared
_BAND_PX = (1.0, 10.0)  # noise is finer and background coarser than what rows are compared by
_RANKS, _BANDS = 16, 8  # groups of the sorted pixels of a row; bands of rows left out in turn
_SMALLEST_PX = 32  # side of an image in which rows are compared
_UNLIKE = 0.4  # share of the difference of rows that may be left where they fit best


class Residual(NamedTuple):
    """How far the second view lies off the first across the epipolar direction."""

    px: float  # NaN where nothing tells it to a pixel
    error_px: float  # standard error
    features: int  # 0 where rows were compared


def vertical_residual_px(left: np.ndarray, right: np.ndarray, epipolar=(1.0, 0.0)) -> Residual:
    """Distance of what is imaged across the epipolar direction, right less left.

    The median of SIFT features that agree both ways, or the shift at which rows are most alike: what has the smaller
    error. Thin lines have few features, and those lie anywhere along them.

    Parameters
    ----------
    left, right : (Y, X) float
        Images of one shape.
    epipolar : (2,) float
        Unit vector (x, y) along which depth moves what is imaged.

    Returns
    -------
    Residual
    """
    step = max(1, -(-max(left.shape) // _LARGEST_PX))
    pictures = [_picture(image, step) for image in (left, right)]
    moves = _matched(*pictures) @ np.array([-epipolar[1], epipolar[0]])
    found = []
    if len(moves) >= _FEWEST:
        median = float(np.median(moves))
        error = 1.86 * float(np.median(np.abs(moves - median))) / len(moves) ** 0.5  # of a median of normal errors
        found.append(Residual(median * step, error * step, len(moves)))
    if min(pictures[0].shape) >= _SMALLEST_PX:
        shift, error = _shift_of_rows(*(_ranks(picture, *epipolar) for picture in pictures))
        found.append(Residual(shift * step, error * step, 0))
    known = [one for one in found if one.error_px <= step * REGISTERED_PX]
    return min(known, key=lambda one: one.error_px, default=Residual(np.nan, np.nan, 0))


def _picture(image: np.ndarray, step: int) -> np.ndarray:
    """Eight-bit grey levels between the first and the last half per cent of the pixels, binned."""
    rows, columns = (n // step * step for n in image.shape)
    small = (
        np.asarray(image, float)[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    )
    low, high = np.percentile(small, (0.5, 99.5))
    return np.clip(255 * (small - low) / max(high - low, 1e-12), 0, 255).astype(np.uint8)


def _matched(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(N, 2) how far each feature moved, x and y."""
    import cv2

    sift, matcher = cv2.SIFT.create(contrastThreshold=0.01), cv2.BFMatcher()
    (points, first), (others, second) = (sift.detectAndCompute(image, None) for image in (left, right))
    if first is None or second is None or min(len(first), len(second)) < 2:
        return np.zeros((0, 2))

    def best(of, among) -> dict[int, int]:
        pairs = (pair for pair in matcher.knnMatch(of, among, k=2) if len(pair) == 2)
        return {a.queryIdx: a.trainIdx for a, b in pairs if a.distance < _RATIO * b.distance}

    there, back = best(first, second), best(second, first)
    both = [(i, j) for i, j in there.items() if back.get(j) == i]
    return np.array([np.subtract(others[j].pt, points[i].pt) for i, j in both]).reshape(-1, 2)


def _ranks(picture: np.ndarray, ex: float, ey: float) -> np.ndarray:
    """(rows, ranks) mean grey levels of the darkest to the brightest pixels of each row along the epipolar direction.

    Depth moves a point along its row, so what a row holds, though not where, is the same in both views.
    """
    rows, columns = picture.shape
    shape = (rows, columns) if abs(ex) > 0.999 else (columns, rows)
    if max(abs(ex), abs(ey)) < 0.999:  # a square that lies within the image when turned
        shape = (int(min(rows, columns) / (abs(ex) + abs(ey))),) * 2
    v, u = (index - (n - 1) / 2 for index, n in zip(np.indices(shape), shape))
    fine, coarse = (gaussian_filter(picture.astype(float), sigma) for sigma in _BAND_PX)
    at = (rows - 1) / 2 + ey * u + ex * v, (columns - 1) / 2 + ex * u - ey * v
    ordered = np.sort(map_coordinates(fine - coarse, at, order=1), axis=1)
    ranks = np.stack([part.mean(axis=1) for part in np.array_split(ordered, _RANKS, axis=1)], axis=1)
    ranks -= ranks.mean(axis=0)
    return ranks / max(float(np.std(ranks)), 1e-12)


def _shift_of_rows(left: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """By how many rows ``right`` fits ``left`` best, and its standard error with bands of rows left out in turn.

    NaN where the rows are unlike, or fit best at the end of the range, a sixth of the image.
    """
    most = len(left) // 6
    inner = np.arange(most, len(left) - most)
    unlike = [((left[inner] - right[inner + shift]) ** 2).sum(axis=1) for shift in range(-most, most + 1)]
    bands = np.array([part.sum(axis=1) for part in np.array_split(np.array(unlike), _BANDS, axis=1)])
    whole = bands.sum(axis=0)
    if not whole.min() < _UNLIKE * np.median(whole):
        return np.nan, np.nan
    without = [_lowest(whole - band) - most for band in bands]
    return _lowest(whole) - most, float(np.std(without) * (_BANDS - 1) ** 0.5)


def _lowest(values: np.ndarray) -> float:
    """Index of the lowest value, by a parabola through it and its neighbours; NaN at the ends."""
    k = int(values.argmin())
    if not 0 < k < len(values) - 1:
        return np.nan
    before, here, after = values[k - 1 : k + 2]
    return k + (before - after) / (2 * (before - 2 * here + after))


def registration_warning(acquisition: Acquisition) -> str | None:
    """What to say when the widest pair of views is not registered; None if it is, or nothing shows it.

    Images of a tilted specimen are foreshortened and therefore not compared.
    """
    epipolar = epipolar_direction(acquisition.directions_rad)
    if epipolar is None or acquisition.tilts_rad is not None:
        return None
    first, second = widest_pair(acquisition.directions_rad)
    left, right = acquisition.views[first], acquisition.views[second]
    px, error_px, features = vertical_residual_px(left, right, epipolar)
    if not abs(px) > REGISTERED_PX + _SURE * error_px:
        return None
    seen = f"{features} features lie" if features else "their rows fit best"
    return (
        f"warning: views {first} and {second} are not registered: {seen} {px:+.1f} ± {error_px:.1f} pixels off across "
        f"the epipolar direction, up to {REGISTERED_PX:g} allowed; depths cannot be trusted. Align the images first"
    )
