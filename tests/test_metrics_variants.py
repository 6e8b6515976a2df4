"""Empty inputs, the visible truth, the angle to the epipolar direction, the field."""

from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.metrics import metrics
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork, LineTruth

NONE = CurveSet(())
FLAT = [[50.0, 100, 60], [250.0, 100, 60]]  # along x, the epipolar direction of PAIR
STEEP = [[50.0, 200, 60], [50.0, 300, 60]]  # along y
PAIR = np.array([[0.07, 0.0], [-0.07, 0.0]])
METRICS = [m for m in metrics() if "curves" in m.of]
DISTANCES = ("accuracy_nm", "completeness_nm", "chamfer_nm", "hausdorff_nm", "hausdorff95_nm")
LIMITS = (  # not given here
    "f_score_at_3_limits",
    "depth_rmse_nm_over_limit",
    "depth_rmse_nm_over_parallax_limit",
    "lateral_rmse_nm_over_limit",
)
ERRORS = (
    "depth_bias_nm",
    "lateral_bias_x_nm",
    "lateral_bias_y_nm",
    "depth_rmse_nm",
    "depth_spread_nm",
    "lateral_rmse_nm",
    "lateral_spread_nm",
    "tangent_error_deg",
    "calibration",
)
JUNCTIONS = ("junction_recall", "junction_precision")  # single lines have none


def curves(*lines) -> CurveSet:
    return CurveSet(tuple(np.asarray(line, float) for line in lines))


def line_truth(truth: LineTruth, lines, visible) -> LineTruth:
    """A truth of straight lines, each visible or not, in a field of 400 nm."""
    nodes = np.reshape(lines, (-1, 3))
    count = len(lines)
    network = DislocationNetwork(nodes, np.arange(2 * count).reshape(-1, 2), np.full((count, 3), 0.1))
    zero = np.zeros(count)
    return replace(
        truth,
        network=network,
        visible=np.array(visible, bool),
        g_dot_b=zero,
        g_dot_bu=zero,
        field_nm=(400.0, 400.0),
        directions_rad=PAIR,
    )


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        (curves(FLAT), NONE, {"precision": None, "recall": 0, "f_score": 0, "length_ratio": 0, "apls": 0}),
        (NONE, curves(FLAT), {"precision": 0, "recall": None, "f_score": 0, "length_ratio": None, "apls": 0}),
        (NONE, NONE, {"precision": None, "recall": None, "f_score": 1, "length_ratio": None, "apls": 1}),
    ],
)
def test_empty_sides(truth, found, expected):
    """As methods.md has it; nothing is ever NaN, and the variants follow."""
    result = score_curves(truth, found, directions_rad=PAIR)
    nothing = dict.fromkeys((*DISTANCES, *ERRORS, *JUNCTIONS, *LIMITS))
    betti = {"betti0_error": abs(len(truth.curves_nm) - len(found.curves_nm)), "betti1_error": 0}
    for name, value in {**expected, **nothing, **betti}.items():
        assert result[name] == value, name
        assert result[name + "_visible"] == value, name


def test_without_truth_every_found_line_is_wrong_at_any_angle():
    result = score_curves(NONE, curves(FLAT), directions_rad=PAIR)
    assert (result["precision_psi_above_25"], result["f_score_psi_above_25"]) == (0, 0)


def test_a_curve_of_no_length_is_empty():
    result = score_curves(curves(FLAT), curves([[1.0, 2, 3], [1.0, 2, 3]]))
    assert result["precision"] is None
    assert result["f_score"] == 0


def test_what_files_do_not_tell_is_null(network):
    """Curves count as visible; of a network without g it is not known; without views there is no angle."""
    found = curves(FLAT)
    plain = score_curves(curves(FLAT), found)
    for m in METRICS:
        assert plain[m.name + "_visible"] == plain[m.name]
        assert plain[m.name + "_psi_above_25"] is plain[m.name + "_psi_below_25"] is None
    result = score_curves(network, found, directions_rad=PAIR)
    assert result["recall"] is not None
    assert all(v is None for k, v in result.items() if k.endswith(("_visible", "_psi_above_25", "_psi_below_25")))
    for views in (PAIR[:1], PAIR[[0, 0]], np.zeros((0, 2))):
        assert score_curves(curves(FLAT), found, directions_rad=views)["f_score_psi_above_25"] is None


def test_visible_truth(truth):
    """An invisible line need not be found; a found one is right all the same."""
    both = line_truth(truth, [FLAT, STEEP], [True, False])
    seen = score_curves(both, curves(FLAT))
    assert seen["recall"] == pytest.approx(2 / 3)
    assert seen["f_score"] == pytest.approx(0.8)
    assert seen["betti0_error"] == 1
    assert seen["length_ratio"] == pytest.approx(2 / 3)
    for name in ("recall", "f_score", "apls", "length_ratio"):
        assert seen[name + "_visible"] == pytest.approx(1)
    assert seen["betti0_error_visible"] == 0
    assert seen["completeness_nm_visible"] == pytest.approx(0, abs=1e-9)

    all_found = score_curves(both, curves(FLAT, np.add(STEEP, [0, 0, 2])))
    for name in ("accuracy_nm", "precision", *ERRORS):
        assert all_found[name + "_visible"] == all_found[name]
    assert all_found["f_score_visible"] == pytest.approx(1)
    assert all_found["apls_visible"] == pytest.approx(1)
    assert all_found["length_ratio_visible"] == pytest.approx(1.5)


