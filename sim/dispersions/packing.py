"""What every generator needs: how many particles a film holds, their radii, and whether there is room for one.

Kernels draw from the numpy Generator that they are given and run in one thread, so a seed gives one arrangement.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from scipy.special import ndtr, ndtri

from veristem.datasets.errors import InputError
from veristem.datasets.specimens import Spheres

GOLD_G_PER_CM3 = 19.3  # CRC Handbook
KEY = "specimen.dispersion.concentration_mg_per_ml"
_DENSEST = 0.4  # share of the room in particles and shells; beyond, hardly a gap is left to put one into
_CUT = 3.0  # standard deviations
_CUT_VARIANCE = 1 - 2 * _CUT * np.exp(-(_CUT**2) / 2) / np.sqrt(2 * np.pi) / (2 * ndtr(_CUT) - 1)  # that cutting leaves


class Film(NamedTuple):
    """A film, periodic along x and y, with the entrance face at z = 0.

    width, height, thickness in the middle [nm]; slope: rise of the exit face along x.
    """

    width: float
    height: float
    thickness: float
    slope: float


class Forces(NamedTuple):
    """What holds two particles apart and together.

    shell: thickness of the hard shell about the gold [nm]. depth, width: of a square well beyond contact [kT, nm].
    """

    shell: float
    depth: float = 0.0
    width: float = 0.0


class Cells(NamedTuple):
    """Which particles are in which cell of a film, as linked lists; -1 ends a list.

    first (nx, ny, nz): of a cell. following (N,): of a particle. per_nm (3,): cells per length [1/nm]. reach: how far
    from a sphere's surface the centres are that it may feel [nm].
    """

    first: np.ndarray
    following: np.ndarray
    per_nm: np.ndarray
    reach: float


def number_density_per_nm3(concentration_mg_per_ml: float, mean_cube_nm3: float) -> float:
    """Particles of gold per volume [1/nm^3], from the mass of gold per volume and the mean of their cubed radii."""
    return 1e-3 * concentration_mg_per_ml / (GOLD_G_PER_CM3 * 4 / 3 * np.pi * mean_cube_nm3)


def fill(table: Spheres, box_nm, slope: float, reach_nm: float = 0.0) -> tuple[Film, int]:
    """The film and the number of particles that meets the concentration.

    Parameters
    ----------
    table : Spheres
        Of the recipe.
    box_nm : (3,) float
        Width, height and thickness in the middle [nm].
    slope : float
        Rise of the exit face along x.
    reach_nm : float
        How far beyond contact two particles feel each other [nm].

    Raises
    ------
    InputError
        If the film is thinner or its field narrower than the particles need, or the concentration is too high for them.
    """
    width, height, thickness = map(float, box_nm)
    film = Film(width, height, thickness, float(slope))
    radius = table.diameter_nm / 2
    largest = radius * (1 + _CUT * table.spread)
    thinnest = 2 * thickness - deepest(film)
    needed = largest * (1 + np.sqrt(1 + slope**2))
    if thinnest <= needed:
        raise InputError(
            f"specimen.thickness_nm: film of {thinnest:.3g} nm at its thinnest found, more than a particle of "
            f"{needed:.3g} nm allowed; raise it or lower specimen.dispersion.diameter_nm"
        )
    narrowest = 2 * (2 * (largest + table.shell_nm) + reach_nm)  # no two see each other on both sides
    if min(width, height) < narrowest:
        raise InputError(
            f"specimen.field_nm: {width:.3g} x {height:.3g} found, "
            f"at least {narrowest:.3g} each allowed for these particles"
        )

    def mean_cube(shell):
        return (radius + shell) ** 3 + 3 * (radius + shell) * _CUT_VARIANCE * (table.spread * radius) ** 2

    density = number_density_per_nm3(table.concentration_mg_per_ml, mean_cube(0.0))
    share = density * 4 / 3 * np.pi * mean_cube(table.shell_nm) * thickness / (thickness + 2 * table.shell_nm)
    if share > _DENSEST:
        raise InputError(
            f"{KEY}: {table.concentration_mg_per_ml:g} found, at most "
            f"{table.concentration_mg_per_ml * _DENSEST / share:.4g} allowed, where particles and shells take "
            f"{_DENSEST:.0%} of the room; lower it or specimen.dispersion.shell_nm"
        )
    return film, round(density * width * height * thickness)


def too_dense(table: Spheres, placed: int, wanted: int) -> InputError:
    """The error to raise when not all particles find room."""
    return InputError(
        f"{KEY}: {table.concentration_mg_per_ml:g} found, but only {placed} of {wanted} particles find room; "
        "lower it or specimen.dispersion.shell_nm, or raise specimen.thickness_nm"
    )


def draw_radii(table: Spheres, count: int, rng: np.random.Generator) -> np.ndarray:
    """Radii of the gold [nm]: normal about the mean, cut at three standard deviations."""
    normal = ndtri(rng.uniform(ndtr(-_CUT), ndtr(_CUT), count))
    return table.diameter_nm / 2 * (1 + table.spread * normal)


def make_cells(film: Film, radii: np.ndarray, forces: Forces) -> Cells:
    """Empty cells, about as many as particles."""
    size = np.array([film.width, film.height, deepest(film)])
    shape = np.maximum(size // np.cbrt(size.prod() / len(radii)), 1).astype(int)
    reach = float(radii.max() + 2 * forces.shell + forces.width)
    return Cells(np.full(shape, -1, np.int32), np.full(len(radii), -1, np.int32), shape / size, reach)


@numba.njit(cache=True)
def deepest(film):
    """Greatest z of the film [nm]."""
    return film.thickness + abs(film.slope) * film.width / 2


@numba.njit(cache=True)
def anywhere(film, rng):
    """A random point of the box about the film."""
    return film.width * rng.random(), film.height * rng.random(), deepest(film) * rng.random()


@numba.njit(cache=True)
def cell_of(x, y, z, cells):
    """Indices of the cell of a point; one that rounding put on a far face belongs to the last."""
    nx, ny, nz = cells.first.shape
    return (
        min(int(x * cells.per_nm[0]), nx - 1),
        min(int(y * cells.per_nm[1]), ny - 1),
        min(int(z * cells.per_nm[2]), nz - 1),
    )


@numba.njit(cache=True)
def put(i, x, y, z, centers, cells):
    """Particle i goes there."""
    centers[i, 0], centers[i, 1], centers[i, 2] = x, y, z
    cell = cell_of(x, y, z, cells)
    cells.following[i] = cells.first[cell]
    cells.first[cell] = i


@numba.njit(cache=True)
def take(i, centers, cells):
    """Particle i goes from where it is."""
    cell = cell_of(centers[i, 0], centers[i, 1], centers[i, 2], cells)
    j = cells.first[cell]
    if j == i:
        cells.first[cell] = cells.following[i]
        return
    while cells.following[j] != i:
        j = cells.following[j]
    cells.following[j] = cells.following[i]


@numba.njit(cache=True)
def inside(x, z, radius, film):
    """Whether a sphere lies within the film, faces of which may be inclined."""
    exit_face = film.thickness + film.slope * (x - film.width / 2)
    return radius <= z <= exit_face - radius * np.sqrt(1 + film.slope**2)


@numba.njit(cache=True)
def energy(x, y, z, radius, skip, centers, radii, cells, film, forces):
    """Energy [kT] of a sphere there among all others but ``skip``; infinite if it overlaps one."""
    nx, ny, nz = cells.first.shape
    reach = radius + cells.reach
    x0, x1 = int(np.floor((x - reach) * cells.per_nm[0])), int(np.floor((x + reach) * cells.per_nm[0]))
    y0, y1 = int(np.floor((y - reach) * cells.per_nm[1])), int(np.floor((y + reach) * cells.per_nm[1]))
    z0, z1 = int((z - reach) * cells.per_nm[2]), int((z + reach) * cells.per_nm[2])
    total = 0.0
    for a in range(x0, min(x1 + 1, x0 + nx)):  # each cell once, though there be few
        for b in range(y0, min(y1 + 1, y0 + ny)):
            for c in range(max(z0, 0), min(z1 + 1, nz)):
                j = cells.first[a % nx, b % ny, c]
                while j >= 0:
                    if j != skip:
                        dx, dy, dz = centers[j, 0] - x, centers[j, 1] - y, centers[j, 2] - z
                        dx -= film.width * np.rint(dx / film.width)
                        dy -= film.height * np.rint(dy / film.height)
                        squared = dx * dx + dy * dy + dz * dz
                        contact = radius + radii[j] + 2 * forces.shell
                        if squared < contact**2:
                            return np.inf
                        if squared < (contact + forces.width) ** 2:
                            total -= forces.depth
                    j = cells.following[j]
    return total
