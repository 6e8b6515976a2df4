"""From a recipe to counts: statistics, and independence of everything that must not matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from veristem.datasets import InputError
from veristem.datasets.microscope import Response
from veristem.datasets.recipe import Recipe
from veristem.sim.acquire import acquire
from veristem.sim.noise import detect, electrons_per_pixel
from veristem.sim.specimen import make_specimen

SMALL = {
    "recipe": {"name": "small"},
    "specimen": {
        "thickness_nm": 100.0,
        "field_nm": [256.0, 256.0],
        "beams": 2,
        "diffuse": False,
        "network": {"density_per_m2": 1.0e14},
    },
    "scan": {"shape": [64, 64], "pixel_nm": 4.0},
}


def image(seed: int = 0, **values):
    """Truth and acquisition of the small recipe with some values changed (dots as double underscores)."""
    recipe = Recipe.from_table(SMALL, "small").with_values({k.replace("__", "."): v for k, v in values.items()})
    specimen_rng, noise_rng = np.random.default_rng(seed).spawn(2)
    return acquire(make_specimen(recipe, specimen_rng), recipe, noise_rng)


@pytest.fixture(scope="module")
def small():
    """Truth and acquisition of the small recipe."""
    return image()


def test_dose_is_current_times_dwell():
    """0.1 nA for 10 us are 6242 electrons."""
    assert electrons_per_pixel(0.1, 10.0) == pytest.approx(6241.5, abs=0.1)


def test_counts_are_poisson(small):
    """Mean and variance of the counts are the expected counts, within 3 sigma of what so many pixels allow."""
    truth, acquisition = small
    pull = (acquisition.views - truth.expected) / np.sqrt(truth.expected)
    assert acquisition.views.dtype == np.float32
    assert np.array_equal(acquisition.views, np.round(acquisition.views))
    assert abs(pull.mean()) < 3 / np.sqrt(pull.size)
    assert abs(pull.var() - 1) < 3 * np.sqrt(2 / pull.size + 1 / (truth.expected.mean() * pull.size))


def test_the_line_is_seen_and_labelled(small):
    """Labels mark where the image is disturbed: a truth that does not fit its images would spoil every score."""
    truth, acquisition = small
    disturbed = np.abs(truth.expected / np.median(truth.expected, axis=(1, 2), keepdims=True) - 1)
    assert (truth.labels == 1).any()
    assert disturbed[truth.labels == 1].mean() > 1.5 * disturbed[truth.labels == 0].mean()
    assert acquisition.directions_rad[0] @ acquisition.directions_rad[1] < 0
    assert np.ptp(truth.expected) > 0.03 * truth.expected.mean()


def test_counts_do_not_depend_on_threads(small, set_threads):
    """One core and two give the same counts, bit for bit."""
    for threads in (1, 2):
        set_threads(threads)
        truth, acquisition = image()
        assert np.array_equal(truth.expected, small[0].expected)
        assert np.array_equal(acquisition.views, small[1].views)


def test_seeds_differ(small):
    """Another seed is another specimen and other noise; seed 0 is a seed."""
    assert not np.array_equal(image(seed=1)[1].views, small[1].views)
    assert np.array_equal(image(seed=0)[1].views, small[1].views)


def test_a_row_has_its_own_noise():
    """A row's counts stay the same when other rows and views are changed, and views do not repeat each other."""
    expected = np.full((2, 8, 50), 100.0, np.float32)
    changed = expected.copy()
    changed[0, :5] = 3.0
    changed[1] = 7.0
    first, second = (detect(e, Response(), np.random.default_rng(5)) for e in (expected, changed))
    assert np.array_equal(first[0, 5:], second[0, 5:])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0, 0], first[0, 1])


