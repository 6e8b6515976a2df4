"""From views to particles: matching, triangulation, the joint fit, and points-matched as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.limits.points import point_limits
from veristem.bench.oracles import true_detections, true_matches
from veristem.bench.scoring import point_pair, score_points
from veristem.datasets import Acquisition, Detections, InputError, ParticleTruth, PointSet
from veristem.datasets.recipe import load_recipe
from veristem.recon.methods import run_method
from veristem.recon.particles.fit import Images, Spheres, fit, thickness
from veristem.recon.particles.matched import detect, reconstruct
from veristem.recon.particles.matching import match_points, triangulate_points
from veristem.recon.particles.profile import RIM_PX, shade_profile
from veristem.sim.simulate import simulate_recipe

TILT = 0.0196
QUADRANTS = TILT * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


def seen(places, rng, sigma=0.04, directions=QUADRANTS, missing=()):
    """Detections of places (N, 3) below the focus plane, in another order in every view; and whose they are."""
    points, covariances, radii, owners = [], [], [], []
    for view, direction in enumerate(directions):
        order = rng.permutation(np.array([n for n in range(len(places)) if (n, view) not in missing], int))
        at = places[order, :2] - places[order, 2:] * np.tan(direction)
        points.append(at + rng.normal(0, sigma, at.shape))
        covariances.append(np.tile(sigma**2 * np.eye(2), (len(order), 1, 1)))
        radii.append(np.full(len(order), 2.25))
        owners.append(order)
    return Detections(tuple(points), tuple(covariances), tuple(radii)), owners


def whose(matches, owners):
    """For every match the set of particles its detections belong to."""
    return [{int(owners[v][k]) for v, k in enumerate(row) if k >= 0} for row in matches.index]


@pytest.fixture(scope="module")
def crowded() -> tuple[ParticleTruth, Acquisition]:
    """A field of 205 nm at 20 mg/ml, some overlap in every view."""
    truth, acquisition, _ = simulate_recipe(load_recipe("particles-small"))
    assert isinstance(truth, ParticleTruth)
    return truth, acquisition


@pytest.fixture(scope="module")
def sparse() -> tuple[ParticleTruth, Acquisition]:
    """A field of 307 nm at 6 mg/ml."""
    values = {"specimen.dispersion.concentration_mg_per_ml": 6.0, "specimen.field_nm": [307.2, 307.2]}
    recipe = load_recipe("particles-small").with_values(values | {"scan.shape": [768, 768]})
    truth, acquisition, _ = simulate_recipe(recipe)
    assert isinstance(truth, ParticleTruth)
    return truth, acquisition


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_every_particle_is_matched_with_itself(seed, count):
    """Whatever the arrangement, matches of all four views join detections of one particle."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-1, 1, (count, 3)) * [100, 100, 85]
    detections, owners = seen(places, rng, sigma=0.01)
    matches = match_points(detections, QUADRANTS, (-89, 89), 4, 0.02)
    assert sum(len(w) == 1 for w in whose(matches, owners)) >= 0.97 * count
    assert len(matches.index) <= count


@pytest.mark.parametrize("fewest", [4, 3, 2])
def test_particles_that_views_missed_come_back_when_fewer_are_asked_for(fewest):
    """One view missed: found with three; two views missed: with two. Nothing else changes."""
    rng = np.random.default_rng(1)
    places = rng.uniform(-1, 1, (150, 3)) * [150, 150, 85]
    missing = {(n, n % 4) for n in range(20)} | {(n, k) for n in range(100, 110) for k in (n % 4, (n + 1) % 4)}
    detections, owners = seen(places, rng, missing=missing)
    found = whose(match_points(detections, QUADRANTS, (-89, 89), fewest, 0.05), owners)
    assert all(len(w) == 1 for w in found)
    assert len(found) == {4: 120, 3: 140, 2: 150}[fewest]


