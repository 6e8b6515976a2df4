"""A joint fit of all particles to all images: where shades overlap, each particle gets its part.

The counts of a pixel are expected to be background * exp(-strength * sum of thicknesses); a thickness is averaged over
the rays of the view. Gauss and Newton's steps on the Poisson likelihood solve for all particles whose shades touch
together; the inverse of their information is the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from veristem.recon.particles.profile import POINTS, RIM_PX, shade_profile

_VALUE, _RADIUS = 0, 4  # columns of a patch: thickness, then its derivatives by x, y, depth and radius


@dataclass(frozen=True, eq=False)
class Images:
    """Images to fit, lengths in pixels.

    Parameters
    ----------
    counts, background : (V, Y, X) float32
        Counted electrons, and those expected without particles.
    tangents : tuple (view) of (M, 2) float
        Tangents of the directions over which a view is averaged; (0, 0) for one view by itself.
    weights : tuple (view) of (M,) float
        Their weights, of sum 1.
    """

    counts: np.ndarray
    background: np.ndarray
    tangents: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]

    def view(self, index: int) -> Images:
        """One view by itself, places in its own image plane."""
        one = slice(index, index + 1)
        return Images(self.counts[one], self.background[one], (np.zeros((1, 2)),), (np.ones(1),))


@dataclass(frozen=True, eq=False)
class Spheres:
    """Particles, lengths in pixels.

    Parameters
    ----------
    places : (N, 3) float
        x, y and depth below the focus plane.
    radii : (N,) float
        Radii.
    strength : float
        Absorption per thickness.
    mean_radius : float
        Towards which radii are drawn.
    covariance : (N, 3, 3) float or None
        Of the places, once fitted.
    """

    places: np.ndarray
    radii: np.ndarray
    strength: float
    mean_radius: float
    covariance: np.ndarray | None = None


def thickness(images: Images, spheres: Spheres) -> np.ndarray:
    """Thickness of matter [px] that each pixel of each view shows, (V, Y, X) float64."""
    return np.stack([_sum(*patch, _VALUE, images.counts.shape[1:]) for patch in _patches(images, spheres)])


def fit(
    images: Images, spheres: Spheres, spread: float, steps: int = 8, flat: bool = False, common: bool = True
) -> Spheres:
    """Spheres moved to where they explain the counts best, with their covariance.

    Parameters
    ----------
    images : Images
        What is to be explained.
    spheres : Spheres
        Where to begin.
    spread : float
        Standard deviation of the radii over their mean that is expected.
    steps : int
        Most steps; fewer when none moves by more than a hundredth of a pixel.
    flat : bool
        Leave depths as they are.
    common : bool
        Fit the strength and the mean radius too.
    """
    if not len(spheres.places):
        return Spheres(**{**vars(spheres), "covariance": np.zeros((0, 3, 3))})
    places, radii = spheres.places.copy(), spheres.radii.copy()
    strength, mean = spheres.strength, spheres.mean_radius
    groups, pairs, covariance = [], np.zeros((0, 2), np.int64), np.zeros((0, 3, 3))
    for step in range(steps + 1):
        now = Spheres(places, radii, strength, mean)
        patches = _patches(images, now)
        if step == 0:
            pairs, groups = _touching(patches, images)
        gradient, own, cross, globals_ = _normal(images, patches, pairs, now)
        prior = np.array([0.0, 0.0, 1e12 if flat else 0.0, (mean * spread) ** -2])
        gradient[:, 3] -= prior[3] * (radii - mean)
        own += np.diag(prior)
        covariance = np.empty((len(places), 3, 3))
        move = np.zeros((len(places), 4))
        for group, inside in groups:
            _solve(group, inside, own, cross, gradient, pairs, mean, move, covariance)
        if step == steps or np.abs(move[:, :2]).max() < 0.01:
            break
        change = np.zeros(2)
        if common:
            move[:, 3] -= move[:, 3].mean()  # that is the part of the mean radius
            change = np.clip(np.linalg.solve(*globals_), -0.1, 0.1)
        limit = np.array([0.3, 0.3, 15.0, 0.1]) * mean
        move = np.clip(move, -limit, limit)
        places += move[:, :3]
        strength, mean = strength * (1 + change[0]), mean * (1 + change[1])
        radii = np.clip((radii + move[:, 3]) * (1 + change[1]), mean * (1 - 3 * spread), mean * (1 + 3 * spread))
    return Spheres(places, radii, strength, mean, covariance)


def _patches(images: Images, spheres: Spheres) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each view the corner (N, 2) of each particle's patch and the patch (N, S, S, 5): see `_VALUE`."""
    table = shade_profile(round(spheres.mean_radius, 3))
    deepest = np.abs(spheres.places[:, 2]).max(initial=0)
    found = []
    for tangents, weights in zip(images.tangents, images.weights):
        center = weights @ tangents
        wander = deepest * np.linalg.norm(tangents - center, axis=1).max()
        size = 2 * int(np.ceil(spheres.radii.max() * (1 + RIM_PX / spheres.mean_radius) + wander)) + 2
        middle = spheres.places[:, :2] - spheres.places[:, 2:] * center
        corner = np.round(middle - size / 2).astype(np.int64)
        args = (tangents, weights, table, spheres.mean_radius, corner, size)
        found.append((corner, _shades(spheres.places, spheres.radii, *args)))
    return found


