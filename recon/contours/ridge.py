"""Centrelines of dark lines: Hessian ridges, hysteresis, skeleton, sub-pixel centre (Steger, IEEE PAMI 20 (1998) 113)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from veristem.datasets.intermediate import Contours
from veristem.recon.contours.linking import link

_DIRECTIONS = 16


def ridge_strength(image: np.ndarray, scale_px: float, length_px: float):
    """Second derivative across dark lines, averaged along them, and the sub-pixel offset to the line's centre.

    The image is correlated with second derivatives of a Gaussian, drawn out along the line to ``length_px``, in 16 directions; at
    each pixel the strongest counts.

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
        first, second = across / scale_px**2 * gaussian, (across**2 / scale_px**2 - 1) / scale_px**2 * gaussian
        curvature = fftconvolve(padded, second - second.mean(), mode="valid")
        slope = fftconvolve(padded, first, mode="valid")
        better = curvature > best
        best = np.where(better, curvature, best)
        normal[better] = np.cos(angle), np.sin(angle)
        offset = np.where(better, -slope / np.where(curvature > 0, curvature, np.inf), offset)
    return scale_px**2 * best, normal, offset


def ridge_contours(
    views: np.ndarray,
    pixel_nm: float,
    scale_nm: float = 6.0,
    length_nm: float = 12.0,
    background_nm: float = 40.0,
    lobe_nm: float = 24.0,
    lobe_fraction: float = 0.4,
    high: float = 8.0,
    low: float = 4.0,
    shortest_nm: float = 24.0,
    spur_nm: float = 20.0,
) -> Contours:
    """Dark lines of every view.

    Parameters
    ----------
    views : (V, Y, X) float
        Images.
    pixel_nm : float
        Pixel size [nm].
    scale_nm : float
        Scale of the ridge filter across a line [nm].
    length_nm : float
        Length over which the filter averages along a line [nm].
    background_nm : float
        Scale of the background that is divided out [nm].
    lobe_nm, lobe_fraction : float
        A ridge weaker than this fraction of another within this distance [nm] is taken for its side lobe.
    high, low : float
        Hysteresis thresholds, in robust standard deviations of the response.
    shortest_nm : float
        Contours below this length are dropped [nm].
    spur_nm : float
        Side branches with a free end are dropped up to this length [nm].

    Returns
    -------
    Contours
        With the standard deviation of each vertex from the noise of the image.
    """
    settings = (scale_nm, length_nm, background_nm, lobe_nm, lobe_fraction, high, low, shortest_nm, spur_nm)
    curves, sigmas = zip(*[_one_view(view, pixel_nm, *settings) for view in views])
    return Contours(curves, sigmas)


def _one_view(view, pixel_nm, scale_nm, length_nm, background_nm, lobe_nm, lobe_fraction, high, low, shortest_nm, spur_nm):
    from skan import Skeleton
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    disturbance, noise = line_disturbance(view, pixel_nm, background_nm)
    scale = scale_nm / pixel_nm
    curvature, normal, offset = ridge_strength(-disturbance, scale, length_nm / pixel_nm)
    strength = (curvature - np.median(curvature)) / max(_robust_std(curvature), 1e-12)
    # beside a strong line a weaker parallel one is its own side lobe
    strongest = ndimage.maximum_filter(strength, size=2 * round(lobe_nm / pixel_nm) + 1)
    crest = (np.abs(offset) < 0.8) & (strength > lobe_fraction * strongest)
    mask = apply_hysteresis_threshold(np.where(crest, strength, 0.0), low, high)
    skeleton = skeletonize(mask)
    # of a Gaussian derivative of white noise
    slope_noise = noise / np.sqrt(8 * np.pi * scale**3 * length_nm / pixel_nm)
    sigma = slope_noise / np.maximum(curvature / scale**2, 1e-12)
    offset_vector = np.clip(offset, -scale, scale)[..., None] * normal
    if skeleton.sum() < 3:
        return (), ()
    graph = Skeleton(skeleton, keep_images=False)
    is_spur = _spurs(graph, spur_nm / pixel_nm)
    pieces = []
    for path in np.flatnonzero(~is_spur):
        pixels = graph.path_coordinates(path).round().astype(int)
        j, i = pixels[:, 0], pixels[:, 1]
        points = np.column_stack([i, j]) + 0.5 + offset_vector[j, i]
        if len(points) >= 3:
            pieces.append(np.column_stack([points * pixel_nm, np.minimum(sigma[j, i], 2.0) * pixel_nm]))
    joined = link(pieces, gap_nm=24.0)
    kept = [_smooth(c, pixel_nm) for c in joined if _length(c) >= shortest_nm]
    return tuple(c[:, :2] for c in kept), tuple(c[:, 2] for c in kept)


def line_disturbance(view: np.ndarray, pixel_nm: float, background_nm: float, width_nm: float = 4.0):
    """How far each pixel is from the grey of the perfect foil, on a logarithmic scale.

    A dislocation is dark on the whole, but inclined ones show dark and bright lobes to both sides in turn: their outline wanders, the
    middle of what is disturbed does not.

    Returns
    -------
    disturbance : (Y, X) float
        log(1 + e / e0), e the squared relative contrast averaged over ``width_nm``, e0 that of the noise.
    noise : float
        Standard deviation of the disturbance where nothing is.
    """
    background = ndimage.gaussian_filter(ndimage.median_filter(view.astype(float), 5), background_nm / pixel_nm)
    image = ndimage.gaussian_filter(view / np.maximum(background, 1e-12), 0.5 * width_nm / pixel_nm)
    flat = image - np.median(image)
    energy = ndimage.gaussian_filter(flat**2, width_nm / pixel_nm)
    floor = float(np.median(energy))
    disturbance = np.log1p(energy / (3 * floor))
    return disturbance, _robust_std(disturbance)


def _robust_std(values: np.ndarray) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _spurs(graph, longest_px: float) -> np.ndarray:
    """Which paths of a skeleton hang on a junction, end free, and are no longer than this."""
    degrees = graph.degrees
    ends = np.array([(graph.path(n)[0], graph.path(n)[-1]) for n in range(graph.n_paths)])
    free = (degrees[ends] == 1).sum(axis=1) == 1
    hanging = (degrees[ends] > 2).any(axis=1)
    return free & hanging & (graph.path_lengths() <= longest_px)


def _length(curve: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(curve[:, :2], axis=0), axis=1).sum())


def _smooth(curve: np.ndarray, step_nm: float) -> np.ndarray:
    """The curve at equal steps, averaged over about three of them."""
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve[:, :2], axis=0), axis=1))])
    keep = np.concatenate([[True], np.diff(at) > 1e-9])
    even = np.linspace(0, at[-1], max(3, int(np.ceil(at[-1] / step_nm)) + 1))
    columns = [np.interp(even, at[keep], curve[keep, c]) for c in range(3)]
    ends = [c[[0, -1]] for c in columns[:2]]
    columns[:2] = [ndimage.gaussian_filter1d(c, 1.5, mode="nearest") for c in columns[:2]]
    for c, e in zip(columns, ends):
        c[[0, -1]] = e
    return np.column_stack(columns)
