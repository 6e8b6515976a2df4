"""Glide dislocations that cross the foil on the slip planes of the crystal, bowed out between pinning points."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import clip
from veristem.sim.networks.population import Population, fill

_PINNING_NM = 140.0  # mean distance of pinning points along a line
_BOW_NM = (150.0, 600.0)  # radii of curvature: line tension over 150 to 40 MPa in a metal
_SCATTER_DEG = 12.0  # of the direction of a line about a close-packed one
_STEP_NM = 10.0  # length of a segment


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Glide lines until the density is met; see `population.fill`."""
    return fill(population, partial(draw_line, population), rng)


def draw_line(population: Population, normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One line on a slip plane through a random point of the field, from face to face.

    On average it lies along a close-packed direction of the plane (screw or 60 degrees), where the Peierls valleys are.
    """
    every = population.burgers_nm / np.linalg.norm(population.burgers_nm, axis=1)[:, None]
    valleys = every[np.abs(every @ normal) < 1e-6]
    valley = valleys[rng.integers(len(valleys))]
    through = rng.uniform(0, 1, 3) * size
    angle = np.radians(_SCATTER_DEG) * rng.normal()
    along = np.cos(angle) * valley + np.sin(angle) * np.cross(normal, valley)
    reach = 1.5 * size.max()  # a line nearly parallel to the faces leaves through the sides
    with np.errstate(divide="ignore"):
        to_faces = np.sort((np.array([0.0, size[2]]) - through[2]) / along[2])
    ends = through + np.clip(to_faces, -reach, reach)[:, None] * along
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
        count = max(2, int(np.ceil(span / _STEP_NM)))
        u = np.linspace(0, 1, count + 1)[1:]
        x = (u - 0.5) * span
        height = np.sign(radius) * (np.sqrt(radius**2 - x**2) - np.sqrt(radius**2 - span**2 / 4))
        points.append(ends[0] + (start + u * (stop - start))[:, None] * chord + height[:, None] * sideways)
    line = DislocationNetwork.from_polyline(np.concatenate(points), burgers)
    return clip(line, np.array([-np.inf, -np.inf, 0.0]), np.array([np.inf, np.inf, size[2]]))
