"""From contours to depth: signs, geometry, stages handed in, and the law by which the error falls with the angle."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from veristem.bench.oracles import true_contours
from veristem.datasets import Acquisition, DislocationNetwork, InputError, LineTruth
from veristem.datasets.detectors import DETECTORS
from veristem.datasets.geometry import project, widest_pair
from veristem.datasets.intermediate import Contours, Matches
from veristem.datasets.recipe import load_recipe
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo.classical import reconstruct
from veristem.recon.stereo.matching import epipolar_axes, match_contours
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen

FIELD_NM, THICKNESS_NM, PIXEL_NM = 512.0, 200.0, 2.0
BLANK = np.ones((2, 256, 256))
HALF_PAIR = np.radians(8.0) / 2
PAIR = np.array([[HALF_PAIR, 0.0], [-HALF_PAIR, 0.0]])
STEEP = np.linspace([200.0, 40.0, 20.0], [300.0, 470.0, 180.0], 50)
FLAT = np.linspace([60.0, 250.0, 60.0], [220.0, 400.0, 60.0], 50)


def scene(lines, directions_rad=PAIR, **changes) -> tuple[LineTruth, Acquisition]:
    """Truth and an acquisition with blank views of lines (K, 3), all visible."""
    blank = np.ones((len(directions_rad), 256, 256), np.float32)
    network = DislocationNetwork.union([DislocationNetwork.from_polyline(p, [0.25, 0.0, 0.0]) for p in lines])
    count = len(network.segments)
    truth = LineTruth(
        network=network,
        g_dot_b=np.ones(count),
        g_dot_bu=np.zeros(count),
        visible=np.ones(count, bool),
        expected=blank,
        labels=blank.astype(np.uint8),
        directions_rad=np.asarray(directions_rad),
        field_nm=(FIELD_NM, FIELD_NM),
        thickness_nm=THICKNESS_NM,
        focus_nm=THICKNESS_NM / 2,
        recipe={},
    )
    acquisition = Acquisition(blank, directions_rad, PIXEL_NM, focus_nm=THICKNESS_NM / 2, thickness_nm=THICKNESS_NM)
    return truth, replace(acquisition, **changes)


def exact(lines, directions_rad=PAIR, jitter_px: float = 0.0, seed: int = 0, **changes):
    """Contours from the truth, and the acquisition they belong to."""
    truth, acquisition = scene(lines, directions_rad, **changes)
    return true_contours(truth, acquisition, np.random.default_rng(seed), jitter_px), acquisition


def depth_errors(curve: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Depth of each vertex less that of the line's point nearest to it in the projection [nm]; no tolerance."""
    first, step = line[:-1], np.diff(line, axis=0)
    along = ((curve[:, None, :2] - first[None, :, :2]) * step[:, :2]).sum(axis=2) / (step[:, :2] ** 2).sum(axis=1)
    nearest = first + np.clip(along, 0, 1)[..., None] * step
    best = np.linalg.norm(nearest[..., :2] - curve[:, None, :2], axis=2).argmin(axis=1)
    return curve[:, 2] - nearest[np.arange(len(curve)), best, 2]


def test_exact_contours_give_the_true_depth():
    """Matching, smoothing and triangulation add no more than 1 nm to perfect contours of straight lines."""
    contours, acquisition = exact([STEEP, FLAT])
    curves = sorted(reconstruct(acquisition, contours=contours).curves_nm, key=lambda c: c[:, 0].min(), reverse=True)
    assert len(curves) == 2
    for curve, line in zip(curves, (STEEP, FLAT), strict=True):
        assert np.abs(depth_errors(curve, line)).max() < 1.0
        assert np.ptp(curve[:, 1]) > 0.97 * np.ptp(line[:, 1])


def test_exact_contours_of_a_helix():
    """A line that winds about its axis keeps its winding and its hand."""
    turn = np.linspace(0, 2 * np.pi, 200)
    helix = np.column_stack([256 + 40 * np.cos(turn), 20 + 470 * turn / (2 * np.pi), 100 + 40 * np.sin(turn)])
    contours, acquisition = exact([helix])
    (curve,) = reconstruct(acquisition, contours=contours).curves_nm
    assert np.abs(depth_errors(curve, helix)).max() < 2.0
    assert curve[curve[:, 1] < 250, 2].mean() > 110 > 90 > curve[curve[:, 1] > 262, 2].mean()


