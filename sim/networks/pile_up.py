"""Pile-ups: lines of one sign that a stress pushes on one slip plane against a boundary."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.polynomial import laguerre

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces, crossing, forward
from veristem.sim.networks.population import Population, fill

_LINES = (5, 12)
_LENGTH_NM = (200.0, 500.0)  # from the locked line to the last
_BOW = 0.1  # largest sagitta over the distance from the locked line: the nearer to the boundary, the straighter
_FRONT_NM = 1.0  # of the locked line before its boundary
_STEP_NM = 10.0
_TRACE = 0.8  # |cosine| of slip plane and boundary above which they hardly meet


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Pile-ups until the density is met, their signs in turn; see `population.fill`.

    They stand against the boundaries of the foil's regions, or against random planes where it has none.
    """
    return fill(population, partial(_pile_up, population.boundaries), rng)


def positions(count: int) -> np.ndarray:
    """Equilibrium positions (count,) of lines of one sign under one stress, over the pile-up's length.

    The first is locked at 0, the others lie at the roots of the derivative of the Laguerre polynomial of that degree
    (Eshelby, Frank & Nabarro, Phil. Mag. 42 (1951) 351).
    """
    roots = laguerre.lagroots(laguerre.lagder(np.eye(count + 1)[count]))
    x = np.concatenate([[0.0], np.sort(roots.real)])
    return x / x[-1]


def _pile_up(boundaries, normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One pile-up along the trace of a boundary, through a random point of the field or just beyond it."""
    steep = [pair for pair in boundaries if abs(pair[1] @ normal) <= _TRACE]
    place, boundary = steep[rng.integers(len(steep))] if steep else (None, normal)
    while abs(boundary @ normal) > _TRACE:
        boundary = rng.normal(size=3)
        boundary /= np.linalg.norm(boundary)
    trace = np.cross(normal, boundary)
    trace = forward(trace / np.linalg.norm(trace))
    away = np.cross(trace, normal) * (1 if place is None else rng.choice([-1, 1]))  # from the boundary
    x = rng.uniform(*_LENGTH_NM) * positions(int(rng.integers(_LINES[0], _LINES[1] + 1)))
    reach = x[-1] * np.array([0.5, 0.5, 0.0])
    middle = rng.uniform(-reach, size + reach)
    if place is None:
        first = middle - x[-1] / 2 * away
    else:  # the plane's point on the boundary, in front of which the first line is locked
        first = middle - ((middle - place) @ boundary / (away @ boundary) - _FRONT_NM) * away
    through = first + x[:, None] * away
    ends = crossing(through, np.broadcast_to(trace, through.shape), size)
    bow = rng.uniform(-_BOW, _BOW)
    lines = []
    for (start, last), distance in zip(ends, x):
        u = np.linspace(0, 1, max(4, int(np.ceil(np.linalg.norm(last - start) / _STEP_NM))) + 1)[:, None]
        points = start + u * (last - start) + 4 * u * (1 - u) * bow * distance * away
        lines.append(DislocationNetwork.from_polyline(points, burgers))
    return between_faces(DislocationNetwork.union(lines), size)
