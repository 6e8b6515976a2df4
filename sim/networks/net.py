"""A hexagonal net of three reacting sets of lines on one slip plane, as in a low-angle boundary: b1 + b2 + b3 = 0."""

from __future__ import annotations

import itertools

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import clip
from veristem.sim.networks.population import Population

ONE_SHEET = True  # a low-angle boundary
_WAVE = 0.08  # random displacement of the junctions, in sides
_BOW = 0.05  # random bow-out of the sides, in sides
_PIECE_NM = 12.0
_TRIES = 12


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """One net across the foil, its mesh set by the density.

    Each junction of one sublattice has three sides that leave it with b1, b2, b3, whose sum is zero, so every junction
    conserves them, and so does the net as a whole.

    Raises
    ------
    InputError
        When no slip plane holds three Burgers vectors that sum to zero, or the density cannot be met.
    """
    for _ in range(_TRIES):  # the length jumps where a side enters the field, so that not every draw meets the density
        normal, three = _reaction(population, rng)
        turn, seed = rng.uniform(0, 2 * np.pi), int(rng.integers(2**63))
        center = population.size_nm * [0.5, 0.5, rng.uniform(0.4, 0.6)]
        side = 100.0
        for _ in range(30):
            full = _honeycomb(normal, three, center, turn, side, population.size_nm, np.random.default_rng(seed))
            held = population.length_of(full)
            if 0.95 <= held / population.length_nm <= 1.05:
                return full
            side *= np.clip(held / population.length_nm, 0.7, 1.4) ** 0.7
    raise InputError(
        f"specimen.network.density_per_m2: {1e18 * population.density_per_nm2:.3g} found, but no mesh of a net "
        "meets it in this field; choose a larger field or density"
    )


def _reaction(population: Population, rng: np.random.Generator):
    """A slip plane and three of its Burgers vectors that sum to zero, most of them visible."""
    every = np.concatenate([population.burgers_nm, -population.burgers_nm])
    scale = np.linalg.norm(every, axis=1).max()
    found = []
    for normal in population.normals:
        in_plane = np.unique(np.round(every[np.abs(every @ normal) < 1e-6 * scale], 9), axis=0)
        for three in itertools.combinations(in_plane, 3):
            if np.linalg.norm(np.sum(three, axis=0)) < 1e-6 * scale:
                seen = int((np.abs(np.array(three) @ population.g_per_nm) > 1 / 3).sum())
                found.append((seen, normal, np.array(three)))
    if not found:
        raise InputError(
            "specimen.network.generator: 'net' found, but no three Burgers vectors of a slip plane sum to zero here"
        )
    most = max(f[0] for f in found)
    best = [f for f in found if f[0] == most]
    _, normal, three = best[rng.integers(len(best))]
    return normal, three


def _honeycomb(normal, three, center, turn, side, size, rng: np.random.Generator) -> DislocationNetwork:
    """The net on its plane, cut to the foil and half a field beyond each side."""
    u = np.cross(normal, [1.0, 0, 0] if abs(normal[0]) < 0.8 else [0, 1.0, 0])
    u /= np.linalg.norm(u)
    frame = np.array([u, np.cross(normal, u)])
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ frame
    sides = side * np.array([[1.0, 0.0], [-0.5, np.sqrt(0.75)], [-0.5, -np.sqrt(0.75)]])
    cell = np.array([sides[0] - sides[1], sides[0] - sides[2]])
    reach = int(np.ceil(np.linalg.norm(2 * size) / side)) // 2 + 2
    index = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2)))
    start = index @ cell
    number = {tuple(key): n for n, key in enumerate(index)}
    shift = _WAVE * side * rng.normal(size=(2, len(index), 2))
    places = [start + shift[0], start + sides[0] + shift[1]]  # the two sublattices
    count = len(index)
    pieces = max(2, int(np.ceil(side / _PIECE_NM)))
    fraction = (np.arange(1, pieces) / pieces)[:, None]
    nodes, segments, burgers = list(np.concatenate(places)), [], []
    for n, (i, j) in enumerate(index):
        for (di, dj), b in zip(((0, 0), (-1, 0), (0, -1)), three):
            bow = _BOW * rng.normal()
            other = number.get((i + di, j + dj))
            if other is None:
                continue
            a, c = nodes[n], nodes[count + other]
            normal_2d = np.array([a[1] - c[1], c[0] - a[0]])
            chain = [n, *range(len(nodes), len(nodes) + pieces - 1), count + other]
            nodes += list(a + fraction * (c - a) + 4 * fraction * (1 - fraction) * bow * normal_2d)
            segments += list(itertools.pairwise(chain))
            burgers += [b] * pieces
    flat = np.array(nodes)
    network = DislocationNetwork(center + flat @ frame, np.array(segments), np.array(burgers))
    margin = size * [0.5, 0.5, 0.0]
    return clip(network, -margin, size + margin)
