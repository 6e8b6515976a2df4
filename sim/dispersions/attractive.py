"""Spheres that attract each other over a short range, in equilibrium."""

from __future__ import annotations

import numpy as np

from veristem.datasets.specimens import Attractive
from veristem.sim.dispersions.packing import Forces
from veristem.sim.dispersions.spheres import equilibrium


def generate(table: Attractive, box_nm, slope: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 3) and radii (N,) of the gold [nm], the largest first; see `equilibrium`.

    Deep wells condense the particles (3 kT and 1 nm at 40 mg/ml). They then gather ever on, and what comes out is the
    stage that 300 moves reach, as a sample that was frozen in time.
    """
    forces = Forces(table.shell_nm, table.attraction_kT, table.range_nm)
    return equilibrium(table, box_nm, slope, forces, rng)
