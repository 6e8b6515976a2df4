"""Helical dislocations: screws that absorbed vacancies and climbed into a helix about their Burgers vector."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces, crossing, forward
from veristem.sim.networks.population import Population, fill

_RADIUS_NM = (10.0, 30.0)
_PITCH = (2.5, 5.0)  # over the radius: turns a good diameter apart, as seen after quenching
_STEP_NM = 7.0  # length of a segment: nine or more a turn


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Helices until the density is met; see `population.fill`."""
    return fill(population, _helix, rng)


def _helix(normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One helix of either hand about an axis along b through a random point of the field, from face to face."""
    radius = min(rng.uniform(*_RADIUS_NM), 0.4 * size[2])
    pitch = radius * rng.uniform(*_PITCH)
    through = rng.uniform(0, 1, 3) * size
    through[2] = rng.uniform(radius, size[2] - radius)  # an axis along the faces keeps its turns between them
    axis = forward(burgers / np.linalg.norm(burgers))
    ends = crossing(through, axis, size)
    over = 2 * radius / max(abs(axis[2]), 0.02)  # far enough for the whole turn to pass the face
    length = np.linalg.norm(ends[1] - ends[0]) + 2 * over
    turns = length / pitch
    count = int(np.ceil(turns * np.hypot(2 * np.pi * radius, pitch) / _STEP_NM))
    u = np.linspace(0, 1, count + 1)[:, None]
    angle = 2 * np.pi * (rng.choice([-1, 1]) * turns * u + rng.uniform())
    side = np.cross(axis, normal)
    round_ = np.cos(angle) * normal + np.sin(angle) * side
    return between_faces(
        DislocationNetwork.from_polyline(ends[0] + (u * length - over) * axis + radius * round_, burgers), size
    )
