"""Particles in a film: from their images to their places, and what the places tell."""

from veristem.recon.particles.pair_correlation import (
    chain_lengths,
    coordination_number,
    potential_of_mean_force,
    radial_distribution,
    radial_distribution_bands,
)

__all__ = [
    "chain_lengths",
    "coordination_number",
    "potential_of_mean_force",
    "radial_distribution",
    "radial_distribution_bands",
]
