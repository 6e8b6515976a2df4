"""How the views of a tilt series lie: found together with the lines in them, and said where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import veristem as vs
from scripts import script
from veristem.datasets import Acquisition, InputError
from veristem.datasets.geometry import Tilt, project
from veristem.datasets.intermediate import Alignment
from veristem.recon.methods import TOLD, run_method
from veristem.recon.tomography import alignment, series
from veristem.recon.tomography.alignment import Seen, Views
from veristem.recon.tomography.series import align, contrast, depths_nm, drawn, registered, told
from veristem.recon.tracks import tracks

report = script("reports/published/tilt-series/alignment.py")
SIDE, PIXEL, THICK, AXIS = 80, 2.0, 100.0, np.pi / 2
TILTS = np.radians(np.arange(-44.0, 45.0, 4.0))
FIRST = len(TILTS) // 2


def lines(seed: int) -> list[np.ndarray]:
    """Bent lines (K, 3) from face to face [nm]."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(6):
        t, azimuth = np.linspace(0, 1, 300)[:, None], rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(azimuth), np.sin(azimuth)])
        bow = rng.normal(0, 8) * np.sin(2 * np.pi * t) * [-along[1], along[0]]
        found.append(np.column_stack([rng.uniform(0, SIDE * PIXEL, 2) + (t - 0.5) * 110 * along + bow, THICK * t]))
    return found


def errors(seed: int, shift_nm: float = 40.0) -> Views:
    """Of read-outs, axis and places."""
    rng = np.random.default_rng(seed)
    shifts = rng.uniform(-shift_nm, shift_nm, (len(TILTS), 2))
    shifts[FIRST] = 0
    return Views(np.radians(rng.normal(0, 0.1, len(TILTS))), float(np.radians(rng.uniform(-1, 1))), shifts)


def blank(side: int = SIDE, thick: float = THICK) -> Acquisition:
    """Views of nothing, as they are said to lie."""
    directions = np.array([Tilt(float(t), AXIS).direction_rad for t in TILTS])
    images = np.ones((len(TILTS), side, side))
    how = {"tilts_rad": TILTS, "tilt_axis_rad": AXIS, "thickness_nm": thick}
    return Acquisition(images, directions, PIXEL, thick / 2, **how)


def pictured(seed: int) -> tuple[Acquisition, Alignment, np.ndarray]:
    """Noisy views of dark lines, how they really lie, and the lines' points (N, 3) [nm]."""
    a, things = blank(), lines(seed)
    true = errors(seed).alignment(a)
    assert true.to_image is not None
    shown = [
        np.maximum.reduce([drawn([project(c, d, a.focus_nm, to)], (SIDE, SIDE), PIXEL, 4.0) for c in things])
        for d, to in zip(true.directions_rad, true.to_image)
    ]
    views = np.random.default_rng(seed).poisson(2000 * (1 - 0.4 * np.minimum(shown, 1)))
    return replace(a, views=views), true, np.concatenate(things)


def left_px(a: Acquisition, found: Alignment, true: Alignment, points: np.ndarray) -> tuple[float, float]:
    """As of the published report, for these images."""
    return report.left_px(found, true, points, a.focus_nm, PIXEL)


def test_what_is_seen_tells_how_views_lie():
    """Places across lines to 0.3 nm, some far off: shifts to 0.05 px, the axis to 0.3, read-outs to 0.06 degrees."""
    a, rng = blank(256, 2 * THICK), np.random.default_rng(0)
    truth, things = errors(0), [line * [3.2, 3.2, 2.0] for line in lines(0)]
    points = np.concatenate([line[::12] for line in things])
    along = np.concatenate([np.gradient(line, axis=0)[::12] for line in things])
    lie, found = truth.alignment(a), []
    assert lie.to_image is not None
    for view, (direction, to_image) in enumerate(zip(lie.directions_rad, lie.to_image)):
        at = project(points, direction, a.focus_nm, to_image)
        ahead = project(points + along, direction, a.focus_nm, to_image) - at
        normal = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.linalg.norm(ahead, axis=1, keepdims=True)
        off = np.where(rng.random(len(at)) < 0.05, rng.uniform(-8, 8, len(at)), rng.normal(0, 0.3, len(at)))
        found.append(Seen(np.full(len(at), view), np.arange(len(at)), at + off[:, None] * normal, normal))
    seen = Seen(*(np.concatenate(parts) for parts in zip(*found)))
    shifts = truth.shifts_nm + rng.normal(0, 2, truth.shifts_nm.shape)
    shifts[FIRST] = 0
    views, places = Views(np.zeros(len(TILTS)), 0.0, shifts), points + rng.normal(0, 2, points.shape)
    for round_px in ((4.0, 2.0, 1.0), (1.0, 1.0, 0.2)):
        views, places = alignment._adjusted(a, views, FIRST, places, seen, round_px)
    assert max(left_px(a, views.alignment(a), lie, points)) < 0.05
    assert np.degrees(views.turn_rad - truth.turn_rad) == pytest.approx(0.0, abs=0.3)
    tilts = views.tilts_rad - truth.tilts_rad
    assert np.degrees(np.std(tilts)) < 0.06 < np.degrees(np.std(truth.tilts_rad))