def test_two_that_cross_are_told_to_be_ambiguous():
    """Particles whose detections could be exchanged at no cost are so marked, others are not."""
    # with two views only, two particles on one epipolar line have two solutions that fit alike
    pair = QUADRANTS[[0, 2]]
    places = np.array([[0.0, 0.0, 20.0], [0.5, 0.0, -20.0], [60.0, 40.0, 0.0]])
    detections, _ = seen(places, np.random.default_rng(0), sigma=1e-4, directions=pair)
    matches = match_points(detections, pair, (-89, 89), 2, 0.05)
    apart = np.array([detections.points_nm[0][k][0] > 30 for k in matches.index[:, 0]])
    assert matches.ambiguity[apart].max() < 0.01
    assert matches.ambiguity[~apart].min() > 0.3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_triangulation_of_true_places_is_exact(seed):
    """Without noise any two or more views give back the places, whatever their weights."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-1, 1, (5, 3)) * [50, 50, 80]
    detections, owners = seen(places, rng, sigma=1e-9)
    index = np.stack([np.argsort(o) for o in owners], axis=1)
    index[0, rng.integers(4)] = -1
    index[1, [0, 2]] = -1
    found, _, _ = triangulate_points(detections, index, QUADRANTS)
    assert found == pytest.approx(places, abs=1e-4)


def test_covariance_of_triangulation_is_that_of_its_errors():
    """400 particles: errors over the reported sigma have a root mean square of 1 within 8 %."""
    rng = np.random.default_rng(3)
    places = rng.uniform(-1, 1, (400, 3)) * [50, 50, 80]
    detections, owners = seen(places, rng)
    found, covariance, _ = triangulate_points(detections, np.stack([np.argsort(o) for o in owners], axis=1), QUADRANTS)
    ratio = (found - places) / np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert np.sqrt((ratio**2).mean(axis=0)) == pytest.approx(np.ones(3), abs=0.08)
    assert np.median(covariance[:, 2, 2]) == pytest.approx(0.04**2 / (4 * np.tan(TILT) ** 2), rel=1e-3)


@pytest.mark.parametrize("radius", [4.0, 5.6, 15.0])
def test_a_profile_holds_the_volume_of_its_sphere(radius):
    """The blurred chord integrates to 4/3 pi R³, and differs from the chord only near the edge."""
    square = np.linspace(0, (radius + RIM_PX) ** 2, len(shade_profile(radius)))
    assert np.pi * np.trapezoid(shade_profile(radius), square) == pytest.approx(4 / 3 * np.pi * radius**3, rel=2e-3)
    inner = square < (0.6 * radius) ** 2
    chord = 2 * np.sqrt(radius**2 - square[inner])
    assert shade_profile(radius)[inner] == pytest.approx(chord, rel=0.03)


def synthetic(places, rng, views=4, strength=0.02, level=1000.0, shape=(80, 80)):
    """Images made with the model of the fit itself, with Poisson noise."""
    tangents = tuple(np.tan(d)[None] for d in QUADRANTS[:views])
    blank = np.full((views, *shape), level, np.float32)
    images = Images(blank, blank, tangents, (np.ones(1),) * views)
    spheres = Spheres(places, np.full(len(places), 5.6), strength, 5.6)
    expected = level * np.exp(-strength * thickness(images, spheres))
    return Images(rng.poisson(expected).astype(np.float32), blank, tangents, images.weights), spheres


@pytest.mark.slow
def test_the_fit_shares_out_what_two_particles_take():
    """Two whose shades overlap by half come back to their places in 3D, within four of their own sigmas."""
    rng = np.random.default_rng(0)
    places = np.array([[36.0, 40.0, -150.0], [42.0, 41.0, 120.0]])
    images, spheres = synthetic(places, rng)
    start = Spheres(places + np.array([[1.0, -1.0, 20.0], [-1.0, 1.0, -20.0]]), spheres.radii, 0.02, 5.6)
    found = fit(images, start, spread=0.02)
    assert found.covariance is not None
    assert np.abs((found.places - places) / np.sqrt(np.diagonal(found.covariance, axis1=1, axis2=2))).max() < 4


def test_the_fit_finds_strength_and_size():
    """Begun with a tenth too much of either, both come back within 2 %."""
    rng = np.random.default_rng(0)
    places = np.column_stack([np.mgrid[12:80:16, 12:80:16].reshape(2, -1).T, np.zeros(25)]).astype(float)
    images, spheres = synthetic(places, rng)
    found = fit(images, Spheres(places, spheres.radii * 1.1, 0.022, 6.16), spread=0.02, steps=15, common=True)
    assert (found.strength, found.mean_radius) == pytest.approx((0.02, 5.6), rel=0.02)


@pytest.mark.slow
def test_points_matched_in_a_crowd(crowded):
    """F of at least 0.97 where one particle in five touches another in projection; depth near the limit."""
    truth, acquisition = crowded
    scores = score_points(truth, run_method("points-matched", acquisition))
    assert scores["f_score"] >= 0.97
    assert scores["depth_rmse_nm_over_limit"] < 1.3
    assert 0.8 < scores["calibration"] < 1.25


def test_isolated_particles_reach_the_limit(sparse):
    """Within 1.3 of the limit in depth and across, no bias, and a calibrated covariance, in every direction."""
    truth, acquisition = sparse
    points = reconstruct(acquisition)
    limits = point_limits(truth)
    pair = point_pair(truth, points, None, limits)
    at = truth.particles.centers_nm
    lonely = np.array([np.sort(np.linalg.norm((at - c)[:, :2], axis=1))[1] > 9 for c in at])
    rim = (np.minimum(at[:, :2], truth.particles.box_nm[:2] - at[:, :2]) < 4).any(axis=1)
    chosen = [n for n, m in enumerate(pair.partner) if m >= 0 and lonely[m] and not rim[m]]
    mates = pair.partner[chosen]
    error = points.points_nm[chosen] - at[mates]
    assert len(chosen) > 40
    ratio = np.sqrt((error**2).mean(axis=0) / np.diagonal(limits[mates], axis1=1, axis2=2).mean(axis=0))
    assert ratio.max() < 1.3
    assert np.sqrt(((error / points.sigma_nm[chosen]) ** 2).mean(axis=0)) == pytest.approx(np.ones(3), abs=0.3)
    assert np.median(points.radii_nm) == pytest.approx(2.25, abs=0.05)


@pytest.mark.slow
def test_triplets_bring_back_what_four_views_lose(crowded):
    """Without the joint fit in 3D, asking for three views finds no fewer particles than asking for all four."""
    truth, acquisition = crowded
    four, three = (score_points(truth, reconstruct(acquisition, joint=False, fewest_views=n)) for n in (4, 3))
    assert three["recall"] >= four["recall"]


def test_oracles_replace_a_stage(crowded):
    """True matches find every particle that two views show; true detections lose nothing in matching."""
    truth, acquisition = crowded
    rng = np.random.default_rng(0)
    matched = score_points(truth, reconstruct(acquisition, matches=true_matches(truth, acquisition, rng)))
    detected = score_points(truth, reconstruct(acquisition, detections=true_detections(truth, acquisition, rng)))
    assert matched["f_score"] > 0.99
    assert matched["depth_rmse_nm"] < 1e-6
    assert detected["f_score"] > 0.98


@pytest.mark.slow
def test_the_result_does_not_depend_on_threads(sparse, set_threads):
    """One thread and two give the same bits."""
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(reconstruct(sparse[1]))
    assert (found[0].points_nm == found[-1].points_nm).all()
    assert (found[0].covariance_nm2 == found[-1].covariance_nm2).all()


def test_a_given_diameter_is_used_and_two_views_are_enough(sparse):
    """With the diameter given and only the opposite pair of quadrants most particles are still found."""
    truth, acquisition = sparse
    regions = acquisition.regions
    assert regions is not None
    pair = Acquisition(
        acquisition.views[[0, 2]], acquisition.directions_rad[[0, 2]], acquisition.pixel_nm, acquisition.focus_nm,
        acquisition.thickness_nm, energy_keV=200.0, convergence_rad=0.028,
        regions=(regions[0], regions[2]), kind="particles",
    )  # fmt: skip
    scores = score_points(truth, reconstruct(pair, diameter_nm=4.5))
    assert scores["recall"] > 0.8


def without_regions(acquisition: Acquisition) -> Acquisition:
    """What a foreign file tells: views, directions, pixel size."""
    return Acquisition(
        acquisition.views, acquisition.directions_rad, acquisition.pixel_nm, acquisition.focus_nm, kind="particles"
    )


@pytest.mark.slow
def test_mean_directions_alone_are_nearly_as_good():
    """Without regions and thickness, mean directions still give the depths of particles that only absorb."""
    values = {"specimen.rescattering": False, "specimen.dispersion.concentration_mg_per_ml": 6.0}
    truth, acquisition, _ = simulate_recipe(load_recipe("particles-small").with_values(values))
    scores = score_points(truth, reconstruct(without_regions(acquisition)))
    assert scores["f_score"] > 0.95
    assert abs(scores["depth_bias_nm"]) < 0.3


def blank(views, kind="particles", directions=QUADRANTS):
    """An acquisition of these views."""
    return Acquisition(views, directions, 0.4, 50.0, 100.0, kind=kind)


def test_zero_and_one_particle():
    """A bare film gives no points, a single particle gives one."""
    rng = np.random.default_rng(0)
    assert len(reconstruct(blank(rng.poisson(1000.0, (4, 96, 96)))).points_nm) == 0
    images, _ = synthetic(np.array([[40.0, 40.0, 30.0]]), rng)
    found = reconstruct(blank(images.counts))
    assert found.points_nm == pytest.approx(np.array([[16.0, 16.0, 62.0]]), abs=2.0)


@pytest.mark.parametrize(
    ("views", "message"),
    [
        (np.zeros((4, 64, 64)), "view 1: 0 in every pixel found, counts that vary allowed; it is empty"),
        (np.full((4, 64, 64), 255.0), "view 1: 255 in every pixel found, counts that vary allowed; it is saturated"),
        (np.minimum(np.random.default_rng(0).poisson(100, (4, 64, 64)), 101), "view 1: .* it is saturated"),
        (np.random.default_rng(0).normal(0, 1, (4, 64, 64)), "view 1: -.* counts of electrons allowed"),
    ],
)
def test_bad_views_are_one_line(views, message):
    """An empty, saturated or negative view is named, with what is allowed."""
    for method in ("points-matched", "points-hough", "points-threshold"):
        with pytest.raises(InputError, match=message):
            run_method(method, blank(views))


def test_bad_geometry_and_parameters_are_one_line():
    """Views of unequal size, NaN, one view, no parallax, bad parameters."""
    rng = np.random.default_rng(0)
    good = rng.poisson(1000.0, (4, 64, 64)).astype(float)
    with pytest.raises(InputError, match="views: "):
        blank([np.ones((64, 64)), np.ones((64, 63)), np.ones((64, 64)), np.ones((64, 64))])
    with pytest.raises(InputError, match="views: nan found"):
        blank(np.where(np.arange(64) == 3, np.nan, good))
    with pytest.raises(InputError, match="views: 1 found, at least 2"):
        reconstruct(blank(good[:1], directions=QUADRANTS[:1]))
    with pytest.raises(InputError, match="all views share one direction"):
        reconstruct(blank(good, directions=np.zeros((4, 2))))
    for parameters, message in (
        ({"fewest_views": 1}, "fewest_views: 1 found"),
        ({"rounds": 0}, "rounds: 0 found"),
        ({"diameter_nm": -1.0}, "diameter_nm, spread: -1.0"),
    ):
        with pytest.raises(InputError, match=message):
            reconstruct(blank(good), **parameters)


def test_the_wrong_kind_of_result_is_one_line(sparse):
    """A method for curves on particles, and the other way round."""
    with pytest.raises(InputError, match="returned CurveSet, a PointSet allowed for particles"):
        run_method("stereo-classical", sparse[1])
    with pytest.raises(InputError, match="returned PointSet, a CurveSet allowed for dislocations"):
        run_method("points-matched", blank(sparse[1].views, kind="dislocations"))


def test_detections_lie_on_true_projections(sparse):
    """Each view by itself shows nearly every particle, to a tenth of a nanometre where it is alone."""
    truth, acquisition = sparse
    given = true_detections(truth, acquisition, np.random.default_rng(0))
    for found, there in zip(detect(acquisition).points_nm, given.points_nm):
        nearest = np.linalg.norm(found[:, None] - there[None], axis=2).min(axis=0)
        assert (nearest < 0.3).mean() > 0.93


def test_a_point_set_checks_its_shapes():
    """One row a point everywhere."""
    with pytest.raises(InputError, match="covariance_nm2: shape"):
        PointSet(np.zeros((2, 3)), np.zeros((1, 3, 3)))
    with pytest.raises(InputError, match="points_nm: nan found"):
        PointSet([[0.0, 0.0, np.nan]])


def test_groups_of_any_size_are_solved_as_one():
    """Particles that touch share their errors: the steps and covariances are those of the whole system."""
    from veristem.recon.particles.fit import _solve

    rng = np.random.default_rng(3)
    pairs = np.array([[0, 4], [4, 2], [1, 5], [3, 7], [8, 7]])
    root = rng.normal(size=(9, 4, 6))
    own, cross = root @ root.transpose(0, 2, 1) + 9 * np.eye(4), rng.normal(size=(len(pairs), 4, 4))
    gradient = rng.normal(size=(9, 4))
    whole = np.zeros((9, 4, 9, 4))
    for n in range(9):
        whole[n, :, n] = own[n] + np.diag([4.0, 4.0, 1e-3, 0.0])
    for (a, b), block in zip(pairs, cross, strict=True):
        whole[a, :, b], whole[b, :, a] = block, block.T
    inverse = np.linalg.inv(whole.reshape(36, 36))
    move, covariance = _solve(gradient, own, cross, pairs, 1.0)
    np.testing.assert_allclose(move.ravel(), inverse @ gradient.ravel(), rtol=1e-9)
    for n in range(9):
        np.testing.assert_allclose(covariance[n], inverse.reshape(9, 4, 9, 4)[n, :3, n, :3], rtol=1e-9)
