"""Lines as pixels: tubes of a stated radius in a volume, lines of a stated width in an image."""

from __future__ import annotations

import numba
import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.shapes import check_positive


def draw(start_nm: np.ndarray, stop_nm: np.ndarray, radius_nm: float, shape, pixel_nm: float) -> np.ndarray:
    """Pixels within a radius of segments from (M, 2) or (M, 3) points to others, x first [nm]; a ball for no length."""
    check_positive("radius_nm", radius_nm)
    check_positive("pixel_nm", pixel_nm)
    if len(shape) not in (2, 3) or any(int(n) != n or n < 1 for n in shape):
        raise InputError(f"shape: {tuple(shape)} found, 2 or 3 whole numbers above 0 allowed")
    flat = len(shape) == 2
    volume = np.zeros((1, *shape) if flat else shape, bool)
    start, stop = np.zeros((len(start_nm), 3)), np.zeros((len(start_nm), 3))
    start[:, : len(shape)], stop[:, : len(shape)] = start_nm, stop_nm
    if flat:
        start[:, 2] = stop[:, 2] = pixel_nm / 2  # into the one layer of centres
    _draw(volume, start, stop, radius_nm, pixel_nm)
    return volume[0] if flat else volume


@numba.njit(cache=True)
def _draw(volume, start, stop, radius, voxel):
    """Fill the tubes; each segment looks at the voxels of its own box only."""
    square = radius**2 * (1 + 1e-9)
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for m in range(len(start)):
        for axis in range(3):
            a, b = min(start[m, axis], stop[m, axis]) - radius, max(start[m, axis], stop[m, axis]) + radius
            size = volume.shape[2 - axis]
            low[axis] = min(max(int(np.floor(a / voxel - 0.5)), 0), size)
            high[axis] = min(max(int(np.ceil(b / voxel + 0.5)), 0), size)
        u, v, w = stop[m] - start[m]
        length = u * u + v * v + w * w
        for k in range(low[2], high[2]):
            z = (k + 0.5) * voxel - start[m, 2]
            for j in range(low[1], high[1]):
                y = (j + 0.5) * voxel - start[m, 1]
                for i in range(low[0], high[0]):
                    x = (i + 0.5) * voxel - start[m, 0]
                    t = 0.0 if length == 0 else min(max((x * u + y * v + z * w) / length, 0.0), 1.0)
                    if (x - t * u) ** 2 + (y - t * v) ** 2 + (z - t * w) ** 2 <= square:
                        volume[k, j, i] = True