def test_exact_contours_of_a_loop():
    """Every row meets a loop twice; each side keeps its own depth where it is steep enough to have one."""
    turn = np.linspace(0, 2 * np.pi, 121)
    loop = np.column_stack([256 + 90 * np.cos(turn), 256 + 90 * np.sin(turn), 100 + 60 * np.cos(turn)])
    contours, acquisition = exact([loop])
    curves = reconstruct(acquisition, contours=contours).curves_nm
    assert sum(len(c) for c in curves) > 200
    for curve in curves:
        steep = np.abs(curve[:, 0] - 256) > 60
        assert np.abs(depth_errors(curve, loop)[steep]).max() < 3.0


@pytest.mark.parametrize("azimuth_deg", [0.0, 45.0, 90.0, 200.0])
def test_sign_of_disparity(azimuth_deg):
    """Deeper is a larger shift from first to second view, along the pair; a wrong sign mirrors the foil."""
    along = np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    directions = np.stack([HALF_PAIR * along, -HALF_PAIR * along])
    epipolar, parallax = epipolar_axes(directions, (0, 1))
    np.testing.assert_allclose(epipolar, along, atol=1e-3)  # tan of each angle, not the angle
    across = np.array([-along[1], along[0]])
    for depth in (30.0, 170.0):
        line = np.column_stack([256 + np.linspace(-80, 80, 30)[:, None] * across, np.full(30, depth)])
        contours, _ = exact([line], directions)
        limits = (-120 * parallax, 120 * parallax)
        matches = match_contours(contours, (0, 1), epipolar, limits, PIXEL_NM, 6.0)
        ((first, second),) = matches.places_nm
        np.testing.assert_allclose((second - first) @ epipolar, (depth - 100) * parallax, atol=1e-6)
        shift = project(line, directions[1], 100.0) - project(line, directions[0], 100.0)
        np.testing.assert_allclose(shift[0], (second - first)[0], atol=1e-6)


def test_depth_is_measured_from_the_entrance_face():
    """The focus plane is the zero of disparity; with another focus the same lines lie at the same depths."""
    truth, acquisition = scene([STEEP])
    for focus in (0.0, 60.0):
        moved = replace(truth, focus_nm=focus)
        contours = true_contours(moved, acquisition, np.random.default_rng(0))
        (curve,) = reconstruct(replace(acquisition, focus_nm=focus), contours=contours).curves_nm
        assert np.abs(depth_errors(curve, STEEP)).max() < 1.0


def test_a_line_along_the_rows_gives_no_false_depth():
    """Along the epipolar direction there is no disparity to see: no curve, or one that owns up to its error."""
    line = np.linspace([100.0, 250.0, 30.0], [400.0, 252.0, 170.0], 100)
    for seed in range(5):
        contours, acquisition = exact([line], jitter_px=0.5, seed=seed)
        found = reconstruct(acquisition, contours=contours)
        for curve, sigma in zip(found.curves_nm, found.sigma_nm, strict=True):
            assert np.sqrt((depth_errors(curve, line) ** 2).mean()) < 3 * np.sqrt((sigma**2).mean())
            assert sigma.min() > 10.0


@pytest.mark.parametrize("end", [[300.0, 256.0, 190.0], [320.0, 250.0, 170.0], [260.0, 250.0, 195.0]])
def test_a_steep_line_is_matched_by_its_ends(end):
    """Rows do not tell where on it a place is, but its ends do, and the line between them is straight."""
    line = np.linspace([256.0, 256.0, 5.0], end, 60)
    contours, acquisition = exact([line])
    (curve,) = reconstruct(acquisition, contours=contours).curves_nm
    share = (curve[:, 2] - 5.0) / (end[2] - 5.0)
    assert np.ptp(share) > 0.9
    assert np.abs(curve - (line[0] + share[:, None] * (line[-1] - line[0]))).max() < 2.0


