"""Particles in ice: cross-sections, the ray sum, the images of a film, and the information in them."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import InputError, ParticleDispersion, ParticleTruth, scattering
from veristem.datasets.geometry import Region, project
from veristem.datasets.recipe import load_recipe
from veristem.datasets.scattering import GOLD, ICE, angular_density, arrival, elastic_per_nm, inelastic_per_nm
from veristem.sim import film as film_module
from veristem.sim.contrast.mass_thickness import Rays, fisher_information, shade_image
from veristem.sim.film import film_of
from veristem.sim.simulate import simulate_recipe

PIXEL, SHAPE = 0.4, (64, 64)
QUADRANT = Region((0.0, 0.0), 0.028, 0.014, -np.pi / 4, np.pi / 2)


def one_ray(per_nm: float, theta=(0.0, 0.0)) -> Rays:
    """A single direction that carries everything."""
    return Rays(np.array([theta]), np.ones(1), 1.0, per_nm)


def small(**values):
    """The recipe of a small field with other values, by dotted path with __ for the point."""
    size = {"scan.shape": list(SHAPE), "specimen.field_nm": [SHAPE[1] * PIXEL, SHAPE[0] * PIXEL]}
    return load_recipe("particles").with_values(size | {k.replace("__", "."): v for k, v in values.items()})


def film(centers, radius=2.25, **values):
    """A film with these particles, and its recipe."""
    recipe = small(**values)
    centers = np.asarray(centers, float).reshape(-1, 3)
    box = [*recipe.specimen.field_nm, recipe.specimen.thickness_nm]
    return film_of(recipe.specimen, ParticleDispersion(centers, np.full(len(centers), radius), box)), recipe


def test_elastic_cross_sections_agree_with_partial_waves_and_the_density_is_whole():
    """Gold against Langmore & Smith's fit at two energies; all angles together have probability 1, once or more."""
    for energy, beta2 in ((200.0, 0.4835), (300.0, 0.6030)):
        fit = 1.4e-6 * 79**1.5 / beta2 * (1 - 0.26 * 79 / (137 * np.sqrt(beta2)))
        assert elastic_per_nm(GOLD, energy) / GOLD.units_per_nm3 == pytest.approx(fit, rel=0.11)
    angle = np.linspace(0, 0.6, 200_001)
    for matter in (GOLD, ICE):
        total = np.trapezoid(angular_density(matter, 200.0, angle) * 2 * np.pi * np.sin(angle), angle)
        assert total == pytest.approx(1.0, rel=2e-3)
        more = np.trapezoid(angular_density(matter, 200.0, angle, 0.3) * 2 * np.pi * np.sin(angle), angle)
        assert more == pytest.approx(1.0, rel=5e-3)
    assert 1 / inelastic_per_nm(ICE, 200.0) == pytest.approx(210, rel=0.3)  # measured values lie around 200 to 280 nm


def test_the_total_is_the_sum_over_angles_and_weak_phases_scatter_as_born_says():
    """Optical theorem against the integral of |F|²; of oxygen, whose phase is small, F is the scattering factor."""
    q = scattering._Q
    for atom in ("O", "Au"):
        square, total = scattering._atom(atom, 200.0)
        wavelength = 2.5079e-3
        assert np.trapezoid(square * 2 * np.pi * q, q) * wavelength**2 == pytest.approx(total, rel=5e-3)
        _, a, b = scattering._ATOMS[atom]
        gamma = 1 + 200.0 / 510.99895
        born = (gamma * 0.1 * sum(x * np.exp(-y * (q / 20) ** 2) for x, y in zip(a, b))) ** 2
        near = (q > 2) & (q < 20)
        assert np.abs(square / born - 1)[near].max() < (0.03 if atom == "O" else np.inf)
        assert (square / born)[near].mean() > 0.9 or atom == "Au"
    assert 0.7 < total / (np.trapezoid(born * 2 * np.pi * q, q) * wavelength**2) < 0.85


