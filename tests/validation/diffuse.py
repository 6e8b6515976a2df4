"""Checks of the electrons that phonons take: all land somewhere, turned as often as a random walk says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from validation.check import Check
from veristem.datasets import load_material
from veristem.datasets.geometry import Region
from veristem.datasets.structure import phonon_density
from veristem.reports.style import METHODS
from veristem.sim.contrast.diffuse import PhononKernel

_MATERIAL = load_material("CoCrFeMnNi")
_THICKNESS, _ENERGY, _WALKERS = 200.0, 200.0, 2_000_000
_EDGES = np.linspace(0, 0.2, 41)


def _once(angle):
    return phonon_density(_MATERIAL.sites, _ENERGY, angle)


@cache
def _kernel() -> tuple[PhononKernel, float]:
    depth = _THICKNESS / _MATERIAL.phonon_free_path_nm(_ENERGY)
    return PhononKernel(_once, depth), depth


def everywhere() -> Check:
    """Check 19: shares of the plane, of electrons from anywhere in a cone of 91 mrad."""
    kernel, _ = _kernel()
    theta = np.array([(0.0, 0.0), (0.07, 0.0), (-0.03, 0.085)])
    total = kernel.arriving(theta, [Region((0.0, 0.0), 1e3)])[0]
    return Check(
        "19a",
        "Electrons that phonons take all land",
        "∫ K d²θ − 1 over the plane, about directions in a cone of 91 mrad; 200 nm of the Cantor alloy at 200 kV",
        "conservation",
        float(np.abs(total - 1).max()),
        1e-6,
        "",
        _draw,
    )


def walked() -> Check:
    """Check 19: repeated scattering against a random walk in the plane of angles."""
    _, depth = _kernel()
    share, found = _shares(depth)
    return Check(
        "19b",
        "Phonons met more than once",
        f"share of the turned electrons within 15 to 200 mrad, K of optical depth {depth:.2f} against {_WALKERS:.0e} "
        "walks",
        "random walk with steps from P, their number by Poisson's law",
        float(np.abs(share - found).max()),
        0.01,
        "",
        _draw,
    )


def walked_rad(density: Callable, depth: float, walkers: int) -> np.ndarray:
    """Angles (N,) of random walks in the plane [rad]: steps from a density, their number by Poisson's law, not none."""
    rng = np.random.default_rng(1)
    edges = np.linspace(0, 3, 60_001)
    middle = (edges[1:] + edges[:-1]) / 2
    chance = np.cumsum(density(middle) * middle)
    steps = rng.poisson(depth, walkers)
    steps = steps[steps > 0]
    radius = np.interp(rng.uniform(0, chance[-1], steps.sum()), chance, middle)
    azimuth = rng.uniform(0, 2 * np.pi, steps.sum())
    walker = np.repeat(np.arange(len(steps)), steps)
    return np.hypot(*(np.bincount(walker, radius * turn(azimuth)) for turn in (np.cos, np.sin)))


@cache
def _shares(depth: float) -> tuple[np.ndarray, np.ndarray]:
    away = walked_rad(_once, depth, _WALKERS)
    kernel, _ = _kernel()
    found = np.array([(away < edge).mean() for edge in _EDGES[3:]])
    share = [kernel.arriving(np.zeros((1, 2)), [Region((0.0, 0.0), edge)])[0, 0] for edge in _EDGES[3:]]
    return np.array(share), found


def _draw(figure) -> None:
    kernel, depth = _kernel()
    share, found = _shares(depth)
    left, right = figure.subplots(1, 2)
    angle = np.linspace(1e-3, 0.2, 400)
    left.plot(1e3 * angle, _once(angle), "--", color=METHODS[1], label="one phonon")
    left.plot(1e3 * angle, kernel.density(angle), color=METHODS[0], label=f"optical depth {depth:.2f}")
    left.set(xlabel="angle (mrad)", ylabel="density (1/sr)")
    left.legend(frameon=False)
    right.plot(1e3 * _EDGES[3:], share, color=METHODS[0], label="transform")
    right.plot(1e3 * _EDGES[3:], found, "o", ms=3, color=METHODS[1], label="walks")
    right.set(xlabel="angle (mrad)", ylabel="share within")
    right.legend(frameon=False)


CHECKS: dict[str, Callable[[], Check]] = {"19a": everywhere, "19b": walked}
