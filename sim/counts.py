"""Patterns of many scan pixels, and their counts: exact Poisson draws from a stream of each frame's own."""

from __future__ import annotations

import numba
import numpy as np

_TILE = 16  # pixels that are summed before they are written: a cache line
_MOST = 10.0  # largest mean that is drawn at once


@numba.njit(cache=True, nogil=True)
def sum_rays(indptr, indices, weights, rays, patterns):
    """Patterns (F, pixels) of F scan pixels: weights (pixels, N, as CSR) times intensities of rays (N, F).

    Each sum is taken in the order of the rays, however many scan pixels there are.
    """
    frames, pixels = patterns.shape
    sums = np.empty((_TILE, frames), np.float32)
    for start in range(0, pixels, _TILE):
        width = min(_TILE, pixels - start)
        for t in range(width):
            line = sums[t]
            line[:] = 0
            for e in range(indptr[start + t], indptr[start + t + 1]):
                weight, ray = weights[e], rays[indices[e]]
                for f in range(frames):
                    line[f] += weight * ray[f]
        for f in range(frames):
            for t in range(width):
                patterns[f, start + t] = sums[t, f]


@numba.njit(cache=True, nogil=True)
def _uniform(state):
    """Number from 0 to 1 and next state: splitmix64 (Steele, Lea & Flood, OOPSLA 2014)."""
    state += np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)) * 2.0**-53, state


@numba.njit(cache=True, nogil=True)
def _poisson(mean, state):
    """A Poisson count and the next state: inversion of the sum, a large mean in parts, whose counts add up."""
    count = 0
    while mean > 0:
        part = min(mean, _MOST)
        mean -= part
        u, state = _uniform(state)
        if u < 1 - part:  # below exp(-part)
            continue
        chance = np.exp(-part)
        k = 0
        while u >= chance and k < 100:  # what lies beyond is less than the last digit of u
            u -= chance
            k += 1
            chance *= part / k
        count += k
    return count, state


@numba.njit(cache=True, nogil=True)
def draw_counts(patterns, doses, shifts, seeds, limit, counts):
    """Counts (F, rows, columns) of expected patterns.

    Parameters
    ----------
    patterns : (F, rows, columns) float32
        Share of the electrons on each pixel.
    doses : (F,) float64
        Electrons that would be counted of a whole frame.
    shifts : (F, 2) float64
        How far each pattern lies from its place, x and y [pixels]; linear between pixels, which keeps all electrons
        and moves their mean by just that.
    seeds : (F,) uint64
        Beginning of each frame's stream.
    limit : int
        Most that a pixel counts.
    counts : (F, rows, columns) of an unsigned integer type
        Where the counts go.
    """
    frames, rows, columns = counts.shape
    for f in range(frames):
        state = seeds[f]
        pattern, dose = patterns[f], doses[f]
        whole_x, whole_y = int(np.floor(shifts[f, 0])), int(np.floor(shifts[f, 1]))
        x, y = shifts[f, 0] - whole_x, shifts[f, 1] - whole_y
        still = shifts[f, 0] == 0 and shifts[f, 1] == 0
        for j in range(rows):
            for i in range(columns):
                if still:
                    mean = float(pattern[j, i])
                else:
                    mean = 0.0
                    for v in range(2):
                        for u in range(2):
                            weight = (y if v else 1 - y) * (x if u else 1 - x)
                            jj, ii = j - whole_y - v, i - whole_x - u
                            if weight > 0 and 0 <= jj < rows and 0 <= ii < columns:
                                mean += weight * pattern[jj, ii]
                count, state = _poisson(dose * mean, state)
                counts[f, j, i] = min(count, limit)
