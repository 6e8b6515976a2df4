"""Screw lines that cross-slipped: stretches by turns on two slip planes that share their Burgers vector."""

from __future__ import annotations

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces, crossing, forward
from veristem.sim.networks.population import Population, fill

_STRETCH_NM = (60.0, 120.0)  # on one plane, along b
_OFF_NM = 30.0  # largest distance from the mean line on either plane
_BOW_NM = 6.0  # largest sagitta of a stretch, on its plane
_PIECES = 11  # segments of a stretch: 6 to 12 nm


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Cross-slipped lines until the density is met; see `population.fill`.

    Raises
    ------
    InputError
        When no two slip planes share a Burgers vector, or the density cannot be met.
    """
    others = [population.cross_slip_normals(system) for system in range(len(population.normals))]
    sharing = [system for system, found in enumerate(others) if len(found)]
    if not sharing:
        raise InputError(
            "specimen.network.generator: 'cross_slipped' found, but no two slip planes of this crystal share a "
            "Burgers vector"
        )

    def line(normal, burgers, size, rng):
        second = others[population.system_of(normal, burgers)]
        return _line((normal, second[rng.integers(len(second))]), burgers, size, rng)

    return fill(population.of_systems(sharing), line, rng)


def _line(normals, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One line along b through a random point of the field, from face to face; each stretch leads off on its plane."""
    axis = forward(burgers / np.linalg.norm(burgers))
    off = np.cross(normals, axis)
    ends = crossing(rng.uniform(0, 1, 3) * size, axis, size)
    over = (2 * _OFF_NM + _BOW_NM) / max(abs(axis[2]), 0.02)  # no stretch comes back through a face
    length = np.linalg.norm(ends[1] - ends[0]) + 2 * over
    count = int(np.ceil(length / _STRETCH_NM[0]))
    x = np.concatenate([[0.0], np.cumsum(rng.uniform(*_STRETCH_NM, count))])
    plane = (np.arange(count) + rng.integers(2)) % 2
    away = np.zeros((count + 1, 2))  # from the mean line, on each plane
    for k, p in enumerate(plane):
        away[k + 1] = away[k]
        away[k + 1, p] = rng.uniform(-_OFF_NM, _OFF_NM)
    knots = ends[0] + (x[:, None] - over) * axis + away @ off
    u = (np.arange(_PIECES) / _PIECES)[:, None]
    bow = 4 * u * (1 - u) * rng.uniform(-_BOW_NM, _BOW_NM, count)[:, None, None] * off[plane][:, None]
    points = knots[:-1, None] + u * (knots[1:] - knots[:-1])[:, None] + bow
    return between_faces(
        DislocationNetwork.from_polyline(np.concatenate([points.reshape(-1, 3), knots[-1:]]), burgers), size
    )
