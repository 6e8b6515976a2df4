"""Weighted back projection: maps are sharpened by a ramp and spread along their rays."""

from __future__ import annotations

import numpy as np

from veristem.recon.tomography.projector import Projector


def wbp(projector: Projector, maps: np.ndarray, inside: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Slices (R, Z, C) from maps that are sharpened by a ramp and then spread along their rays.

    Parameters
    ----------
    projector : Projector
        Of the views.
    maps : (V, R, C) float
        What the rays gathered.
    inside : (V, R, C) bool
        Which of them are known; the others count as 0.
    slopes : (V,) float
        Of the views, as those of the projector.
    """
    filtered = sharpened(maps * inside, slopes, projector.voxel)
    return projector.each(lambda given, _: projector.back @ given, filtered, inside)


def sharpened(maps: np.ndarray, slopes: np.ndarray, voxel: float) -> np.ndarray:
    """Maps (V, R, C) through a ramp, each weighted by the angle halfway to its neighbours.

    The ramp ends smoothly (Hann) at the finest waves that pixels, as large as a voxel [nm], hold.
    """
    angles = np.arctan(slopes)
    order = np.argsort(angles)
    share = np.empty(len(angles))
    share[order] = np.gradient(angles[order])
    # along the focus plane rays are 1 / cos farther apart than across the beam, so waves are as much longer
    weight = share / np.cos(angles)
    weight /= voxel**2 * np.sqrt(1 + slopes**2)  # the matrix holds lengths
    columns = maps.shape[2]
    ramp = _ramp(2 * columns)
    filtered = np.empty(maps.shape, np.float32)
    for view, image in enumerate(maps):
        waves = np.fft.rfft(image, 2 * columns, axis=1) * ramp
        filtered[view] = np.fft.irfft(waves, 2 * columns, axis=1)[:, :columns] * weight[view]
    return filtered


def _ramp(size: int) -> np.ndarray:
    """|wave| for `rfft` of this even size: that of a kernel which ends, so that nothing wraps around."""
    at = np.fft.fftfreq(size, 1 / size)
    kernel = np.where(at % 2, -1 / (np.pi * np.where(at, at, 1)) ** 2, 0.0)
    kernel[0] = 0.25
    return np.fft.rfft(kernel).real * (0.5 + 0.5 * np.cos(2 * np.pi * np.fft.rfftfreq(size)))
