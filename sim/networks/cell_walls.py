"""A cell structure: lines crowded in the walls of cells that are nearly free of them.

The walls are the sides of Voronoi cells in the plane of the foil, which is thinner than a cell. Lines in a wall come
from several slip systems and jog where they cut each other, so that they keep to the wall rather than to a plane.
"""

from __future__ import annotations

import itertools

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.datasets.polyline import arc_length, between
from veristem.sim.networks.foil import between_faces
from veristem.sim.networks.population import Population, fill

_CELL_NM = 600.0  # mean width
_JITTER = 0.25  # largest displacement of a seed from a square grid, in widths: cells of 400 to 800 nm
_WALL_NM = 16.0  # standard deviation of a line's place across its wall, by which walls are 60 to 100 nm thick
_RUN = (0.3, 2.0)  # way of a line along its wall over the foil's thickness
_WAVE_NM = (60.0, 160.0)
_HEIGHT = 0.04  # amplitude of a wave over its length
_STEP_NM = 9.0


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Lines in walls until the density is met; see `population.fill`."""
    walls = cell_walls(population.size_nm, rng)
    sides: dict[tuple, list] = {}
    for wall in walls:
        for first, last in (wall, wall[::-1]):
            sides.setdefault(tuple(first), []).append(last)
    middles, lengths = walls.mean(axis=1), np.linalg.norm(walls[:, 1] - walls[:, 0], axis=1)
    size = population.size_nm[:2]
    reach = size / 2 + lengths[:, None] / 2 + _RUN[1] * population.size_nm[2]
    near = np.all(np.abs(middles - size / 2) < reach, axis=1)
    walls, lengths = walls[near], lengths[near]

    def line(normal, burgers, size, rng):
        k = int(rng.choice(len(walls), p=lengths / lengths.sum()))
        wall = walls[k, :: int(rng.choice([-1, 1]))]
        start = wall[0] + rng.uniform() * (wall[1] - wall[0])
        path = _path(start, wall, rng.uniform(*_RUN) * size[2], sides, rng)
        return _line(path, burgers, size, rng)

    return fill(population, line, rng)


def cell_walls(size_nm, rng: np.random.Generator) -> np.ndarray:
    """Ends (K, 2, 2) of the walls in the plane of the foil [nm], far beyond the field.

    A corner of the walls lies in the field, however small that is.
    """
    from scipy.spatial import Voronoi

    size = np.asarray(size_nm[:2], float)
    reach = np.ceil(size / _CELL_NM).astype(int) + 3
    index = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))
    voronoi = Voronoi(_CELL_NM * (index + rng.uniform(-_JITTER, _JITTER, index.shape)))
    corners, pairs = voronoi.vertices, np.array(voronoi.ridge_vertices)
    whole = np.all(np.abs(corners) < _CELL_NM * reach, axis=1)  # the outermost cells are not closed
    walls = corners[pairs[(pairs >= 0).all(axis=1) & whole[pairs].all(axis=1)]]
    return walls - corners[np.argmin(np.linalg.norm(corners, axis=1))] + rng.uniform(0.25, 0.75, 2) * size


def _path(start, wall, length: float, sides: dict, rng: np.random.Generator) -> np.ndarray:
    """Points (K, 2) of a way of some length along the walls, which turns into another at each corner [nm]."""
    points, (back, corner) = [start], wall
    while (left := length - float(np.linalg.norm(corner - points[-1]))) > 0:
        points.append(corner)
        ways = [way for way in sides[tuple(corner)] if not np.array_equal(way, back)]
        if not ways:
            return np.array(points)
        back, corner, length = corner, ways[rng.integers(len(ways))], left
    step = corner - points[-1]
    return np.array([*points, points[-1] + length * step / max(np.linalg.norm(step), 1e-9)])


def _line(path, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One wavy line that crosses the foil on its way along the walls."""
    at = arc_length(path)
    count = int(np.ceil(np.hypot(at[-1], size[2]) / _STEP_NM))
    u = np.linspace(0, 1, count + 1)
    flat = between(path, at, u * at[-1]) + rng.normal(0, _WALL_NM, 2)
    wave = rng.uniform(*_WAVE_NM, 2)
    flat += _HEIGHT * wave * np.sin(2 * np.pi * (u[:, None] * np.hypot(at[-1], size[2]) / wave + rng.uniform(0, 1, 2)))
    points = np.column_stack([flat, u * size[2]])
    return between_faces(DislocationNetwork.from_polyline(points, burgers), size)
