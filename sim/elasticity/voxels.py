"""The field of a foil on the voxels of its image: spectral far from the cores, exact near them, both faces free.

The spectral field has a wide core, so that a coarse grid holds it. Near a line it is replaced by the exact field of the
segments with a narrow core, and within a few nm of a line each voxel is divided: what an image needs there is the mean
intensity of rays beside each other, not the intensity of a mean strain, and a core sampled at one depth of a slice
would paint false dots along every inclined line. The wide core is made of two (weights 2 and -1, radii 1 to the root of
2), whose leading errors cancel: the replaced part falls as the fourth power of core over distance. Blocks of voxels are
independent, so the result does not depend on threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.elasticity.bending import MARGIN, relax
from veristem.sim.elasticity.cores import Lines, divide, sharpen
from veristem.sim.elasticity.faces import FaceLoads
from veristem.sim.elasticity.octaves import add_interpolated, bytes_needed, check_memory, interpolation, levels, same
from veristem.sim.elasticity.segment import kernel_constants, pack_segments
from veristem.sim.elasticity.spectral import isotropic_stiffness, projected_distortion

_STEP_NM = 2.5  # of the spectral grid in x and y
_WIDE_NM = 6.25  # its core
_REPLACED = 4.0  # distance within which the exact field stands, in wide cores
_BLOCK = 16  # voxels along the finest side of a block
_PART_NM = 0.5  # largest side of the parts of a divided voxel, in x and y
_EDGE = 4  # pixels of the spectral grid beyond the field, for interpolation
_BYTES = 24  # of a voxel: three components, its index, beta along two rays


class Strain(NamedTuple):
    """g·U_x, g·U_y, g·U_z of a foil [1/nm].

    voxels : (3, nz, ny, nx) float32
        Means.
    places : (N, 3) int
        z, y, x of the voxels near lines, which are divided.
    parts : (N, 3, f + 1, f + 1) float32
        Means of the f x f columns (y, x) of each, and of the first ones of the voxels beyond.
    """

    voxels: np.ndarray
    places: np.ndarray
    parts: np.ndarray


def voxel_distortion(
    network: DislocationNetwork,
    g_per_nm,
    corner_yx_nm,
    step_zyx_nm,
    shape_zyx,
    poisson_ratio: float,
    relaxed: bool = True,
) -> Strain:
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

    Raises
    ------
    InputError
        Before anything is done, when memory will not do.
    """
    step, shape = np.asarray(step_zyx_nm, float), tuple(int(n) for n in shape_zyx)
    corner = np.array([0.0, *corner_yx_nm])
    size = " x ".join(str(n) for n in shape[::-1])
    check_memory(bytes_of_voxels(shape), f"image with {size} voxels")
    smooth, low = _smooth(network, g_per_nm, corner, step, shape, poisson_ratio, relaxed)
    voxels = np.zeros((3, *shape), np.float32)
    axes = tuple(_places(c, n, h, at) for c, n, h, at in zip(corner[1:], shape[1:], step[1:], low))
    for coarse, fine in zip(smooth, voxels):
        add_interpolated(coarse, fine, (same(shape[0]), *axes))
    per_block = np.maximum(1, np.minimum(np.rint(_BLOCK * step.min() / step).astype(int), shape))
    corners = [np.arange(0, n, p) for n, p in zip(shape, per_block)]
    starts = np.stack(np.meshgrid(*corners, indexing="ij"), -1).reshape(-1, 3)
    blocks = np.stack([starts, np.minimum(starts + per_block, shape)], axis=1)
    lines = Lines(pack_segments(network, g_per_nm), *kernel_constants(poisson_ratio), _WIDE_NM, _REPLACED * _WIDE_NM)
    index = np.full(shape, -1, np.int32)
    sharpen(voxels, index, blocks, corner, step, lines)
    places = np.ascontiguousarray(np.argwhere(index == 0))
    index[tuple(places.T)] = np.arange(len(places))
    f = parts_across(step[1:].max())
    check_memory(12.0 * len(places) * (f + 1) ** 2, f"strain near lines, in {len(places)} voxels")
    parts = np.empty((len(places), 3, f + 1, f + 1), np.float32)
    (y0, wy), (x0, wx) = (_places(c, n * f + 1, h / f, at) for c, n, h, at in zip(corner[1:], shape[1:], step[1:], low))
    for beyond in (False, True):
        divide(voxels, index, parts, blocks, corner, step, lines, smooth, y0, wy, x0, wx, beyond)
    return Strain(voxels, places, parts)


def _places(corner: float, count: int, step: float, low: float) -> tuple[np.ndarray, np.ndarray]:
    """Interpolation to the middles of voxels along an axis, from the spectral grid that begins at low."""
    return interpolation(corner + (np.arange(count) + 0.5) * step, low, _STEP_NM)


def parts_across(step_nm: float) -> int:
    """Into how many parts a voxel near a line is divided along x and along y."""
    return int(np.ceil(step_nm / _PART_NM - 1e-9))


def bytes_of_strain(step_zyx_nm, shape_zyx) -> float:
    """Memory that the strain of a foil with such voxels takes at once, without what is divided near lines."""
    step, shape = np.asarray(step_zyx_nm, float), np.asarray(shape_zyx, float)
    size, low = _spectral_box(np.zeros(3), step, shape)
    none = DislocationNetwork(np.zeros((0, 3)), np.zeros((0, 2), int), np.zeros((0, 3)))
    finest, *_ = levels(none, low, size, np.full(3, _STEP_NM), _WIDE_NM)
    return max(bytes_needed(finest, 3), bytes_of_voxels(shape))


def bytes_of_voxels(shape_zyx) -> float:
    """Memory that voxels and rays through them take."""
    return _BYTES * float(np.prod(np.asarray(shape_zyx, float)))


def _spectral_box(corner, step, shape) -> tuple[np.ndarray, np.ndarray]:
    """Points (z, y, x) and corner [nm] of the spectral grid."""
    size = np.ceil(step * shape / _STEP_NM).astype(int) + 2 * _EDGE
    return size, corner - _EDGE * _STEP_NM


def _smooth(network, g_per_nm, corner, step, shape, poisson_ratio: float, relaxed: bool):
    """The field (3, nz, my, mx) with the wide core on the slices, coarser in x and y, and the corner (y, x) of that."""
    thickness = step[0] * shape[0]
    core = ((_WIDE_NM, 2.0), (np.sqrt(2) * _WIDE_NM, -1.0))
    spacing = np.full(3, _STEP_NM)
    size, low = _spectral_box(corner, step, shape)
    stiffness = isotropic_stiffness(poisson_ratio)
    wide, beside = size[1:] + 2 * MARGIN, low[1:] - MARGIN * _STEP_NM
    faces = FaceLoads(beside, wide, _STEP_NM, thickness, poisson_ratio) if relaxed else None
    bulk = projected_distortion(network, [g_per_nm], low, size, spacing, stiffness, core, faces)[0]
    field = np.zeros((3, shape[0], *size[1:]), np.float32)
    depths = (np.arange(shape[0]) + 0.5) * step[0]
    axes = (interpolation(depths, low[0], _STEP_NM), same(size[1]), same(size[2]))
    for coarse, fine in zip(bulk, field):
        add_interpolated(coarse, fine, axes)
    if faces is not None:
        relax(field, g_per_nm, network, faces, low[1:], depths)
    return field, low[1:]
