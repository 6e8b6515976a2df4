"""Distances, shares, depth errors and lengths against values worked out by hand."""

import numpy as np
import pytest

from veristem.bench.metrics import metrics
from veristem.bench.scoring import (
    score_curves,
    score_disparity,
    score_masks,
    score_points,
    vertex_errors_nm,
)
from veristem.datasets import CurveSet, DislocationNetwork, InputError, ParticleDispersion, PointSet
from veristem.datasets.results import score_columns

LINE = np.array([[100.0, 50.0, 80.0], [300.0, 50.0, 80.0]])  # 200 nm along x


def curves(*lines) -> CurveSet:
    return CurveSet(tuple(np.asarray(line, float) for line in lines))


def moved(line, x=0.0, y=0.0, z=0.0) -> np.ndarray:
    return np.add(line, (x, y, z))


def scores(truth, found, **options):
    return score_curves(truth, found, **options)


def test_every_column_of_the_results_has_a_metric():
    """The table, the list of metrics and the scores name the same things; names are those of the files."""
    names = [m.name for m in metrics()]
    kinds = ("curves", "points", "masks", "disparity")
    of_curves, of_points, of_masks, of_disparity = ([m.name for m in metrics() if kind in m.of] for kind in kinds)
    result = scores(curves(LINE), curves(LINE))
    assert {n for n in result if not n.endswith(("_visible", "_psi_above_25", "_psi_below_25"))} == {
        *of_curves,
        "tolerance_nm",
    }
    sphere = ParticleDispersion([[1.0, 1.0, 1.0]], [1.0], [2.0, 2.0, 2.0])
    points = score_points(sphere, PointSet(sphere.centers_nm))
    assert set(points) == {*of_points, "tolerance_nm"}
    assert {*result, *points} == {*score_columns(metrics()), "tolerance_nm"}
    assert len(set(names)) == len(names)
    assert set(names) == {*of_curves, *of_points, *of_masks, *of_disparity}
    assert set(score_masks(np.eye(3), np.eye(3))) == {*of_masks, "tolerance_px"}
    assert set(score_disparity(np.eye(3), np.eye(3))) == {*of_disparity, "reach_px"}


def test_identical_is_perfect():
    fork = curves(LINE, [LINE.mean(axis=0), moved(LINE.mean(axis=0), y=80, z=40)])
    result = scores(fork, fork)
    for m in metrics():
        if m.name != "calibration" and "limit" not in m.name and "curves" in m.of:
            assert result[m.name] == pytest.approx(m.good, abs=1e-9)


@pytest.mark.parametrize("shift", [0.5, 3.0, 9.0])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_shifted_across(shift, axis):
    """Every sample is off by the shift; its sign shows in the biases alone."""
    line = LINE[:, [1, 0, 2]] if axis == "x" else LINE
    result = scores(curves(line), curves(line - shift * np.eye(3)["xyz".index(axis)]))
    x, y, depth = (shift * (axis == name) for name in "xyz")
    lateral = x + y
    expected = {
        "accuracy_nm": shift,
        "completeness_nm": shift,
        "chamfer_nm": 2 * shift,
        "hausdorff_nm": shift,
        "hausdorff95_nm": shift,
        "tangent_error_deg": 0.0,
        "precision": 1.0,
        "recall": 1.0,
        "f_score": 1.0,
        "depth_bias_nm": -depth,
        "depth_rmse_nm": depth,
        "depth_spread_nm": 0.0,
        "lateral_rmse_nm": lateral,
        "lateral_spread_nm": 0.0,
        "lateral_bias_x_nm": -x,
        "lateral_bias_y_nm": -y,
        "length_ratio": 1.0,
        "apls": 1.0,
        "betti0_error": 0.0,
    }
    assert {k: result[k] for k in expected} == pytest.approx(expected, abs=1e-6)


def test_shifted_along():
    """20 nm beyond the end: a linear distance there, half of it within the tolerance."""
    result = scores(curves(LINE), curves(moved(LINE, x=20)))
    assert result["accuracy_nm"] == pytest.approx(20**2 / 2 / 200)
    assert result["completeness_nm"] == pytest.approx(20**2 / 2 / 200)
    assert result["precision"] == pytest.approx(190 / 200)
    assert result["recall"] == pytest.approx(190 / 200)
    assert result["hausdorff_nm"] == pytest.approx(20, abs=1e-6)
    beyond = np.arange(1.25, 20, 2.5)  # where the samples lie, 2.5 nm each; the worst twentieth are four of them
    assert result["hausdorff95_nm"] == pytest.approx(beyond[3], abs=1e-6)
    assert result["lateral_rmse_nm"] == pytest.approx(np.sqrt((beyond[:4] ** 2).sum() * 2.5 / 190), abs=1e-6)


