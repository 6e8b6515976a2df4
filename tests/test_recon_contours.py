"""Ridges against lines whose place is known, noise in which there is nothing, and pieces to be joined."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.recon.contours.linking import link
from veristem.recon.contours.ridge import ridge_contours

PIXEL_NM = 2.0
SIDE = 96
DOSE = 2000.0


def dark_line(angle_deg: float, shift_px: float, depth: float = 0.35, width_px: float = 3.0):
    """Expected image (Y, X) of a straight dark line, Gaussian across; a point (2,) on it and its normal (2,) [px]."""
    normal = np.array([-np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))])
    point = np.full(2, SIDE / 2) + shift_px * normal
    x, y = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    across = (x - point[0]) * normal[0] + (y - point[1]) * normal[1]
    return DOSE * (1 - depth * np.exp(-0.5 * (across / width_px) ** 2)), point, normal


def errors_px(curve_nm: np.ndarray, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Signed distances of the vertices to the line [px]."""
    return (curve_nm / PIXEL_NM - point) @ normal


def only(contours):
    """The one curve of the one view, and its sigma [px]."""
    ((curve,),) = contours.curves_nm
    ((sigma,),) = contours.sigma_nm
    return curve, sigma / PIXEL_NM


@pytest.mark.parametrize("angle_deg", [0.0, 20.0, 45.0, 63.0, 90.0, 155.0])
@pytest.mark.parametrize("shift_px", [0.0, 0.3])
def test_a_line_without_noise_is_found_where_it_is(angle_deg, shift_px):
    """Half a pixel of slip in x or y would become a depth error of 7 nm: the place is right within 0.1 pixel."""
    image, point, normal = dark_line(angle_deg, shift_px)
    curve, sigma = only(ridge_contours(image[None], PIXEL_NM))
    assert np.linalg.norm(np.diff(curve, axis=0), axis=1).sum() > 0.8 * SIDE * PIXEL_NM
    error = errors_px(curve, point, normal)
    assert np.sqrt((error[5:-5] ** 2).mean()) < 0.02
    assert np.sqrt((error**2).mean()) < 0.15  # the border bends the ends a little
    assert sigma.shape == (len(curve),)


@pytest.mark.parametrize("angle_deg", [0.0, 35.0])
@pytest.mark.parametrize("dose", [0.03, 1.0, 10.0])
def test_sigma_predicts_the_scatter(angle_deg, dose):
    """Matching, smoothing and the error told to the user rest on sigma: true within a factor of 2.5 at every dose."""
    image, point, normal = dark_line(angle_deg, 0.2)
    views = np.random.default_rng(0).poisson(dose * image, (6, SIDE, SIDE))
    contours = ridge_contours(views, PIXEL_NM)
    found = [errors_px(c, point, normal)[8:-8] for view in contours.curves_nm for c in view]
    told = [s[8:-8] / PIXEL_NM for view in contours.sigma_nm for s in view]
    assert len(found) >= 6
    scatter, predicted = (np.sqrt((np.concatenate(x) ** 2).mean()) for x in (found, told))
    assert 1 / 2.5 < scatter / predicted < 2.5


def test_nothing_is_found_in_noise():
    """A contour from nothing is a line in the reconstruction that is not there: at most one in twenty noisy images."""
    views = np.random.default_rng(0).poisson(100.0, (20, SIDE, SIDE))
    assert sum(len(view) for view in ridge_contours(views, PIXEL_NM).curves_nm) <= 1


@pytest.mark.parametrize("level", [0.0, 1.0, 1e6])
def test_nothing_is_found_in_a_constant_image(level):
    """No division by a background or a noise of zero, in a dark image least of all."""
    contours = ridge_contours(np.full((2, 40, 50), level), PIXEL_NM)
    assert contours.curves_nm == contours.sigma_nm == ((), ())


def test_fine_and_coarse_pixels_agree():
    """Binning to three pixels a scale must not move a line."""
    x = (np.arange(4 * SIDE) + 0.5) * PIXEL_NM / 4
    y = 0.3 * x + 60.0
    fine = DOSE * (1 - 0.35 * np.exp(-0.5 * ((x[:, None] - y[None, :]) / 6.0) ** 2))
    coarse = fine.reshape(SIDE, 4, SIDE, 4).mean(axis=(1, 3))
    for image, pixel in ((fine, PIXEL_NM / 4), (coarse, PIXEL_NM)):
        ((curve,),) = ridge_contours(image[None], pixel).curves_nm
        assert np.abs(curve[:, 1] - 0.3 * curve[:, 0] - 60.0)[12:-12].max() < 0.06


def straight(start, end, step: float = 1.0) -> np.ndarray:
    """Points (K, 2) from start to end."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    return np.linspace(start, end, round(np.linalg.norm(end - start) / step) + 1)


@pytest.mark.parametrize("flip", [(False, False), (True, False), (False, True), (True, True)])
def test_link_joins_across_a_gap(flip):
    """One line broken in two is one again, whichever way its pieces run; its points stay as they are."""
    pieces = [straight((0, 0), (20, 0)), straight((24, 0), (50, 0))]
    given = [piece[::-1] if turned else piece for piece, turned in zip(pieces, flip, strict=True)]
    (joined,) = link(given, gap=8.0, reach=5.0)
    joined = joined if joined[0, 0] == 0 else joined[::-1]
    np.testing.assert_array_equal(joined, np.concatenate(pieces))


def test_link_leaves_a_wide_gap_and_a_sharp_turn():
    """Neither what is too far nor what turns away belongs together."""
    line = straight((0, 0), (20, 0))
    assert len(link([line, straight((40, 0), (60, 0))], gap=8.0, reach=5.0)) == 2
    assert len(link([line, straight((20, 2), (20, 30))], gap=8.0, reach=5.0)) == 2


def test_link_goes_straight_over_a_crossing():
    """Four arms that meet are two lines that cross, not two that bend."""
    middle = np.array([30.0, 30.0])
    tips = [np.array(t, float) for t in ((0, 30), (60, 30), (10, 5), (50, 55))]
    pieces = [straight(middle + 2 * (t - middle) / np.linalg.norm(t - middle), t) for t in tips]
    ends = {frozenset((tuple(c[0]), tuple(c[-1]))) for c in link(pieces, gap=8.0, reach=6.0)}
    assert ends == {frozenset(((0.0, 30.0), (60.0, 30.0))), frozenset(((10.0, 5.0), (50.0, 55.0)))}


def test_link_keeps_a_ring_one():
    """A loop cut into three arcs comes back as one curve with all its points."""
    angle = np.linspace(0, 2 * np.pi, 121)[:-1]
    ring = 20 * np.column_stack([np.cos(angle), np.sin(angle)])
    (joined,) = link([ring[:40], ring[40:80][::-1], ring[80:]], gap=3.0, reach=6.0)
    assert {tuple(p) for p in joined} == {tuple(p) for p in ring}
    assert np.linalg.norm(np.diff(joined, axis=0), axis=1).max() < 2.0


def test_link_carries_further_columns_along():
    """Sigma goes with its vertex, also in a piece that is turned round."""
    first, second = straight((0, 0), (20, 0)), straight((50, 0), (24, 0))
    tagged = [np.column_stack([p, p[:, 0] + 0.5]) for p in (first, second)]
    (joined,) = link(tagged, gap=8.0, reach=5.0)
    np.testing.assert_array_equal(joined[:, 2], joined[:, 0] + 0.5)
    assert link([], gap=8.0, reach=5.0) == []
