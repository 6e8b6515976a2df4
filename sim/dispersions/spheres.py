"""Hard spheres with a shell, in equilibrium."""

from __future__ import annotations

import numba
import numpy as np

from veristem.datasets.specimens import Spheres
from veristem.sim.dispersions.packing import (
    Forces,
    anywhere,
    draw_radii,
    energy,
    fill,
    inside,
    make_cells,
    put,
    take,
    too_dense,
)

_ROUNDS = 100  # of inserting and moving before it counts as too dense
_TRIES = 30  # at insertion, per particle and round
_SWEEPS = 300  # moves per particle
_SMALLEST = 0.02  # smallest reach of a move, in particles


def generate(table: Spheres, box_nm, slope: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 3) and radii (N,) of the gold [nm], the largest first; see `equilibrium`."""
    return equilibrium(table, box_nm, slope, Forces(table.shell_nm), rng)


def equilibrium(table: Spheres, box_nm, slope: float, forces: Forces, rng) -> tuple[np.ndarray, np.ndarray]:
    """Spheres inserted one by one, then moved by the rule of Metropolis for 300 moves each.

    From insertion, hard spheres need about 20 at the densest that is allowed and wells of 2 kT about 100. A start far
    off, a lattice, is forgotten in 300 as well.

    Parameters
    ----------
    table : Spheres
        Of the recipe.
    box_nm : (3,) float
        Width, height and thickness in the middle [nm].
    slope : float
        Rise of the exit face along x.
    forces : Forces
        Between the particles.
    rng : numpy.random.Generator
        Source of all random numbers.

    Raises
    ------
    InputError
        If the particles do not fit the film.
    """
    film, count = fill(table, box_nm, slope, forces.width)
    centers = np.empty((count, 3))
    radii = np.sort(draw_radii(table, count, rng))[::-1].copy()  # the largest find room only at first
    if count == 0:
        return centers, radii
    cells = make_cells(film, radii, forces)
    hard = Forces(forces.shell)
    placed = 0
    for _ in range(_ROUNDS):
        placed = _insert(placed, centers, radii, cells, film, hard, rng)
        if placed == count:
            break
        move(1, placed, centers, radii, cells, film, hard, rng)  # opens gaps where insertion alone would jam
    else:
        raise too_dense(table, placed, count)
    move(_SWEEPS, count, centers, radii, cells, film, forces, rng)
    return centers, radii


@numba.njit(cache=True)
def _insert(placed, centers, radii, cells, film, forces, rng):
    """Puts particles where there is room; how many there are after the tries of a round."""
    for _ in range(_TRIES * len(radii)):
        if placed == len(radii):
            break
        x, y, z = anywhere(film, rng)
        radius = radii[placed]
        if inside(x, z, radius, film) and energy(x, y, z, radius, -1, centers, radii, cells, film, forces) == 0:
            put(placed, x, y, z, centers, cells)
            placed += 1
    return placed


@numba.njit(cache=True)
def move(sweeps, count, centers, radii, cells, film, forces, rng):
    """Moves the first ``count`` particles in turn, in place, by the rule of Metropolis.

    The reach of a move is drawn from a fiftieth of a particle to the whole film, all scales alike: small moves are what
    a dense arrangement accepts, large ones mix a dilute one and let particles leave clusters.
    """
    particle = 2 * (radii[0] + forces.shell)
    smallest, scales = _SMALLEST * particle, max(film.thickness / particle, 1.0) / _SMALLEST
    for _ in range(sweeps):
        for i in range(count):
            reach = smallest * scales ** rng.random()
            x = (centers[i, 0] + reach * (2 * rng.random() - 1)) % film.width
            y = (centers[i, 1] + reach * (2 * rng.random() - 1)) % film.height
            z = centers[i, 2] + reach * (2 * rng.random() - 1)
            if not inside(x, z, radii[i], film):
                continue
            after = energy(x, y, z, radii[i], i, centers, radii, cells, film, forces)
            if after == np.inf:
                continue
            if forces.depth > 0:
                x0, y0, z0 = centers[i]
                before = energy(x0, y0, z0, radii[i], i, centers, radii, cells, film, forces)
                if rng.random() >= np.exp(before - after):
                    continue
            take(i, centers, cells)
            put(i, x, y, z, centers, cells)
