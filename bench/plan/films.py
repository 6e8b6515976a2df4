"""What a condition shows of particles, measured on small films that are imaged for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from veristem.bench.limits.points import point_limits
from veristem.bench.plan.setups import Setup
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Particles, Spheres
from veristem.datasets.truth import ParticleTruth

SIDE_RADII = 60  # of the field of a small film
_PIXELS = 6.0  # across the radius of a particle


def spheres_of(recipe: Recipe) -> tuple[Particles, Spheres]:
    """The film of a recipe, and the table of its particles.

    Raises
    ------
    InputError
        Where no concentration is told: particles from a file.
    """
    film = recipe.specimen
    assert isinstance(film, Particles)
    if not isinstance(spheres := film.dispersion, Spheres):
        raise InputError(
            "specimen.dispersion.file: a file found, a concentration allowed "
            "(specimen.dispersion.concentration_mg_per_ml)"
        )
    return film, spheres


def covered(recipe: Recipe) -> float:
    """Area of all particles in projection over that of the image."""
    from veristem.sim.dispersions.packing import number_density_per_nm3

    film, spheres = spheres_of(recipe)
    radius = spheres.diameter_nm / 2
    per_area = film.thickness_nm * number_density_per_nm3(spheres.concentration_mg_per_ml, radius**3)
    return max(float(per_area * np.pi * radius**2), 1e-6)


def neighbour_nm(recipe: Recipe) -> float:
    """Least distance between the centres of two particles: where the first peak of g(r) begins [nm]."""
    spheres = spheres_of(recipe)[1]
    return spheres.diameter_nm + 2 * spheres.shell_nm


def depth_for_peak(distance_nm: float, peak_nm: float) -> float:
    """Scatter of depths [nm] by which the mean distance of neighbours comes out too long by so much.

    Two places that scatter by s in depth lengthen a distance r, in the mean over its directions, by (2 / 3) s² / r:
    r' = r + d cos t + d² sin² t / 2r, with d² = 2 s² in the mean and sin² t = 2 / 3.
    """
    return float(np.sqrt(1.5 * distance_nm * peak_nm))


def small_film(recipe: Recipe, setup: Setup, seed: int) -> Recipe:
    """The recipe of a small even film of the same particles, imaged by a set-up without errors of the scan."""
    film, spheres = spheres_of(recipe)
    pixel = round(spheres.diameter_nm / 2 / _PIXELS, 3)
    count = round(SIDE_RADII * spheres.diameter_nm / 2 / pixel)
    table = {
        "recipe": {"name": "plan", "seed": seed},
        "specimen": {
            "kind": "particles",
            "thickness_nm": film.thickness_nm,
            "field_nm": [count * pixel, count * pixel],
            "dispersion": spheres.model_dump(mode="json"),
            "rescattering": film.rescattering,
        },
        "scan": {"shape": [count, count], "pixel_nm": pixel, "registered": True},
    }
    return Recipe.from_table(table, "plan").with_values(setup.values)


def shown(truth: ParticleTruth, pair: Sequence[int], dose_per_nm2: float) -> dict[str, float]:
    """Contrast, contrast-to-noise ratio and limit in depth of a particle, medians, for one electron per nm².

    Parameters
    ----------
    truth : ParticleTruth
        Of the small film.
    pair : two int
        The views in which contrast is measured.
    dose_per_nm2 : float
        Of the scan.

    Raises
    ------
    InputError
        When no particle tells of depth.
    """
    recipe = Recipe.from_table(truth.recipe, "plan")
    pixel, (width, height) = recipe.scan.pixel_nm, truth.field_nm
    x, y, _ = truth.particles.centers_nm.T
    inner = 3 * truth.particles.radii_nm
    inside = (x > inner) & (x < width - inner) & (y > inner) & (y < height - inner)
    deep = np.sqrt(point_limits(truth)[inside, 2, 2])
    if not np.isfinite(deep).any():
        raise InputError("plan: no particle that tells of depth found in a small film; more concentration allowed")
    rows, columns = np.indices(truth.expected.shape[1:]) + 0.5
    contrast, cnr = [], []
    for view in pair:
        image = truth.expected[view].astype(float)
        level = float(np.median(image))
        at = truth.project(truth.particles.centers_nm[inside], view) / pixel
        for place, radius in zip(at, truth.particles.radii_nm[inside] / pixel):
            near = np.hypot(columns - place[0], rows - place[1]) < radius
            lost = 1 - image[near] / level
            contrast.append(float(np.sqrt(np.mean(lost**2))) if near.any() else 0.0)
            cnr.append(float(np.sqrt(np.sum(level * lost**2))))
    root = np.sqrt(dose_per_nm2)
    return {
        "contrast": float(np.median(contrast)),
        "cnr": float(np.median(cnr)) / root,
        "limit_nm": float(np.nanmedian(deep)) * root,
    }