def test_a_step_along_the_rows_within_a_line():
    """What lies between two pieces that rows do tell of is not lost, and the curve goes through it."""
    corners = np.array([[150.0, 150.0, 40.0], [150.0, 250.0, 60.0], [330.0, 250.0, 150.0], [330.0, 350.0, 160.0]])
    line = np.concatenate([np.linspace(a, b, 60) for a, b in pairwise(corners)])
    contours, acquisition = exact([line])
    (curve,) = reconstruct(acquisition, contours=contours).curves_nm
    middle = (curve[:, 0] > 165) & (curve[:, 0] < 315)
    assert middle.sum() > 60
    np.testing.assert_allclose(curve[middle, 2], 60 + 0.5 * (curve[middle, 0] - 150), atol=8.0)


def test_a_short_line_is_kept_when_the_whole_of_it_is_matched():
    """A line between two junctions may be short; of a longer contour so short a piece is chance."""
    short = np.linspace([200.0, 200.0, 90.0], [206.0, 212.0, 90.0], 10)
    contours, acquisition = exact([short])
    assert len(reconstruct(acquisition, contours=contours).curves_nm) == 1
    longer = np.linspace([200.0, 200.0, 90.0], [240.0, 280.0, 90.0], 60)
    first = true_contours(scene([longer])[0], acquisition, np.random.default_rng(0))
    mixed = Contours((first.curves_nm[0], contours.curves_nm[1]), (first.sigma_nm[0], contours.sigma_nm[1]))
    assert not reconstruct(acquisition, contours=mixed).curves_nm


def test_nothing_of_a_smooth_line_is_dropped_as_an_outlier():
    """What smoothing takes off a curve is no outlier, however little noise there is."""
    at = np.linspace(0, 1, 400)
    line = np.column_stack([100 + 300 * at**2, 40 + 430 * at, 100 + 80 * np.sin(5 * at)])
    contours, acquisition = exact([line])
    (curve,) = reconstruct(acquisition, contours=contours).curves_nm
    assert np.linalg.norm(np.diff(curve, axis=0), axis=1).max() < 6.0


def test_the_order_of_contours_does_not_matter():
    """Contours have no order and no direction."""
    contours, acquisition = exact([STEEP, FLAT, STEEP + np.array([70.0, 0.0, 10.0])], jitter_px=0.2)
    turned = Contours(
        tuple(tuple(c for c in reversed(view)) for view in contours.curves_nm),
        tuple(tuple(reversed(view)) for view in contours.sigma_nm),
    )
    backwards = Contours((contours.curves_nm[0], tuple(c[::-1] for c in contours.curves_nm[1])), contours.sigma_nm)
    expected = reconstruct(acquisition, contours=contours).curves_nm
    for other in (turned, backwards):
        found = reconstruct(acquisition, contours=other).curves_nm
        assert len(found) == len(expected) == 3
        for curve in expected:
            assert min(np.abs(curve - c).max() for c in found if c.shape == curve.shape) < 1e-9


def test_matches_replace_matching_and_smoothing():
    """What is handed in is triangulated as it is; contours and images are not looked at."""
    _, acquisition = scene([STEEP])
    first, second = (project(STEEP, direction, 100.0) for direction in PAIR)
    matches = Matches((0, 1), (np.stack([first, second]),), (np.full(len(STEEP), 0.5),))
    found = reconstruct(acquisition, matches=matches, contours="not looked at")
    np.testing.assert_allclose(found.curves_nm[0], STEEP, atol=1e-9)
    np.testing.assert_allclose(found.sigma_nm[0], 0.5 / (2 * np.tan(HALF_PAIR)))


