"""The nearest of many segments to each of many points."""

from __future__ import annotations

import numba
import numpy as np


def nearest_segments(points, start, stop):
    """Nearest segment of each point, exactly: all are looked at, most are ruled out by the sphere around them.

    Of segments equally near (to 1e-9 nm: they share a node) the one with the nearest middle is taken, so that the order
    of the segments does not matter.

    Parameters
    ----------
    points : (N, 3) float
        Points [nm].
    start, stop : (M, 3) float
        Ends of the segments, M > 0, none of zero length [nm].

    Returns
    -------
    index : (N,) int
        Nearest segment.
    at : (N,) float
        Where on it the nearest point lies, from 0 at its start to 1 at its stop.
    distance : (N,) float
        Distance to it [nm].
    """
    middle, vector = (start + stop) / 2, stop - start
    square = (vector**2).sum(axis=1)
    return _nearest(points, start, middle, vector, square, np.sqrt(square) / 2)


@numba.njit(cache=True)
def _nearest(points, start, middle, vector, square, half):
    index, at = np.zeros(len(points), np.int64), np.zeros(len(points))
    distance = np.zeros(len(points))
    last = 0
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        best, best_middle = np.inf, np.inf
        for k in range(-1, len(start)):
            j = last if k < 0 else k  # the neighbour's segment first: a good bound from the beginning
            to_middle = (x - middle[j, 0]) ** 2 + (y - middle[j, 1]) ** 2 + (z - middle[j, 2]) ** 2
            if to_middle > (best + half[j] + 1e-9) ** 2:
                continue
            px, py, pz = x - start[j, 0], y - start[j, 1], z - start[j, 2]
            t = (px * vector[j, 0] + py * vector[j, 1] + pz * vector[j, 2]) / square[j]
            t = min(max(t, 0.0), 1.0)
            d = np.sqrt((px - t * vector[j, 0]) ** 2 + (py - t * vector[j, 1]) ** 2 + (pz - t * vector[j, 2]) ** 2)
            if d < best - 1e-9 or (d <= best + 1e-9 and to_middle < best_middle):
                best, best_middle, last = d, to_middle, j
                index[i], at[i], distance[i] = j, t, d
    return index, at, distance
