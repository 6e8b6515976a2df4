"""Scores of particles against values worked out by hand, and what must hold for any particles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.metrics import metrics
from veristem.bench.scoring import point_pair, score, score_points
from veristem.datasets import CurveSet, InputError, ParticleDispersion, PointSet

BOX = (200.0, 100.0, 80.0)
RADIUS = 2.0
TWO = [[50.0, 50.0, 40.0], [150.0, 50.0, 40.0]]
ERRORS = (
    "depth_bias_nm",
    "lateral_bias_x_nm",
    "lateral_bias_y_nm",
    "depth_rmse_nm",
    "depth_spread_nm",
    "lateral_rmse_nm",
    "lateral_spread_nm",
    "calibration",
)
OVER_LIMIT = ("depth_rmse_nm_over_limit", "lateral_rmse_nm_over_limit")
SHARES = ("precision", "recall", "f_score")
quick = settings(deadline=None, max_examples=25)


def spheres(centers, radii=RADIUS) -> ParticleDispersion:
    """Particles in a film of 200 x 100 x 80 nm."""
    centers = np.reshape(np.asarray(centers, float), (-1, 3))
    return ParticleDispersion(centers, np.broadcast_to(np.asarray(radii, float), len(centers)).copy(), np.array(BOX))


def points(where, *sigma) -> PointSet:
    """Points found, with the standard deviations that are reported for them, if any."""
    where = np.reshape(np.asarray(where, float), (-1, 3))
    covariance = np.broadcast_to(np.diag(np.square(sigma)), (len(where), 3, 3)) if sigma else None
    return PointSet(where, covariance)


def limits(count: int, *sigma) -> np.ndarray:
    """The same limit for every particle."""
    return np.broadcast_to(np.diag(np.square(sigma)), (count, 3, 3)).copy()


def shares(truth, found, **options) -> tuple:
    """Precision, recall and F."""
    result = score_points(truth, found, **options)
    return tuple(result[name] for name in SHARES)


def test_identical_is_perfect():
    """Every metric has its good value where it is a share or an error, and the counts are those of the truth."""
    result = score_points(spheres(TWO), points(TWO, 1, 1, 1), covariance_nm2=limits(2, 1.0, 1.0, 4.0))
    assert [result[name] for name in (*ERRORS, *OVER_LIMIT)] == [0] * 10
    assert [result[name] for name in SHARES] == [1, 1, 1]
    assert (result["count_truth"], result["count_found"], result["tolerance_nm"]) == (2, 2, None)
    assert set(result) == {*(m.name for m in metrics() if "points" in m.of), "tolerance_nm"}


@pytest.mark.parametrize(
    ("shift", "found"),
    [
        ((1.9, 0, 0), True),
        ((0, -2.0, 0), True),  # a radius to the last bit still counts
        ((1.5, 1.5, 0), False),  # 2.12 nm: a distance, not a box
        ((2.1, 0, 0), False),
        ((0, 0, 2.0), True),
        ((0, 0, 2.1), False),
        ((1.9, 0, -1.9), True),  # across the beam and along it, each by itself
    ],
)
def test_within_a_radius(shift, found):
    """Without limits a match lies within one radius across the beam and one along it."""
    result = score_points(spheres(TWO), points(np.add(TWO, shift)))
    assert [result[name] for name in SHARES] == [found] * 3
    if not found:
        assert all(result[name] is None for name in (*ERRORS, *OVER_LIMIT))


@pytest.mark.parametrize(
    ("dz", "sigma", "found"),
    [(2.9, 1.0, True), (-2.9, 1.0, True), (3.1, 1.0, False), (1.9, 0.1, True), (2.1, 0.1, False), (1.9, np.nan, True)],
)
def test_depth_within_three_deviations_of_the_limit(dz, sigma, found):
    """Where physics itself allows a larger error than a radius, three times that; else, and without one, the radius."""
    truth, covariance = spheres(TWO), limits(2, 0.01, 0.01, sigma)
    assert shares(truth, points(np.add(TWO, (0, 0, dz))), covariance_nm2=covariance) == (found,) * 3
    beside = points(np.add(TWO, (2.1, 0, 0)))
    assert shares(truth, beside, covariance_nm2=limits(2, 9.0, 9.0, sigma))[2] == 0  # it widens the depth alone


def test_each_particle_has_its_own_radius_and_limit():
    """A large particle may be missed by more than a small one, a vague one in depth by more than a sharp one."""
    truth = spheres(TWO, [5.0, 1.0])
    assert shares(truth, points(np.add(TWO, (3.0, 0, 0)))) == (0.5, 0.5, 0.5)
    covariance = limits(2, 0.1, 0.1, 0.1)
    covariance[1, 2, 2] = 4.0
    deep = points(np.add(TWO, (0, 0, 5.5)))
    assert list(point_pair(truth, deep, None, covariance).partner) == [-1, 1]


def test_errors_by_hand():
    """Depth errors 1 and 3 nm, lateral ones 0.5 (3:4:5) and 1 nm, sigma 2 and limits 0.3, 0.4, 1.5 nm."""
    found = points(np.add(TWO, [(0.3, 0.4, 1.0), (0, 1.0, 3.0)]), 1.0, 1.0, 2.0)
    expected = {
        "depth_bias_nm": 2.0,
        "depth_rmse_nm": np.sqrt(5),
        "depth_spread_nm": 1.0,
        "lateral_rmse_nm": np.sqrt(1.25 / 2),
        "lateral_spread_nm": np.hypot(0.15, 0.3),
        "lateral_bias_x_nm": 0.15,
        "lateral_bias_y_nm": 0.7,
        "calibration": np.sqrt(5) / 2,
        "depth_rmse_nm_over_limit": np.sqrt(5) / 1.5,
        "lateral_rmse_nm_over_limit": np.sqrt(1.25 / 2) / 0.5,
        "precision": 1.0,
        "recall": 1.0,
        "f_score": 1.0,
        "count_truth": 2.0,
        "count_found": 2.0,
    }
    result = score_points(spheres(TWO), found, covariance_nm2=limits(2, 0.3, 0.4, 1.5))
    assert result == pytest.approx({**expected, "tolerance_nm": None}, abs=1e-9)
    without = score_points(spheres(TWO), points(found.points_nm), tolerance_nm=3.0)
    assert [without[name] for name in ("calibration", *OVER_LIMIT)] == [None] * 3
    assert without["depth_bias_nm"] == pytest.approx(2.0, abs=1e-9)


def test_limits_of_the_matched_ones_alone():
    """Limits 1 and 7 nm, the first matched with an error of 2 nm: the ratio is 2; an unknown limit is no ratio."""
    truth, found = spheres(TWO), points([[50.0, 50.0, 42.0]])
    covariance = limits(2, 1.0, 1.0, 1.0)
    covariance[1] *= 49
    assert score_points(truth, found, covariance_nm2=covariance)["depth_rmse_nm_over_limit"] == pytest.approx(2.0)
    covariance[1] = np.nan
    assert score_points(truth, found, covariance_nm2=covariance)["depth_rmse_nm_over_limit"] == pytest.approx(2.0)
    covariance[0] = np.nan
    assert score_points(truth, found, covariance_nm2=covariance)["depth_rmse_nm_over_limit"] is None


def test_calibration_is_of_points_that_report_a_sigma():
    """Others do not count in it, and nothing else asks for a sigma."""
    covariance = np.full((2, 3, 3), np.nan)
    covariance[0] = np.diag([1.0, 1.0, 0.25])
    result = score_points(spheres(TWO), PointSet(np.add(TWO, [(0, 0, 1.0), (0, 0, 1.9)]), covariance))
    assert result["calibration"] == pytest.approx(2.0, abs=1e-9)
    assert result["depth_bias_nm"] == pytest.approx(1.45, abs=1e-9)


def test_one_missed_and_one_false():
    """Three true and four found, two of them right: precision 1/2, recall 2/3, F 4/7."""
    truth = spheres([*TWO, [100.0, 20.0, 10.0]])
    found = points([*TWO, [20.0, 80.0, 10.0], [180.0, 80.0, 10.0]])
    result = score_points(truth, found)
    assert [result[name] for name in SHARES] == pytest.approx([1 / 2, 2 / 3, 4 / 7], abs=1e-9)
    assert (result["count_truth"], result["count_found"]) == (3, 4)


def test_each_is_used_once():
    """One point between two true particles is one of them; two points at one particle are one right and one false."""
    close = spheres([[50.0, 50.0, 40.0], [53.0, 50.0, 40.0]])
    pair = point_pair(close, points([[51.6, 50.0, 40.0]]))
    assert list(pair.partner) == [1]  # the nearer
    assert shares(close, points([[51.6, 50.0, 40.0]])) == pytest.approx((1, 0.5, 2 / 3), abs=1e-9)
    twice = points([[50.5, 50.0, 40.0], [50.1, 50.0, 40.0]])
    assert list(point_pair(spheres(TWO[:1]), twice).partner) == [-1, 0]
    assert shares(spheres(TWO[:1]), twice) == pytest.approx((0.5, 1, 2 / 3), abs=1e-9)


def test_as_many_matches_as_there_can_be():
    """The middle point is nearest to the middle particle; taking it first would cost a match at the end of the row."""
    truth = spheres([[50.0, 50.0, 40.0], [53.0, 50.0, 40.0], [56.0, 50.0, 40.0]])
    found = points([[51.8, 50.0, 40.0], [54.2, 50.0, 40.0], [57.9, 50.0, 40.0]])
    assert list(point_pair(truth, found).partner) == [0, 1, 2]
    # the only partner of the first particle is the point that the second one lies on
    truth, found = spheres([[50.0, 50.0, 40.0], [51.5, 50.0, 40.0]]), points([[51.5, 50.0, 40.0], [53.4, 50.0, 40.0]])
    assert list(point_pair(truth, found).partner) == [0, 1]
    assert shares(truth, found) == (1, 1, 1)


def test_swapped_neighbours_get_the_nearest():
    """Where every matching has as many, the one with the smallest errors stands."""
    truth = spheres([[50.0, 50.0, 40.0], [51.0, 50.0, 40.0]])
    found = points([[51.1, 50.0, 40.0], [50.1, 50.0, 40.0]])
    assert list(point_pair(truth, found).partner) == [1, 0]
    assert score_points(truth, found)["lateral_rmse_nm"] == pytest.approx(0.1, abs=1e-9)


def test_depth_tells_which_of_two_that_overlap():
    """Two particles one above the other: the column is one, the depth decides."""
    truth, found = spheres([[50.0, 50.0, 20.0], [50.0, 50.0, 60.0]]), points([[50.0, 50.0, 60.5], [50.0, 50.0, 21.0]])
    assert list(point_pair(truth, found).partner) == [1, 0]
    assert score_points(truth, found)["depth_bias_nm"] == pytest.approx(0.75, abs=1e-9)


def test_beyond_the_field():
    """Particles beyond it, and what is found of them, count for nothing; a point beyond it that is nothing, neither."""
    truth = spheres([*TWO, [-1.0, 50.0, 40.0], [50.0, 101.0, 40.0]])
    for beyond in ([], [[-1.0, 50.0, 45.0]], [[-1.5, 50.0, 40.0]], [[0.5, 50.0, 40.0]], [[50.0, 99.5, 40.0]]):
        result = score_points(truth, points([*TWO, *beyond]))
        assert [result[name] for name in SHARES] == [1, 1, 1], beyond
        assert (result["count_truth"], result["count_found"], result["depth_rmse_nm"]) == (2, 2, 0)


def test_found_beyond_the_field():
    """A true particle at the edge may be found just beyond it: then it counts on both sides."""
    result = score_points(spheres([[0.5, 50.0, 40.0]]), points([[-0.5, 50.0, 40.0]]))
    assert [result[name] for name in SHARES] == [1, 1, 1]
    assert (result["count_truth"], result["count_found"]) == (1, 1)
    assert result["lateral_rmse_nm"] == pytest.approx(1.0, abs=1e-9)


def test_too_deep_counts():
    """The field has no ends in depth: a point below the film is false."""
    assert shares(spheres(TWO), points([*TWO, [100.0, 50.0, 500.0]])) == pytest.approx((2 / 3, 1, 0.8), abs=1e-9)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (TWO, [], (None, 0, 0)),
        ([], TWO, (0, None, 0)),
        ([], [], (None, None, 1)),
        ([[-1.0, 50.0, 40.0]], [[-1.0, 50.0, 40.0]], (None, None, 1)),  # beyond the field on both sides
    ],
)
def test_empty_sides(truth, found, expected):
    """No share of nothing, no error without a match; nothing to find and nothing found is right."""
    covariance = limits(len(truth), 1.0, 1.0, 1.0)
    for known in (None, covariance):
        result = score_points(spheres(truth), points(found), covariance_nm2=known)
        assert tuple(result[name] for name in SHARES) == expected
        assert all(result[name] is None for name in (*ERRORS, *OVER_LIMIT))
    inside = [len([p for p in side if p[0] >= 0]) for side in (truth, found)]
    assert [result["count_truth"], result["count_found"]] == inside


def test_tolerance():
    """Given, it stands for the radius, across the beam and along it, and in the row; else that is empty."""
    found = points(np.add(TWO, (3.0, 0, -3.0)))
    assert shares(spheres(TWO), found) == (0, 0, 0)
    assert shares(spheres(TWO), found, tolerance_nm=3.1) == (1, 1, 1)
    assert score_points(spheres(TWO), found, tolerance_nm=3.1)["tolerance_nm"] == 3.1
    assert score_points(spheres(TWO), found)["tolerance_nm"] is None
    assert shares(spheres(TWO), points(np.add(TWO, (1.0, 0, 0))), tolerance_nm=0.9) == (0, 0, 0)
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match=f"tolerance_nm: {bad} found, a positive number allowed"):
            score_points(spheres(TWO), found, tolerance_nm=bad)


def test_lines_against_particles(truth):
    """No metric is of both at once: one line tells what the truth is of."""
    with pytest.raises(InputError, match="reconstruction: points found, curves allowed"):
        score(truth, points(TWO))
    with pytest.raises(InputError, match="reconstruction: curves found, points allowed"):
        score(spheres(TWO), CurveSet((np.array(TWO),)))
    assert score(spheres(TWO), points(TWO)) == score_points(spheres(TWO), points(TWO))


def test_list_shows_what_each_is_of(cli):
    """A reader of the list sees which metrics score curves, which points, which both."""
    of = {line.split()[0]: line.split()[3] for line in cli("list", "metrics").out.splitlines()}
    assert (of["recall"], of["apls"], of["count_truth"]) == ("curves+points+masks", "curves", "points")
    assert of == {m.name: "+".join(m.of) for m in metrics()}


def scattered(seed: int, count: int = 30, extent: float = 60.0) -> np.ndarray:
    """Particles by chance, so dense that several are candidates of one point, well within the field."""
    return np.random.default_rng(seed).uniform(0, 1, (count, 3)) * [extent, extent, 12.0] + [20.0, 20.0, 20.0]


def disturbed(centers: np.ndarray, seed: int) -> np.ndarray:
    """Some left out, the others moved, some false ones added."""
    rng = np.random.default_rng(seed + 1)
    kept = centers[rng.uniform(size=len(centers)) < 0.8]
    return np.concatenate([kept + rng.normal(0, 1.2, kept.shape), scattered(seed + 2, 6)])


def brute_matches(truth: np.ndarray, found: np.ndarray) -> int:
    """Most matches that there can be, by augmenting paths, one particle after the other."""
    near = (np.hypot(*(truth[:, None, :2] - found[None, :, :2]).transpose(2, 0, 1)) <= RADIUS) & (
        np.abs(truth[:, None, 2] - found[None, :, 2]) <= RADIUS
    )
    partner = np.full(len(found), -1)

    def place(i: int, tried: set[int]) -> bool:
        for j in np.flatnonzero(near[i]):
            if j not in tried:
                tried.add(j)
                if partner[j] < 0 or place(partner[j], tried):
                    partner[j] = i
                    return True
        return False

    return sum(place(i, set()) for i in range(len(truth)))


@quick
@given(st.integers(0, 10_000))
def test_as_many_as_another_way_finds(seed):
    """The number of matches is the largest, each within reach and used once."""
    truth = scattered(seed)
    found = disturbed(truth, seed)
    partner = point_pair(spheres(truth), points(found)).partner
    right = partner >= 0
    assert right.sum() == brute_matches(truth, found)
    assert len(set(partner[right])) == right.sum()
    off = np.abs(found[right] - truth[partner[right]])
    assert (np.hypot(off[:, 0], off[:, 1]) <= RADIUS).all()
    assert (off[:, 2] <= RADIUS).all()


@quick
@given(st.integers(0, 10_000))
def test_order_and_place_change_nothing(seed):
    """Either side in another order, and both moved together, have the same scores."""
    rng = np.random.default_rng(seed)
    truth = scattered(seed)
    found = disturbed(truth, seed)
    covariance = limits(len(truth), 0.2, 0.3, 1.0) * rng.uniform(0.5, 2, len(truth))[:, None, None]
    radii = rng.uniform(1.5, 2.5, len(truth))
    a = score_points(spheres(truth, radii), points(found, 0.2, 0.2, 1.0), covariance_nm2=covariance)
    order = rng.permutation(len(truth))
    other = spheres(truth[order], radii[order])
    turned = points(found[rng.permutation(len(found))], 0.2, 0.2, 1.0)
    assert score_points(other, turned, covariance_nm2=covariance[order]) == pytest.approx(a, abs=1e-9)
    shift = np.array([64.0, 0.0, -8.0])  # exact in floating point as far as it matters
    moved = score_points(spheres(truth + shift, radii), points(found + shift, 0.2, 0.2, 1.0), covariance_nm2=covariance)
    assert moved == pytest.approx(a, abs=1e-9)


@quick
@given(st.integers(0, 10_000))
def test_values_are_within_their_bounds(seed):
    """Shares lie between 0 and 1, F between precision and recall, and the sides may change places."""
    truth = scattered(seed)
    found = disturbed(truth, seed)
    result = score_points(spheres(truth), points(found))
    precision, recall, f = (result[name] for name in SHARES)
    assert 0 <= min(precision, recall) <= max(precision, recall) <= 1
    assert min(precision, recall) - 1e-12 <= f <= max(precision, recall) + 1e-12
    assert precision * result["count_found"] == pytest.approx(recall * result["count_truth"])
    assert shares(spheres(found), points(truth)) == pytest.approx((recall, precision, f), abs=1e-9)
    bias, spread, rmse = (result[f"depth_{name}_nm"] for name in ("bias", "spread", "rmse"))
    assert rmse**2 == pytest.approx(bias**2 + spread**2)


@quick
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_identical_sets_are_perfect(seed, count):
    """Whatever their number and however close they lie."""
    truth = scattered(seed, count, extent=10.0)
    result = score_points(spheres(truth), points(truth, 1, 1, 1))
    assert [result[name] for name in SHARES] == [1, 1, 1]
    assert [result[name] for name in ERRORS] == [0] * len(ERRORS)


@quick
@given(st.integers(0, 10_000))
def test_deleting_costs_recall_and_adding_costs_precision(seed):
    """From a perfect reconstruction each deleted one costs the same, as does each false one."""
    truth = scattered(seed, 12)
    deleted = [score_points(spheres(truth), points(truth[:k])) for k in range(12, 0, -1)]
    np.testing.assert_allclose([r["recall"] for r in deleted], np.arange(12, 0, -1) / 12)
    assert all(r["precision"] == 1 for r in deleted)
    assert np.all(np.diff([r["f_score"] for r in deleted]) < 0)
    far = np.add(scattered(seed + 1, 12), [100.0, 0, 0])
    added = [score_points(spheres(truth), points(np.concatenate([truth, far[:k]]))) for k in range(12)]
    np.testing.assert_allclose([r["precision"] for r in added], 12 / (12 + np.arange(12)))
    assert all(r["recall"] == 1 for r in added)
    assert np.all(np.diff([r["f_score"] for r in added]) < 0)
