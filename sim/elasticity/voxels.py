"""The field of a foil on the voxels of its image: spectral far from the cores, exact near them, both faces free.

The spectral field has a wide core, so that a coarse grid holds it. Near a line it is replaced by the exact field of the
segments with a narrow core, averaged over each voxel: sampled at its centre only, a core narrower than a slice would
paint false dots along every inclined line. The wide core is made of two (weights 2 and -1, radii 1 to the root of 2),
whose leading errors cancel: the replaced part falls as the fourth power of core over distance. Blocks of voxels are
independent, so the result does not depend on threads.
"""

from __future__ import annotations

import numba
import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.elasticity.faces import FaceLoads, Relaxation
from veristem.sim.elasticity.octaves import add_interpolated, interpolation, same
from veristem.sim.elasticity.segment import _add_segment, kernel_constants, pack_segments
from veristem.sim.elasticity.spectral import isotropic_stiffness, projected_distortion

_STEP_NM = 2.0  # of the spectral grid in x and y
_WIDE_NM = 5.0  # its core
_REPLACED = 4.0  # distance within which the exact field stands, in wide cores
_CORE_NM = 0.3
_BLOCK = 16  # voxels along the finest side of a block
_SUB = 4  # sub-voxels along each side of a voxel at a core
_CORE_VOXELS = 2.5  # distance in voxel sides within which a voxel is sub-sampled
_MARGIN = 3.0  # of the faces beyond the field, in thicknesses
_EDGE = 8  # pixels of the spectral grid beyond the field, for interpolation


@numba.njit(cache=True)
def _distance2(x, y, z, seg):
    """Squared distance of a point to a packed segment."""
    rx, ry, rz = x - seg[0], y - seg[1], z - seg[2]
    s = min(max(rx * seg[3] + ry * seg[4] + rz * seg[5], 0.0), seg[6])
    rx, ry, rz = rx - s * seg[3], ry - s * seg[4], rz - s * seg[5]
    return rx * rx + ry * ry + rz * rz


@numba.njit(cache=True)
def _sharpen_block(out, low, high, origin, step, segments, constants, wide):
    """Replace the wide core by the narrow one in out[:, low:high] (z, y, x index ranges) of one block."""
    nu1, nu2, factor = constants
    half = (high - low) * step / 2
    center = origin + step * low + half
    reach = (_REPLACED * wide + np.sqrt((half**2).sum())) ** 2
    replaced2, core2 = (_REPLACED * wide) ** 2, (_CORE_VOXELS * step.max()) ** 2
    is_near = np.array([_distance2(center[2], center[1], center[0], segment) < reach for segment in segments])
    near = segments[is_near]
    narrow, first, second, once = np.empty(3), np.empty(3), np.empty(3), 1.0 / _SUB**3
    for i in range(low[0], high[0]):
        z = origin[0] + step[0] * (i + 0.5)
        for j in range(low[1], high[1]):
            y = origin[1] + step[1] * (j + 0.5)
            for k in range(low[2], high[2]):
                x = origin[2] + step[2] * (k + 0.5)
                for m in range(len(near)):
                    distance2 = _distance2(x, y, z, near[m])
                    if distance2 > replaced2:
                        continue
                    narrow[:] = 0.0
                    first[:] = 0.0
                    second[:] = 0.0
                    _add_segment(x, y, z, near[m], wide**2, nu1, nu2, first)
                    _add_segment(x, y, z, near[m], 2 * wide**2, nu1, nu2, second)
                    if distance2 > core2:
                        _add_segment(x, y, z, near[m], _CORE_NM**2, nu1, nu2, narrow)
                    else:
                        for u in range(_SUB):
                            for v in range(_SUB):
                                for w in range(_SUB):
                                    _add_segment(
                                        x + step[2] * ((w + 0.5) / _SUB - 0.5),
                                        y + step[1] * ((v + 0.5) / _SUB - 0.5),
                                        z + step[0] * ((u + 0.5) / _SUB - 0.5),
                                        near[m], _CORE_NM**2, nu1, nu2, narrow,
                                    )  # fmt: skip
                        narrow *= once
                    for c in range(3):
                        out[c, i, j, k] += factor * (narrow[c] - 2 * first[c] + second[c])


