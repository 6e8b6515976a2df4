"""Centrelines of dislocation images: ridges of the disturbance, hysteresis, skeleton, sub-pixel centre.

The sub-pixel step is that of Steger, IEEE PAMI 20 (1998) 113: the zero of the slope across the line.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from veristem.datasets.intermediate import Contours
from veristem.recon.contours.skeletons import curves_along

_DIRECTIONS = 16
_RIM_PX = 3


def ridge_strength(image: np.ndarray, scale_px: float, length_px: float):
    """Second derivative across dark lines, averaged along them, and the sub-pixel offset to the line's centre.

    The image is correlated with second derivatives of a Gaussian, drawn out along the line to ``length_px``, in 16
    directions; at each pixel the strongest counts.

    Parameters
    ----------
    image : (Y, X) float
        Grey levels.
    scale_px, length_px : float
        Standard deviations of the Gaussian across and along the line [px].

    Returns
    -------
    strength : (Y, X) float
        Second derivative across the line, times scale squared; positive on dark lines.
    normal : (Y, X, 2) float
        Unit vector (x, y) across the line.
    offset : (Y, X) float
        Distance from the pixel to the centre along the normal [px].
    """
    from scipy.signal import fftconvolve

    reach = int(np.ceil(3 * max(scale_px, length_px)))
    x, y = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    padded = np.pad(image, reach, mode="reflect")
    best = np.full(image.shape, -np.inf)
    normal, offset = np.zeros((*image.shape, 2)), np.zeros(image.shape)
    for angle in np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS:
        across, along = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        gaussian = np.exp(-0.5 * ((across / scale_px) ** 2 + (along / length_px) ** 2))
        gaussian /= gaussian.sum()
        first, second = -across / scale_px**2 * gaussian, (across**2 / scale_px**2 - 1) / scale_px**2 * gaussian
        curvature = fftconvolve(padded, second - second.mean(), mode="valid")
        slope = fftconvolve(padded, first, mode="valid")
        better = curvature > best
        best = np.where(better, curvature, best)
        normal[better] = np.cos(angle), np.sin(angle)
        offset = np.where(better, -slope / np.where(curvature > 0, curvature, np.inf), offset)
    return scale_px**2 * best, normal, offset


def default_scale_nm(field_nm: tuple[float, float], pixel_nm: float) -> float:
    """Half the width of a line's image: 6 nm, less in fields so small that such lines would fill them [nm]."""
    return max(min(6.0, min(field_nm) / 40), 1.5 * pixel_nm)


def ridge_contours(
    views: np.ndarray,
    pixel_nm: float,
    scale_nm: float | None = None,
    high: float = 8.0,
    low: float = 4.0,
    lobe_fraction: float = 0.4,
) -> Contours:
    """Centrelines of the dislocation images of every view.

    Parameters
    ----------
    views : (V, Y, X) float
        Images.
    pixel_nm : float
        Pixel size [nm].
    scale_nm : float, optional
        Scale of the ridge filter across a line [nm]; all other lengths follow from it.
    high, low : float
        Hysteresis thresholds, in robust standard deviations of the response.
    lobe_fraction : float
        A ridge weaker than this fraction of another close by is taken for its side lobe.

    Returns
    -------
    Contours
        With the standard deviation of each vertex from the noise of the image.
    """
    from skimage.measure import block_reduce

    if scale_nm is None:
        scale_nm = default_scale_nm((views.shape[2] * pixel_nm, views.shape[1] * pixel_nm), pixel_nm)
    factor = max(1, int(scale_nm / pixel_nm / 3))  # three pixels a scale are enough
    rows, columns = views.shape[1] // factor, views.shape[2] // factor
    if factor > 1:
        views = block_reduce(views[:, : rows * factor, : columns * factor], (1, factor, factor), np.mean)  # type: ignore
        pixel_nm *= factor
    found = [_one_view(view, scale_nm / pixel_nm, high, low, lobe_fraction) for view in views]
    curves = tuple(tuple(c[:, :2] * pixel_nm for c in view) for view in found)
    return Contours(curves, tuple(tuple(c[:, 2] * pixel_nm for c in view) for view in found))


def _one_view(view: np.ndarray, scale: float, high: float, low: float, lobe_fraction: float) -> list[np.ndarray]:
    """Contours (K, 3) of one image: x, y and standard deviation [px]."""
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    length = 2 * scale
    disturbance, noise = line_disturbance(view, scale)
    response, normal, offset = ridge_strength(-disturbance, scale, length)
    strength = (response - np.median(response)) / max(_robust_std(response), 1e-12)
    # beside a strong line a weaker parallel one is its own side lobe
    strongest = ndimage.maximum_filter(strength, size=2 * round(4 * scale) + 1)
    crest = (np.abs(offset) < 0.8) & (strength > lobe_fraction * strongest)
    inside = np.zeros_like(crest)
    inside[_RIM_PX:-_RIM_PX, _RIM_PX:-_RIM_PX] = True  # the filter sees a crease along the border
    skeleton = skeletonize(apply_hysteresis_threshold(np.where(crest & inside, strength, 0.0), low, high))
    slope_noise = noise / np.sqrt(8 * np.pi * scale**3 * length)  # of a Gaussian derivative of white noise
    sigma = np.minimum(slope_noise * scale**2 / np.maximum(response, 1e-12), 2.0)
    center = np.clip(offset, -scale, scale)[..., None] * normal + 0.5
    return curves_along(skeleton, center, sigma, scale)


def line_disturbance(view: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """How far each pixel is from the grey of the perfect foil, on a logarithmic scale.

    A dislocation is dark on the whole, but inclined ones show dark and bright lobes to both sides in turn: their
    outline wanders, the middle of what is disturbed does not.

    Parameters
    ----------
    view : (Y, X) float
        Image, in any linear grey scale.
    scale : float
        Half the width of a line's image [px].

    Returns
    -------
    disturbance : (Y, X) float
        log(1 + e / e0), e the squared relative contrast averaged over 2/3 of ``scale`` [px], e0 that of the noise.
    noise : (Y, X) float
        What white noise of the image makes of it, before averaging: d log(1 + e / e0) = 2 sqrt(e) dc / (e0 + e), dc the
        standard deviation of the relative contrast of a pixel.
    """
    background = ndimage.gaussian_filter(ndimage.median_filter(view.astype(float), 5), 6.7 * scale)
    relative = view / np.maximum(background, 1e-12)
    image = ndimage.gaussian_filter(relative, scale / 3)
    flat = image - np.median(image)
    energy = ndimage.gaussian_filter(flat**2, scale / 1.5)
    floor = 3 * max(float(np.median(energy)), 1e-12)
    white = _robust_std(np.diff(relative, axis=1)) / np.sqrt(2)
    return np.log1p(energy / floor), 2 * np.sqrt(energy) * white / (floor + energy)


def _robust_std(values: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
