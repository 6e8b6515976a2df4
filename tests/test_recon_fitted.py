"""Lines fitted to the images: drawn lines of Gaussian profile whose places and whose smallest error are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from veristem.datasets import Acquisition, CurveSet, InputError, formats
from veristem.datasets.geometry import Tilt, project
from veristem.datasets.intermediate import Alignment
from veristem.datasets.polyline import resample
from veristem.recon.fitted import fit, lines
from veristem.recon.fitted.images import noise_of
from veristem.recon.fitted.spline import Spline
from veristem.recon.methods import run_method

PIXEL_NM, SIDE, THICKNESS_NM, FOCUS_NM = 2.0, 160, 200.0, 100.0
WIDTH_NM, CONTRAST, LEVEL = 4.0, 0.2, 2000.0
HALF = np.radians(4.0)
PAIR = np.array([[HALF, 0.0], [-HALF, 0.0]])


def straight(first, last) -> np.ndarray:
    return np.linspace(first, last, 120)


def curved(x: float = 160.0) -> np.ndarray:
    """An arc of 100 nm radius in the image that rises and falls."""
    angle = np.linspace(-1.1, 1.1, 160)
    return np.column_stack([x + 100 * np.cos(angle), 160 + 100 * np.sin(angle), 100 + 40 * np.cos(2 * angle)])


SCENES = {
    "straight": [straight([150, 40, 60], [180, 280, 140])],
    "curved": [curved(70.0)],
    "crossing": [straight([80, 60, 50], [240, 260, 60]), straight([240, 60, 150], [80, 260, 140])],
    "parallel": [straight([148, 40, 70], [148, 280, 70]), straight([168, 40, 130], [168, 280, 130])],
    "steep": [straight([150, 130, 20], [160, 190, 180])],
}


def drawn(
    truth, directions=PAIR, seed: int | None = 0, shift_nm=(0.0, 0.0), level: float = LEVEL, to_image=(None, None, None)
) -> Acquisition:
    """Views of dark lines, Gaussian across themselves, with the noise of electrons unless the seed is None."""
    at = PIXEL_NM * (np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), axis=-1) + 0.5)
    views = np.full((len(directions), SIDE, SIDE), level)
    for view, direction, place in zip(views, directions, to_image):
        for line in truth:
            image = project(resample(line, np.zeros(len(line)), 0.5)[0], direction, FOCUS_NM, place) + shift_nm
            view *= 1 - CONTRAST * np.exp(-0.5 * (KDTree(image).query(at)[0] / WIDTH_NM) ** 2)
    if seed is not None:
        views = np.random.default_rng(seed).poisson(views)
    return Acquisition(views.astype(np.float32), np.asarray(directions), PIXEL_NM, FOCUS_NM, THICKNESS_NM)


def off(truth, aside_nm: float, deep_nm: float, sigma_nm: float = 6.0) -> CurveSet:
    """The lines moved as a whole."""
    return CurveSet(
        tuple(line + np.array([aside_nm, 0.0, deep_nm]) for line in truth),
        tuple(np.full(len(c), sigma_nm) for c in truth),
    )


def errors(truth, found: CurveSet) -> list[np.ndarray]:
    """Of every curve, errors of depth at its vertices, less what the line rises as they lie aside [nm]."""
    errors = []
    for line, curve in zip(truth, found.curves_nm):
        points = resample(line, np.zeros(len(line)), 0.5)[0]
        nearest = KDTree(points[:, :2]).query(curve[:, :2])[1]
        along = np.gradient(points, axis=0)[nearest]
        away = curve - points[nearest]
        level = (along[:, :2] ** 2).sum(axis=1)
        errors.append(away[:, 2] - along[:, 2] * (away * along)[:, :2].sum(axis=1) / level)
    return errors


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(np.concatenate(values)))))


@pytest.mark.parametrize("scene", SCENES)
def test_a_start_that_is_off_comes_to_the_line(scene):
    """Whatever the line: from 2 nm aside and 7 nm too deep."""
    truth = SCENES[scene]
    found = lines.reconstruct(drawn(truth), start=off(truth, 2.0, 7.0))
    assert rms(errors(truth, found)) < 3.0
    for line, curve in zip(truth, found.curves_nm):
        aside = KDTree(resample(line, np.zeros(len(line)), 0.5)[0][:, :2]).query(curve[:, :2])[0]
        assert np.sqrt(np.mean(aside**2)) < 0.8


def test_depth_is_told_as_well_as_the_noise_lets_it():
    """The mean depth of a straight line: J = L c² N sqrt(pi) / (2 w p²) a view for a shift of a faint Gaussian of
    depth c and width w on N electrons a pixel p; a pair has the difference of two shifts over its parallax."""
    length, truth = 220.0, [straight([150, 50, 90], [150, 270, 90])]
    information = length * CONTRAST**2 * LEVEL * np.sqrt(np.pi) / (2 * WIDTH_NM * PIXEL_NM**2)
    limit = np.sqrt(2 / information) / (2 * np.tan(HALF))
    mean = [errors(truth, lines.reconstruct(drawn(truth, seed=seed), start=off(truth, 0.0, 4.0)))[0].mean()
            for seed in range(14)]  # fmt: skip
    assert rms([mean]) < 1.5 * limit


def test_uncertainty_is_that_of_the_noise():
    """Lines whose depth is bent as the fit takes lines to be, so that they are neither stiffer nor softer than it says.

    What is told is some 7 % more, as pixels weigh less toward the edges of a band, and some more for contrast that may
    change with the direction, which that of drawn lines does not.
    """
    over = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        truth = [wandering(rng, x) for x in (70.0, 160.0, 250.0)]
        found = lines.reconstruct(drawn(truth, seed=seed, level=500.0), start=off(truth, 0.0, 3.0))
        over += [error / sigma for error, sigma in zip(errors(truth, found), found.sigma_nm)]
    assert 0.75 < rms(over) < 1.05


def wandering(rng: np.random.Generator, x: float) -> np.ndarray:
    """A line along y whose second derivative of depth is white noise, of the density that the fit expects."""
    y = np.linspace(20.0, 300.0, 281)
    bent = fit._BENT * np.sqrt(fit.KNOT_NM) * rng.normal(size=len(y))
    deep = np.cumsum(np.cumsum(bent))
    return np.column_stack([np.full(len(y), x), y, 100 + deep - np.polyval(np.polyfit(y, deep, 1), y)])


def test_a_shift_of_all_images_shifts_the_answer():
    """But for what the edges of the field make of the background."""
    truth = SCENES["crossing"]
    plain = lines.reconstruct(drawn(truth, seed=None), start=off(truth, 1.0, 5.0))
    moved = [line + np.array([4.0, -6.0, 0.0]) for line in truth]
    other = lines.reconstruct(drawn(truth, seed=None, shift_nm=(4.0, -6.0)), start=off(moved, 1.0, 5.0))
    for a, b in zip(plain.curves_nm, other.curves_nm, strict=True):
        np.testing.assert_allclose(b - a, np.broadcast_to([4.0, -6.0, 0.0], a.shape), atol=0.25)


def test_views_of_a_tilted_specimen_are_seen_where_they_lie():
    """Foreshortened across the axis, and one of them moved."""
    truth = SCENES["straight"]
    tilts = [Tilt(angle, np.pi / 2) for angle in np.radians([-20.0, 0.0, 20.0])]
    places = np.array([tilt.to_image((SIDE * PIXEL_NM, SIDE * PIXEL_NM)) for tilt in tilts])
    places[2, :, 2] += [3.0, -5.0]
    directions = np.array([tilt.direction_rad for tilt in tilts])
    acquisition = drawn(truth, directions, to_image=places)
    found = lines.reconstruct(acquisition, start=off(truth, 2.0, 4.0), alignment=Alignment(directions, places))
    assert rms(errors(truth, found)) < 1.0


def test_the_order_of_views_does_not_matter():
    truth, fan = SCENES["curved"], np.array([[HALF, 0.0], [0.0, 0.0], [-HALF, 0.0]])
    acquisition = drawn(truth, fan)
    turned = Acquisition(acquisition.views[[2, 0, 1]], fan[[2, 0, 1]], PIXEL_NM, FOCUS_NM, THICKNESS_NM)
    one, other = (lines.reconstruct(a, start=off(truth, 1.0, 5.0)) for a in (acquisition, turned))
    np.testing.assert_allclose(one.curves_nm[0], other.curves_nm[0], atol=1e-6)
    np.testing.assert_allclose(one.sigma_nm[0], other.sigma_nm[0], atol=1e-6)


def test_views_that_are_all_equal_show_lines_in_the_focus_plane():
    truth = [straight([150, 50, FOCUS_NM], [180, 270, FOCUS_NM])]
    alike = drawn(truth, PAIR[[0, 0]], seed=None)
    acquisition = Acquisition(alike.views, PAIR, PIXEL_NM, FOCUS_NM, THICKNESS_NM)
    found = lines.reconstruct(acquisition, start=off(truth, 0.0, 8.0))
    assert np.abs(found.curves_nm[0][:, 2] - FOCUS_NM).max() < 0.5


def test_what_no_view_shows_is_left_out_and_what_lies_outside_is_refused():
    """Where there is no line nothing is kept; of a line that goes on farther than it does, the rest."""
    truth = [straight([150, 40, 90], [150, 160, 90])]
    empty = straight([240, 60, 90], [240, 260, 90])
    longer = straight([150, 40, 90], [150, 290, 90])
    found = lines.reconstruct(drawn(truth), start=CurveSet((empty, longer)))
    assert len(found.curves_nm) == 1
    assert found.curves_nm[0][:, 1].max() == pytest.approx(160, abs=25)
    with pytest.raises(InputError, match="no curve within the field"):
        lines.reconstruct(drawn(truth), start=CurveSet((empty + np.array([5000.0, 0.0, 0.0]),)))
    assert not lines.reconstruct(drawn(truth), start=CurveSet(())).curves_nm


def test_what_cannot_be_done_is_told(tmp_path):
    truth = SCENES["straight"]
    acquisition = drawn(truth)
    one = Acquisition(acquisition.views[:1], PAIR[:1], PIXEL_NM, FOCUS_NM, THICKNESS_NM)
    with pytest.raises(InputError, match="at least 2"):
        lines.reconstruct(one, start=off(truth, 0.0, 0.0))
    alike = Acquisition(acquisition.views, PAIR[[0, 0]], PIXEL_NM, FOCUS_NM, THICKNESS_NM)
    with pytest.raises(InputError, match="one direction"):
        lines.reconstruct(alike, start=off(truth, 0.0, 0.0))
    with pytest.raises(InputError, match="views"):  # of different size
        Acquisition([np.ones((4, 4)), np.ones((4, 5))], PAIR, PIXEL_NM, FOCUS_NM)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"none\.vtp"):
        run_method(f"lines-fitted start={tmp_path / 'none.vtp'}", acquisition)


def test_a_start_from_a_file_is_that_start(tmp_path):
    truth = SCENES["straight"]
    start = off(truth, 1.0, 5.0)
    formats.write(tmp_path / "start.vtp", start)
    named = run_method(f"lines-fitted start={tmp_path / 'start.vtp'}", drawn(truth))
    np.testing.assert_allclose(named.curves_nm[0], lines.reconstruct(drawn(truth), start=start).curves_nm[0], atol=1e-3)


def test_bending_is_the_integral_of_squared_curvature():
    """Of an arc: its length over the square of its radius."""
    angle = np.linspace(0, 1.5, 400)
    spline = Spline(100 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle]), 1.0, 15.0)
    energy = sum(column @ spline.bending @ column for column in spline.control.T)
    assert energy == pytest.approx(150 / 100**2, rel=0.01)


def test_noise_is_told_beside_lines():
    """Poisson noise of counts beside a line that is far stronger: its standard deviation is their root."""
    image = drawn(SCENES["crossing"]).views[0]
    assert noise_of(image) == pytest.approx(np.sqrt(LEVEL), rel=0.05)
