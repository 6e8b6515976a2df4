"""The truth of one simulated acquisition, of lines or of particles. Only bench opens it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.network import DislocationNetwork


@dataclass(frozen=True, eq=False)
class LineTruth:
    """What is really there, in the specimen frame, and how it was imaged.

    Parameters
    ----------
    network : DislocationNetwork
        The lines within the foil.
    g_dot_b : (M,) float
        g·b of each segment.
    g_dot_bu : (M,) float
        |g·(b x u)| of each segment, u the unit line direction.
    visible : (M,) bool
        Whether the segment can be seen with this g (sim/visibility.py states the criterion).
    expected : (V, Y, X) float32
        Expected counts of each view, before noise.
    labels : (V, Y, X) uint8
        1 where a visible dislocation projects to, 2 an invisible one, 0 elsewhere.
    directions_rad : (V, 2) float
        True intensity-weighted mean direction of the rays of each view [rad].
    field_nm : (2,) float
        Width and height of the imaged field, which begins at the origin [nm].
    thickness_nm, focus_nm : float
        True thickness and true depth of the focus plane [nm].
    recipe : dict
        The recipe that made it, seed included.
    """

    network: DislocationNetwork
    g_dot_b: np.ndarray
    g_dot_bu: np.ndarray
    visible: np.ndarray
    expected: np.ndarray
    labels: np.ndarray
    directions_rad: np.ndarray
    field_nm: tuple[float, float]
    thickness_nm: float
    focus_nm: float
    recipe: dict


@dataclass(frozen=True, eq=False)
class ParticleTruth:
    """What is really there in a film of particles, in the specimen frame, and how it was imaged.

    Parameters
    ----------
    particles : ParticleDispersion
        All spheres that can show in an image, those just beyond the edges of the field included; its box is the imaged
        field and the largest thickness.
    expected : (V, Y, X) float32
        Expected counts of each view, before noise.
    labels : (V, Y, X) uint8
        Number of particles that each pixel shows, one over the other.
    directions_rad : (V, 2) float
        True intensity-weighted mean direction of the rays of each view [rad].
    focus_nm : float
        True depth of the focus plane [nm].
    recipe : dict
        The recipe that made it, seed included.
    """

    particles: ParticleDispersion
    expected: np.ndarray
    labels: np.ndarray
    directions_rad: np.ndarray
    focus_nm: float
    recipe: dict

    @property
    def field_nm(self) -> tuple[float, float]:
        """Width and height of the imaged field, which begins at the origin [nm]."""
        return float(self.particles.box_nm[0]), float(self.particles.box_nm[1])

    @property
    def thickness_nm(self) -> float:
        """Largest thickness of the film [nm]."""
        return float(self.particles.box_nm[2])

    @property
    def inside(self) -> np.ndarray:
        """(N,) whether the centre of a particle lies within the imaged field."""
        return self.particles.inside_field


Truth = LineTruth | ParticleTruth