def test_nothing_visible(truth):
    hidden = line_truth(truth, [FLAT], [False])
    assert score_curves(hidden, NONE)["f_score_visible"] == 1  # nothing to find
    assert score_curves(hidden, curves(STEEP))["f_score_visible"] == 0  # a false line
    found = score_curves(hidden, curves(FLAT))  # an invisible line, found
    assert (found["precision_visible"], found["recall_visible"], found["f_score_visible"]) == (1, None, None)


def test_angle_to_the_epipolar_direction(truth):
    """The flat line is 9 nm too deep, the steep one 1 nm: only the latter counts."""
    both = line_truth(truth, [FLAT, STEEP], [True, True])
    result = score_curves(both, curves(np.add(FLAT, [0, 0, 9]), np.add(STEEP, [0, 0, 1])))
    assert result["depth_bias_nm"] == pytest.approx((200 * 9 + 100 * 1) / 300)
    assert result["depth_bias_nm_psi_above_25"] == pytest.approx(1)
    assert result["chamfer_nm_psi_above_25"] == pytest.approx(2)
    assert result["length_ratio_psi_above_25"] == pytest.approx(1)
    assert result["f_score_psi_above_25"] == pytest.approx(1)
    assert result["depth_bias_nm_psi_below_25"] == pytest.approx(9)
    assert result["chamfer_nm_psi_below_25"] == pytest.approx(18)
    assert result["length_ratio_psi_below_25"] == pytest.approx(1)
    for name in ("apls", "betti0_error", "betti1_error", *JUNCTIONS):
        assert result[name + "_psi_above_25"] is result[name + "_psi_below_25"] is None
    half = score_curves(both, curves(FLAT))
    assert (half["recall_psi_above_25"], half["recall_psi_below_25"]) == (0, 1)
    turned = score_curves(both, curves(np.add(FLAT, [0, 0, 9])), directions_rad=PAIR[:, ::-1])
    assert turned["depth_bias_nm_psi_above_25"] == pytest.approx(9)


@pytest.mark.parametrize(("degrees", "counts"), [(24.0, False), (26.0, True), (154.0, True), (156.0, False)])
def test_the_angle_is_25_degrees_either_way(degrees, counts):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    line = curves([[0.0, 0, 0], [100 * c, 100 * s, 300.0]])  # depth does not enter
    result = score_curves(line, line, directions_rad=[[0, 0], [0.01, 0], [-0.07, 0]])
    assert result["recall_psi_above_25"] == (1 if counts else None)
    assert result["recall_psi_below_25"] == (None if counts else 1)


def test_a_line_along_the_beam_moves_along_the_epipolar_direction():
    line = curves([[10.0, 10, 0], [10, 10, 100]])
    assert score_curves(line, line, directions_rad=PAIR)["recall_psi_above_25"] is None


def test_both_sides_are_cut_to_the_field(truth):
    """What lies beyond the field counts on neither side; depth is not cut."""
    across = [[-100.0, 100, 60], [300.0, 100, 60]]
    whole = line_truth(truth, [across], [True])
    inside = [[0.0, 100, 60], [300, 100, 60]]
    result = score_curves(whole, curves(inside))
    assert result["chamfer_nm"] == pytest.approx(0, abs=1e-9)
    assert result["length_ratio"] == pytest.approx(1)
    assert score_curves(whole, curves(inside, [[-90.0, 300, 0], [-10, 390, 0]]))["precision"] == 1
    assert score_curves(whole, curves([[0.0, 100, -5], [300, 100, -5]]))["length_ratio"] == pytest.approx(1)
    narrow = score_curves(curves(across), curves(inside), field_nm=(150.0, 400.0))
    assert narrow["recall"] == 1
    corner = score_curves(curves([[-50.0, 50, 0], [50.0, -50, 0]]), NONE, field_nm=(100.0, 100.0))
    assert corner["f_score"] == 1  # touches the corner only: nothing within


def test_a_false_line_has_its_own_angle():
    """Far from any true line, it is steep or not by itself."""
    level = curves([[0.0, 0.0, 50.0], [300.0, 0.0, 50.0]])
    for far, precision in (
        ([[0.0, 300.0, 50.0], [300.0, 300.0, 50.0]], None),
        ([[9.0, 99.0, 50], [9.0, 399.0, 50]], 0),
    ):
        result = score_curves(level, curves(far), directions_rad=PAIR)
        assert result["precision_psi_above_25"] == precision
        assert result["f_score_psi_above_25"] == (1.0 if precision is None else 0.0)
        assert result["precision_psi_below_25"] == (0 if precision is None else None)


def test_sigma_is_cut_with_its_line():
    found = CurveSet((np.array([[-100.0, 10, 52], [100, 10, 52]]),), (np.array([3.0, 1.0]),))
    result = score_curves(curves([[-100.0, 10, 50], [100, 10, 50]]), found, field_nm=(200.0, 200.0))
    assert result["calibration"] == pytest.approx(np.sqrt((1**2 + 2**2) / 2))  # sigma 2 at the cut, 1 at the end
