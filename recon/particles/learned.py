"""points-learned: a network that sees all views at once finds the particles, the joint fit places them.

The network was trained on simulated films. It says of each cell of the film how likely a particle is centred there,
where in it, and how sure that is. Its weights and their card lie in ``recon/weights``; `veristem train particles`
makes others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections, PointMatches
from veristem.datasets.particle_rays import Shown, shown
from veristem.datasets.reconstruction import PointSet
from veristem.recon.particles.fit import Images, Spheres, fit
from veristem.recon.particles.matched import Found, begin, joined, search, searched
from veristem.recon.particles.sweep import PLANES, Sweep, stacked, sweep_of
from veristem.recon.particles.triangulate import depth_range_nm, fewest_allowed, points_from
from veristem.recon.trained import Network, trained

OUTPUTS = (  # logits, planes, pixels, logarithms of their squares
    *(f"particle_{plane}" for plane in range(PLANES)),
    *(f"offset_z_{plane}" for plane in range(PLANES)),
    "offset_x", "offset_y", "log_variance", "log_variance_z",
)  # fmt: skip
STRIDE = 4  # sides of a sweep are multiples of it
VERSION = 1  # of what goes into the network and comes out: weights of another one are refused
_TILE, _RIM = 256, 32  # pixels that are looked at at once, and how far beyond them
_OVERLAP = 2  # planes that neighbouring slabs share
_REACH_PX, _REACH = 2.0, 1.5  # of a particle's cells, along x and y and in planes
_LEAST = 0.01  # probability of a cell that counts
_HALF = 0.5  # particles that are more likely there than not are found
_MIDDLE_RADII = 48  # of a view, where size and absorption of particles are found
_LEAST_PX = 512


def reconstruct(
    acquisition: Acquisition,
    *,
    detections: Detections | None = None,
    matches: PointMatches | None = None,
    diameter_nm: float | None = None,
    spread: float = 0.05,
    rounds: int = 2,
    joint: bool = True,
    rescattering: bool = True,
    weights: str | None = None,
) -> PointSet:
    """Particles in 3D from two or more views of one scan.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views.
    detections, matches : optional
        Replace the stage from outside; the images are then not looked at again.
    diameter_nm, spread, joint, rescattering
        As of `matched.reconstruct`; without ``joint`` the places are those of the network.
    rounds : int
        How often the images are searched: by the network, then for what it left over by the filter of points-matched.
    weights : path, optional
        A .onnx file of `veristem train particles`; those of the package if not given.

    Raises
    ------
    InputError
        As `matched.reconstruct`, and for weights that cannot be used.
    """
    if detections is not None or matches is not None:
        return points_from(acquisition, detections, matches, 3, rescattering)
    if rounds < 1:
        raise InputError(f"rounds: {rounds} found, 1 or more allowed")
    fewest = fewest_allowed(acquisition, 3)
    network = trained("particles", VERSION, weights, 2)
    images, spheres = begin(acquisition, diameter_nm, spread, rescattering)
    _check_size(spheres, acquisition.pixel_nm)
    spheres = sized(images, spheres, spread)
    _check_size(spheres, acquisition.pixel_nm)
    if not spheres.strength:
        return PointSet(np.zeros((0, 3)))
    more = seen_by(network, acquisition, images, spheres, rescattering)
    if not joint:
        return more
    found = Found(images, spheres)
    if len(more.points_nm):
        found = joined(acquisition, found, more, spread)
    for _ in range(rounds - 1):
        seen, _ = search(found.images, found.spheres, spread, acquisition.pixel_nm)
        more = points_from(acquisition, seen, None, fewest, rescattering)
        if not len(more.points_nm):
            break
        found = joined(acquisition, found, more, spread)
    return found.points


def _check_size(spheres: Spheres, pixel_nm: float) -> None:
    """Refuse what has no two pixels: enlarged to the pixels of the network, images would fill the memory."""
    if spheres.mean_radius < 1:
        raise InputError(
            f"diameter_nm: particles of {2 * spheres.mean_radius * pixel_nm:.3g} nm found, at least two pixels, "
            f"{2 * pixel_nm:g} nm, allowed"
        )


def sized(images: Images, spheres: Spheres, spread: float) -> Spheres:
    """No particles yet, of the size and the strength of those in the middle of the first view."""
    radius = spheres.mean_radius
    for side in (max(_LEAST_PX, _MIDDLE_RADII * radius), np.inf):
        view = images.view(0).part(int(min(side, max(images.counts.shape))))
        here = spheres
        for _ in range(2):
            here, more = searched(view, here, common=True)
            if not more:
                break
        if len(here.radii):
            here = fit(view, here, spread, flat=True, common=True)
            return Spheres(spheres.places, spheres.radii, here.strength, here.mean_radius)
    return spheres


def seen_by(
    network: Network, acquisition: Acquisition, images: Images, spheres: Spheres, rescattering: bool = True
) -> PointSet:
    """What the network sees, with what it expects its errors to be."""
    pixel, ends = acquisition.pixel_nm, depth_range_nm(acquisition)
    seem = shown(acquisition, spheres.mean_radius * pixel, ends, rescattering)
    tangents = np.tan(seem.directions_rad)
    sweep = sweep_of(images.counts, images.background, tangents, pixel, spheres.mean_radius, spheres.strength)
    low, high = (float(seem.apparent(end)) / sweep.plane_nm for end in ends)
    found = particles_in(sweep, (low, high), network)
    return _in_nm(found, sweep, seem, acquisition, spheres.mean_radius * pixel, network.calibration)


def _in_nm(found, sweep: Sweep, seem: Shown, acquisition: Acquisition, radius_nm: float, calibration) -> PointSet:
    """Particles (N, 5) as of `particles_in`, in the frame of the specimen."""
    size = acquisition.pixel_nm / sweep.zoom
    depth = found[:, 2] * sweep.plane_nm
    sigma = found[:, 3:] * calibration
    spread = np.column_stack([sigma[:, :1] * size, sigma[:, 1] * sweep.plane_nm * seem.stretch(depth)])
    count, views = len(found), len(acquisition.views)
    return PointSet(
        np.column_stack([found[:, :2] * size, seem.depth(depth) + acquisition.focus_nm]),
        spread[:, :, None] ** 2 * np.eye(3),
        np.full(count, radius_nm),
        np.full(count, views),
        np.zeros(count),
    )


def particles_in(sweep: Sweep, depths: tuple[float, float], answer: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Particles (N, 5) of a whole sweep: x, y [px], planes below the focus, standard deviations across and along.

    Parameters
    ----------
    sweep : Sweep
        Of all views.
    depths : (float, float)
        Least and largest depth where particles may be, in planes below the focus.
    answer : callable
        The network: `OUTPUTS` (O, Y, X) of a stack (C, Y, X).
    """
    rows, columns = sweep.views.shape[1:]
    found = [np.zeros((0, 5))]
    for first, low, high in _slabs(depths):
        for y in range(0, rows, _TILE):
            for x in range(0, columns, _TILE):
                size = [min(_TILE, n - start) for n, start in ((rows, y), (columns, x))]
                tall, wide = (-(-(n + 2 * _RIM) // STRIDE) * STRIDE for n in size)
                window = slice(y - _RIM, y - _RIM + tall), slice(x - _RIM, x - _RIM + wide)
                here = found_in(answer(stacked(sweep, first, *window)))
                here[:, :3] += [x - _RIM, y - _RIM, first]
                own = [
                    (here[:, a] >= (start or -np.inf)) & (here[:, a] < (start + n if start + n < most else np.inf))
                    for a, start, n, most in ((0, x, size[1], columns), (1, y, size[0], rows))
                ]
                found.append(here[own[0] & own[1] & (here[:, 2] >= low) & (here[:, 2] < high)])
    return np.concatenate(found)


def _slabs(depths: tuple[float, float]) -> list[tuple[float, float, float]]:
    """First plane of each slab that is looked at, and between which depths it tells of particles."""
    low, high = depths
    count = max(1, int(np.ceil((high - low - (PLANES - 1)) / (PLANES - _OVERLAP))) + 1)
    middle = (low + high) / 2 + (np.arange(count) - (count - 1) / 2) * (PLANES - _OVERLAP)
    borders = np.concatenate([[-np.inf], (middle[1:] + middle[:-1]) / 2, [np.inf]])
    return [(m - (PLANES - 1) / 2, a, b) for m, a, b in zip(middle, borders[:-1], borders[1:])]


def found_in(outputs: np.ndarray) -> np.ndarray:
    """Particles (N, 5) in the answer of the network: x, y [px], plane, and standard deviations across and along.

    The probabilities of cells around a place add up to the number of particles that are expected there: each particle
    takes the cells nearest to it, until they add up to one.

    Parameters
    ----------
    outputs : (O, Y, X) float
        `OUTPUTS`.
    """
    from scipy.special import expit

    chance = expit(outputs[:PLANES])
    k, j, i = np.nonzero(chance > _LEAST)
    p = chance[k, j, i].astype(float)
    x = i + 0.5 + np.clip(outputs[2 * PLANES, j, i], -2, 2)
    y = j + 0.5 + np.clip(outputs[2 * PLANES + 1, j, i], -2, 2)
    z = k + np.clip(outputs[PLANES + k, j, i], -1.5, 1.5)
    sigma = np.exp(np.clip(outputs[2 * PLANES + 2 :, j, i], -10, 4) / 2).T
    return _gathered(np.column_stack([x, y, z]).astype(float), p, sigma.astype(float))


def _gathered(at: np.ndarray, chance: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Particles (N, 5) that cells make up together."""
    from scipy.spatial import KDTree

    if not len(at):
        return np.zeros((0, 5))
    tree = KDTree(at / [_REACH_PX, _REACH_PX, _REACH])
    near = tree.query_ball_point(tree.data, 1.0, return_sorted=False)
    sizes = np.array([len(n) for n in near])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return _taken(at, chance, sigma, np.concatenate(near).astype(np.int64), starts)


@njit(cache=True)
def _taken(at, chance, sigma, near, starts):
    """One particle after the other, where the most is left first."""
    left, found = chance.copy(), []
    mass = np.zeros(len(at))
    for n in range(len(at)):
        for m in near[starts[n] : starts[n + 1]]:
            mass[n] += left[m]
    while True:
        order = np.argsort(-mass)
        more = False
        for n in order:
            if mass[n] < _HALF:
                break
            cells = near[starts[n] : starts[n + 1]]
            total = 0.0
            middle = np.zeros(3)
            best, most = -1, 0.0
            for m in cells:
                total += left[m]
                if left[m] > most:
                    best, most = m, left[m]
            if total < _HALF or best < 0:
                continue
            cells = near[starts[best] : starts[best + 1]]
            off = np.empty(len(cells))
            for c in range(len(cells)):
                off[c] = ((at[cells[c]] - at[best]) ** 2 / np.array([_REACH_PX**2, _REACH_PX**2, _REACH**2])).sum()
            taken, spread = 0.0, np.zeros(2)
            for c in np.argsort(off):
                m = cells[c]
                part = min(left[m], 1.0 - taken)
                taken += part
                left[m] -= part
                middle += part * at[m]
                spread += part * sigma[m] ** 2
            if taken < _HALF:
                continue
            more = True
            found.append((middle[0] / taken, middle[1] / taken, middle[2] / taken,
                          np.sqrt(spread[0] / taken), np.sqrt(spread[1] / taken)))  # fmt: skip
        if not more:
            break
        for n in range(len(at)):
            mass[n] = 0.0
            for m in near[starts[n] : starts[n + 1]]:
                mass[n] += left[m]
    result = np.zeros((len(found), 5))
    for n in range(len(found)):
        for c in range(5):
            result[n, c] = found[n][c]
    return result
