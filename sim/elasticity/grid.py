"""The segment sum on the voxels of a foil, averaged over each voxel, fast enough for images.

Within a block of voxels the segments nearby are summed at every voxel; those farther away make a smooth field, which is
summed at the block's Chebyshev nodes and interpolated (error below 1e-3 rms of the field; a test measures it). A voxel
near a core is averaged over sub-voxels: sampled at its centre only, a core narrower than the slice would paint false
dots along every inclined line. Blocks are independent, so the result does not depend on threads.
"""

from __future__ import annotations

import numba
import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.elasticity.segment import _add_segment, kernel_constants, pack_segments

_NODES = 4  # Chebyshev nodes along each side of a block
_BLOCK = 16  # voxels along the finest side of a block
_FAR = 3.0  # a segment is far beyond this many half-diagonals / sqrt(3) of the block
_SUB = 4  # sub-voxels along each side of a voxel at a core
_CORE_VOXELS = 2.5  # distance in voxel sides within which a voxel is sub-sampled


@numba.njit(cache=True)
def _distance2(x, y, z, seg):
    """Squared distance of a point to a packed segment."""
    rx, ry, rz = x - seg[0], y - seg[1], z - seg[2]
    s = min(max(rx * seg[3] + ry * seg[4] + rz * seg[5], 0.0), seg[6])
    rx, ry, rz = rx - s * seg[3], ry - s * seg[4], rz - s * seg[5]
    return rx * rx + ry * ry + rz * rz


@numba.njit(cache=True)
def _combine(weights, rows, out):
    """out = weights @ rows, without temporaries."""
    out[:] = 0.0
    for c in range(len(weights)):
        for n in range(len(out)):
            out[n] += weights[c] * rows[c, n]


@numba.njit(cache=True)
def _fill_block(out, low, high, origin, step, segments, nodes, polynomials, constants, a2, sub):
    """Fill out[:, low:high] (z, y, x index ranges) of one block."""
    nu1, nu2, factor = constants
    nz, ny, nx = high[0] - low[0], high[1] - low[1], high[2] - low[2]
    half = np.array([nz * step[0], ny * step[1], nx * step[2]]) / 2
    center = np.array([origin[k] + step[k] * low[k] + half[k] for k in range(3)])
    reach = (_FAR * half.max()) ** 2
    is_near = np.array([_distance2(center[2], center[1], center[0], segment) < reach for segment in segments])
    near = segments[is_near]
    far = segments[~is_near]
    q = len(nodes)
    coarse = np.zeros((q, q, q, 3))
    for i in range(q):
        for j in range(q):
            for k in range(q):
                z, y, x = center[0] + half[0] * nodes[i], center[1] + half[1] * nodes[j], center[2] + half[2] * nodes[k]
                for m in range(len(far)):
                    _add_segment(x, y, z, far[m], a2, nu1, nu2, coarse[i, j, k])
    pz, py, px = polynomials[0][nz], polynomials[1][ny], polynomials[2][nx]
    core2 = (_CORE_VOXELS * step.max()) ** 2
    plane, row, value, part = np.empty((q, q, 3)), np.empty((q, 3)), np.empty(3), np.empty(3)
    for i in range(nz):
        _combine(pz[i], coarse.reshape(q, -1), plane.reshape(-1))
        for j in range(ny):
            _combine(py[j], plane.reshape(q, -1), row.reshape(-1))
            for k in range(nx):
                _combine(px[k], row, value)
                z = origin[0] + step[0] * (low[0] + i + 0.5)
                y = origin[1] + step[1] * (low[1] + j + 0.5)
                x = origin[2] + step[2] * (low[2] + k + 0.5)
                for m in range(len(near)):
                    if _distance2(x, y, z, near[m]) > core2:
                        _add_segment(x, y, z, near[m], a2, nu1, nu2, value)
                        continue
                    part[:] = 0.0
                    for u in range(sub):
                        for v in range(sub):
                            for w in range(sub):
                                _add_segment(
                                    x + step[2] * ((w + 0.5) / sub - 0.5),
                                    y + step[1] * ((v + 0.5) / sub - 0.5),
                                    z + step[0] * ((u + 0.5) / sub - 0.5),
                                    near[m], a2, nu1, nu2, part,
                                )  # fmt: skip
                    for c in range(3):
                        value[c] += part[c] / sub**3
                for c in range(3):
                    out[c, low[0] + i, low[1] + j, low[2] + k] = value[c] * factor


@numba.njit(cache=True, parallel=True)
def _fill(out, blocks, origin, step, segments, nodes, polynomials, constants, a2, sub):
    for b in numba.prange(len(blocks)):
        _fill_block(out, blocks[b, 0], blocks[b, 1], origin, step, segments, nodes, polynomials, constants, a2, sub)


def _lagrange(count: int, nodes: np.ndarray) -> np.ndarray:
    """(count + 1, count, nodes) weights that interpolate from the nodes to the centres of 1 ... count voxels."""
    table = np.zeros((count + 1, count, len(nodes)))
    for n in range(1, count + 1):
        at = (2 * np.arange(n) + 1) / n - 1
        for c in range(len(nodes)):
            others = np.delete(nodes, c)
            table[n, :n, c] = np.prod((at[:, None] - others) / (nodes[c] - others), axis=1)
    return table


def voxel_distortion(
    network: DislocationNetwork, g_per_nm, origin_zyx_nm, step_zyx_nm, shape_zyx, poisson_ratio: float, core_nm: float
) -> np.ndarray:
    """g_i U_ij of a network averaged over the voxels of a grid.

    Parameters
    ----------
    network : DislocationNetwork
        Every segment that acts, those outside the grid included.
    g_per_nm : (3,) float
        Reflection in the specimen frame [1/nm].
    origin_zyx_nm, step_zyx_nm : (3,) float
        Corner of the grid and size of a voxel [nm].
    shape_zyx : (3,) int
        Voxels along z, y, x.
    poisson_ratio, core_nm : float
        Of the medium; core radius [nm].

    Returns
    -------
    (3, nz, ny, nx) float32
        g·U_x, g·U_y, g·U_z [1/nm].
    """
    step = np.asarray(step_zyx_nm, float)
    shape = tuple(int(n) for n in shape_zyx)
    per_block = np.maximum(1, np.minimum(np.rint(_BLOCK * step.min() / step).astype(int), shape))
    corners = [np.arange(0, n, p) for n, p in zip(shape, per_block)]
    starts = np.stack(np.meshgrid(*corners, indexing="ij"), -1).reshape(-1, 3)
    blocks = np.stack([starts, np.minimum(starts + per_block, shape)], axis=1)
    nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    polynomials = tuple(_lagrange(int(p), nodes) for p in per_block)
    out = np.zeros((3, *shape), np.float32)
    segments = pack_segments(network, g_per_nm)
    _fill(
        out, blocks, np.asarray(origin_zyx_nm, float), step, segments, nodes, polynomials,
        kernel_constants(poisson_ratio), core_nm**2, _SUB,
    )  # fmt: skip
    return out