@pytest.mark.slow
def test_a_series_of_lines(monkeypatch):
    """Shifts of 20 pixels, an axis off by up to a degree, read-outs by 0.1: found from the images alone, and told."""
    a, true, points = pictured(0)
    before = left_px(a, Alignment(a.directions_rad, a.to_image), true, points)
    found = align(a, scale_nm=4.0)
    assert max(left_px(a, found.alignment, true, points)) < 0.8
    assert min(before) > 4
    monkeypatch.setattr(series, "align_series", None)  # what was found once is not found again
    images, depths = contrast(a, None, 4.0), depths_nm(a, 20.0, 500.0, free=True)
    assert registered(a, images, depths, 4.0).to_image is found.alignment.to_image
    (line,) = told(a, scale_nm=4.0, iterations=9)
    assert line.startswith(f"registered: {len(TILTS)} views by ")
    monkeypatch.setattr(series, "default_scale_nm", lambda *_: 4.0)
    places = tracks(a).by_view(len(TILTS))
    assert np.isfinite(places).all(axis=2).sum() == len(found.off_nm) > 10 * len(TILTS)
    row, column = (places[np.isfinite(places[:, FIRST, 0]), FIRST] // PIXEL).astype(int).T[::-1]
    assert np.mean(a.views[FIRST][row, column]) < 0.8 * np.median(a.views[FIRST])  # lines are dark


def few(tilts_deg, views: np.ndarray) -> Acquisition:
    """Views at some tilts."""
    tilts = np.radians(np.asarray(tilts_deg, float))
    directions = np.array([Tilt(float(t), AXIS).direction_rad for t in tilts])
    how = {"tilts_rad": tilts, "tilt_axis_rad": AXIS, "thickness_nm": THICK}
    return Acquisition(views, directions, PIXEL, THICK / 2, **how)


@pytest.mark.parametrize("tilts_deg", [[-20, -10, 0, 10, 20], [0, -20, 20, 10, -10, 10], [-30, -28, -26, 5, 28, 30]])
def test_views_without_texture_stay_where_they_are_said_to_be(tilts_deg):
    """In whatever order, with gaps or twice at one tilt: no line is found, and nothing is made up."""
    views = np.random.default_rng(1).poisson(500, (len(tilts_deg), 48, 48))
    a = few(tilts_deg, views)
    assert run_method("tomo-wbp", a).length_nm < 60


def test_a_series_that_tells_nothing_is_said_to():
    """By every method of tomography, before it works; a bad parameter is one line all the same."""
    a = few([-20, -10, 0, 10, 20], np.random.default_rng(1).poisson(500, (5, 40, 40)))
    for method in TOLD:
        of_points = method.startswith("points")
        images = replace(a, kind="particles") if of_points else a
        said: list[str] = []
        vs.reconstruct(images, method, say=said.append)
        assert f"too few {'particles' if of_points else 'lines'} can be followed" in said[-1]
        bad = "diameter_nm" if of_points else "scale_nm"
        with pytest.raises(InputError, match=f"{bad}: -1 found"):
            vs.reconstruct(images, f"{method} {bad}=-1")
    views = a.views.copy()
    views[1] = 1
    assert "(1, 2)" in next(line for line in told(replace(a, views=views)) if "of 5 views" in line)


def test_one_view_is_no_series():
    """One line that says so."""
    with pytest.raises(InputError, match=r"^views: 1 found, at least 2 allowed for tomography"):
        run_method("tomo-sirt", few([10], np.ones((1, 32, 32))))
    with pytest.raises(InputError, match="all views share one direction"):
        run_method("tomo-sirt", few([10, 10], np.ones((2, 32, 32))))