def _touching(patches, images: Images):
    """Pairs (P, 2) of particles whose patches overlap in some view, and the groups they form with their pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    count = len(patches[0][0])
    near = [cKDTree(c).query_pairs(p.shape[1] - 1, p=np.inf, output_type="ndarray") for c, p in patches]
    pairs = np.unique(np.concatenate(near), axis=0).astype(np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(count, count))
    total, label = connected_components(graph, directed=False)
    members = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label, minlength=total))[:-1])
    by_group = np.argsort(label[pairs[:, 0]], kind="stable") if len(pairs) else np.zeros(0, np.int64)
    size = np.bincount(label[pairs[:, 0]], minlength=total) if len(pairs) else np.zeros(total, np.int64)
    return pairs, list(zip(members, np.split(by_group, np.cumsum(size)[:-1])))


def _normal(images: Images, patches, pairs, spheres: Spheres):
    """Gradient (N, 4) and information (N, 4, 4), that of pairs (P, 4, 4), and of strength and size of all."""
    count = len(spheres.radii)
    gradient, own, cross = np.zeros((count, 4)), np.zeros((count, 4, 4)), np.zeros((len(pairs), 4, 4))
    matrix, vector = np.zeros((2, 2)), np.zeros(2)
    shape = images.counts.shape[1:]
    for view, (corner, patch) in enumerate(patches):
        value = spheres.strength * _sum(corner, patch, _VALUE, shape)
        expected = images.background[view] * np.exp(-value)
        excess = expected - images.counts[view]
        _own(corner, patch, spheres.strength, expected, excess, gradient, own)
        _cross(corner, patch, spheres.strength, expected, pairs, cross)
        size = spheres.strength * _sum(corner, patch * spheres.radii[:, None, None, None], _RADIUS, shape)
        both = (value, size)
        for a in range(2):
            vector[a] += (excess * both[a]).sum()
            for b in range(2):
                matrix[a, b] += (expected * both[a] * both[b]).sum()
    return gradient, own, cross, (matrix + 1e-9 * np.eye(2), vector)


def _solve(group, inside, own, cross, gradient, pairs, mean, move, covariance) -> None:
    """One group's step and covariance."""
    count = len(group)
    full = np.zeros((count, 4, count, 4))
    full[np.arange(count), :, np.arange(count)] = own[group]
    for pair in inside:
        a, b = np.searchsorted(group, pairs[pair])
        full[a, :, b] += cross[pair]
        full[b, :, a] += cross[pair].T
    full = full.reshape(4 * count, 4 * count)
    rigid = np.tile(np.array([4.0, 4.0, 1e-3, 0.0]) / mean**2, count)  # where overlap leaves a direction open
    inverse = np.linalg.inv(full + np.diag(rigid))
    move[group] = (inverse @ gradient[group].ravel()).reshape(count, 4)
    blocks = inverse.reshape(count, 4, count, 4)[np.arange(count), :3, np.arange(count), :3]
    covariance[group] = blocks