def test_beyond_the_tolerance():
    """Nothing matches, so there is no error to state; the distances stay."""
    result = scores(curves(LINE), curves(moved(LINE, z=11)))
    assert result["accuracy_nm"] == pytest.approx(11)
    assert (result["precision"], result["recall"], result["f_score"], result["apls"]) == (0, 0, 0, 0)
    for name in ("depth_bias_nm", "depth_rmse_nm", "depth_spread_nm", "lateral_rmse_nm", "calibration"):
        assert result[name] is None
    assert scores(curves(LINE), curves(moved(LINE, z=11)), tolerance_nm=11.0)["f_score"] == 1.0


def test_half_missing():
    half = [LINE[0], LINE.mean(axis=0)]
    result = scores(curves(LINE), curves(half))
    assert result["precision"] == 1
    assert result["accuracy_nm"] == pytest.approx(0, abs=1e-9)
    assert result["recall"] == pytest.approx(0.55)  # 100 nm and a tolerance of 200 nm
    assert result["completeness_nm"] == pytest.approx(100**2 / 2 / 200)
    assert result["f_score"] == pytest.approx(2 * 0.55 / 1.55)
    assert result["hausdorff_nm"] == pytest.approx(100, abs=1e-6)
    assert result["hausdorff95_nm"] == pytest.approx(88.75, abs=1e-6)  # 90, in samples 2.5 nm apart
    assert result["length_ratio"] == pytest.approx(0.5)


def test_spurious_line():
    """A second line 60 nm away: half of what was found is wrong, all that is there was found."""
    result = scores(curves(LINE), curves(LINE, moved(LINE, y=60)))
    assert result["precision"] == pytest.approx(0.5)
    assert result["recall"] == 1
    assert result["accuracy_nm"] == pytest.approx(30)
    assert result["completeness_nm"] == pytest.approx(0, abs=1e-9)
    assert result["f_score"] == pytest.approx(2 / 3)
    assert result["length_ratio"] == pytest.approx(2)
    assert result["depth_rmse_nm"] == pytest.approx(0, abs=1e-9)
    assert result["hausdorff_nm"] == pytest.approx(60, abs=1e-6)
    assert result["betti0_error"] == 1


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, -7.0)])
def test_the_same_line_with_other_vertices_has_the_same_scores(shift):
    """Both sides written with vertices at other places: nothing changes to 1e-6, be the line shifted or not."""
    rng = np.random.default_rng(5)

    def written(line):
        at = np.concatenate([[0, 1], rng.uniform(0, 1, 23)])
        return line[0] + np.sort(at)[:, None] * (line[1] - line[0])

    plain = scores(curves(LINE), curves(LINE + shift))
    other = scores(curves(written(LINE)), curves(written(LINE + shift)))
    assert other == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 2.0, 3.5])