@numba.njit(cache=True, parallel=True)
def _sharpen(out, blocks, origin, step, segments, constants, wide):
    for b in numba.prange(len(blocks)):
        _sharpen_block(out, blocks[b, 0], blocks[b, 1], origin, step, segments, constants, wide)


def voxel_distortion(
    network: DislocationNetwork,
    g_per_nm,
    corner_yx_nm,
    step_zyx_nm,
    shape_zyx,
    poisson_ratio: float,
    relaxed: bool = True,
) -> np.ndarray:
    """g_i U_ij of a network averaged over the voxels of a foil.

    Parameters
    ----------
    network : DislocationNetwork
        Every segment that acts, those outside the grid included; lines that end on a face continue far outside.
    g_per_nm : (3,) float
        Reflection in the specimen frame [1/nm].
    corner_yx_nm : (2,) float
        Corner of the grid on the entrance face z = 0 [nm].
    step_zyx_nm : (3,) float
        Size of a voxel [nm]; the slices fill the thickness.
    shape_zyx : (3,) int
        Voxels along z, y, x.
    poisson_ratio : float
        Of the medium.
    relaxed : bool
        Whether both faces are free of traction, or the medium is infinite.

    Returns
    -------
    (3, nz, ny, nx) float32
        g·U_x, g·U_y, g·U_z [1/nm].
    """
    step, shape = np.asarray(step_zyx_nm, float), tuple(int(n) for n in shape_zyx)
    corner = np.array([0.0, *corner_yx_nm])
    smooth, low = _smooth(network, g_per_nm, corner, step, shape, poisson_ratio, relaxed)
    out = np.zeros((3, *shape), np.float32)
    places = [c + (np.arange(n) + 0.5) * h for c, n, h in zip(corner, shape, step)]
    axes = (same(shape[0]), *(interpolation(at, c, _STEP_NM) for at, c in zip(places[1:], low)))
    for coarse, fine in zip(smooth, out):
        add_interpolated(coarse, fine, axes)
    per_block = np.maximum(1, np.minimum(np.rint(_BLOCK * step.min() / step).astype(int), shape))
    corners = [np.arange(0, n, p) for n, p in zip(shape, per_block)]
    starts = np.stack(np.meshgrid(*corners, indexing="ij"), -1).reshape(-1, 3)
    blocks = np.stack([starts, np.minimum(starts + per_block, shape)], axis=1)
    segments = pack_segments(network, g_per_nm)
    _sharpen(out, blocks, corner, step, segments, kernel_constants(poisson_ratio), _WIDE_NM)
    return out


def _smooth(network, g_per_nm, corner, step, shape, poisson_ratio: float, relaxed: bool):
    """The field (3, nz, my, mx) with the wide core on the slices, coarser in x and y, and the corner (y, x) of that."""
    thickness = step[0] * shape[0]
    core = ((_WIDE_NM, 2.0), (np.sqrt(2) * _WIDE_NM, -1.0))
    spacing = np.full(3, _STEP_NM)
    size = np.ceil(step * shape / _STEP_NM).astype(int) + 2 * _EDGE
    low = corner - _EDGE * spacing
    stiffness = isotropic_stiffness(poisson_ratio)
    margin = int(np.ceil(_MARGIN * thickness / _STEP_NM))
    wide, beside = size[1:] + 2 * margin, low[1:] - margin * _STEP_NM
    faces = FaceLoads(beside, wide, _STEP_NM, thickness, poisson_ratio) if relaxed else None
    bulk = projected_distortion(network, [g_per_nm], low, size, spacing, stiffness, core, faces)[0]
    field = np.zeros((3, shape[0], *size[1:]), np.float32)
    depths = (np.arange(shape[0]) + 0.5) * step[0]
    axes = (interpolation(depths, low[0], _STEP_NM), same(size[1]), same(size[2]))
    for coarse, fine in zip(bulk, field):
        add_interpolated(coarse, fine, axes)
    if faces is not None:
        free = Relaxation(faces.stress, margin, spacing[1:], thickness, poisson_ratio)
        inner = [slice(margin, margin + n) for n in size[1:]]
        free.add_to(field, g_per_nm, depths, *inner)
    return field, low[1:]