@pytest.mark.parametrize(("rotation_deg", "axis_deg"), [(0.0, 0.0), (45.0, 45.0), (90.0, 90.0), (20.0, 20.0)])
def test_four_quadrants(rotation_deg, axis_deg):
    """Of four views the two farthest apart are used, along whatever direction they lie."""
    quadrants = DETECTORS["segmented"](rotation_deg=rotation_deg).regions(0.0)
    directions = np.array([region.mean_direction_rad(0.03) for region in quadrants])
    lines = [STEEP, FLAT, np.linspace([60.0, 60.0, 150.0], [460.0, 140.0, 40.0], 50)]
    pair = widest_pair(directions)
    assert pair in {(0, 2), (1, 3)}
    epipolar, _ = epipolar_axes(directions, pair)
    azimuth = np.degrees(np.arctan2(epipolar[1], epipolar[0]))
    assert azimuth - axis_deg == pytest.approx(90.0 * pair[0], abs=0.5)
    contours, acquisition = exact(lines, directions)
    curves = reconstruct(acquisition, contours=contours).curves_nm
    assert curves
    for curve in curves:
        assert min(np.abs(depth_errors(curve, line)).max() for line in lines) < 1.0


def test_unknown_thickness():
    """A real pair tells no thickness: depths about the focus plane are searched, as far as asked."""
    contours, acquisition = exact([STEEP], thickness_nm=None)
    (curve,) = reconstruct(acquisition, contours=contours).curves_nm
    assert np.abs(depth_errors(curve, STEEP)).max() < 1.0
    (part,) = reconstruct(acquisition, contours=contours, depth_range_nm=80.0).curves_nm
    assert np.abs(part[:, 2] - 100).max() < 60 < np.abs(curve[:, 2] - 100).max()


def test_nothing_in_nothing_out():
    """No contours, no curves; a contour in one view alone is no line in space."""
    contours, acquisition = exact([STEEP])
    nothing = Contours(((), ()), ((), ()))
    one = Contours((contours.curves_nm[0], ()), (contours.sigma_nm[0], ()))
    other = Contours(((), contours.curves_nm[1]), ((), contours.sigma_nm[1]))
    for given in (nothing, one, other):
        assert reconstruct(acquisition, contours=given).curves_nm == ()


def test_what_stereo_cannot_do():
    """One line for one view and for views without parallax."""
    _, acquisition = scene([STEEP])
    with pytest.raises(InputError, match="views: 1 found, at least 2 allowed"):
        reconstruct(replace(acquisition, views=BLANK[:1], directions_rad=PAIR[:1]))
    with pytest.raises(InputError, match="all views share one direction"):
        reconstruct(replace(acquisition, directions_rad=PAIR[[0, 0]]))


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 200.0])
def test_crystal_frame(acquisition, azimuth_deg):
    """In the crystal's frame [001] lies along g in the image and the zone axis along the beam, but for the tilt."""
    turned = replace(acquisition, g_azimuth_rad=np.radians(azimuth_deg))
    rotation = crystal_from_specimen(turned)
    assert rotation is not None
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    g, zone = rotation.T @ [0, 0, 1], rotation.T @ (np.array([1, 1, 0]) / np.sqrt(2))
    np.testing.assert_allclose(g[:2], [np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))], atol=2e-4)
    assert -0.02 < g[2] < 0  # towards the source, against +z: the Bragg angle and the tilt beyond it
    np.testing.assert_allclose(zone[2], 1, atol=2e-4)
    assert crystal_from_specimen(replace(acquisition, g=None)) is None
    contours, blank = exact([STEEP], material="CoCrFeMnNi", energy_keV=200.0, g_azimuth_rad=0.3, g=[0, 0, 2])
    oriented = replace(blank, zone_axis=[1, 1, 0])
    np.testing.assert_array_equal(
        reconstruct(oriented, contours=contours).crystal_from_specimen, crystal_from_specimen(oriented)
    )


ANGLES_DEG = np.array([2.0, 3.0, 4.0, 6.0, 8.0])
PARALLAX = 2 * np.tan(np.radians(ANGLES_DEG) / 2)
SEEDS = 8  # those of the default study


