"""Fields of a network on a grid, summed octave by octave: each from a grid of its own, twice as coarse as the last.

The Fourier transform of a field that falls as 1/r does not end at the edge of any box: on one grid the periodic images
would be part of the answer. So the field is divided among low-pass filters F_l whose width doubles from level to level:
the share F_l - F_(l+1) reaches no farther than a few steps of level l, is free of images on a grid with that much
padding, and is interpolated onto the finer grid below. Lines far beyond the box, and an open end, enter at the level
whose share reaches that far; what the last level leaves out is too smooth to matter.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np
import psutil
from scipy import fft
from scipy.special import gammaincc, kv

from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork

_ORDER = 2  # of the filters: 1 - F starts with k to the power of twice this
WIDTH = 1.8  # of a filter over the step of its level
REACH = 3.5  # of the share of a level, in widths of the next filter
BEYOND = 4.0  # the widest filter over the size of the network
_SPREAD = 6  # voxels along each side over which a point of a line is spread
_SHAPE = 2.3 * _SPREAD  # of the window with which it is
_SLAB = 8  # planes that one thread fills
TAPS = 8  # of the interpolation from a level to the one below
_TABLE = 8192


Core = tuple[tuple[float, float], ...]  # core radii [nm] and their weights


class Level(NamedTuple):
    """A grid (z, y, x order) and the two filter widths between which its share of the field lies [nm]."""

    low: np.ndarray
    shape: np.ndarray
    step: np.ndarray
    finest: float
    widest: float


def levels(network: DislocationNetwork, low_zyx_nm, shape_zyx, step_zyx_nm, core_nm: float, faces=None) -> list[Level]:
    """From the grid that is asked for to one far larger than the network; wider in x and y until it holds the faces.

    The first filter takes only what the finest grid cannot hold, so nothing of a core that is wide enough.
    """
    low, step = np.asarray(low_zyx_nm, float), np.asarray(step_zyx_nm, float)
    shape = np.asarray(shape_zyx, int)
    middle = low + shape * step / 2
    size = max(np.abs(ends[:, ::-1] - middle).max(initial=0.0) for ends in network.ends_nm())
    widths = max(0.0, 2 * step.max() - 0.8 * core_nm), 2 * WIDTH * step.max()
    found = [Level(low, shape, step, *widths)]
    while found[-1].finest < BEYOND * size:
        last = found[-1]
        step = np.full(3, 2 * last.step.max())
        first = np.floor(last.low / step) - TAPS // 2
        end = np.ceil((last.low + last.shape * last.step) / step) + TAPS // 2
        if faces is not None and not faces.within(first[1:] * step[1:], end[1:] * step[1:], step[1:]):
            first[1:] -= faces.grow
            end[1:] += faces.grow
        found.append(Level(first * step, (end - first).astype(int), step, last.widest, 2 * last.widest))
    return found


def core_filter(k_per_nm: np.ndarray, core_nm: float) -> np.ndarray:
    """Transform of the spread Burgers vector of the non-singular theory, (k a)² K_2(k a) / 2 (Cai et al. 2006)."""
    x = np.maximum(k_per_nm * core_nm, 1e-6)
    return x**2 / 2 * kv(2, x)


def low_pass(k_per_nm, width_nm: float):
    """The filter of a width at wave numbers."""
    return gammaincc(_ORDER, (k_per_nm * width_nm) ** 2 / 2)


def window_transform(phase: np.ndarray) -> np.ndarray:
    """Transform of the window of `spread` at wave number times step."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    window = np.exp(_SHAPE * (np.sqrt(1 - nodes**2) - 1))
    half = _SPREAD / 2
    return half * np.cos(np.multiply.outer(half * phase, nodes)) @ (weights * window)


