"""The smallest errors that physics allows: Cramér and Rao's bound from the expected counts."""

from __future__ import annotations

import numpy as np

from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Particles
from veristem.datasets.truth import ParticleTruth
from veristem.sim.contrast.mass_thickness import fisher_information
from veristem.sim.film import film_of


def point_limits(truth: ParticleTruth, dqe: float = 1.0) -> np.ndarray:
    """Smallest covariance (N, 3, 3) [nm²] of each particle's centre that an unbiased method can have.

    The inverse of J = dqe * sum over views and pixels of d lambda d lambda^T / lambda, with lambda the expected counts
    and the radius and all other particles known: blur with depth tells of z too, not parallax alone. A method that has
    to find the neighbours as well may not reach it where shades overlap. NaN where the views hold no information, as of
    a particle beyond their edges.

    Parameters
    ----------
    truth : ParticleTruth
        Particles and expected counts.
    dqe : float
        Detective quantum efficiency of the detector.
    """
    recipe = Recipe.from_table(truth.recipe, "recipe of the truth")
    assert isinstance(recipe.specimen, Particles)
    microscope, pixel = recipe.microscope, recipe.scan.pixel_nm
    film = film_of(recipe.specimen, truth.particles)
    information = np.zeros((len(truth.particles.radii_nm), 3, 3))
    for region, expected in zip(microscope.detector.regions(recipe.kikuchi_azimuth_rad), truth.expected):
        rays, _ = film.rays(region, microscope, pixel)
        where = (truth.particles.centers_nm, truth.particles.radii_nm)
        information += fisher_information(*where, rays, truth.focus_nm, pixel, expected)
    weakest = np.linalg.eigvalsh(information)[:, 0] if len(information) else np.zeros(0)
    known = weakest > 1e-6
    covariance = np.full(information.shape, np.nan)
    covariance[known] = np.linalg.inv(dqe * information[known])
    return covariance