def test_four_quadrants():
    """Each quadrant receives a quarter of the annulus, and opposite ones look from opposite sides."""
    _, acquisition = image(
        microscope__detector={"kind": "segmented", "inner_mrad": 14.0, "outer_mrad": 28.0, "rotation_deg": 45.0},
        microscope__convergence_mrad=28.0,
    )
    assert acquisition.views.shape == (4, 64, 64)
    mean = (2 * np.sqrt(2) / np.pi) * (2 / 3) * (28.0**3 - 14.0**3) / (28.0**2 - 14.0**2)
    np.testing.assert_allclose(1e3 * np.hypot(*acquisition.directions_rad.T), mean, rtol=5e-3)
    np.testing.assert_allclose(acquisition.directions_rad[0], -acquisition.directions_rad[2], atol=1e-4)
    dose = electrons_per_pixel(0.1, 590.0) * (1 - 0.25) / 4
    np.testing.assert_allclose(acquisition.electrons_per_pixel, dose, rtol=0.01)


def test_a_region_outside_the_cone_is_an_input_error():
    """The commonest slip of a recipe: a pair wider than the cone."""
    with pytest.raises(InputError, match=r"region at 104\.7 mrad found, outside the cone of 60\.0 mrad"):
        image(microscope__detector__pair_angle_deg=12.0, microscope__convergence_mrad=60.0)


def test_the_acquisition_holds_no_truth(small):
    """Nominal geometry only: no field of the acquisition is, or holds, anything of the specimen."""
    truth, acquisition = small
    names = {f.name for f in dataclasses.fields(acquisition)}
    assert not names & {"network", "recipe", "seed", "expected", "labels", "visible"}
    assert not np.array_equal(acquisition.views, truth.expected)


def lens_share(pair_angle_deg: float, radius_mrad: float) -> float:
    """Share of a disc's area that the other disc of a pair has in common with it."""
    apart = np.radians(pair_angle_deg) / (2e-3 * radius_mrad)
    return float(2 / np.pi * (np.arccos(apart) - apart * np.sqrt(1 - apart**2)))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"stage__tilts_deg": [0.0, 10.0]},
        {"microscope__response": {"mode": "integrating", "dqe": 0.5}},
        {"specimen": {"kind": "particles", "field_nm": [64.0, 64.0], "thickness_nm": 50.0}, "scan__pixel_nm": 1.0},
    ],
)
def test_overlapping_discs_share_electrons(values):
    """The noise of both views goes together as far as their areas do: an electron on both counts in both."""
    detector = {"kind": "virtual", "pair_angle_deg": 0.2, "radius_mrad": 15.0}
    truth, acquisition = image(microscope__detector=detector, **values)
    pull = ((acquisition.views - truth.expected) / np.sqrt(truth.expected)).reshape(-1, 2, 64 * 64)
    share = lens_share(0.2, 15.0)
    for one in pull:
        found = np.corrcoef(one)[0, 1]
        assert abs(found - share) < 4 * (1 - share**2) / 64 + 0.01
    if len(pull) > 1:  # another tilt is another scan
        assert abs(np.corrcoef(pull[0, 0], pull[1, 0])[0, 1]) < 4 / 64


def test_moments_of_shared_counts():
    """Views made of parts keep mean and variance of Poisson's distribution; what is read out is each view's own."""
    expected = np.full((3, 50, 400), 20.0)
    member = np.array([[True, False, True], [False, True, True]])
    views = detect(expected, Response(), np.random.default_rng(0), member)
    np.testing.assert_allclose(views.mean(axis=(1, 2)), 40.0, atol=4 * np.sqrt(40 / 20000))
    np.testing.assert_allclose(np.cov(views.reshape(2, -1)), [[40, 20], [20, 40]], atol=2.0)
    noisy = detect(0 * expected, Response(mode="integrating", readout_electrons=5.0), np.random.default_rng(0), member)
    np.testing.assert_allclose(np.cov(noisy.reshape(2, -1)), [[25, 0], [0, 25]], atol=1.2)
    full = detect(expected, Response(saturation_electrons=30.0), np.random.default_rng(0), member)
    assert full.max() == 30


def test_an_aperture_has_a_scan_for_each_place():
    """Its places may overlap: electrons of two scans are different ones."""
    detector = {"kind": "aperture", "pair_angle_deg": 0.2, "radius_mrad": 15.0}
    truth, acquisition = image(microscope__detector=detector)
    pull = (acquisition.views - truth.expected) / np.sqrt(truth.expected)
    assert abs(np.corrcoef(pull.reshape(2, -1))[0, 1]) < 4 / 64
