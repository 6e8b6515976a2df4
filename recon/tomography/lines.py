"""Centrelines of the tubes in a volume: ridges in three dimensions, their skeleton, and curves along it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.volume import Volume
from veristem.recon.contours.skeletons import curves_along

_SHARE = 0.7  # of half the width of a line: the volume is smoothed by it
_CREST = 0.8  # voxels from the centre of a line to those that are on it
_NOISE, _MODEL = 1.0, 0.15  # standard deviation of a centre, in half widths: over the strength in noises, and apart
_HIGH, _LOW = (6.0, 0.2), (3.0, 0.1)  # hysteresis thresholds, in strengths of the noise and of a clear line
_SHORTEST = 6.0  # curve that is kept, in half widths


class Ridge(NamedTuple):
    """Voxels that may be on a line.

    index (N, 3): in the order of the array. strength (N,): second derivative across the line, times scale squared.
    offset (N, 3): from the voxel to the centre of the line, in that order too [voxels].
    """

    index: np.ndarray
    strength: np.ndarray
    offset: np.ndarray


def ridges(values: np.ndarray, sigmas) -> Ridge:
    """Voxels of a volume (Z, Y, X) that are brighter than what is beside them in two directions.

    Parameters
    ----------
    values : (Z, Y, X) float
        The volume.
    sigmas : (3,) float
        Standard deviations of the Gaussian along z, y and x [voxels]; lengths along each are told in them.
    """
    sigmas, unit = np.asarray(sigmas, float), np.eye(3, dtype=int)

    def derivative(orders: np.ndarray) -> np.ndarray:
        order: Any = tuple(orders)  # one along each axis
        return ndimage.gaussian_filter(values, sigmas, order, mode="nearest", truncate=3.0) * np.prod(sigmas**orders)

    straight = [derivative(2 * one) for one in unit]
    index = np.argwhere(sum(straight) < 0)
    at = tuple(index.T)
    hessian = np.empty((len(index), 3, 3))
    for i in range(3):
        hessian[:, i, i] = straight[i][at]
        for j in range(i):
            hessian[:, i, j] = hessian[:, j, i] = derivative(unit[i] + unit[j])[at]
    slope = np.stack([derivative(one)[at] for one in unit], axis=-1)
    curvature, axes = np.linalg.eigh(hessian)  # rising: the first two are across the line
    good = curvature[:, 1] < 0
    index, slope, curvature, axes = index[good], slope[good], curvature[good, :2], axes[good, :, :2]
    along = np.einsum("ni,nik->nk", slope, axes) / -curvature
    return Ridge(index, np.sqrt(curvature.prod(axis=1)), np.einsum("nk,nik->ni", along, axes) * sigmas)


def lines_in(
    volume: Volume,
    scale_nm: float,
    elongation: float = 1.0,
    clear: float = 0.0,
    shown: Callable[[np.ndarray], np.ndarray] | None = None,
) -> CurveSet:
    """Centrelines of bright tubes.

    Parameters
    ----------
    volume : Volume
        A tomogram.
    scale_nm : float
        Half the width of a line [nm].
    elongation : float
        How much wider than across the beam a line is along it, for want of steeper views.
    clear : float
        Value in the middle of a clear line, where it is known; ridges far weaker than that are then no lines.
    shown : function of points (K, 3) [nm], optional
        Which of them the views show; curves are cut where they do not.
    """
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    values, voxel, scale = volume.values, volume.voxel_nm, scale_nm / volume.voxel_nm
    widths = scale * np.array([elongation, 1.0, 1.0])
    found = ridges(values, _SHARE * widths)
    noise = float(np.median(found.strength)) if len(found.strength) else 1.0
    # of a Gaussian tube in a volume that is smoothed by a share of its width, in the noise
    clear *= _SHARE**2 / (1 + _SHARE**2) ** 2 / noise
    high, low = (max(noises, share * clear) for noises, share in (_HIGH, _LOW))
    crest = np.all(np.abs(found.offset) < _CREST * widths / scale, axis=1) & (found.strength > low * noise)
    at = tuple(found.index[crest].T)
    strength, center = np.zeros(values.shape, np.float32), np.zeros((*values.shape, 3), np.float32)
    strength[at] = found.strength[crest] / noise
    center[at] = np.clip(found.offset[crest], -widths, widths)[:, ::-1]
    skeleton = skeletonize(apply_hysteresis_threshold(strength, low, high))
    sigma = widths[0] * np.hypot(_NOISE / np.maximum(strength, low), _MODEL)
    curves = [
        (volume.origin_nm + c[:, :3] * voxel, c[:, 3] * voxel)
        for c in curves_along(skeleton, center + 0.5, sigma, scale, _SHORTEST, (1 / elongation, 1.0, 1.0))
    ]
    if shown is not None:
        curves = [part for curve in curves for part in _where(*curve, shown(curve[0]), _SHORTEST * scale_nm / voxel)]
    return CurveSet(tuple(c for c, _ in curves), tuple(s for _, s in curves))


def _where(curve: np.ndarray, sigma: np.ndarray, good: np.ndarray, shortest: float):
    """Parts of a curve of at least so many vertices that are good."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [(curve[a:b], sigma[a:b]) for a, b in ends.reshape(-1, 2) if b - a >= max(shortest, 2)]
