"""Glide dislocations that cross the foil on the slip planes of the crystal, bowed out between pinning points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces, crossing
from veristem.sim.networks.population import Population, fill

_PINNING_NM = 140.0  # mean distance of pinning points along a line
_BOW_NM = (150.0, 600.0)  # radii of curvature: line tension over 150 to 40 MPa in a metal
_SCATTER_DEG = 12.0  # of the direction of a line about a close-packed one
_STEP_NM = 10.0  # length of a segment


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Glide lines until the density is met; see `population.fill`."""

    def line(normal, burgers, size, rng):
        valleys = population.valleys(normal)
        return _line(normal, burgers, valleys[rng.integers(len(valleys))], size, rng)

    return fill(population, line, rng)


def _line(normal, burgers, valley, size, rng: np.random.Generator) -> DislocationNetwork:
    """One line on a slip plane through a random point of the field, from face to face."""
    points = bowed_points(normal, valley, size, rng, _STEP_NM)
    return between_faces(DislocationNetwork.from_polyline(points, burgers), size, np.inf)


def bowed_points(normal, valley, size, rng: np.random.Generator, step_nm: float) -> np.ndarray:
    """Points (K, 3) of a line on a slip plane through a random point of the field, from face to face [nm].

    On average it lies along a close-packed direction of the plane (screw or 60 degrees), where the Peierls valleys are.
    """
    through = rng.uniform(0, 1, 3) * size
    angle = np.radians(_SCATTER_DEG) * rng.normal()
    along = np.cos(angle) * valley + np.sin(angle) * np.cross(normal, valley)
    ends = crossing(through, along, size, 1.5)
    chord = ends[1] - ends[0]
    length = np.linalg.norm(chord)
    pieces = max(1, rng.poisson(length / _PINNING_NM))
    stops = np.sort(np.concatenate([[0, 1], rng.uniform(0.1, 0.9, pieces - 1)]))
    sideways = np.cross(normal, chord / length)
    bow = rng.choice([-1, 1]) * rng.uniform(*_BOW_NM)
    points = [ends[:1]]
    for start, stop in pairwise(stops):
        span = (stop - start) * length
        radius = np.sign(bow) * max(abs(bow), 0.55 * span)
        count = max(2, int(np.ceil(span / step_nm)))
        u = np.linspace(0, 1, count + 1)[1:]
        x = (u - 0.5) * span
        height = np.sign(radius) * (np.sqrt(radius**2 - x**2) - np.sqrt(radius**2 - span**2 / 4))
        points.append(ends[0] + (start + u * (stop - start))[:, None] * chord + height[:, None] * sideways)
    return np.concatenate(points)
