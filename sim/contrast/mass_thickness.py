"""Spheres seen by many rays: absorption along each, T = exp(-path / mean free path), summed over a detector region.

Parallax, depth of field and the overlap of particles all come from this one sum. A pixel is the mean over its area:
exactly along x, by two Gauss points along y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

_GAUSS = 0.5 / np.sqrt(3.0)  # places of the two points along y, in pixels from the centre


@dataclass(frozen=True, eq=False)
class Rays:
    """The rays that make one image, in shares of the cone's electrons: what is left behind film and particles is
    ``film (bare + sum_k share_k (T_k - 1))``, with T_k = exp(-per_nm * path of ray k in particles).

    Parameters
    ----------
    theta_rad : (K, 2) float
        Directions [rad].
    share : (K,) float
        What the image loses when ray k is absorbed; below 0 where it gains.
    bare : float
        What the image has without particles.
    per_nm : float
        Excess of absorption in a particle over the film it displaces [1/nm].
    delta_nm : (K, 2) float, optional
        By how much aberrations move what each ray shows, against the axes [nm].
    """

    theta_rad: np.ndarray
    share: np.ndarray
    bare: float
    per_nm: float
    delta_nm: np.ndarray | None = None

    @property
    def ways(self) -> np.ndarray:
        """(K, 4) tangents of the directions, and the displacements [nm]."""
        delta = np.zeros_like(self.theta_rad) if self.delta_nm is None else self.delta_nm
        return np.column_stack([np.tan(self.theta_rad), delta])


def shade_image(
    centers_nm, radii_nm, rays: Rays, focus_nm: float, pixel_nm: float, shape, start: int = 0
) -> np.ndarray:
    """What particles take from an image, (rows, columns) float64: sum_k share_k (T_k - 1).

    Parameters
    ----------
    centers_nm, radii_nm : (N, 3), (N,) float
        The spheres [nm].
    rays : Rays
        Of the image.
    focus_nm : float
        Depth of the focus plane [nm].
    pixel_nm : float
        Scan step [nm].
    shape : (int, int)
        Rows and columns.
    start : int
        First row, so that a part of an image is that of the whole to the last digit.
    """
    ways = rays.ways
    depth = centers_nm[:, 2] - focus_nm
    reach = np.abs(depth) * np.abs(ways[:, 1]).max(initial=0) + np.abs(ways[:, 3]).max(initial=0) + radii_nm
    first = np.clip(np.floor((centers_nm[:, 1] - reach) / pixel_nm) - start, 0, shape[0]).astype(np.int64)
    stop = np.clip(np.floor((centers_nm[:, 1] + reach) / pixel_nm) + 1 - start, 0, shape[0]).astype(np.int64)
    rows, order = _by_row(first, stop, shape[0])
    places = np.column_stack([centers_nm[:, :2], depth])
    return _shade(places, radii_nm, rows, order, ways, rays.share, rays.per_nm, pixel_nm, start, shape[0], shape[1])


def fisher_information(
    centers_nm, radii_nm, rays: Rays, focus_nm: float, pixel_nm: float, expected: np.ndarray, variance=None, other=None
) -> np.ndarray:
    """Fisher information (N, 3, 3) [1/nm²] that the counts of one image hold of each centre, all else known.

    J = sum over pixels of d lambda d lambda^T / variance. The counts that a particle shares with others are taken as
    the product of what each lets pass, ray by ray exact for particles alone, nearly so for those that overlap.

    Parameters
    ----------
    centers_nm, radii_nm, rays, focus_nm, pixel_nm
        As in `shade_image`.
    expected : (rows, columns) float
        Expected counts lambda of the image.
    variance : (rows, columns) float, optional
        Of the counts; that of Poisson's distribution, lambda, if not given.
    other : tuple, optional
        Places, rays and expected counts of another image whose noise goes together with that of this one. Then J = sum
        of d lambda d lambda'^T / variance, with one over the inverse of the covariance of both as ``variance``.
    """
    image = np.ascontiguousarray(expected, float)
    spread = image if variance is None else np.ascontiguousarray(variance, float)
    sides = []
    for centers, own, counts in ((centers_nm, rays, image), other or (centers_nm, rays, image)):
        places = np.column_stack([centers[:, :2], centers[:, 2] - focus_nm])
        sides += [places, own.ways, own.share, own.bare, own.per_nm, np.ascontiguousarray(counts, float)]
    return _information(radii_nm, pixel_nm, spread, other is None, *sides)


def _by_row(first: np.ndarray, stop: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Particles that may touch each row: ``order[rows[j]:rows[j + 1]]``, in their own order."""
    length = np.maximum(stop - first, 0)
    particle = np.repeat(np.arange(len(first)), length)
    row = np.arange(len(particle)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(first, length)
    order = particle[np.argsort(row, kind="stable")]
    return np.concatenate([[0], np.cumsum(np.bincount(row, minlength=count))]), order


@njit(cache=True)
def _angle(x, a):
    """asin(x / a) for |x| <= a."""
    return np.arctan2(x, np.sqrt(max(a * a - x * x, 0.0)))


@njit(cache=True, parallel=True)
def _shade(places, radii, rows, order, ways, share, per_nm, pixel, start, count, columns):
    image = np.zeros((count, columns))
    for j in prange(count):
        path = np.zeros(columns)
        total = np.zeros(columns)
        spans = np.zeros((rows[j + 1] - rows[j], 2), np.int64)
        for k in range(len(share)):
            for m in range(rows[j], rows[j + 1]):
                n = order[m]
                cx = places[n, 0] - places[n, 2] * ways[k, 0] - ways[k, 2]
                cy = places[n, 1] - places[n, 2] * ways[k, 1] - ways[k, 3]
                low, high = columns, 0
                for side in (-_GAUSS, _GAUSS):
                    y = (start + j + 0.5 + side) * pixel - cy
                    a2 = radii[n] * radii[n] - y * y
                    if a2 <= 0.0:
                        continue
                    a = np.sqrt(a2)
                    i0 = max(int(np.floor((cx - a) / pixel)), 0)
                    i1 = min(int(np.floor((cx + a) / pixel)) + 1, columns)
                    if i1 <= i0:
                        continue
                    low, high = min(low, i0), max(high, i1)
                    x = min(max(i0 * pixel - cx, -a), a)
                    before = x * np.sqrt(max(a2 - x * x, 0.0)) + a2 * _angle(x, a)
                    for i in range(i0, i1):
                        x = min((i + 1) * pixel - cx, a)
                        after = x * np.sqrt(max(a2 - x * x, 0.0)) + a2 * _angle(x, a)
                        path[i] += 0.5 * (after - before) / pixel
                        before = after
                spans[m - rows[j], 0], spans[m - rows[j], 1] = low, high
            for m in range(rows[j + 1] - rows[j]):
                for i in range(spans[m, 0], spans[m, 1]):
                    if path[i] != 0.0:  # the first of those that overlap here takes them all
                        total[i] += share[k] * np.expm1(-per_nm * path[i])
                        path[i] = 0.0
        image[j] = total
    return image


@njit(cache=True)
def _window(place, r, ways, pixel, shape):
    """First and last pixels (columns, rows) that a sphere may touch."""
    wide = np.abs(place[2]) * np.abs(ways[:, 0]).max() + np.abs(ways[:, 2]).max() + r
    tall = np.abs(place[2]) * np.abs(ways[:, 1]).max() + np.abs(ways[:, 3]).max() + r
    i0 = max(int(np.floor((place[0] - wide) / pixel)), 0)
    i1 = min(int(np.floor((place[0] + wide) / pixel)) + 1, shape[1])
    j0 = max(int(np.floor((place[1] - tall) / pixel)), 0)
    j1 = min(int(np.floor((place[1] + tall) / pixel)) + 1, shape[0])
    return i0, i1, j0, j1


@njit(cache=True)
def _taken(place, r, ways, share, per_nm, pixel, i0, i1, j0, j1):
    """Sum of share (T - 1) of a sphere and its derivatives by x, y, z in the pixels of a window, (rows, columns, 4)."""
    depth = place[2]
    own = np.zeros((j1 - j0, i1 - i0, 4))
    path = np.zeros((i1 - i0, 3))  # in the sphere, and its derivatives by the place of the centre
    for k in range(len(share)):
        cx = place[0] - depth * ways[k, 0] - ways[k, 2]
        cy = place[1] - depth * ways[k, 1] - ways[k, 3]
        for j in range(j0, j1):
            first, last = i1, i0
            for side in (-_GAUSS, _GAUSS):
                y = (j + 0.5 + side) * pixel - cy
                a2 = r * r - y * y
                if a2 <= 0.0:
                    continue
                a = np.sqrt(a2)
                k0 = max(int(np.floor((cx - a) / pixel)), i0)
                k1 = min(int(np.floor((cx + a) / pixel)) + 1, i1)
                first, last = min(first, k0), max(last, k1)
                for i in range(k0, k1):
                    x0, x1 = min(max(i * pixel - cx, -a), a), min(max((i + 1) * pixel - cx, -a), a)
                    s0, s1 = np.sqrt(max(a2 - x0 * x0, 0.0)), np.sqrt(max(a2 - x1 * x1, 0.0))
                    angle = _angle(x1, a) - _angle(x0, a)
                    path[i - i0, 0] += 0.5 * (x1 * s1 - x0 * s0 + a2 * angle) / pixel
                    path[i - i0, 1] += (s0 - s1) / pixel
                    path[i - i0, 2] += y * angle / pixel
            for i in range(first, last):
                through = share[k] * np.exp(-per_nm * path[i - i0, 0])
                dx, dy = -per_nm * through * path[i - i0, 1], -per_nm * through * path[i - i0, 2]
                pixel_of = own[j - j0, i - i0]
                pixel_of[0] += through - share[k]
                pixel_of[1] += dx
                pixel_of[2] += dy
                pixel_of[3] -= dx * ways[k, 0] + dy * ways[k, 1]
                path[i - i0] = 0.0
    return own


@njit(cache=True, parallel=True)
def _information(
    radii, pixel, variance, alone,
    places, ways, share, bare, per_nm, expected,
    places_b, ways_b, share_b, bare_b, per_nm_b, expected_b,
):  # fmt: skip
    information = np.zeros((len(radii), 3, 3))
    for n in prange(len(radii)):
        r = radii[n]
        i0, i1, j0, j1 = _window(places[n], r, ways, pixel, expected.shape)
        if not alone:
            k0, k1, l0, l1 = _window(places_b[n], r, ways_b, pixel, expected.shape)
            i0, i1, j0, j1 = max(i0, k0), min(i1, k1), max(j0, l0), min(j1, l1)
        if i1 <= i0 or j1 <= j0:
            continue
        first = _taken(places[n], r, ways, share, per_nm, pixel, i0, i1, j0, j1)
        second = first
        if not alone:
            second = _taken(places_b[n], r, ways_b, share_b, per_nm_b, pixel, i0, i1, j0, j1)
        for j in range(j0, j1):
            for i in range(i0, i1):
                a, b = first[j - j0, i - i0], second[j - j0, i - i0]
                if expected[j, i] > 0.0 and expected_b[j, i] > 0.0:
                    factor = expected[j, i] / (bare + a[0]) * (expected_b[j, i] / (bare_b + b[0])) / variance[j, i]
                    for u in range(3):
                        for v in range(3):
                            information[n, u, v] += factor * a[1 + u] * b[1 + v]
    return information
