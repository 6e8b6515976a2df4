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

_TAIL_RAD = 0.3  # beyond, the density falls as a power of the angle
_STEPS = 2000
_STEP_RAD = 5e-4  # of the angle
_STEP_PER_RAD = 0.8  # of its conjugate: what changes over 4 mrad is held
_BEND_RAD = 0.02  # nodes lie evenly below, by their logarithm beyond
_PANEL, _NODES = 0.5, 32  # of a quadrature: such steps, and nodes in each
_AROUND = 48  # azimuths, or a multiple: divisible by the sectors of all usual detectors
_APART_RAD = 4e-3  # they are, up to the radius beyond which the density is smooth
_SMOOTH_RAD = 0.25
_AWAY_RAD = 2.5e-4  # of distances between which shares are interpolated


class PhononKernel:
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
        self._last = float(self._density(_TAIL_RAD))
        self._power = -_TAIL_RAD * float(self._density(_TAIL_RAD, 1)) / self._last  # 4 of a bare nucleus
        over_ring = CubicSpline(angle, 2 * np.pi * angle * found).integrate(0, _TAIL_RAD)
        self._total = float(over_ring) + 2 * np.pi * _TAIL_RAD**2 * self._last / (self._power - 2)

    def density(self, angle_rad) -> np.ndarray:
        """Probability per solid angle (...) [1/sr] of being turned by angles (...) [rad]; over the plane it is 1."""
        angle = np.asarray(angle_rad, float)
        near = self._density(np.minimum(angle, _TAIL_RAD))
        far = self._last * (_TAIL_RAD / np.maximum(angle, _TAIL_RAD)) ** self._power
        return np.where(angle < _TAIL_RAD, near, far) / self._total

    def arriving(self, theta_rad: np.ndarray, regions: Sequence[Region]) -> np.ndarray:
        """Share (V, K) of what is taken from incidences ``theta_rad`` (K, 2) that lands in each of some regions.

        The regions lie about one centre. The nodes are those of all together, so that shares of regions that fill
        another one add up to its share.
        """
        at, weight = _rings(regions)
        inside = np.array([region.contains(at) for region in regions]) * weight
        used = inside.any(axis=0)
        there, shares = at[used], inside[:, used]

        def shares_of(incidences) -> np.ndarray:
            return np.array([shares @ self.density(np.linalg.norm(there - one, axis=1)) for one in incidences]).T

        away = np.linalg.norm(theta_rad - np.asarray(regions[0].center_rad), axis=1)
        count = int(np.ptp(away) / _AWAY_RAD) + 8
        if count >= len(away) or not all(type(region) is Region and region.full for region in regions):
            return shares_of(theta_rad)
        from scipy.interpolate import CubicSpline

        # of whole rings only the distance from their centre counts
        nodes = np.linspace(away.min(), away.max(), count)
        along = np.column_stack([nodes, np.zeros(count)]) + regions[0].center_rad
        return CubicSpline(nodes, shares_of(along), axis=1)(away)


def _rings(regions: Sequence[Region]) -> tuple[np.ndarray, np.ndarray]:
    """Directions (R, A, 2) on rings about the centre of some regions, and solid angles (R, 1) that they stand for."""
    radii = np.unique([0.0, *(r for region in regions for r in (region.inner_rad, region.outer_rad))])
    around = _AROUND * int(np.ceil(2 * np.pi * min(radii[-1], _SMOOTH_RAD) / _APART_RAD / _AROUND))
    azimuth = regions[0].start_rad + (np.arange(around) + 0.5) * 2 * np.pi / around
    edges = np.arcsinh(radii / _BEND_RAD)
    u = np.unique(np.concatenate([edges, np.arange(0, edges[-1], _PANEL)]))
    low, half = u[:-1, None], np.diff(u)[:, None] / 2
    node, share = np.polynomial.legendre.leggauss(_NODES)
    u = low + half * (node + 1)
    r = (_BEND_RAD * np.sinh(u)).ravel()
    weight = (half * share * _BEND_RAD * np.cosh(u)).ravel() * r * 2 * np.pi / around
    turn = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    return regions[0].center_rad + r[:, None, None] * turn, weight[:, None]
