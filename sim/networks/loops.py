"""Dislocation loops, glide or prismatic, wholly within the foil."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.population import Population, fill

_RADIUS_NM = (20.0, 60.0)
_PRISMATIC = 0.5  # share of loops whose plane is normal to their Burgers vector
_STEP_NM = 6.0


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Loops until the density is met; see `population.fill`."""
    return fill(population, _loop, rng)


def _loop(normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One round loop about a random point of the field."""
    if rng.uniform() < _PRISMATIC:
        normal = burgers / np.linalg.norm(burgers)
    height = np.sqrt(max(1 - normal[2] ** 2, 1e-12))  # extent of the loop along z, in radii
    radius = min(rng.uniform(*_RADIUS_NM), 0.45 * size[2] / height)
    center = rng.uniform(0, 1, 3) * size
    center[2] = rng.uniform(1.05 * radius * height, size[2] - 1.05 * radius * height)
    u = np.cross(normal, [1.0, 0, 0] if abs(normal[0]) < 0.8 else [0, 1.0, 0])
    u /= np.linalg.norm(u)
    turn = 2 * np.pi * np.arange(count := max(12, int(2 * np.pi * radius / _STEP_NM))) / count
    ring = center + radius * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * np.cross(normal, u))
    return DislocationNetwork.from_polyline(ring, burgers, closed=True)
