"""A joint fit of all particles to all images: where shades overlap, each particle gets its part.

The counts of a pixel are expected to be background * exp(-strength * sum of thicknesses); a thickness is averaged over
the rays of the view. Gauss and Newton's steps on the Poisson likelihood solve for all particles whose shades touch
together; the inverse of their information is the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit, prange

from veristem.recon.particles.profile import POINTS, RIM_PX, shade_profile

_STILL = 0.02  # pixels; a particle that moves by no more is left where it is
_STEADY = 1e-2  # and strength and mean radius when they change by no more
_LONGEST = np.array([0.3, 0.3, 15.0, 0.1])  # step of x, y, depth and radius, in radii
_Patches = list[tuple[np.ndarray, np.ndarray]]
_VALUE, _RADIUS = 0, 4  # sheets of a patch: thickness, then its derivatives by x, y, depth and radius


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
        What a view loses when a ray is absorbed; below 0 where it gains. About 1 in all.
    """

    counts: np.ndarray
    background: np.ndarray
    tangents: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]

    def behind(self, absorption: np.ndarray) -> Images:
        """The same with a background behind what absorbs (V, Y, X)."""
        background = (self.background * np.exp(-absorption)).astype(np.float32)
        return Images(self.counts, background, self.tangents, self.weights)

    def view(self, index: int) -> Images:
        """One view by itself, places in its own image plane."""
        one = slice(index, index + 1)
        return Images(
            self.counts[one], self.background[one], (np.zeros((1, 2)),), (self.weights[index].sum(keepdims=True),)
        )

    def part(self, side: int) -> Images:
        """The middle, of so many pixels along x and y at most."""
        rows, columns = (slice(max(0, (n - side) // 2), (n + side) // 2) for n in self.counts.shape[1:])
        part = (slice(None), rows, columns)
        return replace(self, counts=self.counts[part], background=self.background[part])


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
    shown : (V, Y, X) float32 or None
        Their thickness in each pixel of each view, once fitted.
    """

    places: np.ndarray
    radii: np.ndarray
    strength: float
    mean_radius: float
    covariance: np.ndarray | None = None
    shown: np.ndarray | None = None


def thickness(images: Images, spheres: Spheres) -> np.ndarray:
    """Thickness of matter [px] that each pixel of each view shows, (V, Y, X) float32."""
    return _total(images, _patches(images, spheres) if len(spheres.radii) else [])


def _total(images: Images, patches: _Patches) -> np.ndarray:
    """Sum (V, Y, X) float32 of the patches of all particles."""
    total = np.zeros(images.counts.shape, np.float32)
    for view, (corner, patch) in enumerate(patches):
        _add(total[view], corner, patch, _VALUE, np.arange(len(corner)), np.ones(len(corner)))
    return total


def fit(
    images: Images,
    spheres: Spheres,
    spread: float,
    steps: int = 8,
    flat: bool = False,
    common: bool = False,
    moving: np.ndarray | None = None,
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
        Most steps. A particle that moves no more, and touches none that does, is left where it is.
    flat : bool
        Leave depths as they are.
    common : bool
        Fit the strength and the mean radius too.
    moving : (N,) bool, optional
        The particles to begin with; all if not given.
    """
    count = len(spheres.radii)
    if not count:
        return replace(spheres, covariance=np.zeros((0, 3, 3)), shown=np.zeros(images.counts.shape, np.float32))
    pairs, patches = _touching(images, spheres), _patches(images, spheres)
    total = _total(images, patches)
    active = np.arange(count) if moving is None else np.flatnonzero(_with_neighbours(moving, pairs))
    for _ in range(steps):
        system = _normal(images, total, patches, spheres, active, pairs, spread, flat)
        move = _solve(*system, spheres.mean_radius)[0]
        change = _common(images, total, patches, spheres, active) if common else np.zeros(2)
        if common:
            move[:, 3] -= move[:, 3].mean()  # that is the part of the mean radius
        for view, (corner, patch) in enumerate(patches):
            _add(total[view], corner, patch, _VALUE, active, np.full(len(active), -1.0))
        spheres = _moved(spheres, active, move, change, spread)
        patches = _patches(images, spheres, patches, active)
        for view, (corner, patch) in enumerate(patches):
            _add(total[view], corner, patch, _VALUE, active, np.ones(len(active)))
        restless = np.zeros(count, bool)
        restless[active] = np.abs(move[:, :2]).max(axis=1) > _STILL
        if np.abs(change).max() < _STEADY:
            common = False
            active = active[_with_neighbours(restless, pairs)[active]]
        if not len(active):
            break
    system = _normal(images, total, patches, spheres, np.arange(count), pairs, spread, flat)
    covariance = _solve(*system, spheres.mean_radius)[1]
    return replace(spheres, covariance=covariance, shown=_total(images, patches))


def _moved(spheres: Spheres, active: np.ndarray, move: np.ndarray, change: np.ndarray, spread: float) -> Spheres:
    mean = spheres.mean_radius * (1 + change[1])
    move = np.clip(move, -_LONGEST * mean, _LONGEST * mean)
    places, radii = spheres.places.copy(), spheres.radii * (1 + change[1])
    places[active] += move[:, :3]
    radii[active] = np.clip(radii[active] + move[:, 3], mean * (1 - 3 * spread), mean * (1 + 3 * spread))
    return Spheres(places, radii, spheres.strength * (1 + change[0]), mean)


def _with_neighbours(some: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(N,) bool: some particles and those that touch one of them."""
    every = some.copy()
    np.logical_or.at(every, pairs[:, 0], some[pairs[:, 1]])
    np.logical_or.at(every, pairs[:, 1], some[pairs[:, 0]])
    return every


def _patches(
    images: Images, spheres: Spheres, before: _Patches | None = None, some: np.ndarray | None = None
) -> _Patches:
    """For each view the corner (N, 2) of the patch of each particle and the patch (N, 5, S, S): see `_VALUE`.

    Of those ``before``, ``some`` are made anew in their place, as long as they are large enough.
    """
    places, radii = spheres.places, spheres.radii
    table_radius = round(spheres.mean_radius, 1)  # near enough: shades are scaled to each radius
    table = shade_profile(table_radius)
    found = []
    for view, (tangents, weights) in enumerate(zip(images.tangents, images.weights)):
        center, wander = _center(tangents, weights, spheres)
        size = 2 * int(np.ceil(radii.max(initial=1.0) * (1 + RIM_PX / table_radius) + wander)) + 2
        if before is not None and some is not None and before[view][1].shape[2] >= size:
            (corner, patch), which = before[view], some
        else:
            corner, which = np.empty((len(radii), 2), np.int64), np.arange(len(radii))
            patch = np.empty((len(radii), 5, size, size), np.float32)
        corner[which] = np.round(places[which, :2] - places[which, 2:] * center - patch.shape[2] / 2)
        _shades(patch, which, places, radii, tangents, weights, table, table_radius, corner)
        found.append((corner, patch))
    return found


def _center(tangents: np.ndarray, weights: np.ndarray, spheres: Spheres) -> tuple[np.ndarray, float]:
    """Mean tangents (2,) of a view's own rays, and how far some rays wander from there in the film [px]."""
    own = np.maximum(weights, 0)
    center = own @ tangents / own.sum()
    deepest = np.abs(spheres.places[:, 2]).max(initial=0)
    return center, float(deepest * np.linalg.norm(tangents - center, axis=1).max())


def _touching(images: Images, spheres: Spheres) -> np.ndarray:
    """Pairs (P, 2) of particles whose shades by a view's own rays may overlap in some view.

    What is scattered in is too faint and wide to take into account in a step, or in what errors share.
    """
    from scipy.spatial import KDTree

    reach = spheres.radii.max() * (1 + RIM_PX / spheres.mean_radius)
    near = []
    for tangents, weights in zip(images.tangents, images.weights):
        center, wander = _center(tangents[weights > 0], weights[weights > 0], spheres)
        middle = spheres.places[:, :2] - spheres.places[:, 2:] * center
        near.append(KDTree(middle).query_pairs(2 * (reach + wander), output_type="ndarray"))
    return np.unique(np.concatenate(near), axis=0).astype(np.int64).reshape(-1, 2)


def _normal(images, total, patches, spheres: Spheres, active, pairs, spread: float, flat: bool):
    """Gradient (A, 4) and information (A, 4, 4) of the active particles, and the information and places of pairs."""
    count = len(active)
    number = np.full(len(spheres.radii), -1)
    number[active] = np.arange(count)
    those = pairs[(number[pairs] >= 0).all(axis=1)]
    among = number[those]
    gradient, own, cross = np.zeros((count, 4)), np.zeros((count, 4, 4)), np.zeros((len(among), 4, 4))
    for view, (corner, patch) in enumerate(patches):
        expected = np.empty((len(patch), *patch.shape[2:]), np.float32)
        seen = images.counts[view], images.background[view], total[view]
        _own(corner, patch, active, spheres.strength, *seen, expected, gradient, own)
        _cross(corner, patch, spheres.strength, expected, those, cross, *seen[0].shape)
    prior = np.array([0.0, 0.0, 1e12 if flat else 0.0, (spheres.mean_radius * spread) ** -2])
    gradient[:, 3] -= prior[3] * (spheres.radii[active] - spheres.mean_radius)
    return gradient, own + np.diag(prior), cross, among


def _solve(gradient, own, cross, pairs, mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Step (A, 4) and covariance (A, 3, 3) of every particle, group by group of those that touch."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(gradient)
    own = own + np.diag(np.array([4.0, 4.0, 1e-3, 0.0]) / mean**2)  # where overlap leaves a direction open
    graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(count, count))
    label = connected_components(graph, directed=False)[1]
    sizes = np.bincount(label)
    order = np.argsort(label, kind="stable")
    place = np.empty(count, np.int64)  # of a particle within its group
    place[order] = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    move, covariance = np.empty((count, 4)), np.empty((count, 3, 3))
    for size in np.unique(sizes):  # groups of one size are solved together
        number = np.cumsum(sizes == size) - 1  # of a group among these
        some, them = np.flatnonzero(sizes[label] == size), sizes[label[pairs[:, 0]]] == size
        a, b = pairs[them].T
        own_at, a_at, b_at = ((number[label[n]], place[n]) for n in (some, a, b))
        matrix, right = np.zeros((number[-1] + 1, size, 4, size, 4)), np.zeros((number[-1] + 1, size, 4))
        matrix[*own_at, :, place[some]] = own[some]
        matrix[*a_at, :, place[b]] = cross[them]
        matrix[*b_at, :, place[a]] = cross[them].transpose(0, 2, 1)
        right[own_at] = gradient[some]
        inverse = np.linalg.inv(matrix.reshape(-1, 4 * size, 4 * size))
        move[some] = (inverse @ right.reshape(-1, 4 * size, 1)).reshape(right.shape)[own_at]
        covariance[some] = inverse.reshape(matrix.shape)[*own_at, :, place[some]][:, :3, :3]
    return move, covariance


def _common(images: Images, total, patches, spheres: Spheres, active) -> np.ndarray:
    """Relative change (2,) of the strength and of the radius of all particles."""
    matrix, vector = 1e-9 * np.eye(2), np.zeros(2)
    for view, (corner, patch) in enumerate(patches):
        size = np.zeros_like(total[view])
        _add(size, corner, patch, _RADIUS, active, spheres.radii[active])
        rows = _compared(images.counts[view], images.background[view], spheres.strength, total[view], size)
        sums = rows.sum(axis=0)
        vector += sums[:2]
        matrix += [[sums[2], sums[3]], [sums[3], sums[4]]]
    return np.clip(np.linalg.solve(matrix, vector), -0.1, 0.1)


@njit(cache=True, parallel=True)
def _shades(patches, some, places, radii, tangents, weights, table, table_radius, corner):
    for m in prange(len(some)):  # what a loop over threads calls compiles in half the time of what stands in it
        n = some[m]
        _shade(patches[n], places[n], radii[n], tangents, weights, table, table_radius, corner[n])


@njit(cache=True)
def _shade(patch, place, radius, tangents, weights, table, table_radius, corner):
    size = patch.shape[1]
    steps = (POINTS - 1) / (table_radius + RIM_PX) ** 2
    scale = table_radius / radius
    reach = radius * (1 + RIM_PX / table_radius)
    last = POINTS - 1 - 1e-9
    sums = np.zeros((5, size, size))
    values, by_x, by_y, by_depth, rises = sums[0], sums[1], sums[2], sums[3], sums[4]
    for k in range(len(weights)):
        cx = place[0] - place[2] * tangents[k, 0] - corner[0] - 0.5
        cy = place[1] - place[2] * tangents[k, 1] - corner[1] - 0.5
        weight, slope = weights[k], -2 * scale * steps * weights[k]
        for j in range(max(int(np.ceil(cy - reach)), 0), min(int(np.floor(cy + reach)) + 1, size)):
            dy = j - cy
            wide = np.sqrt(max(reach * reach - dy * dy, 0.0))
            for i in range(max(int(np.ceil(cx - wide)), 0), min(int(np.floor(cx + wide)) + 1, size)):
                dx = i - cx
                square = (dx * dx + dy * dy) * (scale * scale)
                at = min(square * steps, last)  # without a branch the loop is half as long again as fast
                low = int(at)
                value = table[low]
                rise = table[low + 1] - value
                x, y = slope * rise * dx, slope * rise * dy
                values[j, i] += weight * (value + (at - low) * rise)
                by_x[j, i] += x
                by_y[j, i] += y
                by_depth[j, i] -= x * tangents[k, 0] + y * tangents[k, 1]
                rises[j, i] += weight * rise * square
    for j in range(size):  # one by one: the error that an assigned slice can raise takes seconds to compile
        for i in range(size):
            patch[0, j, i] = values[j, i] / scale
            patch[1, j, i] = by_x[j, i]
            patch[2, j, i] = by_y[j, i]
            patch[3, j, i] = by_depth[j, i]
            patch[4, j, i] = (values[j, i] - 2 * steps * rises[j, i]) / table_radius


@njit(cache=True)
def _add(image, corner, patches, sheet, some, factor):
    size = patches.shape[2]
    for m in range(len(some)):
        n = some[m]
        patch, times = patches[n, sheet], np.float32(factor[m])
        left, right = max(0, -corner[n, 0]), min(size, image.shape[1] - corner[n, 0])
        for j in range(max(0, -corner[n, 1]), min(size, image.shape[0] - corner[n, 1])):
            row = image[corner[n, 1] + j]
            for i in range(left, right):
                row[corner[n, 0] + i] += times * patch[j, i]


@njit(cache=True, parallel=True)
def _compared(counts, background, strength, total, size):
    """Sums over each row (Y, 5) for the strength and the size of all: two of the gradient, three of the information."""
    sums = np.zeros((total.shape[0], 5))
    for j in prange(total.shape[0]):
        for i in range(total.shape[1]):
            if total[j, i] != 0:
                v, s = strength * total[j, i], strength * size[j, i]
                expected = background[j, i] * np.exp(-v)
                more = expected - counts[j, i]
                sums[j, 0] += more * v
                sums[j, 1] += more * s
                sums[j, 2] += expected * v * v
                sums[j, 3] += expected * v * s
                sums[j, 4] += expected * s * s
    return sums


@njit(cache=True, parallel=True)
def _own(corner, patches, some, strength, counts, background, total, expected, gradient, information):
    size, shape = patches.shape[2], counts.shape
    for m in prange(len(some)):
        n = some[m]
        for j in range(max(0, -corner[n, 1]), min(size, shape[0] - corner[n, 1])):
            for i in range(max(0, -corner[n, 0]), min(size, shape[1] - corner[n, 0])):
                if patches[n, 0, j, i] == 0:
                    continue
                y, x = corner[n, 1] + j, corner[n, 0] + i
                mean = background[y, x] * np.exp(-strength * total[y, x])
                expected[n, j, i] = mean
                for a in range(4):
                    by_a = strength * patches[n, 1 + a, j, i]
                    gradient[m, a] += by_a * (mean - counts[y, x])
                    for b in range(a + 1):
                        information[m, a, b] += by_a * strength * patches[n, 1 + b, j, i] * mean
        for a in range(4):
            for b in range(a):
                information[m, b, a] = information[m, a, b]


@njit(cache=True, parallel=True)
def _cross(corner, patches, strength, expected, pairs, information, rows, columns):
    size = patches.shape[2]
    for p in prange(len(pairs)):
        m, n = pairs[p]
        for y in range(max(corner[m, 1], corner[n, 1], 0), min(corner[m, 1] + size, corner[n, 1] + size, rows)):
            for x in range(max(corner[m, 0], corner[n, 0], 0), min(corner[m, 0] + size, corner[n, 0] + size, columns)):
                first = patches[m, :, y - corner[m, 1], x - corner[m, 0]]
                second = patches[n, :, y - corner[n, 1], x - corner[n, 0]]
                if first[0] == 0 or second[0] == 0:
                    continue
                factor = strength * strength * expected[m, y - corner[m, 1], x - corner[m, 0]]
                for a in range(4):
                    for b in range(4):
                        information[p, a, b] += factor * first[1 + a] * second[1 + b]
