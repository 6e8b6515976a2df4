"""Binary junctions: two lines of different slip planes that zipped together along the planes' common direction."""

from __future__ import annotations

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces, crossing, forward
from veristem.sim.networks.population import Population, fill

_ANGLE_DEG = (10.0, 40.0)  # of the lines to the common direction; at 60, with equal |b|, nothing is gained by zipping
_HOLD_NM = (50.0, 110.0)  # from the crossing to where each arm is held and leaves its old direction
_SHORTEST_NM = 10.0  # half of a junction
_DEPTH = (0.3, 0.7)  # of the crossings within the foil, in thicknesses
_STEP_NM = 8.0


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Junctions until the density is met; see `population.fill`.

    Raises
    ------
    InputError
        When no two slip systems react, or the density cannot be met.
    """
    partners = [_partners(population, system) for system in range(len(population.normals))]
    reacting = [system for system, found in enumerate(partners) if len(found)]
    if not reacting:
        raise InputError(
            "specimen.network.generator: 'junctions' found, but no two slip systems of this crystal react to another "
            "of its Burgers vectors"
        )

    def junction(normal, burgers, size, rng):
        system = population.system_of(normal, burgers)
        other_normal, other = partners[system][rng.integers(len(partners[system]))]
        other = other * np.sign(population.burgers_nm[system] @ burgers)
        return _junction((normal, other_normal), (burgers, other), size, rng)

    return fill(population.of_systems(reacting), junction, rng)


def _partners(population: Population, system: int) -> np.ndarray:
    """(K, 2, 3) normals and Burgers vectors of lines that react with one of a slip system, at no cost of b squared."""
    normal, b = population.normals[system], population.burgers_nm[system]
    lattice = np.concatenate([population.burgers_nm, -population.burgers_nm])
    found = []
    for other_normal, other in zip(np.tile(population.normals, (2, 1)), lattice):
        product = b + other
        known = np.linalg.norm(lattice - product, axis=1).min() < 1e-6 * np.linalg.norm(b)
        meet = np.linalg.norm(np.cross(normal, other_normal)) > 1e-6
        if known and meet and product @ product <= (1 + 1e-6) * (b @ b + other @ other):
            found.append((other_normal, other))
    return np.reshape(found, (-1, 2, 3))


def _junction(normals, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One junction in the field: each line runs on its own plane, turns to the triple nodes and shares what is between.

    The triple nodes stand where line tensions, as b squared, balance along the junction.
    """
    common = np.cross(*normals)
    common = forward(common / np.linalg.norm(common))
    center = rng.uniform([0, 0, _DEPTH[0]], [1, 1, _DEPTH[1]]) * size
    turn = np.radians(rng.uniform(*_ANGLE_DEG, 2)) * rng.choice([-1, 1], 2)
    along = [np.cos(a) * common + np.sin(a) * np.cross(n, common) for a, n in zip(turn, normals)]
    room = 0.9 * min(center[2], size[2] - center[2]) / max(abs(common[2]), 1e-9)  # both nodes lie within the foil
    hold = np.minimum(rng.uniform(*_HOLD_NM, (2, 2)), room)
    strength = [b @ b for b in (*burgers, np.sum(burgers, axis=0))]
    lines, nodes = [], []
    for side, holds in zip((-1, 1), hold):
        held = [side * h * a for h, a in zip(holds, along)]
        nodes.append(side * _half_length(holds, np.cos(turn), strength) * common)
        for direction, point, h, b in zip(along, held, holds, burgers):
            face = np.abs((crossing(center, direction, size) - center) @ direction)[(side + 1) // 2]
            start = side * max(face, 2 * h) * direction
            curved = h + np.linalg.norm(nodes[-1] - point)
            u = np.linspace(0, 1, int(np.ceil(curved / _STEP_NM)) + 1)[:, None]  # a parabola through both tangents
            bend = 2 * (1 - u) ** 2 * point + 2 * u * (1 - u) * point + u**2 * nodes[-1]
            straight = np.linspace(start, bend[0], int(np.ceil(np.linalg.norm(start - bend[0]) / _STEP_NM)) + 1)
            arm = np.concatenate([straight[:-1], bend])
            lines.append(DislocationNetwork.from_polyline(center + arm[::-side], b))
    count = int(np.ceil(np.linalg.norm(nodes[1] - nodes[0]) / _STEP_NM))
    zipped = center + np.linspace(nodes[0], nodes[1], count + 1)
    lines.append(DislocationNetwork.from_polyline(zipped, np.sum(burgers, axis=0)))
    return between_faces(_joined(DislocationNetwork.union(lines)), size)


def _half_length(holds, cosines, strength) -> float:
    """How far from the crossing the triple node lies between two arms held there [nm]."""
    far = np.linspace(0, 1, 100) * np.max(holds * cosines)
    pull = -strength[2]
    for h, c, s in zip(holds, cosines, strength):
        pull = pull + s * (h * c - far) / np.sqrt(h**2 - 2 * h * c * far + far**2)
    return max(_SHORTEST_NM, float(np.interp(0, -pull, far)))


def _joined(network: DislocationNetwork) -> DislocationNetwork:
    """The network with nodes at one place made one; only ends that no other line shares stay pinned."""
    nodes, index = np.unique(network.nodes_nm, axis=0, return_inverse=True)
    segments = index.reshape(-1)[network.segments]
    pinned = np.bincount(segments.ravel(), minlength=len(nodes)) == 1
    return DislocationNetwork(nodes, segments, network.burgers_nm, pinned)
