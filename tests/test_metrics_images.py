"""Scores of masks and of disparity against values counted by hand, and how both are drawn."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.metrics.disparity_pair import disparity_of, draw_disparity, true_disparity
from veristem.bench.metrics.mask_pair import draw, true_mask
from veristem.bench.oracles import true_contours
from veristem.bench.scoring import score_disparity, score_masks
from veristem.datasets import DislocationNetwork, InputError

NONE = np.zeros((20, 30), bool)
quick = settings(deadline=None, max_examples=25)


def bar(rows=slice(10, 11), columns=slice(5, 25)) -> np.ndarray:
    """A bar of 20 x 1 pixels, or another one."""
    mask = NONE.copy()
    mask[rows, columns] = True
    return mask


def of_masks(*arguments, **options) -> tuple:
    result = score_masks(*arguments, **options)
    return tuple(result[name] for name in ("precision", "recall", "f_score", "cldice"))


@pytest.mark.parametrize(
    ("found", "tolerance", "expected"),
    [
        (bar(), 0, (1, 1, 1, 1)),
        (bar(slice(11, 12)), 0, (0, 0, 0, 0)),  # one row off
        (bar(slice(11, 12)), 1, (1, 1, 1, 0)),
        (bar(columns=slice(5, 15)), 0, (1, 0.5, 2 / 3, 2 / 3)),
        (bar(columns=slice(5, 15)), 3, (1, 0.65, 1.3 / 1.65, 2 / 3)),
        (bar() | bar(slice(2, 3)), 0, (0.5, 1, 2 / 3, 2 / 3)),
    ],
)
def test_masks_by_hand(found, tolerance, expected):
    assert of_masks(bar(), found, tolerance_px=tolerance) == pytest.approx(expected, abs=1e-9)


def test_empty_masks():
    assert of_masks(NONE, NONE) == (None, None, 1, 1)
    assert of_masks(bar(), NONE) == (None, 0, 0, 0)
    assert of_masks(NONE, bar()) == (0, None, 0, 0)


def test_a_thick_line_in_the_right_place_keeps_its_skeleton():
    """Its pixels are two thirds wrong; its skeleton leaves the line by at most a pixel at an end."""
    *shares, cldice = of_masks(bar(), bar(slice(9, 12)))
    assert shares == pytest.approx([1 / 3, 1, 0.5], abs=1e-9)
    assert cldice == pytest.approx(1, abs=0.03)


def test_a_break_costs_cldice_as_much_as_it_is_long():
    broken = bar() & ~bar(columns=slice(10, 14))
    assert of_masks(bar(), broken) == pytest.approx((1, 0.8, 1.6 / 1.8, 1.6 / 1.8))


@quick
@given(st.integers(0, 10_000), st.floats(0, 3))
def test_masks_are_symmetric_and_thickening_costs_no_recall(seed, tolerance):
    from scipy.ndimage import binary_dilation

    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 20, 30)) < 0.05
    there, back = score_masks(a, b, tolerance_px=tolerance), score_masks(b, a, tolerance_px=tolerance)
    assert (there["precision"], there["cldice"]) == (back["recall"], back["cldice"])
    thick = [score_masks(a, binary_dilation(b, iterations=n) if n else b)["recall"] for n in range(4)]
    assert np.all(np.diff(thick) >= 0)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((NONE, NONE[:5]), {}, r"masks: shapes \(20, 30\) and \(5, 30\) found, one shape allowed"),
        ((NONE[0], NONE), {}, "truth: 1 dimensions found"),
        ((NONE, 2 * bar()), {}, "found: other values than 0 and 1 found"),
        ((NONE, np.full((20, 30), np.nan)), {}, "found: other values than 0 and 1 found"),
        ((NONE, NONE), {"tolerance_px": -1}, "tolerance_px: -1 found"),
    ],
)
def test_bad_masks_are_told(arguments, options, message):
    with pytest.raises(InputError, match=message):
        score_masks(*arguments, **options)


def test_a_line_is_drawn_as_the_pixels_it_passes():
    """One more than the borders it crosses, from the pixel of one end to that of the other."""
    for x, y in ([55, 3.0], [55, 21.5], [33, 37.5], [3, 37.0]):
        mask = draw([np.array([[3.0, 3.2], [x, y]])], (20, 30), 2.0)
        assert mask.sum() == 1 + (x // 2 - 1) + (y // 2 - 1)
        assert mask[1, 1]
        assert mask[int(y // 2), int(x // 2)]


def test_how_a_line_is_written_does_not_change_its_mask():
    curve = np.array([[3.0, 3.0], [31.0, 30.5], [55.0, 21.0]])
    fine = np.concatenate([np.linspace(curve[0], curve[1], 100), np.linspace(curve[1], curve[2], 37)])
    np.testing.assert_array_equal(draw([curve], (20, 30), 2.0), draw([fine[::-1]], (20, 30), 2.0))
    assert draw([curve + 1000.0], (20, 30), 2.0).sum() == 0
    assert draw([], (20, 30), 2.0).sum() == 0
    with pytest.raises(InputError, match="nan found at index"):
        draw([np.array([[3.0, np.nan], [1.0, 2.0]])], (20, 30), 2.0)


LINE = np.array([[8.0, 6.0, 60.0], [32.0, 26.0, 140.0]])  # in a field of 40 x 32 nm


@pytest.fixture
def line_truth(truth):
    """One visible line through the depth, and an invisible one."""
    lines = DislocationNetwork(np.concatenate([LINE, np.add(LINE, [5, 0, 0])]), [[0, 1], [2, 3]], np.full((2, 3), 0.1))
    return replace(truth, network=lines, visible=np.array([True, False]))


def test_masks_of_the_truth_are_those_of_true_contours(line_truth, acquisition):
    contours = true_contours(line_truth, acquisition, np.random.default_rng(0))
    for view in (0, 1):
        mask = true_mask(line_truth, view)
        assert mask.shape == (16, 20)
        assert of_masks(mask, draw(contours.curves_nm[view], mask.shape, acquisition.pixel_nm), tolerance_px=1) == (
            pytest.approx((1, 1, 1, 1), abs=0.15)
        )


def test_true_disparity_grows_with_depth(line_truth):
    """d = (z - z_f)(tan t1 - tan t2) in pixels of 2 nm, at the pixel where the first view shows the point."""
    disparity = true_disparity(line_truth)
    per_nm = (np.tan(0.0701) + np.tan(0.0699)) / 2
    for at in (0.0, 0.5, 1.0):
        point = LINE[0] + at * (LINE[1] - LINE[0])
        x, y = line_truth.project(point, 0) // 2
        assert disparity[int(y), int(x)] == pytest.approx((point[2] - 101.5) * per_nm, abs=0.5)
    assert np.isfinite(disparity).sum() < 25  # the other line is invisible
    turned = true_disparity(line_truth, (1, 0))
    assert np.nanmax(turned) == pytest.approx(np.nanmax(disparity), abs=0.5)


def test_curves_of_the_truth_have_no_error(line_truth):
    """Both sides drawn alike from one line in the foil; one that lies deeper is off by its parallax."""
    points = np.linspace(*LINE, 30)
    found = disparity_of([points], line_truth)
    result = score_disparity(true_disparity(line_truth), found)
    assert result["epe_px"] < 0.01
    assert (result["bad1"], result["coverage"]) == (0, 1)
    parallax = np.linalg.norm(np.subtract(*np.tan(line_truth.directions_rad)))
    moved = disparity_of([points + np.array([0, 0, 4.0 / parallax])], line_truth)
    away = score_disparity(true_disparity(line_truth), moved, reach_px=20)["epe_px"]
    assert away == pytest.approx(2, abs=0.3)  # 4 nm of 2 nm pixels; the line has moved along the row as well


def test_a_pixel_with_two_lines_has_no_disparity():
    curves = [np.array([[1.0, 5.0], [9.0, 5.0]]), np.array([[5.0, 1.0], [5.0, 9.0]])]
    near = draw_disparity(curves, [np.full(2, 2.0), np.full(2, 2.6)], (10, 10), 1.0)
    assert near[5, 5] == pytest.approx(2.3, abs=0.1)
    far = draw_disparity(curves, [np.full(2, 2.0), np.full(2, 9.0)], (10, 10), 1.0)
    assert np.isnan(far[5, 5])
    assert (far[5, 2], far[2, 5]) == (2, 9)


def test_disparity_by_hand():
    """Ten pixels: errors 0, 0.5, 1, 1.5, 3, 3.5, 5, 6, and two without a disparity."""
    truth = np.full((4, 10), np.nan)
    truth[1] = np.arange(10.0)
    found = truth + np.array([0, 0.5, -1, 1.5, -3, 3.5, 5, -6, np.nan, np.nan])
    result = score_disparity(truth, found, reach_px=0)
    assert result["epe_px"] == pytest.approx(20.5 / 8)
    assert [result[name] for name in ("bad1", "bad3", "bad5", "coverage")] == pytest.approx([0.7, 0.5, 0.3, 0.8])
    # within two pixels the last two take the disparity of pixel 7, which is 1: errors 7 and 8
    result = score_disparity(truth, found, reach_px=2)
    assert result["epe_px"] == pytest.approx(35.5 / 10)
    assert (result["coverage"], result["bad5"]) == (1, pytest.approx(0.3))


def test_empty_disparity():
    none, some = np.full((5, 5), np.nan), np.eye(5)
    nothing = dict.fromkeys(("epe_px", "bad1", "bad3", "bad5", "coverage"))
    assert score_disparity(none, some, reach_px=0) == {"reach_px": 0} | nothing
    assert score_disparity(none, none, reach_px=0) == {"reach_px": 0} | nothing
    missed = {"epe_px": None, "bad1": 1, "bad3": 1, "bad5": 1, "coverage": 0}
    assert score_disparity(some, none, reach_px=0) == {"reach_px": 0} | missed


@pytest.mark.parametrize(
    ("found", "reach", "message"),
    [
        (np.zeros((4, 5)), 2.0, r"disparity: shapes \(5, 5\) and \(4, 5\) found"),
        (np.full((5, 5), np.inf), 2.0, "disparity: an infinite one found"),
        (np.eye(5), -1.0, "reach_px: -1.0 found"),
    ],
)
def test_bad_disparity_is_told(found, reach, message):
    with pytest.raises(InputError, match=message):
        score_disparity(np.eye(5), found, reach_px=reach)
