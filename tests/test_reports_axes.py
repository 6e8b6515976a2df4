"""The letters of 3D pictures: all of the box in sight, every tick readable, the scale as it is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.reports import axes, cameras, scenes

LENGTHS = st.floats(1e-3, 1e6)


def seen(azimuth: float, elevation: float, size):
    """A parallel projection of a box, as large as a picture."""
    c, s, e, f = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    rows = np.array([[c, s, 0], [s * f, -c * f, e]])
    scale = 800 / max(np.linalg.norm(size), 1e-9)
    return lambda points: 500 + scale * (np.asarray(points) - np.asarray(size) / 2) @ rows.T


@settings(max_examples=60, deadline=None)
@given(st.tuples(LENGTHS, LENGTHS, LENGTHS), st.floats(-3.1, 3.1), st.floats(-1.5, 1.5))
def test_texts_never_lie_over_each_other(size, azimuth, elevation):
    """Whatever the box and wherever it is seen from."""
    lines, placed = axes.letters((0, 0, 0), size, seen(azimuth, elevation, size), lambda text: (13 * len(text), 20))
    for n, (_, one) in enumerate(placed):
        assert np.isfinite(one).all()
        for _, other in placed[:n]:
            assert not ((one[0] < other[1]).all() and (other[0] < one[1]).all())
    assert len(lines) <= 24
    assert any("(nm)" in text for text, _ in placed)


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.integers(1, 6))
def test_ticks_are_round_and_within_and_told_apart(low, length, most):
    values = axes.ticks(low, low + length, most)
    assert 2 <= len(values) <= most + 1
    assert low - 1e-5 * length <= values[0] < values[-1] <= low + length * (1 + 1e-5)


def test_ticks_have_the_digits_they_need():
    assert axes.texts(axes.ticks(0, 300, 4)) == ["0", "100", "200", "300"]
    assert axes.texts(axes.ticks(-50, 50, 4)) == ["−50", "−25", "0", "25", "50"]
    assert axes.texts(axes.ticks(0, 1, 4)) == ["0.00", "0.25", "0.50", "0.75", "1.00"]
    assert axes.texts(axes.ticks(0, 60, 1)) == ["0", "60"]  # both faces of a thin foil
    assert axes.texts([5.0]) == ["5"]


@pytest.mark.parametrize("camera", ["tilted", "beam", "edge"])
@pytest.mark.parametrize("size", [(300, 300, 300), (2000, 500, 20), (10, 10, 400)])
def test_the_whole_box_is_in_the_picture(camera, size):
    """A cube filled the picture so that its lower corner and the labels of x lay outside of it."""
    plotter = scenes.new_plotter()
    scenes.add_foil(plotter, size)
    scenes.aim(plotter, camera)
    at = cameras.project(plotter, axes.corners((0, 0, 0), size)) / plotter.window_size
    plotter.close()
    assert at.min() > 0.01
    assert at.max() < 0.99
    assert np.ptp(at, axis=0).max() > 0.9


def test_what_is_projected_lies_where_it_is_drawn():
    """A small sphere and its letters agree."""
    plotter = scenes.new_plotter()
    scenes.add_foil(plotter, (300, 300, 100))
    place = np.array([[200.0, 100.0, 30.0]])
    scenes.add_spheres(plotter, place, [4.0], sides=12, color="red")
    scenes.aim(plotter, "tilted")
    plotter.show(auto_close=False)
    red = np.asarray(plotter.screenshot(return_img=True)).astype(int)
    rows, columns = np.nonzero(red[..., 0] - red[..., 1] > 80)
    at = cameras.project(plotter, place)[0]
    plotter.close()
    assert (columns.mean(), rows.mean()) == pytest.approx(tuple(at), abs=2)


def test_a_wild_vertex_does_not_shrink_the_foil():
    plotter = scenes.new_plotter()
    scenes.add_foil(plotter, (100, 100, 100))
    scenes.add_spheres(plotter, np.array([[0.0, 0.0, 1e6]]), [4.0], sides=6, color="red")
    scenes.aim(plotter, "edge")
    at = cameras.project(plotter, axes.corners((0, 0, 0), (100, 100, 100))) / plotter.window_size
    plotter.close()
    assert np.ptp(at, axis=0).max() > 0.3


def test_the_scale_shows_its_limits_and_its_mark():
    """A mark outside of the scale is none; the lower limit is at the foot."""
    from matplotlib.image import imread

    colours = np.stack([np.arange(256)] * 3, axis=1).astype(np.uint8)
    project = seen(0.4, 0.5, (100, 100, 100))
    blank = np.full((900, 1400, 3), 255, np.uint8)
    drawn = [
        axes.lettered(blank, (0, 0, 0), (100, 100, 100), project, axes.Bar("error (nm)", colours, (0.0, 10.0), mark))
        for mark in (None, 5.0, 30.0)
    ]
    assert (drawn[0] == drawn[2]).all()
    assert drawn[1].shape[1] > drawn[0].shape[1]
    told = axes.Bar("depth", colours, (0.0, 10.0)).for_script()
    assert (told["colours"][0], told["colours"][-1]) == ("#000000", "#ffffff")
    assert imread(io.BytesIO(scenes.png(drawn[0]))).shape[:2] == drawn[0].shape[:2]
