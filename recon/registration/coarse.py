"""Shift and turn of one picture against another, to a pixel or two: by features, by correlation where they fail."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform, uniform_filter1d

from veristem.recon.registration.pictures import Picture, binned, rotation

_RATIO = 0.7  # of the distances to the best and the second best descriptor (Lowe 2004)
_NEAR_PX = 3.0  # how far features that agree on shift and turn may lie off
_FEWEST = 20  # of them: fewer agree by chance
_SHARE = 0.3  # of all matches that must agree
_SCALE = 0.02  # by which they may seem larger
_TURNS_DEG = np.arange(-5.0, 5.1, 1.0)  # that correlation tries
_SMALL_PX = 160  # side of what is correlated
_OVERLAP = 0.2  # of a picture that both must show


def by_features(left: Picture, right: Picture) -> tuple[float, np.ndarray] | None:
    """Turn [rad] and shift (2,) [px] about the middle on which most features agree; None where too few do."""
    import cv2

    points, others = matched_features(left, right)
    if len(points) < _FEWEST:
        return None
    found, agree = cv2.estimateAffinePartial2D(points, others, ransacReprojThreshold=_NEAR_PX)
    if found is None or agree.sum() < max(_FEWEST, _SHARE * len(points)):
        return None
    if abs(np.hypot(found[0, 0], found[1, 0]) - 1) > _SCALE:
        return None
    middle = (np.array(left.grey.shape[::-1]) - 1) / 2
    return float(np.arctan2(found[1, 0], found[0, 0])), found[:, :2] @ middle + found[:, 2] - middle


def matched_features(left: Picture, right: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) [px] in both pictures of SIFT features that are each other's best match."""
    import cv2

    sift, matcher = cv2.SIFT.create(contrastThreshold=0.01), cv2.BFMatcher()
    (points, first), (others, second) = (
        sift.detectAndCompute(np.clip(128 + 32 * p.grey, 0, 255).astype(np.uint8), p.inside.astype(np.uint8))
        for p in (left, right)
    )
    if first is None or second is None or min(len(first), len(second)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))

    def best(of, among) -> dict[int, int]:
        pairs = (pair for pair in matcher.knnMatch(of, among, k=2) if len(pair) == 2)
        return {a.queryIdx: a.trainIdx for a, b in pairs if a.distance < _RATIO * b.distance}

    there, back = best(first, second), best(second, first)
    both = [(i, j) for i, j in there.items() if back.get(j) == i]
    places = np.array([points[i].pt for i, _ in both]), np.array([others[j].pt for _, j in both])
    return places[0].reshape(-1, 2), places[1].reshape(-1, 2)


def by_correlation(left: Picture, right: Picture, parallax_px: float) -> tuple[float, np.ndarray]:
    """Turn [rad] and shift (2,) [px] at which the pictures are most alike where they overlap.

    ``parallax_px`` is the range of the moves along x, over which correlations are summed.
    """
    step = max(1, -(-max(left.grey.shape) // _SMALL_PX))
    first, second = (Picture(binned(p.grey, step), binned(p.inside, step) > 0.5) for p in (left, right))
    middle = np.array(first.grey.shape[::-1]) - 1
    best = (-np.inf, 0.0, np.zeros(2))
    for turn in np.radians(_TURNS_DEG):
        alike = correlation(first, _turned_back(second, turn))
        alike = uniform_filter1d(alike, max(1, round(parallax_px / step)), axis=1, mode="constant")
        row, column = np.unravel_index(alike.argmax(), alike.shape)
        if alike[row, column] > best[0]:
            best = (float(alike[row, column]), float(turn), (np.array([column, row]) - middle) * step)
    return best[1], rotation(best[1]) @ best[2]


def _turned_back(picture: Picture, turn: float) -> Picture:
    """A picture turned back by an angle about its middle."""
    middle = (np.array(picture.grey.shape) - 1) / 2
    back = rotation(turn)[::-1, ::-1]
    how = {"matrix": back, "offset": middle - back @ middle, "order": 1}
    return Picture(affine_transform(picture.grey, **how), affine_transform(picture.inside.astype(float), **how) > 0.5)


def correlation(left: Picture, right: Picture) -> np.ndarray:
    """Correlation coefficient at every shift over what both show, times the root of its share of the left picture.

    After Padfield, IEEE Trans. Image Process. 21 (2012) 2706; 0 where too little overlaps.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    shape = [2 * n - 1 for n in left.grey.shape]
    fast = [next_fast_len(n) for n in shape]
    (mask, a, aa), (other, b, bb) = (
        [rfft2(term, fast) for term in (p.inside * 1.0, p.inside * p.grey, p.inside * p.grey**2)] for p in (left, right)
    )

    def over(first, second) -> np.ndarray:
        whole = np.asarray(irfft2(np.conj(first) * second, fast))
        full = np.roll(whole, [n - 1 for n in left.grey.shape], axis=(0, 1))
        return full[: shape[0], : shape[1]]

    count = np.maximum(over(mask, other), 1e-6)
    mean, mean_b = over(a, other) / count, over(mask, b) / count
    variance = (over(aa, other) / count - mean**2) * (over(mask, bb) / count - mean_b**2)
    alike = (over(a, b) / count - mean * mean_b) / np.sqrt(np.maximum(variance, 1e-6))
    share = count / max(left.inside.sum(), 1)
    return np.where(share > _OVERLAP, alike * np.sqrt(share), 0.0)
