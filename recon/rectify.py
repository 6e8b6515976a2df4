"""How far two views are from being registered: parallax moves features along the epipolar direction alone."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import epipolar_direction, widest_pair

REGISTERED_PX = 1.0  # vertical residual up to which depths can be trusted
_RATIO = 0.7  # of the distances to the best and the second best descriptor (Lowe 2004)
_FEWEST = 12  # matches that a median is made of; below, quarters of the images are compared
_COARSE = 3.0  # times less is known from quarters of the images
_SMOOTH_PX = 1.0  # so that noise makes no features
_LARGEST_PX = 1024  # side of the images that features are sought in


def vertical_residual_px(left: np.ndarray, right: np.ndarray, epipolar=(1.0, 0.0)) -> tuple[float, int]:
    """Median distance of matched features across the epipolar direction, right less left.

    SIFT features that agree both ways; with too few of them the phase correlation of quarters of the images.

    Parameters
    ----------
    left, right : (Y, X) float
        Images of one shape.
    epipolar : (2,) float
        Unit vector (x, y) along which depth moves what is imaged.

    Returns
    -------
    median_px : float
        NaN where nothing in the images matches.
    count : int
        Number of features; 0 for the phase correlation.
    """
    step = max(1, -(-max(left.shape) // _LARGEST_PX))
    pictures = [_picture(image, step) for image in (left, right)]
    across = np.array([-epipolar[1], epipolar[0]])
    moves = _matched(pictures[0], pictures[1])
    if len(moves) >= _FEWEST:
        return float(np.median(moves @ across)) * step, len(moves)
    return _correlated(pictures[0], pictures[1], across) * step, 0


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


def _correlated(left: np.ndarray, right: np.ndarray, across: np.ndarray) -> float:
    """The same of the four quarters, by phase correlation; NaN unless three of them agree."""
    import cv2

    if min(left.shape) < 32 or not (left.std() and right.std()):
        return np.nan
    moves = []
    for rows in np.array_split(np.arange(left.shape[0]), 2):
        for columns in np.array_split(np.arange(left.shape[1]), 2):
            parts = [
                cv2.GaussianBlur(image[np.ix_(rows, columns)].astype(float), (0, 0), 1.5) for image in (left, right)
            ]
            window = cv2.createHanningWindow(parts[0].shape[::-1], cv2.CV_64F)
            moves.append(float(np.dot(cv2.phaseCorrelate(parts[0], parts[1], window)[0], across)))
    moves.sort()
    agree = min((moves[k + 2] - moves[k], moves[k + 1]) for k in (0, 1))
    return agree[1] if agree[0] < REGISTERED_PX else np.nan


def registration_warning(acquisition: Acquisition) -> str | None:
    """What to say when the widest pair of views is not registered; None if it is, or nothing shows it.

    Images of a tilted specimen are foreshortened and therefore not compared.
    """
    epipolar = epipolar_direction(acquisition.directions_rad)
    if epipolar is None or acquisition.tilts_rad is not None:
        return None
    first, second = widest_pair(acquisition.directions_rad)
    left, right = acquisition.views[first], acquisition.views[second]
    median, count = vertical_residual_px(left, right, epipolar)
    if not abs(median) > (REGISTERED_PX if count else _COARSE * REGISTERED_PX):
        return None
    seen = f"{count} features" if count else "quarters of the images"
    return (
        f"warning: views {first} and {second} are not registered: {seen} lie {median:+.1f} pixels off across the "
        f"epipolar direction, up to {REGISTERED_PX:g} allowed; depths cannot be trusted. Align the images first"
    )
