"""Chains of spheres that touch, shell to shell: aggregates that formed and stayed."""

from __future__ import annotations

import numba
import numpy as np

from veristem.datasets.specimens import Chains
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

_STARTS = 2000  # of a chain, before the film counts as full
_TRIES = 30  # of a sphere, before its chain begins anew


def generate(table: Chains, box_nm, slope: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Chains grown sphere by sphere, the longest first; one that gets stuck begins anew elsewhere.

    Returns centres (N, 3) and radii (N,) of the gold [nm], chain after chain, each from end to end. N meets the
    concentration wherever chains of the lengths allowed can add up to it, else is the nearest sum.

    Raises
    ------
    InputError
        If the particles do not fit the film.
    """
    film, wanted = fill(table, box_nm, slope)
    lengths = _lengths(table.shortest, table.longest, wanted, rng)
    count = int(lengths.sum())
    centers, radii = np.empty((count, 3)), draw_radii(table, count, rng)
    if count == 0:
        return centers, radii
    forces = Forces(table.shell_nm)
    cells = make_cells(film, radii, forces)
    cos_bend = np.cos(np.radians(table.bend_deg))
    placed = _grow(lengths, cos_bend, centers, radii, cells, film, forces, rng)
    if placed < count:
        raise too_dense(table, placed, count)
    return centers, radii


def _lengths(shortest: int, longest: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Lengths of chains, evenly spread and the longest first, that add up to ``wanted`` or the nearest sum."""
    chains = np.arange(wanted // longest, wanted // shortest + 2)
    nearest = np.clip(wanted, chains * shortest, chains * longest)
    best = np.lexsort([np.abs(chains - 2 * wanted / (shortest + longest)), np.abs(nearest - wanted)])[0]
    lengths = rng.integers(shortest, longest + 1, chains[best])
    while excess := lengths.sum() - nearest[best]:
        free = np.flatnonzero(lengths > shortest if excess > 0 else lengths < longest)
        lengths[rng.permutation(free)[: abs(excess)]] -= np.sign(excess)
    return np.sort(lengths)[::-1].copy()


@numba.njit(cache=True)
def _grow(lengths, cos_bend, centers, radii, cells, film, forces, rng):
    """Places chain after chain; how many spheres there are when all are, or one finds no room."""
    placed = 0
    for length in lengths:
        for _ in range(_STARTS):
            if _chain(placed, length, cos_bend, centers, radii, cells, film, forces, rng):
                break
        else:
            return placed
        placed += length
    return placed


@numba.njit(cache=True)
def _chain(start, length, cos_bend, centers, radii, cells, film, forces, rng):
    """Grows a chain from a random place; False, with nothing left behind, if it gets stuck."""
    along = turn = np.array([0.0, 0.0, 1.0])
    for i in range(start, start + length):
        bonded = i - 1 if i > start else -1
        for _ in range(_TRIES):
            if bonded < 0:
                x, y, z = anywhere(film, rng)
            else:
                turn = _bent(along, cos_bend if i > start + 1 else -1.0, rng)  # the first bond has any direction
                x, y, z = centers[bonded] + (radii[bonded] + radii[i] + 2 * forces.shell) * turn
                x, y = x % film.width, y % film.height
            room = inside(x, z, radii[i], film)
            if room and energy(x, y, z, radii[i], bonded, centers, radii, cells, film, forces) == 0:
                break
        else:
            for j in range(i - 1, start - 1, -1):
                take(j, centers, cells)
            return False
        put(i, x, y, z, centers, cells)
        along = turn
    return True


@numba.njit(cache=True)
def _bent(along, cos_bend, rng):
    """A unit vector evenly drawn from the cone about another."""
    cosine = 1 - (1 - cos_bend) * rng.random()
    sideways = np.array([rng.standard_normal(), rng.standard_normal(), rng.standard_normal()])
    sideways -= (sideways * along).sum() * along
    turned = cosine * along + np.sqrt(1 - cosine**2) * sideways / np.sqrt((sideways**2).sum())
    return turned / np.sqrt((turned**2).sum())
