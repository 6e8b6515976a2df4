"""Lines as pixels: tubes of a stated radius in a volume, lines of a stated width in an image."""

from __future__ import annotations

import numba
import numpy as np

from veristem.bench.metrics.lines import Lines
from veristem.datasets import CurveSet, DislocationNetwork, LineTruth
from veristem.datasets.errors import InputError
from veristem.datasets.shapes import check_positive

Curves = LineTruth | DislocationNetwork | CurveSet


def tube_volume(curves: Curves, radius_nm: float, shape: tuple[int, int, int], voxel_nm: float) -> np.ndarray:
    """Voxels whose centre lies within a radius of a line.

    Parameters
    ----------
    curves : LineTruth, DislocationNetwork or CurveSet
        Lines in the frame of the specimen.
    radius_nm : float
        Radius of the tubes, rounded at their ends [nm]; below half the diagonal of a voxel they have gaps.
    shape : (int, int, int)
        Voxels along z, y and x; the box begins at the origin.
    voxel_nm : float
        Size of a voxel, the same along all axes [nm].

    Returns
    -------
    (Z, Y, X) bool
        The tubes.

    Raises
    ------
    InputError
        For a length that is not above zero, or a shape that is not three positive whole numbers.
    """
    return _drawn(curves, radius_nm, shape, voxel_nm, 3)


def line_mask(curves: Curves, width_nm: float, shape: tuple[int, int], pixel_nm: float) -> np.ndarray:
    """Pixels (Y, X) whose centre lies within half a width of a line seen along the beam; else as `tube_volume`."""
    return _drawn(curves, width_nm / 2, shape, pixel_nm, 2)


def draw(start_nm: np.ndarray, stop_nm: np.ndarray, radius_nm: float, shape, pixel_nm: float) -> np.ndarray:
    """Pixels within a radius of segments from (M, 2) or (M, 3) points to others, x first [nm]; a ball for no length."""
    check_positive("radius_nm", radius_nm)
    check_positive("pixel_nm", pixel_nm)
    flat = len(shape) == 2
    volume = np.zeros((1, *shape) if flat else shape, bool)
    start, stop = np.zeros((len(start_nm), 3)), np.zeros((len(start_nm), 3))
    start[:, : len(shape)], stop[:, : len(shape)] = start_nm, stop_nm
    if flat:
        start[:, 2] = stop[:, 2] = pixel_nm / 2  # into the one layer of centres
    _draw(volume, start, stop, radius_nm, pixel_nm)
    return volume[0] if flat else volume


def _drawn(curves: Curves, radius_nm: float, shape, pixel_nm: float, axes: int) -> np.ndarray:
    if len(shape) != axes or any(int(n) != n or n < 1 for n in shape):
        raise InputError(f"shape: {tuple(shape)} found, {axes} whole numbers above 0 allowed")
    lines = Lines.of(curves, 1.0)
    shape = tuple(int(n) for n in shape)
    return draw(lines.start_nm[:, :axes], lines.stop_nm[:, :axes], radius_nm, shape, pixel_nm)


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
