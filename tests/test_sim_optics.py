"""The probe: aberrations by independent formulas, and where they bring what a detector region shows (check 14)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError, ParticleDispersion
from veristem.datasets.aberrations import PRESETS, Aberrations
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region
from veristem.datasets.microscope import Microscope
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of
from veristem.sim.images import foil_images, region_image
from veristem.sim.optics import AberratedImage, aberration_shift_nm, finest_rad, source_blurred

PIXEL = 0.4
ANY = {
    "C10_nm": 120.0,
    "C12_nm": 60.0,
    "phi12_deg": 25.0,
    "C21_nm": 900.0,
    "phi21_deg": -40.0,
    "C23_nm": 1500.0,
    "phi23_deg": 70.0,
    "C30_mm": 0.2,
    "C50_mm": 40.0,
}


@settings(max_examples=30, deadline=None)
@given(st.floats(1, 90), st.floats(0, 360))
def test_displacement_is_the_gradient_of_the_path(radius_mrad, azimuth_deg):
    """The two closed forms are derived apart; central differences of one give the other."""
    aberrations = Aberrations(**ANY)
    theta = 1e-3 * radius_mrad * np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    step = 1e-6
    slopes = [(aberrations.path_nm(theta + d) - aberrations.path_nm(theta - d)) / (2 * step) for d in step * np.eye(2)]
    np.testing.assert_allclose(aberrations.displacement_nm(theta), slopes, rtol=1e-5, atol=1e-5)


def test_displacements_of_textbooks():
    """Overfocus moves a ray outwards by C1 theta, C3 and C5 by their powers; astigmatism inwards along y."""
    theta = np.array([[0.02, 0.0], [0.0, 0.02]])
    for key, value, size in (("C10_nm", 300.0, 6.0), ("C30_mm", 1.2, 9.6), ("C50_mm", 5.0, 0.016)):
        np.testing.assert_allclose(Aberrations(**{key: value}).displacement_nm(theta), size / 0.02 * theta, rtol=1e-12)
    stigma = Aberrations(C12_nm=100.0).displacement_nm(theta)
    np.testing.assert_allclose(stigma, [[2.0, 0.0], [0.0, -2.0]], atol=1e-12)
    assert not Aberrations().displacement_nm(theta).any()


def test_presets_are_what_they_are_called():
    """Corrected: within a quarter of pi of a flat wave up to 23 mrad at 200 kV, whatever the azimuth; not at 30."""
    azimuth = np.linspace(0, 2 * np.pi, 721)[:, None]
    ring = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    per_nm = 2 * np.pi / electron_wavelength_nm(200.0)
    corrected = Aberrations(preset="corrected")
    assert per_nm * np.abs(corrected.path_nm(1e-3 * np.linspace(0, 23, 47)[:, None] * ring)).max() < np.pi / 4
    assert per_nm * np.abs(corrected.path_nm(0.03 * ring)).max() > np.pi / 4
    np.testing.assert_allclose(  # C5 = 5 mm alone moves the image by 31 nm at 91 mrad
        Aberrations(C50_mm=5.0).displacement_nm([0.091, 0.0]), [31.2, 0], atol=0.1
    )
    assert Aberrations(preset="uncorrected").coefficients_nm() == {"C30": (1.2e6, 0.0)}
    assert Aberrations(preset="uncorrected", C30_mm=0.0).coefficients_nm() == {}
    assert set(PRESETS) == {"none", "uncorrected", "corrected"}


@settings(max_examples=10, deadline=None)
@given(st.floats(10, 60), st.floats(3, 15), st.floats(0, 360))
def test_a_sub_aperture_moves_by_its_mean_displacement(center, radius, azimuth_deg):
    """Check 14. A disc of radius rho about theta_0: the mean of C3 |theta|² theta is C3 theta_0 (theta_0² + rho²)."""
    turn = np.radians(azimuth_deg)
    theta, rho = 1e-3 * center * np.array([np.cos(turn), np.sin(turn)]), 1e-3 * radius
    region, cone = Region((theta[0], theta[1]), rho), theta @ theta + 1.0
    aberrations = Aberrations(C10_nm=150.0, C30_mm=0.05)
    wanted = 150.0 * theta + 0.05e6 * theta * (theta @ theta + rho**2)
    np.testing.assert_allclose(aberration_shift_nm(aberrations, region, cone)[0], wanted, atol=0.02 * PIXEL)
    landing = AberratedImage((256, 256), PIXEL)
    point = np.zeros((256, 256))
    point[128, 128] = 1.0
    delta = aberrations.displacement_nm(region.directions(cone, 100))
    landing.add(point, delta, 1 / len(delta))
    image = landing.image()
    assert image.sum() == pytest.approx(1)
    j, i = np.mgrid[:256, :256]
    found = np.array([(image * i).sum() - 128, (image * j).sum() - 128]) * PIXEL
    np.testing.assert_allclose(found, -wanted, atol=0.02 * PIXEL)


@pytest.mark.parametrize("depth", [30.0, 89.0, 150.0])
@pytest.mark.parametrize(
    "aberrations", [{}, {"C10_nm": 300.0}, {"C12_nm": 200.0, "phi12_deg": 20.0, "C21_nm": 2000.0}, {"C30_mm": 0.2}]
)
def test_a_particle_shows_where_the_truth_projects_it(depth, aberrations):
    """Checks 11 and 14 through the whole acquisition, for all quadrants: within 0.02 of a pixel."""
    recipe = particles({"microscope.aberrations": aberrations})
    place = np.array([[38.0, 40.2, depth]])
    truth, _ = acquire(one_particle(recipe, place), recipe, np.random.default_rng(0))
    for view, expected in enumerate(truth.expected):
        assert np.abs(centroid(expected) - truth.project(place, view)[0]).max() < 0.02 * PIXEL


def particles(values: dict) -> Recipe:
    """A field of 76.8 nm seen by four quadrants."""
    return load_recipe("particles-small").with_values(
        {"scan.shape": [192, 192], "specimen.field_nm": [76.8, 76.8], **values}
    )


def one_particle(recipe: Recipe, place):
    """A film with one sphere."""
    box = np.array([*recipe.specimen.field_nm, recipe.specimen.thickness_nm])
    return film_of(recipe.specimen, ParticleDispersion(place, np.array([2.25]), box))


def centroid(image: np.ndarray) -> np.ndarray:
    """Place (x, y) [nm] of what is darker than the brightest pixel, as those without a particle are."""
    dark = image.max() - image
    dark[dark < 1e-6 * dark.max()] = 0
    j, i = np.mgrid[: image.shape[0], : image.shape[1]]
    return (np.array([(dark * i).sum(), (dark * j).sum()]) / dark.sum() + 0.5) * PIXEL


def test_registration_takes_the_mean_shift_away():
    """The blur stays, the place is that of the free microscope; the truth says so in its map."""
    values = {"microscope.aberrations": {"C10_nm": 300.0}}
    place = np.array([[38.4, 38.4, 120.0]])
    found = {}
    for registered in (False, True):
        recipe = particles(values | {"scan.registered": registered})
        truth, _ = acquire(one_particle(recipe, place), recipe, np.random.default_rng(0))
        found[registered] = np.array([centroid(e) for e in truth.expected])
        assert (truth.to_image is None) == registered
    plain = particles({})
    truth, _ = acquire(one_particle(plain, place), plain, np.random.default_rng(0))
    np.testing.assert_allclose(found[True], [centroid(e) for e in truth.expected], atol=0.02 * PIXEL)
    shift = 300.0 * np.array([r.mean_direction_rad(0.028) for r in plain.microscope.detector.regions(0.0)])
    np.testing.assert_allclose(found[False] - found[True], -shift, atol=0.02 * PIXEL)


def test_a_foil_is_moved_and_blurred_ray_by_ray(foil_with_line):
    """Of a foil with a narrow disc the aberrated image is the free one moved by -Delta; a defocus beyond it is a shift
    of the focus plane: z_f - C1."""
    line = foil_with_line([[64.0, -300, 30], [64, 430, 30]])
    region, shape = Region((0.04, 0.0), 2e-3), (64, 64)
    free = region_image(line, region, Microscope(), 2.0, shape)
    lens = Microscope(aberrations=Aberrations(C10_nm=100.0))  # moves by 4 nm: two pixels
    moved = region_image(line, region, lens, 2.0, shape)
    np.testing.assert_allclose(moved[:, 8:-8], free[:, 10:-6], atol=0.02 * np.ptp(free))
    wide = Region((0.0, 0.0), 0.03)
    defocused = foil_images(line, [wide], lens, 2.0, shape, rim=8)[0].share[8:-8, 8:-8]
    line.focus_nm -= 100.0
    line.imaged.clear()
    np.testing.assert_allclose(
        region_image(line, wide, Microscope(), 2.0, shape), defocused, atol=0.06 * np.ptp(defocused)
    )


def test_the_source_blurs_and_keeps_all_electrons():
    """A point becomes a normal distribution of the full width at half maximum asked for."""
    point = np.zeros((65, 65))
    point[32, 32] = 1.0
    image = source_blurred(point, 4.0, 0.5)
    assert image.sum() == pytest.approx(1)
    row = image[32] / image[32, 32]
    half = np.interp(0.5, row[32:][::-1], np.arange(33)[::-1])
    assert 2 * half * 0.5 == pytest.approx(4.0, rel=0.02)
    assert source_blurred(point, 0.0, 0.5) is point


def test_rays_are_as_fine_as_the_blur_needs():
    """Without aberrations they need be no finer; with defocus C1 they land C1 dtheta apart."""
    region = Region((0.0, 0.0), 0.02)
    assert finest_rad(Aberrations(), [region], 0.02, 0.2) == np.inf
    assert finest_rad(Aberrations(C10_nm=10.0), [region], 0.02, 0.2) == pytest.approx(0.02, rel=1e-3)


def test_bad_coefficients_are_one_line():
    """An unknown preset, an unknown coefficient and one that is no number are told with what is allowed."""
    recipe = load_recipe("cantor-small")
    for value, text in (
        ("flat", "'none', 'uncorrected' or 'corrected'"),
        ({"C40_nm": 3.0}, "C40_nm"),
        ({"C30_mm": float("nan")}, "C30_mm"),
    ):
        with pytest.raises(InputError, match=text) as error:
            recipe.with_values({"microscope.aberrations": value})
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"aberrations\.C30_nm: no such key .* the nearest is .*C"):
        recipe.with_values({"microscope.aberrations.C30_nm": 3.0})
