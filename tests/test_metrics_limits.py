"""Errors of lines over their limits, and F with a tolerance of three limits, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.limits.lines import LineLimits
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet

LINE = np.array([[50.0, 100.0, 40.0], [250.0, 100.0, 40.0]])
NAMES = ("depth_rmse_nm_over_parallax_limit", "depth_rmse_nm_over_limit", "lateral_rmse_nm_over_limit")


def limits(parallax, full=(np.nan, np.nan), line=LINE) -> LineLimits:
    """The same limits, across and in depth, on a whole line."""
    points = line[0] + np.linspace(0, 1, 201)[:, None] * (line[1] - line[0])
    one = np.ones((1, 2))
    return LineLimits(points, np.zeros(201, int), np.array([200.0]), np.array([90.0]), one * parallax, one * full)


def shifted(by, known, **more) -> dict:
    """Scores of the line moved, at a tolerance of 10 nm."""
    return score_curves(CurveSet((LINE,)), CurveSet((LINE + by,)), limits=known, **more)


def test_error_over_limit():
    """2 nm too deep and 1.5 nm aside over limits of 1 nm by parallax, of 0.5 and 0.75 nm in full."""
    result = shifted([0, 1.5, 2.0], limits((1.0, 1.0), (0.75, 0.5)))
    assert [result[name] for name in NAMES] == pytest.approx([2.0, 4.0, 2.0], abs=1e-6)
    assert [shifted([0, 1.5, 2.0], None)[name] for name in NAMES] == [None] * 3


def test_unknown_limits_and_those_beyond_the_tolerance_are_left_out():
    """Errors beyond the tolerance are not seen, so that a limit beyond it would be beaten by any method."""
    assert [shifted([0, 0, 2.0], limits((np.nan, np.nan)))[name] for name in NAMES] == [None] * 3
    assert shifted([0, 0, 2.0], limits((1.0, 11.0)))[NAMES[0]] is None
    assert shifted([0, 0, 2.0], limits((1.0, np.inf)))[NAMES[0]] is None
    half = limits((1.0, 1.0), line=LINE * [0.6, 1, 1])  # up to x = 150: without a limit beyond
    assert shifted([0, 0, 2.0], half)[NAMES[0]] == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize(("limit", "expected"), [(1.0, 1.0), (0.6, 0.0), (np.inf, 1.0), (np.nan, 1.0)])
def test_f_at_three_limits(limit, expected):
    """2 nm off is within three limits of 1 nm and not of 0.6; without one it is 30 nm, or 10 where unknown."""
    assert shifted([0, 0, 2.0], limits((1.0, limit)))["f_score_at_3_limits"] == expected
    far = shifted([0, 0, 20.0], limits((1.0, limit)))["f_score_at_3_limits"]
    assert far == (1.0 if limit == np.inf else 0.0)


def test_without_anything_found_f_is_that_of_the_fixed_tolerance():
    """Nothing found, nothing there: 0 and 1, as of f_score."""
    nothing = CurveSet(())
    assert score_curves(CurveSet((LINE,)), nothing, limits=limits((1.0, 1.0)))["f_score_at_3_limits"] == 0.0
    none = LineLimits(np.zeros((0, 3)), np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2)))
    assert score_curves(nothing, nothing, limits=none)["f_score_at_3_limits"] == 1.0


@pytest.mark.parametrize("inclination_deg", [0.0, 30.0, 60.0])
def test_calibration_of_inclined_lines(inclination_deg):
    """A vertex that is one sigma too deep is so on any line, though the offset normal to it is smaller."""
    along = np.array([np.cos(np.radians(inclination_deg)), 0.0, np.sin(np.radians(inclination_deg))])
    line = np.array([100.0, 100.0, 100.0]) + np.linspace(-50, 50, 11)[:, None] * along
    deeper = line + np.array([0, 0, 2.0])
    inner = slice(3, 8)  # beyond the ends of the truth the nearest point is its end
    found = CurveSet((deeper[inner],), (np.full(5, 2.0),))
    assert score_curves(CurveSet((line,)), found)["calibration"] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("deeper", "ten", "twenty"), [(5.0, 1.0, 1.0), (15.0, 0.0, 1.0), (25.0, 0.0, 0.0)])
def test_f_at_20_nm_is_that_of_a_tolerance_of_20(deeper, ten, twenty):
    """The wider tolerance of older studies stands beside the one that is asked for."""
    result = shifted([0, 0, deeper], None)
    assert (result["f_score"], result["f_score_at_20nm"]) == (ten, twenty)
    assert result["f_score_at_20nm"] == shifted([0, 0, deeper], None, tolerance_nm=20.0)["f_score"]
    nothing = CurveSet(())
    assert score_curves(nothing, nothing)["f_score_at_20nm"] == 1.0
    assert score_curves(CurveSet((LINE,)), nothing)["f_score_at_20nm"] == 0.0