@pytest.fixture(scope="module")
def foil_lines() -> list[list[np.ndarray]]:
    """Visible lines of the foils of the default recipe, at least 100 nm long in the image."""
    foils = []
    for seed in range(SEEDS):
        recipe = load_recipe("cantor-stereo").with_values({"recipe.seed": seed, "specimen.tilt_about_g_deg": 0.0})
        specimen = make_specimen(recipe, streams(seed)[0])
        network = specimen.foil_network()
        lines = network.chains(np.abs(network.burgers_nm @ specimen.g_per_nm) > 0.5)
        foils.append([p for p in lines if np.linalg.norm(np.diff(p[:, :2], axis=0), axis=1).sum() > 100])
    return foils


def angle_to_rows_deg(line: np.ndarray) -> float:
    """Smallest angle of a line to the epipolar rows, which lie along x."""
    step = np.abs(np.diff(line[:, :2], axis=0))
    return float(np.degrees(np.arctan2(step[:, 1], step[:, 0])).min())


def rms_by_angle(lines, jitter_px: float, jitters: int) -> np.ndarray:
    """Depth error [nm] at each pair angle, every line reconstructed alone so that no partner can be mistaken.

    The range of depths that is searched is wider than any jitter: no error is cut off.
    """
    result = []
    for angle, parallax in zip(ANGLES_DEG, PARALLAX, strict=True):
        errors = []
        for line in lines:
            for seed in range(jitters):
                contours, acquisition = exact([line], PAIR * angle / 8, jitter_px, seed)
                found = reconstruct(acquisition, contours=contours, depth_margin_nm=10 / parallax)
                errors += [depth_errors(curve, line) for curve in found.curves_nm]
        result.append(np.sqrt((np.concatenate(errors) ** 2).mean()))
    return np.array(result)


def slope(errors: np.ndarray) -> float:
    """Exponent of the errors in 2 tan(phi / 2)."""
    return float(np.polyfit(np.log(PARALLAX), np.log(errors), 1)[0])


def test_error_falls_with_parallax_for_straight_lines(foil_lines):
    """Half a pixel of jitter is a depth error of 1 / (2 tan(phi / 2)) times that: the law, from 2 to 8 degrees."""
    chords = [np.linspace(line[0], line[-1], 40) for foil in foil_lines for line in foil]
    chords = [chord for chord in chords if angle_to_rows_deg(chord) > 25]
    assert len(chords) >= 8
    assert slope(rms_by_angle(chords, jitter_px=0.5, jitters=4)) == pytest.approx(-1, abs=0.05)


def test_error_falls_with_parallax_for_curved_lines(foil_lines):
    """The same for the foil's own lines; what smoothing rounds off, under 1 nm, no angle makes better."""
    lines = [line for foil in foil_lines for line in foil if angle_to_rows_deg(line) > 25]
    assert len(lines) >= 8
    assert rms_by_angle(lines, jitter_px=0.0, jitters=1).max() < 1.0
    assert slope(rms_by_angle(lines, jitter_px=0.5, jitters=3)) == pytest.approx(-1, abs=0.05)


def test_error_falls_with_parallax_for_whole_foils(foil_lines):
    """All lines of a foil at once, with the method's own range of depths: few go to a wrong partner, and the law holds.

    1.6 nm of disparity are five sigma.
    """
    errors = []
    for angle, parallax in zip(ANGLES_DEG, PARALLAX, strict=True):
        found = []
        for lines in foil_lines:
            contours, acquisition = exact(lines, PAIR * angle / 8, jitter_px=0.5, seed=1)
            for curve in reconstruct(acquisition, contours=contours).curves_nm:
                own = min(lines, key=lambda line: lateral_nm(curve, line))
                if angle_to_rows_deg(own) > 25:
                    found.append(depth_errors(curve, own))
        found = np.concatenate(found)
        assert len(found) > 1000
        assert (np.abs(found) * parallax > 1.6).mean() < 0.02
        errors.append(np.sqrt((found**2).mean()))
    assert slope(np.array(errors)) == pytest.approx(-1, abs=0.05)


def lateral_nm(curve: np.ndarray, line: np.ndarray) -> float:
    """Mean distance of a curve from a line in the projection [nm]."""
    dense = np.concatenate([np.linspace(a, b, 10) for a, b in pairwise(line)])
    return float(np.linalg.norm(curve[:, None, :2] - dense[None, :, :2], axis=2).min(axis=1).mean())
