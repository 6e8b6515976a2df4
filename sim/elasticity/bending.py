"""Relaxation of the faces of a foil over all wavelengths: a foil bends, and what bends it is far away.

A line along the faces at depth d turns one side of a foil of thickness t against the other by 6 b d (t - d) / t³: the
displacement that frees the faces falls as slowly as the inverse square of the wave number, so no box holds it. It is
divided among low-pass filters whose width doubles (`octaves`), here of waves along the faces: each share acts no
farther than a few steps of its own grid. The finest share takes the traction of the bulk field. Those of the coarser
grids, whose waves a core does not touch, take that of the lines themselves, exact in depth, from the stress functions
of Kröner (1958): that stress is in equilibrium even at an open end, which would otherwise push the foil away.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.elasticity.faces import FaceLoads, Relaxation, taper, wave_numbers
from veristem.sim.elasticity.octaves import (
    BEYOND,
    REACH,
    TAPS,
    WIDTH,
    add_interpolated,
    interpolation,
    line_points,
    low_pass,
    to_waves,
)

_COARSER = 4  # the first coarse step over that of the faces
_DEEP = 16.0  # of the lines beyond the faces, in steps of a grid: farther ones are of longer waves
_LEAST = 1e-4  # of a share of a wave: less is nothing
_FALLEN = 30.0  # a wave is gone after so many times its decay length
_REACHES = int(np.ceil(2 * WIDTH * REACH))  # the share of a grid, so many of its steps
_TAPER = 8  # pixels over which the traction falls to nothing, beyond the reach of the finest share
MARGIN = int(np.ceil(_COARSER * WIDTH * REACH)) + _TAPER  # pixels of the faces beyond the field


class _Grid(NamedTuple):
    """Where a share is wanted: corner [nm], voxels and their size [nm] along z, y and x."""

    low: np.ndarray
    shape: np.ndarray
    step: np.ndarray

    @property
    def narrow(self) -> float:
        """The narrower of its two filters [nm]; the other has twice its width."""
        return WIDTH * self.step[1]

    @property
    def centres(self) -> list[np.ndarray]:
        """Of its voxels along z, y and x [nm]."""
        return [low + (np.arange(n) + 0.5) * h for low, n, h in zip(self.low, self.shape, self.step)]


def relax(field: np.ndarray, vector, network: DislocationNetwork, faces: FaceLoads, low_yx_nm, depths_nm) -> None:
    """Add g_i U_ij of what frees both faces to that of the bulk.

    Parameters
    ----------
    field : (3, nz, ny, nx) float
        g_i U_ij at pixel centres of the step of the faces, added to.
    vector : (3,) float
        g.
    network : DislocationNetwork
        Every segment that acts.
    faces : FaceLoads
        What the network does to the faces, `MARGIN` pixels beyond the field.
    low_yx_nm : (2,) float
        Corner of the field [nm], a whole number of pixels from that of the faces.
    depths_nm : (nz,) float
        Of its planes [nm].
    """
    low, shape = np.asarray(low_yx_nm, float), np.array(field.shape[2:])
    middle = [*(low + shape * faces.step / 2)[::-1], 0.0]
    size = max(np.abs(ends - middle).max(initial=0.0) for ends in network.ends_nm())
    box = np.array([[0.0, *low], [faces.thickness_nm, *(low + shape * faces.step)]])
    grids = [_around(box, _COARSER * faces.step, faces.thickness_nm)]
    while grids[-1].narrow < BEYOND * size:
        last = grids[-1]
        box = np.array([last.low, last.low + last.shape * last.step])
        grids.append(_around(box, 2 * last.step[1], faces.thickness_nm))
    found = None
    for grid in reversed(grids):
        share = np.zeros((3, *grid.shape), np.float32)
        inner = (slice(_REACHES, _REACHES + n) for n in grid.shape[1:])
        _of_lines(network, grid, faces).add_to(share, vector, grid.centres[0], *inner)
        if found is not None:
            _add(*found, share, grid.centres)
        found = grid, share
    assert found is not None
    _add(*found, field, [np.asarray(depths_nm), *(a + (np.arange(n) + 0.5) * faces.step for a, n in zip(low, shape))])
    whole = faces.stress.shape[2:]
    edges = [taper(n, _TAPER) for n in whole]
    ky, kx = wave_numbers(whole, faces.step)
    share = 1 - low_pass(np.hypot(ky[:, None], kx), grids[0].narrow)
    loads = -share * to_waves(faces.stress * edges[0][:, None] * edges[1], 2)
    free = Relaxation(loads, whole, faces.step, faces.thickness_nm, faces.poisson_ratio)
    free.add_to(field, vector, depths_nm, *(slice(MARGIN, MARGIN + n) for n in shape))


def _of_lines(network: DislocationNetwork, grid: _Grid, faces: FaceLoads) -> Relaxation:
    """What frees the faces of the waves of a grid, which lies within what is relaxed."""
    t, nu = faces.thickness_nm, faces.poisson_ratio
    step, deep = grid.step[1], _DEEP * grid.step[1]
    whole = grid.shape[1:] + 2 * _REACHES
    points, carried = line_points(_cut(network, (-deep, 0.0, t, t + deep)), step)
    points[:, 1:] -= grid.low[1:] - _REACHES * step
    near = (np.abs(points[:, 0] - t / 2) < t / 2 + deep) & (points[:, 1:] > 0).all(axis=1)
    near &= (points[:, 1:] < whole * step).all(axis=1)
    points[:, 1:] -= step / 2  # from the first pixel's centre
    ky, kx = wave_numbers(whole, step)
    k = np.hypot(ky[:, None], kx)
    share = low_pass(k, grid.narrow) - low_pass(k, 2 * grid.narrow)
    loads = np.zeros((2, 3, *k.shape), complex)
    _loads(points[near], carried[near] / step**2, ky, kx, share, t, nu / (1 - nu), loads)
    return Relaxation(loads, whole, step, t, nu)


def _cut(network: DislocationNetwork, depths_nm) -> DislocationNetwork:
    """The same lines with a node where they cross a depth: there what they do to a face has a kink."""
    first, vector = network.ends_nm()[0], network.vectors_nm
    with np.errstate(divide="ignore", invalid="ignore"):
        cuts = np.nan_to_num((np.array(depths_nm) - first[:, 2:]) / vector[:, 2:], nan=0.0, posinf=1.0, neginf=0.0)
    count = len(first)
    cuts = np.sort(np.clip(np.column_stack([np.zeros(count), cuts, np.ones(count)]), 0, 1), axis=1)
    segment, part = np.nonzero(np.diff(cuts, axis=1) > 1e-12)
    ends = [first[segment] + at[:, None] * vector[segment] for at in (cuts[segment, part], cuts[segment, part + 1])]
    nodes = np.stack(ends, axis=1).reshape(-1, 3)
    numbers = np.arange(len(nodes)).reshape(-1, 2)
    return DislocationNetwork(nodes, numbers, network.burgers_nm[segment], np.ones(len(nodes), bool))


@numba.njit(cache=True, parallel=True)
def _loads(points, carried, ky, kx, share, thickness, ratio, out):
    """Transforms (2, 3, ny, nx) of -sigma_iz on both faces of what points (N, 3), z, y, x, carry: b_m t_h dl, (N, 9).

    With T = t b in the frame of the wave, u = k |zeta|, zeta from the point to the face, and s the sign of zeta:
    A = T21 + ratio (T21 - T12), B = T23 + ratio (T23 - T32), ratio = nu / (1 - nu), and over the shear modulus
    2 sigma_zz = (s u A + i (1 + u) B) exp(-u), 2 sigma_1z = (i (1 - u) A + s u B) exp(-u),
    4 sigma_2z = (i (1 + u) (T22 - T33) - i (1 - u) (T11 - T22) - s u (T13 + T31)) exp(-u).
    """
    for j in numba.prange(len(ky)):
        for i in range(len(kx)):
            part = share[j, i]
            if part < _LEAST:
                continue
            k = np.hypot(ky[j], kx[i])
            c, s = kx[i] / k, ky[j] / k
            for n in range(len(points)):
                z, y, x = points[n]
                xx, yx, zx, xy, yy, zy, xz, yz, zz = carried[n]  # t along the first, b along the second
                t11 = c * (c * xx + s * xy) + s * (c * yx + s * yy)
                t12 = c * (c * xy - s * xx) + s * (c * yy - s * yx)
                t21 = c * (c * yx + s * yy) - s * (c * xx + s * xy)
                t22 = c * (c * yy - s * yx) - s * (c * xy - s * xx)
                t13, t23 = c * xz + s * yz, c * yz - s * xz
                t31, t32 = c * zx + s * zy, c * zy - s * zx
                a, b = t21 + ratio * (t21 - t12), t23 + ratio * (t23 - t32)
                phase = part * np.exp(-1j * (kx[i] * x + ky[j] * y))
                for face in range(2):
                    zeta = face * thickness - z
                    u = k * abs(zeta)
                    if u > _FALLEN:
                        continue
                    su = k * zeta
                    wave = phase * np.exp(-u)
                    first = -wave * (1j * (1 - u) * a + su * b) / 2
                    second = -wave * (1j * (1 + u) * (t22 - zz) - 1j * (1 - u) * (t11 - t22) - su * (t13 + t31)) / 4
                    out[face, 0, j, i] += c * first - s * second
                    out[face, 1, j, i] += s * first + c * second
                    out[face, 2, j, i] -= wave * (su * a + 1j * (1 + u) * b) / 2


def _around(box, step: float, thickness_nm: float) -> _Grid:
    """Voxels from which a box (2, 3) can be interpolated; flatter than wide, since waves fall off by their length."""
    steps = np.array([min(step / 2, thickness_nm), step, step])
    first, end = np.floor(box[0] / steps) - TAPS // 2, np.ceil(box[1] / steps) + TAPS // 2
    return _Grid(first * steps, (end - first).astype(int), steps)


def _add(coarse: _Grid, values: np.ndarray, fine: np.ndarray, places) -> None:
    axes = tuple(interpolation(at, low, step) for at, low, step in zip(places, coarse.low, coarse.step))
    for share, field in zip(values, fine):
        add_interpolated(share, field, axes)
