"""Voxels near dislocations: the exact field of the segments in place of a spectral one with a wide core.

Near a line voxels are divided in x and y. Each part is the mean of samples across it and along its depth.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from veristem.sim.elasticity.segment import _add_segment

_CORE_NM = 0.3
DIVIDED_NM = 6.0  # distance from a line of the voxels that are divided
_DEEP, _ACROSS = np.int64(4), 2  # samples of a part along z, and along x and y where it is close to a core


class Lines(NamedTuple):
    """Segments (`pack_segments`), constants (`kernel_constants`), the wide core and how far it is replaced [nm]."""

    segments: np.ndarray
    nu1: float
    nu2: float
    factor: float
    wide: float
    reach: float


@numba.njit(cache=True)
def _distance2(x, y, z, seg):
    """Squared distance of a point to a packed segment."""
    rx, ry, rz = x - seg[0], y - seg[1], z - seg[2]
    s = min(max(rx * seg[3] + ry * seg[4] + rz * seg[5], 0.0), seg[6])
    rx, ry, rz = rx - s * seg[3], ry - s * seg[4], rz - s * seg[5]
    return rx * rx + ry * ry + rz * rz


@numba.njit(cache=True)
def _near(lines, low, high, origin, step):
    """Segments that act in a block of voxels (z, y, x index ranges)."""
    half = (high - low) * step / 2
    center = origin + step * low + half
    reach = (lines.reach + np.sqrt((half**2).sum())) ** 2
    is_near = np.array([_distance2(center[2], center[1], center[0], segment) < reach for segment in lines.segments])
    return lines.segments[is_near]


@numba.njit(cache=True)
def _add_difference(x, y, z, side_y, side_x, deep, step_z, segment, lines, scratch, out):
    """Add the narrow core's field, mean over a box, less the wide core's (weights 2 and -1), at its middle."""
    nu1, nu2 = lines.nu1, lines.nu2
    distance2 = _distance2(x, y, z, segment)
    if distance2 > lines.reach**2:
        return
    wide, wider, narrow = scratch[0], scratch[1], scratch[2]
    scratch[:] = 0
    _add_segment(x, y, z, segment, lines.wide**2, nu1, nu2, wide)
    _add_segment(x, y, z, segment, 2 * lines.wide**2, nu1, nu2, wider)
    across = _ACROSS if deep > 1 and distance2 < (2.5 * max(side_y, side_x) + step_z) ** 2 else 1
    for w in range(deep):
        at_z = z + step_z * ((w + 0.5) / deep - 0.5)
        for p in range(across):
            at_y = y + side_y * ((p + 0.5) / across - 0.5)
            for q in range(across):
                at_x = x + side_x * ((q + 0.5) / across - 0.5)
                _add_segment(at_x, at_y, at_z, segment, _CORE_NM**2, nu1, nu2, narrow)
    share = 1 / (deep * across * across)
    for c in range(3):
        out[c] += lines.factor * (narrow[c] * share - 2 * wide[c] + wider[c])


@numba.njit(cache=True, parallel=True)
def sharpen(voxels, index, blocks, origin, step, lines):
    """Replace the wide core in whole voxels (3, nz, ny, nx); those that are to be divided get index 0 instead."""
    for b in numba.prange(len(blocks)):
        low, high = blocks[b, 0], blocks[b, 1]
        near = _near(lines, low, high, origin, step)
        if not len(near):
            continue
        added, scratch = np.empty(3), np.empty((3, 3))
        for i in range(low[0], high[0]):
            z = origin[0] + step[0] * (i + 0.5)
            for j in range(low[1], high[1]):
                y = origin[1] + step[1] * (j + 0.5)
                for k in range(low[2], high[2]):
                    x = origin[2] + step[2] * (k + 0.5)
                    added[:] = 0
                    for m in range(len(near)):
                        if _distance2(x, y, z, near[m]) < DIVIDED_NM**2:
                            index[i, j, k] = 0
                            break
                        _add_difference(x, y, z, step[1], step[2], np.int64(1), step[0], near[m], lines, scratch, added)
                    if index[i, j, k] < 0:
                        for c in range(3):
                            voxels[c, i, j, k] += added[c]


@numba.njit(cache=True, parallel=True)
def divide(voxels, index, parts, blocks, origin, step, lines, smooth, y0, wy, x0, wx, beyond):
    """Fill the f x f columns of parts (N, 3, f + 1, f + 1) and their mean into voxels; then those ``beyond``.

    ``y0, wy, x0, wx``: where the smooth field (3, nz, my, mx) is interpolated for each. Those beyond are the first ones
    of the next voxels, which may be divided, too.
    """
    f = parts.shape[2] - 1
    side_y, side_x = step[1] / f, step[2] / f
    for b in numba.prange(len(blocks)):
        low, high = blocks[b, 0], blocks[b, 1]
        if (index[low[0] : high[0], low[1] : high[1], low[2] : high[2]] < 0).all():
            continue
        near = _near(lines, low, high, origin, step)
        value, scratch = np.empty(3), np.empty((3, 3))
        for i in range(low[0], high[0]):
            z = origin[0] + step[0] * (i + 0.5)
            for voxel in range((high[1] - low[1]) * (high[2] - low[2])):
                j, k = low[1] + voxel // (high[2] - low[2]), low[2] + voxel % (high[2] - low[2])
                n = index[i, j, k]
                if n < 0:
                    continue
                for part in range((f + 1) ** 2):
                    v, u = part // (f + 1), part % (f + 1)
                    if (v == f or u == f) != beyond:
                        continue
                    if beyond and j + v // f < index.shape[1] and k + u // f < index.shape[2]:
                        known = index[i, j + v // f, k + u // f]
                        if known >= 0:
                            parts[n, :, v, u] = parts[known, :, v % f, u % f]
                            continue
                    y, x = origin[1] + side_y * (j * f + v + 0.5), origin[2] + side_x * (k * f + u + 0.5)
                    value[:] = 0
                    for m in range(len(near)):
                        _add_difference(x, y, z, side_y, side_x, _DEEP, step[0], near[m], lines, scratch, value)
                    for c in range(3):
                        for p in range(wy.shape[1]):
                            for q in range(wx.shape[1]):
                                weight = wy[j * f + v, p] * wx[k * f + u, q]
                                value[c] += weight * smooth[c, i, y0[j * f + v] + p, x0[k * f + u] + q]
                        parts[n, c, v, u] = value[c]
                if not beyond:
                    for c in range(3):
                        voxels[c, i, j, k] = parts[n, c, :f, :f].mean()
