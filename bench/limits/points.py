"""The smallest errors that physics allows: Cramér and Rao's bound from the expected counts."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement, product

import numpy as np

from veristem.bench.limits.shared import groups_of_views, joint_variance
from veristem.datasets.geometry import Tilt
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Particles
from veristem.datasets.truth import ParticleTruth
from veristem.sim.contrast.mass_thickness import Rays, fisher_information
from veristem.sim.film import film_of
from veristem.sim.noise import mean_and_variance
from veristem.sim.optics import spread_nm2


def point_limits(truth: ParticleTruth) -> np.ndarray:
    """Smallest covariance (N, 3, 3) [nm²] of each particle's centre that an unbiased method can have.

    The inverse of J = sum over views and pixels of d signal d signal^T / variance, with what the detector makes of the
    expected counts (saturation and steps left out) and the radius and all other particles known: blur with depth tells
    of z too, not parallax alone. Aberrations, the size of the source and the energies of the beam blur the derivatives
    as they do the image. A method that has to find the neighbours as well may not reach it where shades
    overlap. NaN where the views hold no information, as of a particle beyond their edges.

    Parameters
    ----------
    truth : ParticleTruth
        Particles and expected counts.
    """
    recipe = Recipe.from_table(truth.recipe, "recipe of the truth")
    assert isinstance(recipe.specimen, Particles)
    microscope, pixel = recipe.microscope.balanced, recipe.scan.pixel_nm
    alpha = 1e-3 * microscope.convergence_mrad
    film = film_of(recipe.specimen, truth.particles)
    information = np.zeros((len(truth.particles.radii_nm), 3, 3))
    views = list(product(recipe.stage.angles_deg, microscope.detector.regions(recipe.kikuchi_azimuth_rad)))
    radii = truth.particles.radii_nm
    for group, correlation in groups_of_views(recipe):
        expected = truth.expected[group].astype(float)
        spread = joint_variance(expected, microscope.response, correlation)
        seen = []
        for view in group:
            angle, region = views[view]
            tilt = Tilt(float(np.radians(angle)), recipe.tilt_axis_rad)
            shift, _ = microscope.aberrations.shift_nm(region, alpha)  # stands in the map to the image
            (rays,), _ = film.rays([region], microscope, pixel, tilt, [shift])
            rays = _blurred(rays, spread_nm2(microscope, region), pixel)
            to_image = None if truth.to_image is None else truth.to_image[view]
            places = film.seen_nm(truth.particles.centers_nm, tilt, to_image)
            # of the places in the image to those in the specimen
            corners = film.seen_nm(np.vstack([np.zeros(3), np.eye(3)]), tilt, to_image)
            signal, _ = mean_and_variance(truth.expected[view], microscope.response)
            seen.append(((places, rays, signal), (corners[1:] - corners[0]).T))
        for (m, (first, to_first)), (n, (second, to_second)) in combinations_with_replacement(enumerate(seen), 2):
            (places, rays, signal), other = first, None if m == n else second
            told = fisher_information(places, radii, rays, truth.focus_nm, pixel, signal, spread[m, n], other)
            told = to_first.T @ told @ to_second
            information += told if other is None else told + told.transpose(0, 2, 1)
    weakest = np.linalg.eigvalsh(information)[:, 0] if len(information) else np.zeros(0)
    known = weakest > 1e-6
    covariance = np.full(information.shape, np.nan)
    covariance[known] = np.linalg.inv(information[known])
    return covariance


def _blurred(rays: Rays, covariance_nm2: np.ndarray, pixel_nm: float) -> Rays:
    """The rays, each spread over the places where the source and the energies of the beam let its electrons land.

    By a sum of displaced images: three or, where the blur is wider than a pixel, five nodes along each axis (Gauss and
    Hermite), with limits 2 to 3 % too small.
    """
    if not np.any(covariance_nm2):
        return rays
    delta, theta, share = rays.ways[:, 2:], rays.theta_rad, rays.share
    variances, axes = np.linalg.eigh(covariance_nm2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3 if variances.max() <= pixel_nm**2 else 5)
    for deviation in (np.sqrt(np.maximum(variances, 0.0)) * axes).T:
        delta = (delta + nodes[:, None, None] * deviation).reshape(-1, 2)
        theta, share = np.tile(theta, (len(nodes), 1)), np.outer(weights / weights.sum(), share).ravel()
    return replace(rays, theta_rad=theta, share=share, delta_nm=delta)
