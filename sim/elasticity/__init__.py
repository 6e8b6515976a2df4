"""Strain of dislocation networks: segments summed exactly, by Fourier transforms, and in a foil with free faces."""

from veristem.sim.elasticity.segment import segment_distortion
from veristem.sim.elasticity.spectral import spectral_distortion

__all__ = ["segment_distortion", "spectral_distortion"]
