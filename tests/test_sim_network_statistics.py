"""Statistics of networks against cases that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import DislocationNetwork
from veristem.sim.statistics import line_statistics

SIZE = np.array([400.0, 300.0, 200.0])
G = np.array([0.0, 4.0, 0.0])
B = 0.25


def test_curvature_of_a_circle_is_one_over_its_radius():
    """Curvatures are told per micrometre; a ring closes, so that no turn is missed."""
    turn = 2 * np.pi * np.arange(90) / 90
    ring = np.stack([200 + 50 * np.cos(turn), 150 + 50 * np.sin(turn), np.full(90, 100.0)], axis=1)
    for closed in (True, False):
        told = line_statistics(DislocationNetwork.from_polyline(ring, [B, 0, 0], closed=closed), SIZE, G)
        assert told["mean_curvature_per_um"] == pytest.approx(1e3 / 50, rel=1e-3)
        assert told["line_count"] == 1
    assert told["mean_angle_to_beam_deg"] == pytest.approx(90)
    assert told["mean_character_deg"] == pytest.approx(45, abs=1)


@pytest.mark.parametrize(("burgers", "character"), [([0, 0, B], 0), ([0, B, 0], 90), ([0, B, B], 45)])
def test_a_straight_line(burgers, character):
    """Screw 0, edge 90; a line along the beam has no angle to it; one that runs on is cut at the faces."""
    line = DislocationNetwork.from_polyline(np.linspace([200.0, 150, -50], [200, 150, 250], 31), burgers)
    told = line_statistics(line, SIZE, G)
    assert told["density_per_m2"] == pytest.approx(1e18 / (400 * 300))
    assert told["mean_spacing_nm"] == pytest.approx(np.sqrt(400 * 300))
    assert told["mean_curvature_per_um"] == pytest.approx(0, abs=1e-6)
    assert told["mean_angle_to_beam_deg"] == pytest.approx(0, abs=1e-6)
    assert told["mean_character_deg"] == pytest.approx(character, abs=1e-6)
    assert told["visible_fraction"] == (1 if burgers[1] else 0)


def test_means_are_weighted_with_length():
    """One line of 300 nm in the foil's plane, invisible, and one of 100 nm along the beam, visible."""
    flat = DislocationNetwork.from_polyline(np.array([[50.0, 50, 100], [350, 50, 100]]), [B, 0, 0])
    upright = DislocationNetwork.from_polyline(np.array([[200.0, 150, 0], [200, 150, 40], [200, 150, 100]]), [0, B, 0])
    told = line_statistics(DislocationNetwork.union([flat, upright]), SIZE, G)
    assert told["density_per_m2"] == pytest.approx(1e18 * 400 / SIZE.prod())
    assert told["mean_angle_to_beam_deg"] == pytest.approx(0.75 * 90)
    assert told["mean_character_deg"] == pytest.approx(0.25 * 90)
    assert told["visible_fraction"] == pytest.approx(0.25)
    assert told["line_count"] == 2


def test_a_field_without_lines():
    """No line is no error: counts are 0, spacing infinite, means not numbers."""
    line = DislocationNetwork.from_polyline(np.array([[-50.0, -50, 0], [-50, -50, 200]]), [B, 0, 0])
    told = line_statistics(line, SIZE, G)
    assert told["line_count"] == told["density_per_m2"] == 0
    assert np.isinf(told["mean_spacing_nm"])
    assert np.isnan(told["mean_character_deg"])
