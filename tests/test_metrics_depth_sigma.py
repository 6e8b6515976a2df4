"""What scatters in depth as the limit says scores 1, whatever the limit; by hand, and for truths that are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.limits import NAME, drawn, scattered
from veristem.bench.limits.lines import LineLimits, line_limits
from veristem.bench.metrics.depth_errors import DepthErrors, Scale
from veristem.bench.metrics.lines import Lines
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet


@pytest.mark.parametrize("pair_angle_deg", [2.0, 4.0, 8.0, 12.0])
def test_truth_with_errors_of_the_limit_scores_one(pair_angle_deg):
    """At every angle; the RMSE of what the tolerance lets through stays below 1 where the limit is near it."""
    truth = drawn(pair_angle_deg)
    limits = line_limits(truth)
    scores = score_curves(truth, scattered(limits, 1.0, np.random.default_rng(2)), limits=limits)
    value, low, high = (float(scores[NAME + end] or np.nan) for end in ("", "_low", "_high"))
    assert low < value < high
    assert low < 1.0 < high
    assert high - low < 0.4
    cut = scores["depth_rmse_nm_over_parallax_limit"]
    assert cut is not None
    assert (cut < 0.8) == (pair_angle_deg == 2.0)


@pytest.mark.parametrize("scale", [0.5, 2.0, 3.0])
def test_other_scales_are_found_in_spite_of_the_cut(scale):
    """Of errors of three limits a tenth lies beyond the five that are matched; the scale is that of all."""
    truth = drawn(8.0)
    limits = line_limits(truth)
    scores = score_curves(truth, scattered(limits, scale, np.random.default_rng(3)), limits=limits)
    assert (scores[NAME + "_low"] or np.nan) < scale < (scores[NAME + "_high"] or np.nan)
    assert scores[NAME] == pytest.approx(scale, rel=0.25)


def scale_of(values) -> Scale:
    """The scale of errors that are given."""
    scale = DepthErrors(np.asarray(values, float), np.full(len(values), 90.0)).scale
    assert scale is not None
    return scale


def test_a_few_outliers_hardly_move_it():
    """One in twenty anywhere within the cut: a root mean square would rise by a quarter."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000)
    values[:1000] = rng.uniform(-5, 5, 1000)
    assert np.sqrt(np.mean(values**2)) > 1.14
    assert scale_of(values).value == pytest.approx(1.0, abs=0.06)


def test_wider_than_the_cut_is_five():
    """Errors that are anything have no scale within the cut."""
    assert scale_of(np.linspace(-5, 5, 1000)) == pytest.approx((5.0, 5.0, 5.0), abs=0.2)


@settings(max_examples=20, deadline=None)
@given(st.integers(100, 400), st.floats(-1, 1), st.floats(0.2, 1.0), st.integers(0, 2**32 - 1))
def test_a_shift_of_the_whole_is_none(count, shift, scale, seed):
    """It tells scatter, and the interval holds what it tells."""
    values = np.clip(scale * np.random.default_rng(seed).normal(size=count), -3.9, 3.9)
    found, moved = scale_of(values), scale_of(values + shift)
    assert moved == pytest.approx(found, rel=1e-6)
    assert found.low <= found.value <= found.high


def one_line(slope: float = 0.0) -> tuple[np.ndarray, LineLimits]:
    """A line of 3 µm in pieces of 20 nm, with a limit of 2 nm in depth of the offset normal to it."""
    start, along = np.array([0.0, 50.0, 100.0]), np.array([1.0, 0.0, slope]) / np.hypot(1, slope)
    piece = np.repeat(np.arange(150), 21)
    points = start + (np.arange(len(piece)) - piece)[:, None] * along
    limit = np.tile([1.0, 2.0], (150, 1))
    return points, LineLimits(points, piece, np.full(150, 20.0), np.full(150, 90.0), limit, np.full((150, 2), np.nan))


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_error_along_the_beam_over_limit_along_the_beam(slope):
    """3 nm too deep is so on an inclined line as well, 4 nm aside or not; 2 nm normal to it are more along the beam."""
    points, limits = one_line(slope)
    found = CurveSet((points + np.array([0.0, 4.0, 3.0]),))
    values = DepthErrors.of(Lines.of(found, 10.0), limits).over_limit
    assert len(values) == 150
    np.testing.assert_allclose(values[1:-1], 1.5 / (1 + slope**2), rtol=1e-6)


@pytest.mark.parametrize("move", [[0.0, 6.0, 0.0], [0.0, 0.0, 11.0]])
def test_other_lines_are_not_matched(move):
    """Too far aside, or more than five limits in depth: no value. Nor is there one of fewer than 100 pieces."""
    points, limits = one_line()
    truth = CurveSet((points[[0, -1]],))
    assert score_curves(truth, CurveSet((points + move,)), limits=limits)[NAME] is None
    assert score_curves(truth, CurveSet((points[:2000],)), limits=limits)[NAME] is None
    assert score_curves(truth, CurveSet((points,)), limits=limits)[NAME] == pytest.approx(0.0, abs=1e-6)
    assert score_curves(truth, CurveSet((points,)))[NAME] is None
    assert score_curves(truth, CurveSet(()), limits=limits)[NAME] is None


def test_variants_take_pieces_by_their_angle_to_the_epipolar_direction():
    """As other scores do; lines along it have no limit that errors could show."""
    points, limits = one_line()
    views = [[0.05, 0.0], [-0.05, 0.0]]
    flat = replace(limits, psi_deg=np.zeros(150))
    truth, found = CurveSet((points[[0, -1]],)), CurveSet((points,))
    for known, ends in ((limits, "_psi_above_25"), (flat, "_psi_below_25")):
        scores = score_curves(truth, found, limits=known, directions_rad=views)
        has = {end for end in ("", "_visible", "_psi_above_25", "_psi_below_25") if scores[NAME + end] is not None}
        assert has == {"", "_visible", ends}
