"""Glide lines split into two partials with a fault between them, as far apart as forces and fault energy say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from veristem.datasets.crystal import Dissociation
from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import clip
from veristem.sim.networks.glide import bowed_points
from veristem.sim.networks.population import Faulted, Population, fill

_STEP_NM = 8.0
_STEEP = 0.3  # of the steepest way out of the foil in the slip plane
_BEYOND_NM = 100.0  # that a line is drawn on beyond the faces, which cut its partials at other places than itself


def generate(population: Population, rng: np.random.Generator) -> Faulted:
    """Pairs of partials until the density is met, the length of both counted.

    Raises
    ------
    InputError
        When the crystal has no dissociation, or the density cannot be met.
    """
    ways = population.dissociations
    if not ways:
        raise InputError(
            "specimen.network.generator: 'dissociated' found, but this material has no dissociation; an fcc or L1_0 "
            "one with a fault_energy_mj_per_m2 allowed"
        )
    whole = np.array([way.burgers_nm.sum(axis=0) for way in ways])
    normals = np.array([way.normal for way in ways])
    perfect = population._replace(normals=normals, burgers_nm=whole, trim=None)  # a fault cannot be cut with its lines

    def pair(normal, burgers, size, rng):
        valleys = perfect.valleys(normal)
        points = bowed_points(normal, valleys[rng.integers(len(valleys))], size, rng, _STEP_NM)
        return split(points, ways[perfect.system_of(normal, burgers)], burgers, population.elastic, size[2])

    return fill(perfect, pair, rng)


def width_nm(partials_nm, tangents, elastic, energy_mj_per_m2: float) -> np.ndarray:
    """Equilibrium distance (K,) of two parallel partials [nm] (Hirth & Lothe, Theory of Dislocations, eq. 10-15).

    Where the elastic repulsion mu/(2 pi d) [(b1·t)(b2·t) + (b1 x t)·(b2 x t)/(1 - nu)] equals the fault energy.

    Parameters
    ----------
    partials_nm : (2, 3) float
        Burgers vectors [nm].
    tangents : (K, 3) float
        Unit directions of the line.
    elastic : (float, float)
        Shear modulus [GPa] and Poisson's ratio.
    energy_mj_per_m2 : float
        Of the fault.
    """
    (modulus, ratio), (first, second) = elastic, partials_nm
    screw = (tangents @ first) * (tangents @ second)
    edge = (np.cross(first, tangents) * np.cross(second, tangents)).sum(axis=1)
    return 1e3 * modulus / (2 * np.pi * energy_mj_per_m2) * (screw + edge / (1 - ratio))  # GPa nm2 / (mJ/m2) = 1e3 nm


def split(points_nm, way: Dissociation, burgers_nm, elastic, thickness_nm: float) -> Faulted:
    """Two partials on both sides of a line, with the fault between them.

    The shift across the fault is the Burgers vector of the partial on the side n x t: a right-handed circuit about it
    crosses the fault once, along n, and must close. The partial there is the one that leaves the fault of low energy.
    """
    first, second = way.burgers_nm
    if burgers_nm @ (first + second) < 0:
        first, second = -second, -first
    before, beyond = (
        a + _BEYOND_NM * _outward(a, b, way.normal, thickness_nm) for a, b in (points_nm[:2], points_nm[:-3:-1])
    )
    points = np.concatenate([[before], points_nm, [beyond]])
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1)[:, None]
    aside = np.cross(way.normal, tangents) * (
        width_nm((first, second), tangents, elastic, way.energy_mj_per_m2)[:, None] / 2
    )
    low, high = np.array([-np.inf, -np.inf, 0.0]), np.array([np.inf, np.inf, thickness_nm])
    sides = points + aside, points - aside
    lines = [clip(DislocationNetwork.from_polyline(side, b), low, high) for side, b in zip(sides, (first, second))]
    triangles = []
    for (a, c), (b, d) in zip(pairwise(sides[0]), pairwise(sides[1])):
        triangles += [(a, b, d), (a, d, c)]  # counter-clockwise about the normal: n x t is a side of the line
    return Faulted(DislocationNetwork.union(lines), np.array(triangles), np.tile(first, (len(triangles), 1)))


def _outward(end: np.ndarray, inner: np.ndarray, normal: np.ndarray, thickness_nm: float) -> np.ndarray:
    """Unit direction (3,) in which a line goes on beyond its end: as it ran, but never along the face or back."""
    along = (end - inner) / np.linalg.norm(end - inner)
    steepest = np.array([0.0, 0.0, 1.0]) - normal[2] * normal
    steepest *= (1 if end[2] > thickness_nm / 2 else -1) / max(np.linalg.norm(steepest), 1e-9)
    if along[2] * steepest[2] > _STEEP * steepest[2] ** 2:
        return along
    turned = along + 2 * steepest
    return turned / np.linalg.norm(turned)
