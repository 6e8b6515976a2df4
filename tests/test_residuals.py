"""Residuals of a reconstruction in its own images, against shifts whose effect geometry tells."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.metrics.lines import Lines
from veristem.bench.pages.residuals import CAP_PX, reprojection_residuals
from veristem.datasets import Acquisition, CurveSet, formats
from veristem.datasets.geometry import Tilt, project

PIXEL_NM, COUNT, FOCUS_NM = 4.0, 128, 100.0
FIELD_NM = PIXEL_NM * COUNT
DIRECTIONS = np.radians([[5.0, 0.0], [-3.0, 0.0]])  # epipolar along x, the two views not alike
ACROSS = np.array([[250.0, -100.0, 60.0], [250.0, 600.0, 140.0]])  # perpendicular to it in the image, inclined
ALONG = np.array([[-200.0, 300.0, 60.0], [700.0, 300.0, 140.0]])  # along it
INNER = slice(5, 15)  # of 20 points along a line: away from the rim, where the detector is blind
BENT = np.column_stack([s := np.linspace(60, 450, 40), 250 + 120 * np.sin(s / 90), 0.4 * s])


def imaged(*lines, directions=DIRECTIONS, to_image=None, **more) -> Acquisition:
    """Noiseless images: dark Gaussian profiles of 8 nm about the projected lines."""
    y, x = (np.mgrid[:COUNT, :COUNT] + 0.5) * PIXEL_NM
    grid = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    views = np.full((len(directions), COUNT, COUNT), 400.0)
    maps = [None] * len(directions) if to_image is None else to_image
    for view, direction, to in zip(views, directions, maps, strict=True):
        for line in lines:
            flat = np.column_stack([project(line, direction, FOCUS_NM, to), np.zeros(len(line))])
            distance = Lines.of(CurveSet((flat,)), 1.0).nearest(grid)[0].reshape(COUNT, COUNT)
            view -= 150 * np.exp(-(distance**2) / (2 * 8.0**2))
    return Acquisition(views, directions, PIXEL_NM, FOCUS_NM, thickness_nm=200.0, **more)


@pytest.fixture(scope="module")
def across() -> Acquisition:
    return imaged(ACROSS)


@pytest.fixture(scope="module")
def along() -> Acquisition:
    return imaged(ALONG)


def inner(line, x=0.0, z=0.0) -> np.ndarray:
    """The middle of a straight line, moved."""
    return np.linspace(*line, 20)[INNER] + np.array([x, 0.0, z])


def residuals(acquisition, *lines):
    return reprojection_residuals(acquisition, CurveSet(lines))


def of_views(result, key) -> list:
    return [row[key] for row in result.per_view]


def test_true_curves_lie_on_their_images():
    """By a small part of a pixel, and the contours are explained but for a stub beyond an end; two lines."""
    result = residuals(imaged(BENT, ALONG), BENT, ALONG[::-1])
    assert of_views(result, "view") == [0, 1]
    assert max(of_views(result, "rms_px")) < 0.5
    assert max(of_views(result, "median_px")) < 0.2
    assert min(of_views(result, "within_3px")) > 0.99
    assert min(of_views(result, "explained")) > 0.95
    assert [v.shape for v in result.vertex_px] == [(40,), (2,)]
    assert np.median(result.vertex_px[0]) < 0.3


@pytest.mark.parametrize("pixels", [1.0, 2.5, 5.0])
def test_a_shift_across_the_line_is_the_residual(across, pixels):
    """In all views alike; beyond three pixels nothing is near any more, on both sides."""
    result = residuals(across, inner(ACROSS, x=pixels * PIXEL_NM))
    assert of_views(result, "rms_px") == pytest.approx([pixels] * 2, abs=0.1)
    assert of_views(result, "median_px") == pytest.approx([pixels] * 2, abs=0.1)
    assert of_views(result, "within_3px") == [float(pixels < 3)] * 2
    near = [share > 0.3 for share in of_views(result, "explained")]
    assert near == [pixels < 3] * 2


@pytest.mark.parametrize("shift_nm", [-150.0, 40.0, 150.0])
def test_a_wrong_depth_shows_across_the_epipolar_direction(across, shift_nm):
    """Each view by the tangent of its own angle; a vertex has the larger of the two."""
    result = residuals(across, inner(ACROSS, z=shift_nm))
    expected = abs(shift_nm) * np.tan(np.abs(DIRECTIONS[:, 0])) / PIXEL_NM
    assert of_views(result, "rms_px") == pytest.approx(expected, abs=0.1)
    np.testing.assert_allclose(result.vertex_px[0], expected.max(), atol=0.15)


@pytest.mark.parametrize("shift_nm", [-150.0, 150.0])
def test_a_wrong_depth_hides_along_the_epipolar_direction(along, shift_nm):
    """A line that moves along itself stays on its image: what the docstring warns of."""
    result = residuals(along, inner(ALONG, z=shift_nm))
    assert max(of_views(result, "rms_px")) < 0.2
    assert np.max(result.vertex_px) < 0.2


def test_what_is_missing_and_what_is_invented(across, along):
    """A missing line lowers what is explained, an invented one what is near; the other share stays whole."""
    both = imaged(ACROSS, ALONG)
    missing = residuals(both, ALONG)
    assert min(of_views(missing, "within_3px")) > 0.98
    assert all(0.4 < share < 0.6 for share in of_views(missing, "explained"))
    invented = residuals(along, ALONG, ACROSS)
    assert all(0.4 < share < 0.6 for share in of_views(invented, "within_3px"))
    assert min(of_views(invented, "explained")) > 0.98


def test_one_wild_vertex_does_not_decide(across):
    """A curve far from all contours counts as the cap, however far."""
    far, farther = np.array([[40.0, 20, 0], [40, 480, 0]]), np.array([[500.0, 20, 0], [500, 480, 0]])
    for curve in (far, farther):
        result = residuals(across, curve)
        assert of_views(result, "rms_px") == pytest.approx([CAP_PX] * 2)
        assert (result.vertex_px[0] > CAP_PX).all()


def test_the_division_of_a_curve_does_not_matter(across):
    """Lengths are measured, not vertices counted."""
    shifted = inner(ACROSS, x=4.0)[[0, -1]]
    divided = np.linspace(*shifted, 7)
    uneven = np.concatenate([np.linspace(shifted[0], divided[3], 50), divided[4:]])
    whole, parts = residuals(across, shifted), residuals(across, uneven)
    for key in ("rms_px", "median_px", "within_3px", "explained"):
        assert of_views(parts, key) == pytest.approx(of_views(whole, key), abs=0.01)


def test_an_empty_reconstruction(across):
    result = residuals(across)
    assert result.vertex_px == ()
    for row in result.per_view:
        assert (row["rms_px"], row["median_px"], row["within_3px"], row["explained"]) == (None, None, None, 0.0)


def test_images_without_contours(across):
    blank = replace(across, views=np.full_like(across.views, 400.0))
    result = residuals(blank, ACROSS, BENT)
    assert np.isinf(result.vertex_px[1]).all()
    for row in result.per_view:
        assert row["rms_px"] == pytest.approx(CAP_PX)
        assert (row["median_px"], row["within_3px"], row["explained"]) == (CAP_PX, 0.0, None)


def test_outside_the_image_nothing_is_known(across):
    """A vertex beyond the rim of all views is NaN; beyond that of one, the other tells."""
    result = residuals(across, inner(ACROSS, x=5000), np.array([[250.0, 100, 100], [-2.0, 100, 200]]))
    assert np.isnan(result.vertex_px[0]).all()
    assert np.isfinite(result.vertex_px[1]).all()
    assert of_views(residuals(across, inner(ACROSS, x=5000)), "rms_px") == [None, None]


def test_a_single_view():
    """Depth cannot be seen, but the curve still has to lie on its image."""
    single = imaged(ACROSS, directions=DIRECTIONS[:1])
    result = residuals(single, inner(ACROSS, x=8.0))
    assert of_views(result, "rms_px") == pytest.approx([2.0], abs=0.1)


def test_lines_of_another_origin_are_laid_on_a_series_as_a_whole():
    """Views of several scans tell no origin: lines that were moved lie on them again, and how far is said; the mirror
    image in depth stays off."""
    rng, axis = np.random.default_rng(5), np.pi / 2
    lines = [
        np.column_stack(
            [np.linspace(*x, 40), np.linspace(*y, 40) + 15 * np.sin(np.linspace(0, 5, 40)), np.linspace(*z, 40)]
        )
        for x, y, z in zip(rng.uniform(40, 470, (7, 2)), rng.uniform(40, 470, (7, 2)), rng.uniform(20, 180, (7, 2)))
    ]
    tilts = [Tilt(angle, axis) for angle in np.radians([-30.0, -15, 0, 15, 30])]
    directions = np.array([tilt.direction_rad for tilt in tilts])
    to_image = [tilt.to_image((FIELD_NM, FIELD_NM), 0.0) for tilt in tilts]
    angles = np.array([tilt.angle_rad for tilt in tilts])
    series = imaged(*lines, directions=directions, to_image=to_image, tilts_rad=angles, tilt_axis_rad=axis)
    away = np.array([36.0, -20.0, 50.0])
    found = residuals(series, *(line + away for line in lines))
    assert (np.abs(found.moved_nm + away) < [2.0, 2.0, 15.0]).all()  # the series' own middle in depth is a guess
    assert max(of_views(found, "rms_px")) < 1.5
    turned = residuals(series, *(line * [1, 1, -1] + [0, 0, 200] for line in lines))
    assert max(of_views(turned, "rms_px")) > 3


def test_a_score_without_a_truth(tmp_path, cli, across):
    """The command takes images in its place, says a line a view, and refuses what needs a truth."""
    images, good, bad = tmp_path / "images.h5", tmp_path / "good.vtp", tmp_path / "bad.vtp"
    formats.write(images, across)
    formats.write(good, CurveSet((inner(ACROSS),)))
    formats.write(bad, CurveSet((inner(ACROSS, x=24.0),)))
    for path, rms_px in ((good, 0.0), (bad, 24 / PIXEL_NM)):
        rows = json.loads(cli("score", images, path, "--json").out)["images"]
        assert [row["rms_px"] for row in rows] == pytest.approx([rms_px] * 2, abs=0.6)
    told = cli("score", images, good).out
    assert told.startswith("view 0: 0.")
    assert "100% within 3 pixels" in told
    refused = cli("score", images, good, "--reproject", 8)
    assert refused.code == 2
    assert "a truth needed for --of" in refused.err
    formats.write(images, replace(across, kind="particles"))
    refused = cli("score", images, good)
    assert refused.code == 2
    assert "images of particles found" in refused.err
