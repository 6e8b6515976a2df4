"""Lines from many views: what more of them gain, and what must not change the answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from veristem.datasets import Acquisition, InputError
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Contours
from veristem.recon.stereo import classical, multiview

PIXEL_NM, THICKNESS_NM, SIGMA_NM = 2.0, 200.0, 1.0
HALF = np.radians(4.0)


def fan(count: int, azimuth_deg: float = 0.0) -> np.ndarray:
    """Directions (V, 2) of a fan of 8 degrees."""
    along = np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    return np.linspace(HALF, -HALF, count)[:, None] * along


def lines(seed: int, count: int = 8) -> list[np.ndarray]:
    """Straight lines at random depths, nearly across the rows."""
    rng = np.random.default_rng(seed)
    ends = [
        ([40 + 58 * k, 60 + rng.uniform(0, 30), rng.uniform(20, 180)], [40 + 58 * k, 420, rng.uniform(20, 180)])
        for k in range(count)
    ]
    return [np.linspace(first, last, 181) for first, last in ends]


def seen(truth, directions, seed: int = 0, sigma_nm: float = SIGMA_NM, shift_nm=(0.0, 0.0)):
    """Contours of lines in views, each vertex off at random, and the acquisition that they belong to."""
    rng = np.random.default_rng(seed)
    curves = tuple(
        tuple(
            project(line, d, THICKNESS_NM / 2) + shift_nm + sigma_nm * rng.normal(size=(len(line), 2)) for line in truth
        )
        for d in directions
    )
    errors = tuple(tuple(np.full(len(line), max(sigma_nm, 0.05)) for line in truth) for _ in directions)
    blank = np.ones((len(directions), 256, 256), np.float32)
    acquisition = Acquisition(blank, directions, PIXEL_NM, focus_nm=THICKNESS_NM / 2, thickness_nm=THICKNESS_NM)
    return Contours(curves, errors), acquisition


def depth_error(truth, found) -> float:
    """Root mean square over the vertices of what was found [nm]; blunders count as 30."""
    points = np.concatenate(truth)
    distance, index = KDTree(points[:, :2]).query(vertices := np.concatenate(found.curves_nm)[:, :2])
    assert (distance < 6).mean() > 0.98
    error = np.concatenate(found.curves_nm)[:, 2] - points[index, 2]
    assert len(vertices) > 0.9 * len(points)
    return float(np.sqrt((np.clip(error, -30, 30) ** 2).mean()))


def test_more_views_gain_what_their_parallax_tells():
    """Independent errors of the views: depths err as 1 / sqrt(sum of squared tangents about their mean)."""
    errors = {}
    for count in (2, 9):
        found = []
        for seed in range(4):
            truth = lines(seed)
            contours, acquisition = seen(truth, fan(count), seed)
            found.append(depth_error(truth, multiview.reconstruct(acquisition, contours=contours, bands=False)))
        errors[count] = np.sqrt(np.mean(np.square(found)))
    levers = {count: np.linalg.norm(np.tan(fan(count)) - np.tan(fan(count)).mean(axis=0)) for count in (2, 9)}
    assert errors[9] / errors[2] == pytest.approx(levers[2] / levers[9], rel=0.2)


def test_two_views_give_what_the_pair_gives():
    truth = lines(0)
    contours, acquisition = seen(truth, fan(2))
    pair = classical.reconstruct(acquisition, contours=contours)
    both = multiview.reconstruct(acquisition, contours=contours, bands=False)
    assert depth_error(truth, both) < 1.1 * depth_error(truth, pair)


def test_views_that_do_not_lie_on_a_line():
    """Four around the axis tell of every direction of a line; a pair tells nothing of lines along its rows."""
    along_rows = [line[:, [1, 0, 2]] for line in lines(3, 5)]
    square = HALF * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    contours, acquisition = seen(along_rows, square)
    assert depth_error(along_rows, multiview.reconstruct(acquisition, contours=contours, bands=False)) < 6.0


def test_the_order_of_views_does_not_matter():
    truth = lines(1)
    contours, acquisition = seen(truth, fan(5))
    turned = Contours(contours.curves_nm[::-1], contours.sigma_nm[::-1])
    backwards = Acquisition(acquisition.views, fan(5)[::-1], PIXEL_NM, focus_nm=100.0, thickness_nm=THICKNESS_NM)
    one = multiview.reconstruct(acquisition, contours=contours, bands=False)
    other = multiview.reconstruct(backwards, contours=turned, bands=False)
    for curve in one.curves_nm:
        assert min(np.abs(curve[:, 2].mean() - c[:, 2].mean()) for c in other.curves_nm) < 1.0
    assert depth_error(truth, one) == pytest.approx(depth_error(truth, other), abs=0.5)


def test_a_shift_of_all_images_shifts_the_answer():
    truth = lines(2)
    plain, acquisition = seen(truth, fan(3))
    moved, _ = seen(truth, fan(3), shift_nm=(4.0, -6.0))
    one, other = (multiview.reconstruct(acquisition, contours=c, bands=False) for c in (plain, moved))
    assert len(one.curves_nm) == len(other.curves_nm)
    for a, b in zip(one.curves_nm, other.curves_nm):
        np.testing.assert_allclose(b - a, np.broadcast_to([4.0, -6.0, 0.0], a.shape), atol=1e-6)


def test_what_the_other_views_do_not_show_is_dropped():
    """Two contours that a pair takes for one line, at a depth where the views between see nothing."""
    real, ghost = lines(4, 4), [np.linspace([420.0, 60.0, 30.0], [420.0, 400.0, 30.0], 171)]
    contours, acquisition = seen(real, fan(5), sigma_nm=0.3)
    false, _ = seen(ghost, fan(5), sigma_nm=0.3)
    only_outside = [(), (), (), (), ()]
    only_outside[0], only_outside[4] = false.curves_nm[0], false.curves_nm[4]
    errors = [tuple(np.full(len(c), 0.3) for c in view) for view in only_outside]
    both = Contours(
        tuple(a + b for a, b in zip(contours.curves_nm, only_outside)),
        tuple(a + b for a, b in zip(contours.sigma_nm, errors)),
    )
    found = multiview.reconstruct(acquisition, contours=both, bands=False)
    assert len(found.curves_nm) == 4
    pair = Acquisition(acquisition.views[[0, 4]], fan(5)[[0, 4]], PIXEL_NM, focus_nm=100.0, thickness_nm=THICKNESS_NM)
    of_pair = Contours((both.curves_nm[0], both.curves_nm[4]), (both.sigma_nm[0], both.sigma_nm[4]))
    assert len(multiview.reconstruct(pair, contours=of_pair, bands=False).curves_nm) == 5


def test_what_cannot_be_done_is_told():
    _contours, acquisition = seen(lines(0), fan(2))
    one = Acquisition(acquisition.views[:1], fan(2)[:1], PIXEL_NM, focus_nm=100.0, thickness_nm=THICKNESS_NM)
    with pytest.raises(InputError, match="at least 2"):
        multiview.reconstruct(one)
    alike = Acquisition(acquisition.views, fan(2)[[0, 0]], PIXEL_NM, focus_nm=100.0, thickness_nm=THICKNESS_NM)
    with pytest.raises(InputError):
        multiview.reconstruct(alike)
    nothing = Contours(((), ()), ((), ()))
    assert not multiview.reconstruct(acquisition, contours=nothing, bands=False).curves_nm