def test_scattering_twice_convolves_the_angles():
    """Of what a layer of depth tau scatters, a share is scattered twice: by the convolution on a plane of angles."""
    tau, side, count = 0.3, 0.6, 512
    theta = (np.arange(count) - count // 2) * side / count
    radius = np.hypot(theta, theta[:, None])
    cell = (side / count) ** 2
    once = angular_density(GOLD, 200.0, radius) * cell
    many = np.fft.fft2(np.fft.ifftshift(once))
    many = np.fft.fftshift(np.fft.ifft2(np.expm1(tau * many)).real) * np.exp(-tau) / -np.expm1(-tau)
    near = (radius > 2e-3) & (radius < 0.08)
    np.testing.assert_allclose(angular_density(GOLD, 200.0, radius, tau)[near], many[near] / cell, rtol=0.03)


def test_whatever_is_scattered_arrives_somewhere():
    """The probability of arrival in a disc about the incidence is the integral of the density up to its radius."""
    angle = np.linspace(0, 0.03, 20_001)
    wanted = np.trapezoid(angular_density(GOLD, 200.0, angle) * 2 * np.pi * angle, angle)
    found = arrival(GOLD, 200.0, np.array([[0.01, 0.0]]), [Region((0.01, 0.0), 0.03)], 0.1)[0, 0]
    assert found == pytest.approx(wanted, rel=0.02)


def test_a_sphere_shows_its_chord_and_its_volume():
    """Through the middle 2R of gold; the sum of all paths is the volume, wherever the pixels lie."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        center = np.array([[*rng.uniform(10, 15, 2), 50.0]])
        image = shade_image(center, np.array([2.25]), one_ray(1e-6), 0.0, PIXEL, SHAPE)
        assert -image.sum() * PIXEL**2 == pytest.approx(1e-6 * 4 / 3 * np.pi * 2.25**3, rel=3e-3)
    fine = shade_image(np.array([[3.205, 3.205, 0.0]]), np.array([2.25]), one_ray(0.06), 0.0, 0.01, (640, 640))
    assert fine[320, 320] == pytest.approx(np.expm1(-0.06 * 4.5), abs=1e-6)


def test_spheres_one_behind_the_other_multiply():
    """The ray through two particles loses to both: exp(-a) exp(-b), not exp(-a) + exp(-b)."""
    both = np.array([[12.8, 12.8, 20.0], [12.8, 12.8, 90.0]])
    radii = np.array([2.25, 1.5])
    ray = one_ray(0.06)
    single = [1 + shade_image(both[i : i + 1], radii[i : i + 1], ray, 0.0, PIXEL, SHAPE) for i in (0, 1)]
    together = 1 + shade_image(both, radii, ray, 0.0, PIXEL, SHAPE)
    assert together == pytest.approx(single[0] * single[1], abs=1e-12)


@pytest.mark.parametrize("depth", [5.0, 60.0, 170.0])
def test_a_particle_moves_against_the_mean_direction_of_its_region(depth):
    """Its centroid lies where project() says, to 0.02 px, and mirrors in the opposite view (check 11 of the model)."""
    at = np.array([12.8, 12.8, depth])
    specimen, recipe = film([at], specimen__rescattering=False)
    regions = recipe.microscope.detector.regions(0.0)
    grid = (np.arange(SHAPE[0]) + 0.5) * PIXEL
    centroids = []
    for region in regions:
        image = specimen.region_image(region, recipe.microscope, PIXEL, SHAPE)
        missing = image[0, 0] - image
        centroid = np.array([(missing.sum(axis=0) * grid).sum(), (missing.sum(axis=1) * grid).sum()]) / missing.sum()
        wanted = project(at[None], region.mean_direction_rad(0.028), specimen.focus_nm)[0]
        assert centroid == pytest.approx(wanted, abs=0.02 * PIXEL)
        centroids.append(centroid)
    assert centroids[0] + centroids[2] == pytest.approx(2 * at[:2], abs=0.02 * PIXEL)


def test_depth_blurs_and_focus_does_not():
    """Depth of field: the same particle at the face is shallower and wider than in focus, with the same total."""
    images = []
    for depth in (89.0, 4.0):
        specimen, recipe = film([[12.8, 12.8, depth]], specimen__rescattering=False)
        image = specimen.region_image(QUADRANT, recipe.microscope, PIXEL, SHAPE)
        images.append(image[0, 0] - image)
    assert images[1].max() < 0.97 * images[0].max()
    assert images[1].sum() == pytest.approx(images[0].sum(), rel=0.01)


def test_finer_rays_change_nothing(monkeypatch):
    """Halving the distance of the rays changes no pixel by more than 0.2 % of the bare film."""
    specimen, recipe = film([[12.8, 12.8, 4.0], [10.0, 14.0, 150.0]])
    coarse = specimen.region_image(QUADRANT, recipe.microscope, PIXEL, SHAPE)
    monkeypatch.setattr(film_module, "_STEP", 0.25)
    specimen.imaged.clear()
    fine = specimen.region_image(QUADRANT, recipe.microscope, PIXEL, SHAPE)
    assert np.abs(fine - coarse).max() < 2e-3 * coarse.max()


def test_rays_are_the_region():
    """Their shares are the region's, and their mean is its mean direction, clipped by the rim or not."""
    for region in (QUADRANT, Region((0.02, 0.0), 0.015)):
        theta, share = region.rays(0.028, 0.003)
        assert share.sum() == pytest.approx(region.fraction(0.028), rel=1e-9)
        assert share @ theta / share.sum() == pytest.approx(region.mean_direction_rad(0.028), abs=1e-9)


def test_rescattering_keeps_the_contrast_and_moves_its_direction():
    """What is counted where it arrives gives nearly the same loss in all, but that loss comes from steeper rays."""
    grid, losses, shifts = (np.arange(SHAPE[0]) + 0.5) * PIXEL, [], []
    for rescattering in (False, True):
        specimen, recipe = film([[12.8, 12.8, 170.0]], specimen__rescattering=rescattering)
        region = recipe.microscope.detector.regions(0.0)[0]
        image = specimen.region_image(region, recipe.microscope, PIXEL, SHAPE)
        missing = 1 - image / image[0, 0]
        losses.append(missing.sum())
        shifts.append(12.8 - (missing.sum(axis=0) * grid).sum() / missing.sum())
    # exp(-mu t) is not linear: the stronger absorption of the second saturates a little more
    assert losses[0] > losses[1] > 0.88 * losses[0]
    assert shifts[1] > 1.1 * shifts[0]


def test_quadrants_see_particles_under_the_angle_of_multislice():
    """2.83 +- 0.1 degrees of an independent multislice for spheres of gold crystal between quadrants of 14 to 28 mrad.

    Our own (tests/validation/gold.py, check 23) has 3.00 for atoms anywhere in the sphere, 3.00 +- 0.04 for crystals.
    """
    recipe = small(specimen__rescattering=True)
    specimen, _ = film([[12.8, 12.8, 89.0]], specimen__rescattering=True)
    regions = recipe.microscope.detector.regions(0.0)
    found = specimen.images(regions, recipe.microscope, PIXEL, SHAPE)
    angle = np.degrees(2 * np.linalg.norm(found[0].contrast_rad))
    assert angle == pytest.approx(2.83, abs=0.15)
    assert angle == pytest.approx(3.00, abs=0.05)


def test_a_wedge_darkens_along_x():
    """The bare film follows exp(-t(x) / mean free path)."""
    specimen, recipe = film([], specimen__wedge_deg=5.0)
    row = specimen.region_image(QUADRANT, recipe.microscope, PIXEL, SHAPE)[0]
    slope = np.polyfit((np.arange(64) + 0.5) * PIXEL, np.log(row), 1)[0]
    _, film_per_nm = specimen.rays([QUADRANT], recipe.microscope, PIXEL)
    assert slope == pytest.approx(-film_per_nm * np.tan(np.radians(5.0)), rel=1e-6)


def test_information_is_that_of_numerical_derivatives():
    """J = sum of d lambda d lambda^T / lambda, derivatives by moving the particle and imaging it again."""
    at = np.array([12.73, 12.91, 150.0])
    specimen, recipe = film([at])
    (rays,), _ = specimen.rays([QUADRANT], recipe.microscope, PIXEL)

    def image(where):
        moved, _ = film([where])
        return 6242 * moved.region_image(QUADRANT, recipe.microscope, PIXEL, SHAPE)

    expected, step = image(at), 0.01
    slopes = np.stack([(image(at + step * e) - image(at - step * e)) / (2 * step) for e in np.eye(3)])
    wanted = np.einsum("ajk,bjk->ab", slopes, slopes / expected)
    particles = specimen.particles
    found = fisher_information(particles.centers_nm, particles.radii_nm, rays, specimen.focus_nm, PIXEL, expected)[0]
    # the edge of a sphere passes the Gauss points one by one, so the differences are good to half a percent
    assert found == pytest.approx(wanted, rel=1e-2, abs=2e-3 * np.abs(wanted).max())


def test_truth_lies_in_the_noiseless_image():
    """A truth particle, projected, lies on a dark spot of the expected counts of every view."""
    truth, acquisition, _ = simulate_recipe(small(specimen__dispersion__concentration_mg_per_ml=10.0, recipe__seed=3))
    assert isinstance(truth, ParticleTruth)
    assert acquisition.kind == "particles"
    assert len(truth.particles.radii_nm) > 0
    for view, direction in enumerate(truth.directions_rad):
        at = (project(truth.particles.centers_nm[truth.inside], direction, truth.focus_nm) / PIXEL).astype(int)
        at = at[((at >= 0) & (at < SHAPE[0])).all(axis=1)]
        assert (truth.expected[view, at[:, 1], at[:, 0]] < 0.95 * truth.expected[view].max()).all()
        assert (truth.labels[view, at[:, 1], at[:, 0]] >= 1).all()


def test_the_same_seed_gives_the_same_counts_and_dose_only_scales():
    """Counts depend on the recipe alone; expected counts are linear in the dwell time."""
    first, second = (simulate_recipe(small(recipe__seed=5)) for _ in range(2))
    assert (first[1].views == second[1].views).all()
    longer = simulate_recipe(small(recipe__seed=5, scan__dwell_us=20.0))[0]
    assert longer.expected == pytest.approx(2 * first[0].expected, rel=1e-6)


def test_particles_of_a_file_are_put_into_the_film(tmp_path):
    """Centres that do not lie in the film are moved there with a note; those of no film are an error."""
    path = tmp_path / "mine.csv"
    path.write_text("x_nm,y_nm,z_nm,radius_nm\n-5,-5,-20,2\n5,5,20,2\n")
    recipe = small(specimen__dispersion={"file": str(path)}, specimen__thickness_nm=60.0)
    truth, _, specimen = simulate_recipe(recipe)
    assert len(specimen.notes) == 1
    assert np.ptp(truth.particles.centers_nm, axis=0) == pytest.approx([10, 10, 40])
    with pytest.raises(InputError, match="outside a film of 30 nm"):
        simulate_recipe(recipe.with_values({"specimen.thickness_nm": 30.0}))


def test_two_particles_on_one_spot_are_refused(tmp_path):
    """Duplicate centres in a file are one line that names both."""
    path = tmp_path / "twice.csv"
    path.write_text("x_nm,y_nm,z_nm,radius_nm\n5,5,20,2\n9,9,20,2\n5,5,20,2\n")
    with pytest.raises(InputError, match="particles 1 and 3 at the same place"):
        simulate_recipe(small(specimen__dispersion={"file": str(path)}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"specimen.thickness_nm": 4.0}, "film of 4 nm at its thinnest found, more than a particle of 4.5 nm"),
        (
            {"specimen.dispersion.generator": "piles"},
            "dispersion.generator: 'piles' found, allowed are spheres",
        ),
        ({"specimen.dispersion.attraction_kT": 1.0}, "specimen.dispersion.attraction_kT: 1.0 found, no such key"),
        ({"specimen.kind": "cells"}, "specimen.kind: 'cells' found, allowed are dislocations, particles"),
        ({"specimen.dispersion.diameter_nm": -1.0}, "specimen.dispersion.diameter_nm: -1.0 found"),
        ({"specimen.wedge_deg": 89.0}, "specimen.wedge_deg: 89.0 found"),
        ({"specimen.dispersion.concentration_mg_per_ml": float("nan")}, "concentration_mg_per_ml: nan found"),
    ],
)
def test_bad_recipes_are_one_line(values, message):
    """The key as it stands in the recipe, what was found, and what is allowed."""
    with pytest.raises(InputError, match=message) as error:
        small(**{k.replace(".", "__"): v for k, v in values.items()})
    assert "\n" not in str(error.value)
