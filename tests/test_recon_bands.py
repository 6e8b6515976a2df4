"""Curves corrected by bands: where bands are taken, what a correction does to depths, and that training teaches it."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets.intermediate import Contours, Matches
from veristem.recon.stereo import bands
from veristem.recon.stereo.bands import ACROSS, OUTPUTS, REACH, Bands, evenly, normals_of
from veristem.recon.stereo.seeking import sought

EPIPOLAR = np.array([1.0, 0.0])
SCALE_NM, PIXEL_NM = 6.0, 2.0


def line(turn_deg: float, disparity_nm: float = 4.0) -> np.ndarray:
    """One straight curve (2, K, 2) in two views."""
    along = np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])
    first = [120.0, 120.0] + np.arange(-80, 81, 2.0)[:, None] * along
    return np.stack([first, first + disparity_nm * EPIPOLAR])


def views(places: np.ndarray) -> np.ndarray:
    """Noisy images of a dark line each, along the curve of each view."""
    noise = np.random.default_rng(0).normal(0, 100, (2, 120, 120))
    y, x = (np.mgrid[:120, :120] + 0.5) * PIXEL_NM
    images = []
    for curve in places:
        cos, sin = (curve[-1] - curve[0]) / np.linalg.norm(curve[-1] - curve[0])
        across = -(x - curve[0, 0]) * sin + (y - curve[0, 1]) * cos
        images.append(1000 * (1 - 0.5 * np.exp(-0.5 * (across / 4.0) ** 2)))
    return np.array(images) + noise


def told(**values):
    """A network that tells the same of every vertex."""

    def network(image):
        assert image.shape[:2] == (2, ACROSS)
        return np.stack([np.full(image.shape[2], values.get(name, 0.0)) for name in OUTPUTS])

    network.calibration = np.ones(1)
    return network


@pytest.mark.parametrize("turn_deg", [90.0, 60.0, 140.0, -75.0])
def test_a_band_shows_the_line_where_it_is(turn_deg):
    """Off by so many nanometres along the normal, the line is so far from the middle, to the other side."""
    places = line(turn_deg)
    normals = normals_of(places, SCALE_NM)
    ready = Bands(list(views(places)), PIXEL_NM, SCALE_NM)
    across = SCALE_NM * np.linspace(-REACH, REACH, ACROSS)
    for off in (-6.0, 0.0, 3.0):
        straight = ready.straightened(places + off * normals, normals)[:, :, 10:-10]
        np.testing.assert_allclose(across[straight.mean(axis=2).argmin(axis=1)], -off, atol=1.0)


@pytest.mark.parametrize("turn_deg", [90.0, 45.0, 130.0, -60.0])
def test_what_is_told_along_the_normal_becomes_disparity_along_the_rows(turn_deg, monkeypatch):
    """A line that lies apart by a along its normal is off by a / sin of its angle to the rows, and it is moved once
    for each time that it is looked at."""
    monkeypatch.setattr(bands, "trained", lambda *_: told(apart=0.5, there=9.0))
    places = line(turn_deg)
    ready = Bands(list(views(places)), PIXEL_NM, SCALE_NM)
    found = ready.corrected(Matches((0, 1), (places,), (np.ones(places.shape[1]),)), EPIPOLAR)
    ((first, second),) = found.places_nm
    np.testing.assert_allclose((second - first)[:, 1], 0, atol=1e-9)
    normal = normals_of(places, SCALE_NM)[0, 0]
    expected = 4.0 + bands._TIMES * 0.5 * 2.0 / normal[0]
    np.testing.assert_allclose((second - first)[:, 0], expected, rtol=1e-6)
    sine = abs(np.sin(np.radians(turn_deg)))
    np.testing.assert_allclose(found.sigma_nm[0], 2.0 / sine, rtol=1e-6)


def test_along_the_rows_the_disparity_stays():
    """There bands tell nothing of it, and its error is no smaller than it was."""
    places = line(0.0)
    ready = Bands(list(views(places)), PIXEL_NM, SCALE_NM)
    ((found, error),) = ready._moved(places, np.full(81, 30.0), EPIPOLAR, told(apart=1.0, there=9.0), 1.0)
    np.testing.assert_allclose((found[1] - found[0])[:, 0], 4.0)
    assert error.min() >= 30.0


def test_what_no_line_is_seen_along_is_left_out():
    places = line(70.0)
    ready = Bands(list(views(places)), PIXEL_NM, SCALE_NM)
    assert not ready._moved(places, np.ones(81), EPIPOLAR, told(there=-9.0), 1.0)

    def half(image):
        outputs = told(there=9.0)(image)
        outputs[OUTPUTS.index("there"), 20:45] = -9.0
        return outputs

    pieces = ready._moved(places, np.ones(81), EPIPOLAR, half, 1.0)
    assert [p.shape[1] for p, _ in pieces] == [20, 36]


def test_vertices_lie_evenly_in_both_views():
    places = line(50.0)[:, ::3]
    found, sigma = evenly(places, np.arange(27.0), 2.0)
    np.testing.assert_allclose(np.diff(np.linalg.norm(found[0] - found[0, 0], axis=1)), 2.0, rtol=0.02)
    assert sigma[[0, -1]].tolist() == [0, 26]


def test_pixels_of_another_size_show_the_same(monkeypatch):
    """Images are brought to the pixels of training: as many nanometres off in finer ones."""
    places = line(80.0)
    fine = np.repeat(np.repeat(views(places), 2, axis=1), 2, axis=2)
    coarse = Bands(list(views(places)), PIXEL_NM, SCALE_NM)
    finer = Bands(list(fine), PIXEL_NM / 2, SCALE_NM)
    normals = normals_of(places, SCALE_NM)
    one, other = (b.straightened(places, normals)[:, :, 10:-10] for b in (coarse, finer))
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_nothing_in_nothing_out(monkeypatch):
    monkeypatch.setattr(bands, "trained", lambda *_: told())
    ready = Bands(list(views(line(90.0))), PIXEL_NM, SCALE_NM)
    assert ready.corrected(Matches((0, 1), (), ()), EPIPOLAR).places_nm == ()


@pytest.mark.parametrize("view", [0, 1])
def test_what_one_view_has_is_sought_in_the_other(view, monkeypatch):
    """Along a contour without a partner the depth that is told best is taken; nothing is when none is, or none is
    needed."""
    places = line(80.0, 4.0)

    def truth(image):  # tells that the line is there when the curve is nearly where it is
        outputs = told(log_variance=-4.0)(image)
        dark = image[:, ACROSS // 2].mean(axis=1) < image.mean() - 1.0
        outputs[OUTPUTS.index("there")] = 9.0 if dark.all() else -9.0
        return outputs

    truth.calibration = np.ones(1)
    monkeypatch.setattr(bands, "trained", lambda *_: truth)
    ready = Bands(list(views(places)), PIXEL_NM, SCALE_NM)
    alone = Contours(*(tuple((given,) if v == view else () for v in (0, 1)) for given in (places[view], np.ones(81))))
    nothing, whole = Matches((0, 1), (), ()), Matches((0, 1), (places,), (np.ones(81),))
    (found,) = sought(alone, nothing, ready, EPIPOLAR, (-20.0, 20.0)).places_nm
    assert np.abs((found[1] - found[0])[:, 0] - 4.0).max() < 4.0
    np.testing.assert_allclose(found[view], places[view], atol=0.5)
    assert len(sought(alone, whole, ready, EPIPOLAR, (-20.0, 20.0)).places_nm) == 1
    assert not sought(alone, nothing, ready, EPIPOLAR, (10.0, 20.0)).places_nm
