"""Where electrons land that phonons take from the beams: thermal diffuse scattering, as often as it happens.

One phonon turns an electron by theta with the density P (Einstein model, `structure.phonon_density`). Over an optical
depth tau it meets n of them with the chance e^-tau tau^n / n!, so that those turned at all land with a density whose
Fourier transform is (e^(tau (P - 1)) - e^-tau) / (1 - e^-tau), P the transform of the single density. Left out: what
is scattered is not diffracted again, so there are no Kikuchi lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from veristem.datasets.geometry import Region

_TAIL_RAD = 0.3  # beyond, electrons are turned by one nucleus, and the density falls as the fourth power of the angle
_STEPS = 2000
_STEP_RAD = 5e-4  # of the angle
_STEP_PER_RAD = 0.8  # of its conjugate: what changes over 4 mrad is held
_BEND_RAD = 0.02  # nodes lie evenly below, by their logarithm beyond
_NODES = 40  # of a quadrature, for each such step
_AROUND = 48  # azimuths, or a multiple: divisible by the sectors of all usual detectors
_APART_RAD = 4e-3  # they are, up to the radius beyond which the density is smooth
_SMOOTH_RAD = 0.25


class Spread:
    """The density of the directions into which phonons turn electrons.

    Parameters
    ----------
    density : callable
        Of one phonon: probability per solid angle [1/sr] at angles (...) [rad].
    optical_depth : float
        Mean number of phonons that an electron meets.
    """

    def __init__(self, density: Callable[[np.ndarray], np.ndarray], optical_depth: float):
        from scipy.interpolate import CubicSpline
        from scipy.special import j0

        angle, turns = ((np.arange(_STEPS) + 0.5) * step for step in (_STEP_RAD, _STEP_PER_RAD))
        bessel = j0(np.outer(turns, angle))
        single = density(angle)
        ring = 2 * np.pi * angle * _STEP_RAD
        single = single / (ring @ single)
        transform = bessel @ (ring * single)
        depth = max(optical_depth, 1e-6)
        # e^-tau of both would cancel at small depths
        often = np.expm1(depth * transform) / np.expm1(depth)
        found = (turns * _STEP_PER_RAD / (2 * np.pi) * often) @ bessel
        near = angle < _TAIL_RAD + _STEP_RAD
        angle, found = angle[near], found[near]
        self._density = CubicSpline(angle, found)
        self._tail = float(self._density(_TAIL_RAD)) * _TAIL_RAD**4
        over_ring = CubicSpline(angle, 2 * np.pi * angle * found).integrate(0, _TAIL_RAD)
        self._total = float(over_ring) + np.pi * self._tail / _TAIL_RAD**2

    def density(self, angle_rad) -> np.ndarray:
        """Probability per solid angle (...) [1/sr] of being turned by angles (...) [rad]; over the plane it is 1."""
        angle = np.asarray(angle_rad, float)
        near = self._density(np.minimum(angle, _TAIL_RAD))
        return np.where(angle < _TAIL_RAD, near, self._tail / np.maximum(angle, _TAIL_RAD) ** 4) / self._total

    def arriving(self, theta_rad: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
        """Share (V, K) of what is taken from incidences ``theta_rad`` (K, 2) that lands in each of some regions.

        The regions lie about one centre. The nodes are those of all together, so that shares of regions that fill
        another one add up to its share.
        """
        radii = np.unique([0.0, *(r for region in regions for r in (region.inner_rad, region.outer_rad))])
        around = _AROUND * int(np.ceil(2 * np.pi * min(radii[-1], _SMOOTH_RAD) / _APART_RAD / _AROUND))
        azimuth = regions[0].start_rad + (np.arange(around) + 0.5) * 2 * np.pi / around
        nodes, weights = [], []
        for low, high in zip(np.arcsinh(radii[:-1] / _BEND_RAD), np.arcsinh(radii[1:] / _BEND_RAD)):
            count = max(8, int(np.ceil(_NODES * (high - low))))
            u, w = np.polynomial.legendre.leggauss(count)
            u = low + (high - low) * (u + 1) / 2
            r = _BEND_RAD * np.sinh(u)
            nodes.append(r)
            weights.append(w * (high - low) / 2 * _BEND_RAD * np.cosh(u) * r * 2 * np.pi / around)
        r, weight = np.concatenate(nodes), np.concatenate(weights)
        at = regions[0].center_rad + r[:, None, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
        inside = np.array([region.contains(at) for region in regions]) * weight[:, None]
        used = inside.any(axis=0)
        there, shares = at[used], inside[:, used]
        return np.array([shares @ self.density(np.linalg.norm(there - one, axis=1)) for one in theta_rad]).T
