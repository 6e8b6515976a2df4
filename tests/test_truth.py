"""What the truth says of each segment."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import DislocationNetwork, InputError
from veristem.datasets.truth import LineTruth


def truth_of(ends, directions=((0.0, 0.05), (0.0, -0.05))):
    """A truth of straight segments (M, 2, 3), imaged from two directions along y."""
    ends = np.asarray(ends, float)
    count = len(ends)
    network = DislocationNetwork(
        ends.reshape(-1, 3), np.arange(2 * count).reshape(-1, 2), np.tile([0.25, 0, 0], (count, 1))
    )
    nothing = np.zeros((len(directions), 4, 4))
    zero = np.zeros(count)
    return LineTruth(
        network, zero, zero, zero > 0, nothing, nothing.astype(np.uint8), np.array(directions), (512, 512), 200, 100, {}
    )


def test_depth_and_angle_to_the_epipolar_direction():
    """The views lie along y: a line along y has 0, one along x 90, one along the beam 0, whatever its depth."""
    truth = truth_of(
        [[[0, 0, 20], [0, 9, 20]], [[50, 0, 0], [59, 0, 80]], [[99, 0, 0], [99, 0, 9]], [[200, 0, 9], [208, 8, 9]]]
    )
    np.testing.assert_allclose(truth.psi_deg, [0, 90, 0, 45], atol=1e-9)
    np.testing.assert_allclose(truth.depth_nm, [20, 40, 4.5, 9])


def test_one_direction_has_no_epipolar_line():
    """With views from one direction nothing is known of the angle."""
    assert np.isnan(truth_of([[[0, 0, 20], [0, 9, 20]]], [(0.0, 0.0)]).psi_deg).all()


@pytest.mark.parametrize(
    ("other", "runs_over"),
    [((4, 0, 150), True), ((40, 0, 150), False), ((4, 0, 55), False), ((0, 13, 155), True), ((0, 17, 155), False)],
    ids=["above", "beside", "same line", "above in one view", "above in none"],
)
def test_overlap_is_another_line_over_this_one(other, runs_over):
    """Within 10 nm in some view and farther than 25 nm in the foil; deeper lines move against the direction."""
    here, there = np.array([100.0, 100, 50]), np.array([100.0, 100, 0]) + other
    step = np.array([0.0, 0, 1])
    truth = truth_of([[here - step, here + step], [there - step, there + step]])
    assert truth.overlap.tolist() == [runs_over, runs_over]


def test_every_segment_has_all_columns():
    """Files hold numbers only: flags become 0 and 1."""
    columns = truth_of([[[0, 0, 20], [0, 9, 20]]]).per_segment()
    assert set(columns) == {"g_dot_b", "g_dot_bu", "visible", "depth_nm", "psi_deg", "overlap"}
    assert all(len(values) == 1 and values.dtype in (np.uint8, float) for values in columns.values())


def test_a_node_far_off_the_foil_is_refused():
    """Limits take 20 nm of line at a time: a line of a centimetre took for ever."""
    with pytest.raises(
        InputError, match=r"network: node 1 found 1e\+07 nm outside the foil, at most 100000 nm allowed"
    ):
        truth_of([[[0, 0, 20], [0, 9, -1e7]]])
