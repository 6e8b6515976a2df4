"""Stage and scan: tilted views, and errors that views share or do not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.oracles import true_contours
from veristem.bench.scoring import score_curves
from veristem.datasets import InputError, ParticleDispersion
from veristem.datasets.geometry import Region, Tilt, inverse, mapped, project
from veristem.datasets.microscope import Microscope, Scan
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.recon.methods import run_method
from veristem.recon.stereo.classical import reconstruct
from veristem.sim.acquire import acquire
from veristem.sim.film import Film, film_of
from veristem.sim.images import foil_images, region_image
from veristem.sim.scan import displacement_nm, relative_current, sampled
from veristem.sim.simulate import simulate_recipe
from veristem.sim.specimen import make_specimen

PIXEL = 0.4
QUICK = {"scan.shape": [192, 192], "specimen.field_nm": [76.8, 76.8]}
TINY_FOIL = {"scan.shape": [32, 32], "specimen.field_nm": [128.0, 128.0], "specimen.diffuse": False}
ABSORB = {"specimen.rescattering": False}  # a particle then stands where the mean direction says


def film(values: dict, place) -> tuple[Recipe, object]:
    """A recipe of four quadrants and a film with one sphere."""
    recipe = load_recipe("particles-small").with_values(QUICK | ABSORB | values)
    box = np.array([*recipe.specimen.field_nm, recipe.specimen.thickness_nm])
    return recipe, film_of(recipe.specimen, ParticleDispersion(np.array([place]), np.array([2.25]), box))


def centroid(image: np.ndarray) -> np.ndarray:
    """Place (x, y) [nm] of what is darker than the median of the image."""
    dark = np.maximum(np.median(image) - image, 0)
    dark[dark < 1e-3 * dark.max()] = 0
    j, i = np.mgrid[: image.shape[0], : image.shape[1]]
    return (np.array([(dark * i).sum(), (dark * j).sum()]) / dark.sum() + 0.5) * PIXEL


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.9, 0.9), st.floats(0, 7), st.tuples(*[st.floats(-80, 80)] * 3))
def test_the_map_to_the_image_is_the_turn_of_the_specimen(angle, axis, point):
    """Parallel rays: shift along the ray onto the focus plane, then foreshorten, is turn, then drop z."""
    tilt, field, focus = Tilt(angle, axis), np.array([100.0, 60.0]), 40.0
    middle = np.array([50.0, 30.0, focus])
    turned = tilt.rotation @ (np.array(point) - middle)
    along = tilt.into_specimen(np.zeros(2))
    np.testing.assert_allclose(
        project(point, along, focus, tilt.to_image(field)), turned[:2] + middle[:2], rtol=1e-9, atol=1e-9
    )
    there = tilt.to_image(field, 0.02, (5.0, -3.0))
    np.testing.assert_allclose(mapped(mapped(np.array(point[:2]), there), inverse(there)), point[:2], atol=1e-9)


@pytest.mark.parametrize("tilt", [-50.0, -20.0, 4.0, 50.0])
def test_a_particle_of_a_tilted_film_shows_where_the_truth_projects_it(tilt):
    """Check 11 at large angles, with all errors of the stage: within 0.05 of a pixel, sampled once more."""
    stage = {"stage.tilts_deg": [tilt], "stage.shift_nm": 3.0, "stage.axis_error_deg": 2.0}
    place = [40.0, 37.0, 95.0]
    recipe, one = film(stage, place)
    truth, acquisition = acquire(one, recipe, np.random.default_rng(1))
    for view, expected in enumerate(truth.expected):
        found = centroid(expected)
        assert np.abs(found - truth.project(place, view)).max() < 0.05 * PIXEL
        off = np.abs(found - acquisition.project(place, view)).max()
        assert 0.3 < off < 5  # the nominal geometry knows neither the shift nor the turn


def test_a_tilted_foil_is_one_seen_from_elsewhere(foil_with_line):
    """On the focus plane a foil tilted about g shows what a narrow disc that much off the axis shows of a level one.

    Only the way through the foil is longer by 1/cos.
    """
    line = foil_with_line([[20.0, -300, 10], [108, 430, 90]])
    tilt, shape, microscope = Tilt(np.radians(4.0), np.pi / 2), (64, 64), Microscope()
    seen = tilt.into_specimen(np.zeros(2))
    np.testing.assert_allclose(seen, [-np.radians(4.0), 0], atol=1e-12)
    (level,) = foil_images(line, [Region((seen[0], 0.0), 5e-3)], microscope, 2.0, shape)
    (tilted,) = foil_images(line, [Region((0.0, 0.0), 5e-3)], microscope, 2.0, shape, tilt=tilt)
    (straight,) = foil_images(line, [Region((0.0, 0.0), 5e-3)], microscope, 2.0, shape)
    off, far = np.std(tilted.share - level.share), np.std(straight.share - level.share)
    assert off < 0.15 * far
    np.testing.assert_allclose(tilted.mean_rad, level.mean_rad, atol=1e-4)


def test_tilting_about_g_keeps_the_excitation_error(foil_with_line):
    """A perfect foil transmits at 40 degrees what one 1/cos thicker does: s is the same."""
    perfect = foil_with_line([[64.0, -300, 50], [64, 430, 50]])
    perfect.network.burgers_nm[:] = 0
    region, microscope = Region((0.0, 0.0), 2e-4), Microscope(convergence_mrad=0.2)
    (tilted,) = foil_images(perfect, [region], microscope, 4.0, (16, 16), tilt=Tilt(np.radians(40), np.pi / 2))
    thicker = foil_with_line([[64.0, -300, 50], [64, 430, 50]])
    thicker.network.burgers_nm[:] = 0
    thicker.thickness_nm = 100.0 / np.cos(np.radians(40))
    thicker.focus_nm = thicker.thickness_nm / 2
    np.testing.assert_allclose(
        tilted.share.mean(), region_image(thicker, region, microscope, 4.0, (16, 16)).mean(), rtol=2e-3
    )


def test_opposite_tilts_mirror_about_the_focus_plane():
    """A sphere on the focus plane in the middle stays where it is; above and below it moves to opposite sides."""
    recipe, one = film({"stage.tilts_deg": [-10.0, 10.0]}, [38.4, 38.4, 89.0])
    still = acquire(one, recipe, np.random.default_rng(0))[0].expected
    np.testing.assert_allclose([centroid(e) for e in still], 38.4, atol=0.02 * PIXEL)
    recipe, one = film({"stage.tilts_deg": [-10.0, 10.0]}, [38.4, 38.4, 109.0])
    left, right = np.split(
        np.array([centroid(e)[0] for e in acquire(one, recipe, np.random.default_rng(0))[0].expected]), 2
    )
    np.testing.assert_allclose((right - left).mean(), 2 * 20 * np.sin(np.radians(10)), atol=0.1 * PIXEL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["virtual", "aperture"])
def test_jitter_is_common_to_views_taken_at_once_alone(kind):
    """Check 12: two discs at one place see the same errors with a pixelated detector, others with a moved aperture."""
    detector = {"kind": kind, "pair_angle_deg": 1e-4, "radius_mrad": 12.0}
    recipe = load_recipe("cantor-small").with_values(
        {"microscope.detector": detector, "scan.jitter_nm": 3.0, "microscope.current_noise": 0.01}
        | {"specimen.diffuse": False}
    )
    shaken = simulate_recipe(recipe)[0].expected
    still = simulate_recipe(recipe.with_values({"scan.jitter_nm": 0.0, "microscope.current_noise": 0.0}))[0].expected
    first, second = (shaken - still).reshape(2, -1)
    assert np.std(first) > 0.005 * still.mean()
    alike = np.corrcoef(first, second)[0, 1]
    assert alike > 0.999 if kind == "virtual" else abs(alike) < 0.2


def test_displacements_are_those_of_the_keys():
    """Jitter: independent rows with the standard deviation told. Flyback decays along a row. Drift is steady."""
    shape, dwell = (2000, 40), 10.0
    jitter = displacement_nm(Scan(shape=shape, dwell_us=dwell, jitter_nm=2.0), np.random.default_rng(0))
    assert np.ptp(jitter, axis=2).max() == 0
    np.testing.assert_allclose(jitter[:, :, 0].std(axis=1), 2.0, rtol=3 / np.sqrt(2 * 2000))
    assert abs(np.corrcoef(jitter[0, 1:, 0], jitter[0, :-1, 0])[0, 1]) < 3 / np.sqrt(2000)
    flyback = displacement_nm(
        Scan(shape=shape, dwell_us=dwell, flyback_nm=5.0, flyback_us=100.0), np.random.default_rng(0)
    )
    np.testing.assert_allclose(flyback[0], np.broadcast_to(-5 * np.exp(-np.arange(40) / 10), shape))
    assert not flyback[1].any()
    drift = displacement_nm(Scan(shape=shape, dwell_us=dwell, drift_nm_per_s=3.0), np.random.default_rng(0))
    seconds = 2000 * 40 * 1e-5
    np.testing.assert_allclose(np.linalg.norm(drift[:, -1, -1]), 3.0 * seconds, rtol=1e-3)
    np.testing.assert_allclose(np.diff(drift[:, :, 0], axis=1).std(axis=1), 0, atol=1e-12)
    assert Scan().perfect
    assert not displacement_nm(Scan(), np.random.default_rng(0)).any()
    current = relative_current(Scan(shape=shape), 0.05, np.random.default_rng(0))
    assert current.std() == pytest.approx(0.05, rel=3 / np.sqrt(2 * current.size))


def test_the_image_is_sampled_where_the_beam_was():
    """A displacement of one pixel shows the neighbour; a smooth image is followed in between."""
    y, x = np.mgrid[:40, :50].astype(float)
    image = np.sin(0.3 * x) + np.cos(0.2 * y)
    at = np.stack(np.broadcast_arrays((np.arange(30) + 0.5) * 2.0 + 2.0, (np.arange(20)[:, None] + 0.5) * 2.0 - 1.0))
    found = sampled(image, 10, 2.0, at)
    np.testing.assert_allclose(
        found, np.sin(0.3 * (x[10:30, 10:40] + 1)) + np.cos(0.2 * (y[10:30, 10:40] - 0.5)), atol=1e-3
    )


def test_errors_change_neither_the_specimen_nor_the_counting_of_others():
    """Imperfections that are off leave every count as it was; the truth keeps the nominal lines."""
    recipe = load_recipe("cantor-small").with_values(TINY_FOIL)
    truth, acquisition, _ = simulate_recipe(recipe)
    moved, shaken, _ = simulate_recipe(recipe.with_values({"scan.jitter_nm": 1.0, "stage.angle_error_deg": 0.0}))
    np.testing.assert_array_equal(truth.network.nodes_nm, moved.network.nodes_nm)
    assert (acquisition.views != shaken.views).any()
    again = simulate_recipe(recipe.with_values({"scan.drift_nm_per_s": 0.0}))[1]
    np.testing.assert_array_equal(acquisition.views, again.views)


def test_a_tilted_pair_is_reconstructed():
    """From true contours stereo-classical finds the depths: foreshortening, 2 % here, is taken out."""
    values = {"stage.tilts_deg": [-12.0, 12.0], "microscope.detector": {"kind": "annular", "outer_mrad": 10.0}}
    truth, acquisition, _ = simulate_recipe(load_recipe("cantor-small").with_values(values))
    np.testing.assert_allclose(np.degrees(acquisition.directions_rad[:, 0]), [12.0, -12.0], atol=2e-3)
    contours = true_contours(truth, acquisition, np.random.default_rng(0))
    scores = score_curves(truth, reconstruct(acquisition, contours=contours))
    assert scores["precision"] > 0.9
    assert abs(scores["depth_bias_nm"]) < 0.5
    assert scores["depth_rmse_nm"] < 2.5
    assert scores["lateral_rmse_nm"] < 2


@pytest.mark.parametrize("method", ["points-hough", "points-matched", "points-threshold"])
def test_a_tilted_film_is_refused_by_methods_that_know_no_tilt(method):
    """One line, instead of wrong depths."""
    recipe, one = film({"stage.tilts_deg": [-10.0, 10.0]}, [38.4, 38.4, 89.0])
    acquisition = acquire(one, recipe, np.random.default_rng(0))[1]
    with pytest.raises(InputError, match="tilt"):
        run_method(method, acquisition)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"stage.tilts_deg": []}, "no tilt"),
        ({"stage.tilts_deg": [0.0, 0.0]}, "twice"),
        ({"stage.tilts_deg": [75.0]}, "75"),
        ({"stage.tilts_deg": {"start": 10, "stop": -10, "step": 2}}, "stop"),
        ({"stage.tilts_deg": {"start": -10, "stop": 10, "step": 0}}, "step"),
        ({"scan.dwell_us": -1.0}, "dwell_us"),
        ({"microscope.current_nA": 0.0}, "current_nA"),
        ({"microscope.current_noise": float("nan")}, "current_noise"),
        ({"scan.jitter_nm": -1.0}, "jitter_nm"),
    ],
)
def test_bad_keys_are_one_line(values, text):
    """What was found and what is allowed, with the key."""
    with pytest.raises(InputError, match=text) as error:
        load_recipe("cantor-small").with_values(values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("segments", [4, 16])
@pytest.mark.parametrize("name", ["particles-small", "cantor-small"])
def test_segments_add_up_to_the_annulus_and_are_made_of_virtual_pixels(name, segments):
    """Check 12: expectations to 1e-6. A virtual pixel is a cell of rings and spokes finer than the segments.

    Apart, regions of a foil are sampled by rays of their own directions.
    """
    recipe = load_recipe(name).with_values(
        {"microscope.convergence_mrad": 28.0, "scan.shape": [64, 64], "specimen.field_nm": [25.6, 25.6]}
        if name == "particles-small"
        else {"microscope.convergence_mrad": 28.0, "scan.shape": [32, 32], "specimen.field_nm": [128.0, 128.0]}
    )
    specimen = make_specimen(recipe, np.random.default_rng(0))

    def images(regions):
        raster = (recipe.scan.pixel_nm, recipe.scan.shape)
        if isinstance(specimen, Film):
            return np.array([i.share for i in specimen.images(regions, recipe.microscope, *raster)])
        return np.array([i.share for i in foil_images(specimen, regions, recipe.microscope, *raster)])

    def cells(rings, spokes):
        edges = 1e-3 * np.linspace(14.0, 28.0, rings + 1)
        start, width = -np.pi / 4, 2 * np.pi / spokes
        return [
            Region((0.0, 0.0), outer, inner, start + k * width, width)
            for inner, outer in pairwise(edges)
            for k in range(spokes)
        ]

    table = load_recipe(name).with_values(
        {"microscope.detector": {"kind": "segmented", "inner_mrad": 14.0, "outer_mrad": 28.0, "segments": segments}}
    )
    regions, whole = table.microscope.detector.regions(0.0), Region((0.0, 0.0), 28e-3, 14e-3)
    found = images(regions)
    (annulus,) = images([whole])
    apart = 1e-6 if name == "particles-small" else 4e-3
    np.testing.assert_allclose(found.sum(axis=0), annulus, rtol=apart)
    together = images([*regions, whole])
    np.testing.assert_allclose(together[:-1].sum(axis=0), together[-1], rtol=1e-6)
    pixels = images(cells(4, 8)).reshape(segments // 4, 16 // segments, 4, 2, *annulus.shape)
    np.testing.assert_allclose(pixels.sum(axis=(1, 3)).reshape(found.shape), found, rtol=5 * apart)