@njit(cache=True, parallel=True)
def _shades(places, radii, tangents, weights, table, table_radius, corner, size):
    patches = np.zeros((len(radii), size, size, 5), np.float32)
    steps = (POINTS - 1) / (table_radius + RIM_PX) ** 2
    for n in prange(len(radii)):
        scale = table_radius / radii[n]
        reach = radii[n] * (1 + RIM_PX / table_radius)
        sums = np.zeros((size, size, 5))
        for k in range(len(weights)):
            cx = places[n, 0] - places[n, 2] * tangents[k, 0] - corner[n, 0] - 0.5
            cy = places[n, 1] - places[n, 2] * tangents[k, 1] - corner[n, 1] - 0.5
            for j in range(max(int(np.ceil(cy - reach)), 0), min(int(np.floor(cy + reach)) + 1, size)):
                dy = j - cy
                wide = np.sqrt(max(reach * reach - dy * dy, 0.0))
                for i in range(max(int(np.ceil(cx - wide)), 0), min(int(np.floor(cx + wide)) + 1, size)):
                    dx = i - cx
                    square = (dx * dx + dy * dy) * scale * scale
                    at = square * steps
                    low = int(at)
                    if low >= POINTS - 1:
                        continue
                    rise = table[low + 1] - table[low]
                    value = table[low] + (at - low) * rise
                    slope = rise * steps
                    by_x, by_y = -2 * dx * scale * slope, -2 * dy * scale * slope
                    pixel = sums[j, i]
                    pixel[0] += weights[k] * value / scale
                    pixel[1] += weights[k] * by_x
                    pixel[2] += weights[k] * by_y
                    pixel[3] -= weights[k] * (by_x * tangents[k, 0] + by_y * tangents[k, 1])
                    pixel[4] += weights[k] * (value - 2 * slope * square) / table_radius
        patches[n] = sums
    return patches


@njit(cache=True)
def _sum(corner, patches, column, shape):
    image = np.zeros(shape)
    size = patches.shape[1]
    for n in range(len(corner)):
        for j in range(max(0, -corner[n, 1]), min(size, shape[0] - corner[n, 1])):
            for i in range(max(0, -corner[n, 0]), min(size, shape[1] - corner[n, 0])):
                image[corner[n, 1] + j, corner[n, 0] + i] += patches[n, j, i, column]
    return image


@njit(cache=True, parallel=True)
def _own(corner, patches, strength, expected, excess, gradient, information):
    size, shape = patches.shape[1], expected.shape
    for n in prange(len(corner)):
        for j in range(max(0, -corner[n, 1]), min(size, shape[0] - corner[n, 1])):
            for i in range(max(0, -corner[n, 0]), min(size, shape[1] - corner[n, 0])):
                y, x = corner[n, 1] + j, corner[n, 0] + i
                for a in range(4):
                    by_a = strength * patches[n, j, i, 1 + a]
                    gradient[n, a] += by_a * excess[y, x]
                    for b in range(4):
                        information[n, a, b] += by_a * strength * patches[n, j, i, 1 + b] * expected[y, x]


@njit(cache=True, parallel=True)
def _cross(corner, patches, strength, expected, pairs, information):
    size, shape = patches.shape[1], expected.shape
    for p in prange(len(pairs)):
        m, n = pairs[p]
        for y in range(max(corner[m, 1], corner[n, 1], 0), min(corner[m, 1] + size, corner[n, 1] + size, shape[0])):
            for x in range(max(corner[m, 0], corner[n, 0], 0), min(corner[m, 0] + size, corner[n, 0] + size, shape[1])):
                first = patches[m, y - corner[m, 1], x - corner[m, 0]]
                second = patches[n, y - corner[n, 1], x - corner[n, 0]]
                for a in range(4):
                    for b in range(4):
                        factor = strength * strength * expected[y, x]
                        information[p, a, b] += factor * first[1 + a] * second[1 + b]
