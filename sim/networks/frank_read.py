"""Frank-Read sources: a segment pinned at both ends, bowed out on its slip plane, with the loops it has emitted."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces
from veristem.sim.networks.population import Population, fill

ENDS_WITHIN = True  # held where the line leaves the slip plane: an arm that cannot move is left out
_LENGTH_NM = (50.0, 120.0)  # between the pinned ends: critical stress G b / length, some 100 MPa
_OPENING_DEG = (15.0, 140.0)  # half the angle of the arc: 90 is critical, near 150 its flanks meet behind the source
_EMITTED = 3  # up to so many loops around it
_ROOM = (1.3, 1.9)  # radius of a loop over that of what lies within
_DEPTH = 0.1  # of the foil, nearer to a face than which no end is pinned
_STEP_NM = 8.0


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Sources until the density is met; see `population.fill`."""
    return fill(population, _source, rng)


def _source(normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One source about a random point of the field, cut by the faces.

    The stress that bows the segment out drives the loops outward, so both run the same way round.
    """
    turn = rng.uniform(0, 2 * np.pi)
    along = np.cross(normal, [1.0, 0, 0] if abs(normal[0]) < 0.8 else [0, 1.0, 0])
    along /= np.linalg.norm(along)
    along = np.cos(turn) * along + np.sin(turn) * np.cross(normal, along)
    frame = np.array([along, np.cross(normal, along)])
    room = (1 - 2 * _DEPTH) * size[2]  # both pinned ends stay within the foil
    length = min(rng.uniform(*_LENGTH_NM), room / max(abs(along[2]), 1e-9))
    center = rng.uniform(0, 1, 3) * size
    center[2] = size[2] / 2 + rng.uniform(-0.5, 0.5) * (room - length * abs(along[2]))
    opening = np.radians(rng.uniform(*_OPENING_DEG))
    arc = _arc(length, opening)
    parts = [DislocationNetwork.from_polyline(center + arc @ frame, burgers)]
    middle = np.array([0.0, arc[:, 1].max() / 2])
    radius = np.linalg.norm(arc - middle, axis=1).max()
    for _ in range(rng.integers(_EMITTED + 1)):
        radius *= rng.uniform(*_ROOM)
        count = int(np.ceil(2 * np.pi * radius / _STEP_NM))
        angle = -2 * np.pi * np.arange(count) / count  # clockwise, as the arc from left to right over the source
        ring = middle + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        parts.append(DislocationNetwork.from_polyline(center + ring @ frame, burgers, closed=True))
    return between_faces(DislocationNetwork.union(parts), size)


def _arc(length: float, opening: float) -> np.ndarray:
    """Points (K, 2) of an arc between ends ``length`` apart on the first axis, from the left one over the top [nm]."""
    radius = length / (2 * np.sin(opening))
    count = max(4, int(np.ceil(2 * opening * radius / _STEP_NM)))
    angle = np.linspace(opening, -opening, count + 1)
    return radius * np.stack([-np.sin(angle), np.cos(angle) - np.cos(opening)], axis=1)
