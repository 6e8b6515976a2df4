"""The probe: aberrations by independent formulas, and where they bring what a detector region shows (check 14)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError, ParticleDispersion
from veristem.datasets.aberrations import FWHM, PRESETS, Aberrations
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region
from veristem.datasets.microscope import Microscope
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of
from veristem.sim.images import foil_images, region_image
from veristem.sim.optics import AberratedImage, blurred, finest_rad, spread_nm2

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
    assert set(PRESETS) == {"none", "uncorrected", "corrected", "unbalanced"}


def radial_nm(aberrations: Aberrations, mrad) -> np.ndarray:
    """Displacement along the radius [nm] at angles [mrad]."""
    theta = 1e-3 * np.atleast_1d(mrad)
    return aberrations.displacement_nm(np.stack([theta, 0 * theta], axis=-1))[:, 0]


def test_a_balanced_lens_leaves_rays_of_its_ring_alone():
    """-49 um and 120 nm at 70 mrad; what is left is C50 theta (theta² - theta_0²)²."""
    lens = Aberrations(C50_mm=5.0, balanced_mrad=70.0)
    found = {name: value for name, (value, _) in lens.coefficients_nm().items()}
    assert found == pytest.approx({"C10": 120.05, "C30": -49e3, "C50": 5e6})
    theta = 1e-3 * np.linspace(0, 91, 20)
    np.testing.assert_allclose(radial_nm(lens, 1e3 * theta), 5e6 * theta * (theta**2 - 0.07**2) ** 2, atol=1e-9)
    assert np.abs(radial_nm(lens, [69.99, 70.0, 70.01])).max() < 1e-6  # neither value nor slope
    # what is given stands
    assert Aberrations(preset="corrected", balanced_mrad=70.0, C10_nm=3.0).coefficients_nm()["C10"] == (3.0, 0.0)


@pytest.mark.parametrize(
    ("detector", "ring"),
    [
        ({"kind": "virtual", "pair_angle_deg": 8.0}, 69.813),
        ({"kind": "virtual", "pair_angle_deg": 4.0}, 34.907),
        ({"kind": "segmented", "inner_mrad": 60.0, "outer_mrad": 80.0}, 70.476),
        ({"kind": "annular", "inner_mrad": 60.0, "outer_mrad": 80.0}, 70.476),
        ({"kind": "annular", "outer_mrad": 20.0}, 0.0),
        ({"kind": "annular", "inner_mrad": 100.0, "outer_mrad": 120.0}, 0.0),
    ],
)
def test_a_corrected_lens_is_balanced_where_the_detector_looks(detector, ring):
    """On the centres of discs, the mean radius of rings; nowhere on the axis or beyond the cone."""
    recipe = load_recipe("cantor-small").with_values(
        {"microscope.aberrations": "corrected", "microscope.detector": detector}
    )
    lens = recipe.microscope.balanced.aberrations
    assert lens.balanced_mrad == pytest.approx(ring, rel=3e-3)
    assert recipe.microscope.aberrations.balanced_mrad is None  # the recipe says no more than it did
    free = recipe.with_values({"microscope.aberrations": "unbalanced"}).microscope
    assert free.balanced == free


def test_the_balance_goes_with_the_pair_angle():
    """In a study every condition has its own, though all come from one recipe; the specimen stays the same."""
    recipe = load_recipe("cantor-small").with_values({"microscope.aberrations": "corrected"})
    changed = recipe.with_values({"microscope.detector.pair_angle_deg": 4.0})
    assert changed.microscope.balanced.aberrations.balanced_mrad == pytest.approx(34.907, rel=1e-4)
    assert changed.images_key != recipe.images_key
    assert changed.specimen_key == recipe.specimen_key
    for microscope in (recipe.microscope.balanced, changed.microscope.balanced):
        for region in microscope.detector.regions(0.0):
            assert np.linalg.norm(microscope.aberrations.shift_nm(region, 0.091)[0]) < 0.5


def test_specimens_that_reach_beyond_the_field_differ():
    """The lens moves a steep pair by more than a shallow one: what is made for one is not enough for the other."""
    recipe = load_recipe("cantor-small").with_values({"microscope.aberrations": "uncorrected"})
    shallow = recipe.with_values({"microscope.detector.pair_angle_deg": 4.0})
    assert recipe.beyond_nm > 2 * shallow.beyond_nm
    assert recipe.specimen_key != shallow.specimen_key


def test_energies_blur_along_the_ray():
    """1 eV and 1.2 mm at 200 kV: defocus of 7 nm of full width, 0.49 nm at 70 mrad; against a mean over energies."""
    lens = Aberrations(energy_spread_eV=1.0)
    spread = lens.defocus_spread_nm(200.0)
    assert spread * FWHM == pytest.approx(1.2e6 * 1 / 200e3 * 1.163, rel=1e-3)
    disc = Region((0.07, 0.0), 2e-3)
    blur = spread_nm2(Microscope(aberrations=lens), disc)
    assert np.sqrt(blur[0, 0]) == pytest.approx(0.07 * spread, rel=1e-3)
    assert np.sqrt(blur[1, 1]) == pytest.approx(1e-3 * spread, rel=0.02)
    # the image of a particle: the mean over the energies of images with the defocus of each
    detector = {"kind": "virtual", "pair_angle_deg": 2.0, "radius_mrad": 4.0, "pair_azimuth_deg": 30.0}
    place, values = np.array([[38.0, 40.2, 60.0]]), {"microscope.detector": detector}

    def image(**aberrations):
        recipe = particles(values | {"microscope.aberrations": aberrations})
        return acquire(one_particle(recipe, place), recipe, np.random.default_rng(0))[0].expected[0].astype(float)

    wide = 10.0  # eV, so that it shows at 17 mrad
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    defocus = Aberrations(energy_spread_eV=wide).defocus_spread_nm(200.0) * nodes
    wanted = sum(w * image(C10_nm=f) for w, f in zip(weights / weights.sum(), defocus))
    plain, found = image(), image(energy_spread_eV=wide)
    assert np.abs(plain - wanted).max() > 0.02 * wanted.max()
    np.testing.assert_allclose(found, wanted, atol=5e-3 * wanted.max())


@settings(max_examples=10, deadline=None)
@given(st.floats(10, 60), st.floats(3, 15), st.floats(0, 360))
def test_a_sub_aperture_moves_by_its_mean_displacement(center, radius, azimuth_deg):
    """Check 14. A disc of radius rho about theta_0: the mean of C3 |theta|² theta is C3 theta_0 (theta_0² + rho²)."""
    turn = np.radians(azimuth_deg)
    theta, rho = 1e-3 * center * np.array([np.cos(turn), np.sin(turn)]), 1e-3 * radius
    region, cone = Region((theta[0], theta[1]), rho), theta @ theta + 1.0
    aberrations = Aberrations(C10_nm=150.0, C30_mm=0.05)
    wanted = 150.0 * theta + 0.05e6 * theta * (theta @ theta + rho**2)
    np.testing.assert_allclose(aberrations.shift_nm(region, cone)[0], wanted, atol=0.02 * PIXEL)
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
        {"scan.shape": [192, 192], "specimen.field_nm": [76.8, 76.8], "specimen.rescattering": False, **values}
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


@pytest.mark.slow
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
    image = blurred(point, spread_nm2(Microscope(source_size_nm=4.0), Region((0.0, 0.0), 0.01)), 0.5)
    assert image.sum() == pytest.approx(1)
    row = image[32] / image[32, 32]
    half = np.interp(0.5, row[32:][::-1], np.arange(33)[::-1])
    assert 2 * half * 0.5 == pytest.approx(4.0, rel=0.02)
    assert blurred(point, np.zeros((2, 2)), 0.5) is point


def test_rays_are_as_fine_as_the_blur_needs():
    """Without aberrations they need be no finer; with defocus C1 they land C1 dtheta apart."""
    region = Region((0.0, 0.0), 0.02)
    assert finest_rad(Aberrations(), [region], 0.02, 0.2) == np.inf
    assert finest_rad(Aberrations(C10_nm=10.0), [region], 0.02, 0.2) == pytest.approx(0.02, rel=1e-3)


def test_bad_coefficients_are_one_line():
    """An unknown preset, an unknown coefficient and one that is no number are told with what is allowed."""
    recipe = load_recipe("cantor-small")
    for value, text in (
        ("flat", "'none', 'uncorrected', 'corrected' or 'unbalanced'"),
        ({"C40_nm": 3.0}, "C40_nm"),
        ({"C30_mm": float("nan")}, "C30_mm"),
    ):
        with pytest.raises(InputError, match=text) as error:
            recipe.with_values({"microscope.aberrations": value})
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"aberrations\.C30_nm: no such key .* the nearest is .*C"):
        recipe.with_values({"microscope.aberrations.C30_nm": 3.0})
