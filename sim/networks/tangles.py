"""Tangles: wavy lines crowded about a few places of the foil, in balls and in braids."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces, crossing
from veristem.sim.networks.population import Population, fill

_APART_NM = 600.0  # mean distance of tangles
_SPREAD_NM = 45.0  # standard deviation of the lines about the centre of a ball
_BRAID = (1.0, 3.0)  # by which a tangle is longer one way
_LEAN_DEG = 30.0  # standard deviation of a line from the steepest direction of its plane: it ends where the foil does
_WAVE_NM = (50.0, 200.0)  # wavelengths
_HEIGHT = 0.06  # amplitude of each over its length
_CLIMB = 0.5  # of the wave out of the slip plane, over that on it: jogs
_STEP_NM = 8.0


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Lines about common centres until the density is met; see `population.fill`."""
    centers, spreads = tangles(population.size_nm, rng)

    def line(normal, burgers, size, rng):
        k = rng.integers(len(centers))
        return _line(centers[k] + spreads[k] @ rng.normal(size=3), normal, burgers, size, rng)

    return fill(population, line, rng)


def tangles(size_nm, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres (K, 3) [nm] and spreads (K, 3, 3) [nm]; a spread takes normal numbers to places about its centre."""
    count = max(1, round(size_nm[0] * size_nm[1] / _APART_NM**2))
    centers = rng.uniform(0.15, 0.85, (count, 3)) * size_nm
    braid = rng.normal(size=(count, 3))
    braid /= np.linalg.norm(braid, axis=1)[:, None]
    longer = rng.uniform(*_BRAID, count)[:, None, None] - 1
    return centers, _SPREAD_NM * (np.eye(3) + longer * braid[:, :, None] * braid[:, None])


def _line(through, normal, burgers, size, rng: np.random.Generator) -> DislocationNetwork:
    """One wavy line through a point, from face to face."""
    through = np.array([*through[:2], np.clip(through[2], 0, size[2])])
    steep = np.array([0.0, 0, 1]) - normal[2] * normal
    if np.linalg.norm(steep) < 1e-3:  # the plane lies along the faces: every direction is as steep
        steep = np.cross(normal, rng.normal(size=3))
    steep /= np.linalg.norm(steep)
    lean = np.radians(_LEAN_DEG) * rng.normal()
    along = np.cos(lean) * steep + np.sin(lean) * np.cross(normal, steep)
    ends = crossing(through, along, size)
    waves = np.exp(rng.uniform(np.log(_WAVE_NM[0]), np.log(_WAVE_NM[1]), (2, 3)))
    height = _HEIGHT * waves * np.array([[1.0], [_CLIMB]])
    over = height.sum() / max(abs(along[2]), 0.02)  # no wave ends within the foil
    length = np.linalg.norm(ends[1] - ends[0]) + 2 * over
    s = np.linspace(0, length, int(np.ceil(length / _STEP_NM)) + 1)[:, None]
    phase = rng.uniform(0, 2 * np.pi, (2, 3))
    glide, climb = ((h * np.sin(2 * np.pi * s / w + p)).sum(axis=1) for h, w, p in zip(height, waves, phase))
    points = ends[0] + (s - over) * along + glide[:, None] * np.cross(normal, along) + climb[:, None] * normal
    return between_faces(DislocationNetwork.from_polyline(points, burgers), size)