def line_points(network: DislocationNetwork, step_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss points (N, 3) along all segments, in z, y, x order, and what each carries: b_m t_h dl, (N, 9)."""
    counts = np.maximum(1, np.ceil(network.lengths_nm / step_nm).astype(int))
    segment = np.repeat(np.arange(len(counts)), 2 * counts)
    rank = np.arange(len(segment)) - np.repeat(2 * (np.cumsum(counts) - counts), 2 * counts)
    share = (rank // 2 + 0.5 + np.where(rank % 2, 1, -1) / np.sqrt(12)) / counts[segment]
    first, _ = network.ends_nm()
    tensors = network.burgers_nm[:, :, None] * network.vectors_nm[:, None, :] / (2 * counts[:, None, None])
    points = first[segment] + share[:, None] * network.vectors_nm[segment]
    return points[:, ::-1], tensors.reshape(-1, 9)[segment]


@numba.njit(cache=True, parallel=True)
def spread(grid, points, carried):
    """Add to grid (9, nz, ny, nx) what the points (N, 3), in voxels, carry (N, 9); those too near its edge are left."""
    half = _SPREAD / 2
    nz, ny, nx = grid.shape[1:]
    for block in numba.prange((nz + _SLAB - 1) // _SLAB):  # planes that one thread alone adds to, in the same order
        low, high = block * _SLAB, min(nz, (block + 1) * _SLAB)
        weights = np.empty((3, _SPREAD))
        first = np.empty(3, np.int64)
        for n in range(len(points)):
            for axis in range(3):
                first[axis] = int(np.ceil(points[n, axis] - 0.5 - half))
            z, y, x = first
            if z + _SPREAD <= low or z >= high:
                continue
            if min(z, y, x) < 0 or z + _SPREAD > nz or y + _SPREAD > ny or x + _SPREAD > nx:
                continue
            for axis in range(3):
                for c in range(_SPREAD):
                    u = (first[axis] + c + 0.5 - points[n, axis]) / half
                    weights[axis, c] = np.exp(_SHAPE * (np.sqrt(max(0.0, 1 - u * u)) - 1))
            for i in range(max(0, low - z), min(_SPREAD, high - z)):
                for j in range(_SPREAD):
                    part = weights[0, i] * weights[1, j]
                    for q in range(9):
                        amount = part * carried[n, q]
                        for k in range(_SPREAD):
                            grid[q, z + i, y + j, x + k] += amount * weights[2, k]


def interpolation(at_nm: np.ndarray, low_nm: float, step_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """First voxel (N,) and Lagrange weights (N, 8) that interpolate from voxel centres to places (N,) along an axis."""
    u = (at_nm - low_nm) / step_nm - 0.5
    first = np.floor(u).astype(np.int64) - (TAPS // 2 - 1)
    weights = np.ones((len(u), TAPS))
    for c in range(TAPS):
        for other in range(TAPS):
            if other != c:
                weights[:, c] *= (u - first - other) / (c - other)
    return first, weights.astype(np.float32)


def same(count: int) -> tuple[np.ndarray, np.ndarray]:
    """An axis for `add_interpolated` along which nothing changes."""
    return np.arange(count), np.ones((count, 1), np.float32)


def add_interpolated(coarse: np.ndarray, fine: np.ndarray, axes) -> None:
    """Add a coarse volume (nz, ny, nx) to a finer one; ``axes``: `interpolation` along z, y, x."""
    held = np.ascontiguousarray(fine)  # one layout, one compilation
    _add(np.ascontiguousarray(coarse), held, axes)
    if held is not fine:
        fine[:] = held


@numba.njit(cache=True, parallel=True)
def _add(coarse, fine, axes):
    (z0, wz), (y0, wy), (x0, wx) = axes
    for i in numba.prange(len(z0)):
        plane = np.zeros_like(coarse[0])
        for c in range(wz.shape[1]):
            plane += wz[i, c] * coarse[z0[i] + c]
        rows = np.empty((plane.shape[0], len(x0)), np.float32)
        for j in range(y0[0], y0[-1] + wy.shape[1]):
            for k in range(len(x0)):
                value = np.float32(0)
                for c in range(wx.shape[1]):
                    value += wx[k, c] * plane[j, x0[k] + c]
                rows[j, k] = value
        for j in range(len(y0)):
            for c in range(wy.shape[1]):
                w = wy[j, c]
                row = rows[y0[j] + c]
                for k in range(len(x0)):
                    fine[i, j, k] += w * row[k]


def to_waves(values: np.ndarray, axes: int) -> np.ndarray:
    """Transform along the last axes, by as many threads as kernels use."""
    return fft.rfftn(values, axes=range(-axes, 0), workers=numba.get_num_threads())  # type: ignore[return-value]


def from_waves(spectra: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Transform back along the last axes, onto a grid of that size; spoils the spectra."""
    axes = range(-len(size), 0)
    images = fft.irfftn(spectra, s=size, axes=axes, workers=numba.get_num_threads(), overwrite_x=True)
    return images  # type: ignore[return-value]


class Lines(NamedTuple):
    """The lines of a level, transformed, and what multiplies each wave.

    level : Level
    spectra : (9, mz, my, mx // 2 + 1) complex64
        b_m t_h per volume, over the grid with its padding.
    waves : three float arrays
        Wave numbers along z, y, x [1/nm].
    factors : three float arrays
        Multiply each wave along z, y, x.
    table, per_wave : float array, float
        Multiply it by |k|; entries of the table per 1/nm.
    pad : (3,) int
        Voxels of padding before the grid.
    size : three int
        Of the padded grid.
    """

    level: Level
    spectra: np.ndarray
    waves: tuple[np.ndarray, ...]
    factors: tuple[np.ndarray, ...]
    table: np.ndarray
    per_wave: float
    pad: np.ndarray
    size: tuple[int, ...]

    @property
    def arguments(self) -> tuple[np.ndarray, tuple, tuple, np.ndarray, float]:
        """What kernels take."""
        return self.spectra, self.waves, self.factors, self.table, self.per_wave

    @property
    def inner(self) -> tuple[slice, ...]:
        """The grid within its padding."""
        return tuple(slice(p, p + n) for p, n in zip(self.pad, self.level.shape))


def check_memory(needed: float, grid: str) -> None:
    """Refuse a grid that does not fit, before anything is done.

    Parameters
    ----------
    needed : float
        Bytes.
    grid : str
        What they are for.

    Raises
    ------
    InputError
        With the memory that is needed and that is available.
    """
    available = psutil.virtual_memory().available
    if needed > available:
        raise InputError(
            f"{grid}: {needed / 1e9:.1f} GB of memory needed, {available / 1e9:.1f} GB available; lower "
            "specimen.field_nm with scan.shape, or specimen.thickness_nm"
        ) from MemoryError(grid)  # of the machine: a study tries again


def bytes_needed(level: Level, volumes: int) -> float:
    """Of the transforms of a level, and of the float32 volumes that the result has."""
    pad = _padding(level)
    return float(88 * np.prod(level.shape + 2.0 * pad) + 4.0 * volumes * np.prod(level.shape.astype(float)))


def _padding(level: Level) -> np.ndarray:
    return np.ceil(REACH * level.widest / level.step).astype(int) + _SPREAD // 2


def level_lines(network: DislocationNetwork, level: Level, core: Core) -> Lines:
    """Spread the lines over the grid of a level and transform them."""
    pad = _padding(level)
    size: tuple[int, ...] = tuple(fft.next_fast_len(int(n), True) for n in level.shape + 2 * pad)  # type: ignore[misc]
    points, carried = line_points(network, level.step.max())
    points = (points - level.low) / level.step + pad
    near = ((points > 0) & (points < level.shape + 2 * pad)).all(axis=1)
    grid = np.zeros((9, *size), np.float32)
    spread(grid, points[near], carried[near] / level.step.prod())
    spectra = to_waves(grid, 3)
    del grid
    filters = _filters(size, tuple(level.step.tolist()), core, level.finest, level.widest)
    return Lines(level, spectra, *filters, pad, size)


@lru_cache(maxsize=64)  # of small foils they cost as much as the lines
def _filters(
    size: tuple[int, ...], steps: tuple[float, ...], core: Core, finest: float, widest: float
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], np.ndarray, float]:
    """`Lines.waves`, `factors`, `table` and `per_wave` of a level; not to be written to."""
    transforms = (fft.fftfreq, fft.fftfreq, fft.rfftfreq)
    waves = tuple(2 * np.pi * f(n, h) for f, n, h in zip(transforms, size, steps))
    factors = []
    for wave, step in zip(waves, steps):
        factor = 1 / window_transform(wave * step)
        factor[np.isclose(np.abs(wave), np.pi / step)] = 0  # half of a pair: the fields are odd
        factors.append(factor)
    top = float(np.sqrt(sum(np.abs(k).max() ** 2 for k in waves)))
    k = np.linspace(0, 1.001 * top, _TABLE)
    table = sum(weight * core_filter(k, radius) for radius, weight in core)
    table = table * (low_pass(k, finest) - low_pass(k, widest))
    return waves, tuple(factors), table, (_TABLE - 1) / k[-1]
