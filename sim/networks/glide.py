"""Glide dislocations that cross the foil on the slip planes of the crystal, bowed out between pinning points."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.population import Population, fill

_PINNING_NM = 140.0  # mean distance of pinning points along a line
_BOW_NM = (150.0, 600.0)  # radii of curvature: line tension over 150 to 40 MPa in a metal
_STEP_NM = 10.0  # length of a segment


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Glide lines until the density is met; see `population.fill`."""
    return fill(population, _line, rng)


def _line(normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One line on a slip plane through a random point of the field, from face to face."""
    through = rng.uniform(0, 1, 3) * size
    dip = np.cross(np.cross([0.0, 0.0, 1.0], normal), normal)  # steepest direction in the plane
    strike = np.cross([0.0, 0.0, 1.0], normal)
    if np.linalg.norm(strike) < 1e-6:
        strike, dip = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    strike, dip = strike / np.linalg.norm(strike), dip / np.linalg.norm(dip)
    angle = rng.uniform(np.radians(25), np.radians(155))  # from the strike, so that the line leaves through both faces
    along = np.cos(angle) * strike + np.sin(angle) * dip
    if abs(along[2]) < 0.05:  # the plane lies in the foil: a line across it from side to side
        ends = through + np.array([[-1.0], [1.0]]) * along * 1.5 * size[:2].max()
    else:
        ends = through + ((np.array([0.0, size[2]]) - through[2]) / along[2])[:, None] * along
    chord = ends[1] - ends[0]
    length = np.linalg.norm(chord)
    pieces = max(1, rng.poisson(length / _PINNING_NM))
    stops = np.sort(np.concatenate([[0, 1], rng.uniform(0.1, 0.9, pieces - 1)]))
    sideways = np.cross(normal, chord / length)
    bow = rng.choice([-1, 1]) * rng.uniform(*_BOW_NM)
    points = [ends[:1]]
    for start, stop in zip(stops[:-1], stops[1:]):
        span = (stop - start) * length
        radius = np.sign(bow) * max(abs(bow), 0.55 * span)
        count = max(2, int(np.ceil(span / _STEP_NM)))
        u = np.linspace(0, 1, count + 1)[1:]
        x = (u - 0.5) * span
        height = np.sign(radius) * (np.sqrt(radius**2 - x**2) - np.sqrt(radius**2 - span**2 / 4))
        points.append(ends[0] + (start + u * (stop - start))[:, None] * chord + height[:, None] * sideways)
    line = np.concatenate(points)
    line[-1] = ends[1]
    return DislocationNetwork.from_polyline(line, burgers)
