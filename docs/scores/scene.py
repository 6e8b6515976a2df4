"""The lines that are made worse: junctions of known reaction and rings, in a foil of 512 x 512 x 200 nm."""

from __future__ import annotations

import numpy as np

from veristem.datasets import CurveSet, DislocationNetwork, load_material
from veristem.sim.networks import load_generator
from veristem.sim.networks.population import Population

FIELD_NM, THICKNESS_NM = 512.0, 200.0
SIGMA_NM = 1.0
_PER_NM2 = 6e-5  # of each arrangement
_WAVES_NM = (170.0, 110.0)


def network() -> DislocationNetwork:
    """Zipped lines and loops of aluminium, the same every time."""
    crystal, size = load_material("Al"), np.array([FIELD_NM, FIELD_NM, THICKNESS_NM])
    normals, burgers = map(np.array, zip(*crystal.slip_systems()))
    population = Population(normals, burgers, crystal.reciprocal_per_nm((1, 1, 1)), size, _PER_NM2, 0.8)
    rng = np.random.default_rng(0)
    return DislocationNetwork.union([load_generator(name)(population, rng) for name in ("junctions", "loops")])


def good(lines: list[np.ndarray]) -> CurveSet:
    """A good reconstruction of lines (K, 3): depths wrong by 1 nm rms, smoothly, and reported as such."""
    return CurveSet(tuple(map(_rippled, lines)), tuple(np.full(len(line), SIGMA_NM) for line in lines))


def _rippled(line: np.ndarray) -> np.ndarray:
    x, y = (2 * np.pi * line[:, axis] / wave for axis, wave in enumerate(_WAVES_NM))
    return line + np.outer(2 * SIGMA_NM * np.sin(x) * np.sin(y), [0, 0, 1])