def test_a_turned_line(degrees):
    """About its middle, in depth: the angle is that of the turn, and the farthest point is an end."""
    a, middle = np.radians(degrees), LINE.mean(axis=0)
    turned = middle + (LINE - middle) @ [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
    for found in (turned, turned[::-1]):
        result = scores(curves(LINE), curves(found))
        assert result["tangent_error_deg"] == pytest.approx(degrees, abs=1e-6)
        assert result["hausdorff_nm"] == pytest.approx(100 * np.sin(a), abs=1e-6)
        assert result["depth_bias_nm"] == pytest.approx(0, abs=1e-9)


def test_tangent_of_a_zigzag_by_hand():
    """A line that goes 3 nm up on 4 nm along and back: every piece is off by atan(3/4)."""
    x = np.arange(51) * 4.0
    zigzag = np.stack([100 + x, 50 + 0 * x, 80 + 3.0 * (np.arange(51) % 2)], axis=1)
    result = scores(curves(LINE), curves(zigzag))
    assert result["tangent_error_deg"] == pytest.approx(np.degrees(np.arctan(3 / 4)))
    assert result["length_ratio"] == pytest.approx(5 / 4)
    assert result["hausdorff_nm"] == pytest.approx(3, abs=1e-6)


def test_hausdorff_between_the_samples_by_hand():
    """The farthest point of a line between two parallel ones lies where they are equally far, not at a sample."""
    truth = curves([[100.0, 50, 80], [200.0, 50, 80]], [[243.0, 50, 80], [300.0, 50, 80]])
    result = scores(truth, curves(LINE))
    assert result["hausdorff_nm"] == pytest.approx(21.5, abs=1e-6)
    assert result["hausdorff95_nm"] < 20


def test_lateral_spread_is_without_the_mean():
    """Two lines, one 2 nm and one 6 nm aside: bias 4, spread 2, whatever they share along the other axis."""
    truth = curves(LINE, moved(LINE, y=100))
    result = scores(truth, curves(moved(LINE, y=2), moved(LINE, y=106)))
    assert result["lateral_bias_y_nm"] == pytest.approx(4)
    assert result["lateral_spread_nm"] == pytest.approx(2, abs=1e-6)
    assert result["lateral_rmse_nm"] == pytest.approx(np.sqrt(20))


def test_spread_is_without_the_mean():
    """Two lines, one 2 nm and one 6 nm too deep: bias 4, spread 2."""
    truth = curves(LINE, moved(LINE, y=100))
    result = scores(truth, curves(moved(LINE, z=2), moved(LINE, y=100, z=6)))
    assert result["depth_bias_nm"] == pytest.approx(4)
    assert result["depth_spread_nm"] == pytest.approx(2)
    assert result["depth_rmse_nm"] == pytest.approx(np.sqrt(20))


def test_errors_and_reported_sigma():
    """Errors drawn with the reported deviation give 1, twice too sure 2; vertices without sigma do not count."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 5000, 2001)
    truth = np.stack([x, 0 * x, 0 * x + 50], axis=1)
    sigma = rng.uniform(0.5, 2.0, len(x))
    found = truth + np.stack([0 * x, 0 * x, sigma * rng.normal(size=len(x))], axis=1)
    for factor in (1.0, 2.0):
        result = scores(curves(truth), CurveSet((found,), (sigma / factor,)))
        assert result["calibration"] == pytest.approx(factor, rel=0.05)
    some = np.where(np.arange(len(x)) % 2, sigma, np.nan)
    assert scores(curves(truth), CurveSet((found,), (some,)))["calibration"] == pytest.approx(1, rel=0.05)
    for none in (np.nan, np.inf, 0.0):
        assert scores(curves(truth), CurveSet((found,), (np.full(len(x), none),)))["calibration"] is None


def test_vertex_errors():
    found = curves(moved(LINE, y=3, z=4), [[100.0, 50, 80], [90, 50, 80], [300, 50, 87]])
    first, second = vertex_errors_nm(curves(LINE), found)
    np.testing.assert_allclose(first, [5, 5])
    np.testing.assert_allclose(second, [0, 10, 7], atol=1e-9)
    assert all(np.isnan(e).all() for e in vertex_errors_nm(CurveSet(()), found))
    assert vertex_errors_nm(curves(LINE), CurveSet(())) == ()


def test_bad_input_is_told():
    with pytest.raises(InputError, match="tolerance_nm: 0"):
        scores(curves(LINE), curves(LINE), tolerance_nm=0)
    with pytest.raises(InputError, match="field_nm"):
        scores(curves(LINE), curves(LINE), field_nm=(0, 10))
    with pytest.raises(InputError, match=r"1e\+300 nm found"):
        scores(curves(LINE), curves(LINE * [1, 1, 1e300 / 80]))


def test_a_diverged_reconstruction_still_gets_its_score():
    """One vertex 10 cm deep must cost neither memory nor the score."""
    result = scores(curves(LINE), curves(LINE, [LINE[0], LINE[1] + [0, 0, 1e8]]))
    assert result["precision"] == pytest.approx(0, abs=1e-4)
    assert result["recall"] == 1
    assert result["accuracy_nm"] > 1e7


def test_nearest_segment_is_exact():
    """Against every segment in turn, for long and short segments mixed."""
    rng = np.random.default_rng(3)
    start = rng.uniform(0, 300, (200, 3))
    stop = start + rng.normal(size=(200, 3)) * 10 ** rng.uniform(-2, 2.5, (200, 1))
    b = np.zeros((200, 3))
    network = DislocationNetwork(np.concatenate([start, stop]), np.arange(400).reshape(2, -1).T, b)
    points = rng.uniform(-100, 400, (300, 2, 3))
    got = np.concatenate(vertex_errors_nm(network, curves(*points)))
    p = points.reshape(-1, 1, 3)
    t = ((p - start) * (stop - start)).sum(-1) / ((stop - start) ** 2).sum(-1)
    brute = np.linalg.norm(start + np.clip(t, 0, 1)[..., None] * (stop - start) - p, axis=-1).min(axis=1)
    np.testing.assert_allclose(got, brute, atol=1e-9)


@pytest.mark.parametrize("errors", [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 3.0)])
def test_every_vertex_counts_once_in_the_calibration(errors):
    """Inner ones, in which two segments meet, as well as ends."""
    x = np.array([0.0, 100.0, 200.0])
    found = np.column_stack([x, np.full(3, 50.0), 50.0 + np.array(errors)])
    truth = curves([[0.0, 50, 50], [200, 50, 50]])
    expected = np.sqrt(np.mean(np.square(errors)))
    assert scores(truth, CurveSet((found,), (np.ones(3),)))["calibration"] == pytest.approx(expected)
