"""Where the bright-field disc lies in a pattern, and in which direction its Kikuchi lines run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veristem.datasets.errors import InputError

_AZIMUTHS = 720
_STEP = 0.05  # of a pixel, along the radius
_INNER, _OUTER = 0.7, 1.3  # of the radius, between which the rim is sought
_ALONG_RIM = 4.0  # azimuths over which lines across the rim are averaged
_SHARP = 0.02  # largest uncertainty of a rim over its radius
_SMOOTH = 2.0  # pixels, so that no direction is favoured by the raster
_CLEAR = 0.4  # of the gradients that must agree on a direction
_ODD = 3.0  # times brighter or darker than its neighbours, a pixel is broken
_BRIGHTEST = 0.002  # share of the pixels that any disc exceeds
_MANY = 1e30  # patterns of a mean: chance has no part
_COUNTED = 15.0  # half of what a pixel of the disc must have counted, to be told from chance


class Disc(NamedTuple):
    """The rim: centre (2,) x, y and radius [pixels], pixel (i, j) centred at (i, j), and the radius's uncertainty."""

    center_px: np.ndarray
    radius_px: float
    sigma_px: float

    def coverage(self, shape: tuple[int, int], side: int = 8) -> np.ndarray:
        """(rows, columns) share of each pixel that lies within the rim."""
        at = [(np.arange(n * side) + 0.5) / side - 0.5 - c for n, c in zip(shape[::-1], self.center_px)]
        inside = at[0] ** 2 + at[1][:, None] ** 2 <= self.radius_px**2
        return inside.reshape(shape[0], side, shape[1], side).mean(axis=(1, 3))


class Lines(NamedTuple):
    """Direction of Kikuchi lines from x towards y, -pi/2 to pi/2, and its uncertainty [rad]."""

    azimuth_rad: float
    sigma_rad: float


def broken_pixels(pattern: np.ndarray, frames: float = _MANY) -> np.ndarray:
    """(rows, columns) bool: hot pixels as bright as the disc and dead ones within it, alone or two side by side.

    A hot pixel is three times as bright as all but one of its neighbours, which no pixel of a disc is; a dead one three
    times as dark. None is where a pattern is the mean of so few ``frames`` of counts that chance makes such pixels.
    """
    from scipy.ndimage import rank_filter

    image = np.asarray(pattern, float)
    around = np.ones((3, 3), bool)
    around[1, 1] = False
    high, low = (rank_filter(image, rank, footprint=around, mode="mirror") for rank in (-2, 1))
    bright = 0.5 * np.sort(image, axis=None)[-max(4, int(_BRIGHTEST * image.size)) :][0]
    odd = ((image > _ODD * high) & (image > bright)) | ((_ODD * image < low) & (low > bright))
    return odd & (bright * frames > _COUNTED)


def mended(pattern: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """The pattern with the median of the neighbourhood in place of broken pixels."""
    from scipy.ndimage import median_filter

    return np.where(broken, median_filter(np.asarray(pattern, float), 3, mode="mirror"), pattern)


def find_disc(pattern: np.ndarray, where: str = "pattern") -> Disc:
    """The rim of the disc in a mean pattern: where the level along each radius falls to half, and a circle through it.

    Parameters
    ----------
    pattern : (rows, columns) float
        Best of the vacuum. The disc may be cut by the edge of the detector; broken pixels do not matter.
    where : str
        For messages.

    Raises
    ------
    InputError
        When no disc stands out.
    """
    from scipy.ndimage import binary_fill_holes, gaussian_filter
    from skimage.filters import threshold_multiotsu, threshold_otsu
    from skimage.measure import label as connected

    image = np.asarray(pattern, float)
    if np.isfinite(image).all() and min(image.shape) > 2:
        image = mended(image, broken_pixels(image))
    smooth = gaussian_filter(image, 1.0)
    found = []
    if np.isfinite(smooth).all() and len(np.unique(smooth)) > 16:
        # the lowest threshold may take in what scatters about the disc, the highest may lose what is dark in it
        for threshold in {float(threshold_otsu(smooth)), *map(float, threshold_multiotsu(smooth))}:
            bright = np.asarray(connected(smooth > threshold))
            if bright.any():
                largest = bright == np.bincount(bright.ravel())[1:].argmax() + 1
                y, x = np.nonzero(np.asarray(binary_fill_holes(largest)))
                found.append(_circle(image, np.array([x.mean(), y.mean(), np.sqrt(len(x) / np.pi)])))
    sharp = [disc for disc in found if disc is not None and disc.sigma_px < _SHARP * disc.radius_px]
    if not sharp:
        raise InputError(
            f"{where}: no bright-field disc found; give a scan of the vacuum, or `center_px` and `mrad_per_pixel`"
        )
    return min(sharp, key=lambda disc: disc.sigma_px)


def _circle(image: np.ndarray, fit: np.ndarray) -> Disc | None:
    """The rim near a circle (x, y, radius); None if there is none."""
    from scipy.ndimage import gaussian_filter1d, map_coordinates
    from scipy.optimize import least_squares

    azimuth = (np.arange(_AZIMUTHS) + 0.5) * 2 * np.pi / _AZIMUTHS
    towards = np.stack([np.cos(azimuth), np.sin(azimuth)])
    sigma = np.inf
    for _ in range(8):
        if not 2 < fit[2] < 4 * max(image.shape):
            return None
        radii = np.arange(_INNER * fit[2], _OUTER * fit[2], _STEP)
        at = fit[:2, None, None] + towards[:, :, None] * radii
        lines = map_coordinates(image, at[::-1], order=1, cval=np.nan)
        on = np.isfinite(lines)
        sums, weights = (
            gaussian_filter1d(part, _ALONG_RIM, axis=0, mode="wrap") for part in (np.where(on, lines, 0.0), 1.0 * on)
        )
        lines = np.where(on, sums / np.maximum(weights, 1e-9), np.nan)
        inside, outside = (lines[:, r].mean(axis=1) for r in (radii < 0.93 * fit[2], radii > 1.07 * fit[2]))
        seen = np.isfinite(inside + outside) & (inside > 1.5 * outside)
        if seen.sum() < _AZIMUTHS // 8:
            return None
        level = (inside + outside)[seen, None] / 2
        # a step stands where as much of the line is above half as lies before it: noise moves that least
        rim = radii[0] - _STEP / 2 + (lines[seen] >= level).sum(axis=1) * _STEP
        points = fit[:2, None] + towards[:, seen] * rim

        def off(circle, points=points):
            return np.hypot(points[0] - circle[0], points[1] - circle[1]) - circle[2]

        robust = least_squares(off, fit, loss="soft_l1", f_scale=0.5).x
        close = np.abs(off(robust)) < max(1.5, 3 * float(np.median(np.abs(off(robust)))))
        points = points[:, close]
        solved = least_squares(off, robust, kwargs={"points": points})
        sigma = float(np.sqrt((solved.fun**2).mean() / max(1, close.sum() / _ALONG_RIM - 3)))
        done, fit = np.abs(solved.x - fit).max() < 1e-3, solved.x
        if done:
            break
    return Disc(fit[:2], float(fit[2]), sigma) if np.isfinite(fit).all() else None


def kikuchi_lines(pattern: np.ndarray, disc: Disc, where: str = "pattern") -> Lines:
    """The direction of the Kikuchi lines in a disc, along which excitation errors are constant.

    It is perpendicular to the principal axis of the structure tensor, the sum of products of gradients within the rim:
    what is smooth and round about the axis adds alike to both axes. The uncertainty is that between rings of the disc.

    Raises
    ------
    InputError
        When no direction stands out.
    """
    from scipy.ndimage import gaussian_filter1d

    image = np.asarray(pattern, float)
    sigma = min(_SMOOTH, disc.radius_px / 12)
    across = [gaussian_filter1d(gaussian_filter1d(image, sigma, i, order=0), sigma, 1 - i, order=1) for i in (0, 1)]
    y, x = np.indices(image.shape)
    x, y = x - disc.center_px[0], y - disc.center_px[1]
    rings = np.floor(4 * (x**2 + y**2) / (disc.radius_px - 3 * sigma - 1) ** 2)  # four of one area
    products = across[0] ** 2 - across[1] ** 2, 2 * across[0] * across[1], across[0] ** 2 + across[1] ** 2
    sums = np.array([[product[rings == ring].sum() for product in products] for ring in range(4)])
    c, s, total = sums.sum(axis=0)
    if not np.hypot(c, s) > _CLEAR * total:
        raise InputError(f"{where}: no Kikuchi line found in the disc; give `azimuth_deg`, the direction of the pair")
    azimuth = np.arctan2(s, c) / 2 + np.pi / 2
    # each ring turns the whole by its share
    turns = ((sums[:, 1] - s / 4) * c - (sums[:, 0] - c / 4) * s) / (2 * (c**2 + s**2))
    return Lines(float((azimuth + np.pi / 2) % np.pi - np.pi / 2), float(np.sqrt(4 / 3 * (turns**2).sum())))
