"""Views taken one after the other: how they lie is found in the images, and said where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from veristem.datasets import Acquisition
from veristem.datasets.formats import read
from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition
from veristem.datasets.geometry import Tilt, inverse, mapped
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.rectify import vertical_residual_px
from veristem.recon.registration import align, find_axis, register, told
from veristem.recon.stereo.classical import reconstruct
from veristem.recon.tracks import tracks

SIDE, PIXEL, THICK = 160, 2.0, 150.0
HALF = np.radians(4.0)


def curves(seed: int) -> list[np.ndarray]:
    """Bent lines (K, 3) from face to face [nm]."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(14):
        t = np.linspace(0, 1, 300)[:, None]
        ends = rng.uniform(0, SIDE * PIXEL, 2), rng.uniform(0, 2 * np.pi)
        along = np.array([np.cos(ends[1]), np.sin(ends[1])])
        bow = rng.normal(0, 8) * np.sin(2 * np.pi * t) * [-along[1], along[0]]
        found.append(np.column_stack([ends[0] + (t - 0.5) * 140 * along + bow, THICK * t]))
    return found


def spheres(seed: int) -> list[np.ndarray]:
    """Single points (1, 3) [nm]."""
    rng = np.random.default_rng(seed)
    return list(rng.uniform(0, [SIDE * PIXEL, SIDE * PIXEL, THICK], (110, 3))[:, None])


def maps_of(alignment) -> np.ndarray:
    """Maps (V, 2, 3) to the images, of views that have some."""
    assert alignment.to_image is not None
    return alignment.to_image


def drawn(things, moves=((0.0, (0.0, 0.0), 0.0),) * 2, axis_deg: float = 90.0, seed: int = 0) -> tuple:
    """A tilted pair of things, and for each view the map from the nominal image to the one that is drawn.

    Each view is turned [deg] about its middle, shifted [px] and stretched along y; the second is darker, shaded and of
    less contrast.
    """
    rng = np.random.default_rng(seed)
    tilts = np.array([-HALF, HALF])
    axis = np.radians(axis_deg)
    directions = np.array([Tilt(tilt, axis).direction_rad for tilt in tilts])
    blank = np.ones((2, SIDE, SIDE))
    pair = Acquisition(blank, directions, PIXEL, THICK / 2, thickness_nm=THICK, tilts_rad=tilts, tilt_axis_rad=axis)
    middle, views, maps = np.full(2, SIDE * PIXEL / 2), [], []
    for view, (turn_deg, shift_px, stretch) in enumerate(moves):
        c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
        linear = np.array([[c, -s], [s, c]]) @ np.diag([1.0, 1.0 + stretch])
        maps.append(np.column_stack([linear, middle - linear @ middle + np.multiply(shift_px, PIXEL)]))
        edges = np.arange(4 * SIDE + 1) * PIXEL / 4
        density = np.zeros((4 * SIDE, 4 * SIDE))
        for thing in things:
            x, y = mapped(pair.project(thing, view), maps[-1]).T
            beads = np.full(len(x), 60.0) if len(x) == 1 else 1.0 + 0.6 * np.sin(thing[:, 2] / 7)
            density += np.histogram2d(y, x, (edges, edges), weights=beads)[0]
        dark = gaussian_filter(density, 6.0).reshape(SIDE, 4, SIDE, 4).mean(axis=(1, 3))
        level = np.linspace(500, 900, SIDE) if view else np.full(SIDE, 1500.0)
        views.append(rng.poisson(level * np.exp(-(2.5 if view else 4.0) * dark)))
    return replace(pair, views=np.stack(views)), maps


def vertical_px(pair, maps, alignment, things) -> float:
    """Disparity across the epipolar direction left on truth points that both views show, rms [px]."""
    points = np.concatenate(things)
    shown = [mapped(pair.project(points, view), maps[view]) for view in (0, 1)]
    both = np.all([((at > 0) & (at < SIDE * PIXEL)).all(axis=1) for at in shown], axis=0)
    first, second = (mapped(at[both], inverse(to)) for at, to in zip(shown, alignment.to_image))
    along = np.subtract(*np.tan(pair.directions_rad))
    off = (second - first) @ [-along[1], along[0]] / np.linalg.norm(along)
    return float(np.sqrt(np.mean(off**2)) / pair.pixel_nm)


CASES = {
    "as it is": ((0.0, (0, 0), 0.0), (0.0, (0, 0), 0.0)),
    "axis off": ((2.0, (0, 0), 0.0), (2.0, (5, -9.4), 0.0)),
    "one turned": ((0.0, (0, 0), 0.0), (2.3, (5, -9.4), 0.0)),
    "far": ((-1.0, (20, 0), 0.0), (-1.5, (-18, 31.3), 0.0)),
    "drift": ((0.0, (0, 0), 0.0), (0.5, (-3, 4.2), 0.015)),
}


@pytest.mark.parametrize(
    ("make", "case"), [*((curves, case) for case in CASES), (spheres, "one turned"), (spheres, "drift")]
)
def test_what_is_left_across_the_epipolar_direction(make, case):
    """0.3 px rms on truth points, whatever shift, turn, axis, drift or contrast; many pixels without registration."""
    things = make(1)
    pair, maps = drawn(things, CASES[case])
    alignment, free = align(pair)
    assert free
    nominal = replace(alignment, to_image=pair.to_image)
    before = vertical_px(pair, maps, nominal, things)
    assert vertical_px(pair, maps, alignment, things) < 0.3
    assert before < 0.01 if case == "as it is" else before > 3.0


def test_tracked_points_are_where_both_images_show_them():
    """Moved back as each was, they differ along the epipolar direction alone; of one scan nothing was tracked."""
    pair, maps = drawn(curves(1), CASES["one turned"])
    found = tracks(pair)
    first, second = (mapped(found.at_nm[found.view == v], inverse(maps[v])) for v in (0, 1))
    assert len(first) > 30
    assert found.feature[found.view == 0].tolist() == found.feature[found.view == 1].tolist()
    assert np.sqrt(np.mean((second - first)[:, 1] ** 2)) < PIXEL
    assert np.ptp((second - first)[:, 0]) > 3 * PIXEL
    assert found.told == told(pair)
    at_once = tracks(replace(pair, tilts_rad=None))
    assert (len(at_once.view), at_once.by_view(2).shape, at_once.told) == (0, (0, 2, 2), [])


def test_a_shift_of_300_nm():
    """At 5 nm a pixel: two fifths of the field are in both views."""
    things = curves(2)
    pair, maps = drawn(things, ((0.0, (0, 0), 0.0), (0.4, (52, -30), 0.0)))
    assert align(pair)[1]
    assert vertical_px(pair, maps, align(pair)[0], things) < 0.3


@pytest.mark.slow
def test_the_axis_is_found():
    """Without any idea of it, to 2 degrees."""
    pair, _ = drawn(spheres(3), ((0.0, (0, 0), 0.0), (0.7, (4, -6), 0.0)), axis_deg=30.0)
    found = find_axis(replace(pair, tilt_axis_rad=0.0))
    assert found is not None
    assert np.degrees(found[0]) == pytest.approx(30.0, abs=2.0)


def test_an_axis_that_is_off_turns_the_images_not_the_frame():
    """Axis and g are where they are said to be, also where the scan is turned by 2 degrees."""
    pair, maps = drawn(spheres(3), ((2.0, (0, 0), 0.0), (2.0, (4, -6), 0.0)), axis_deg=30.0)
    registered = register(pair)
    assert np.degrees(registered.axis_rad) == pytest.approx(2.0, abs=1.0)
    assert registered.alignment.directions_rad is pair.directions_rad
    turn = maps_of(registered.alignment)[0][:, :2] @ np.linalg.inv(maps[0][:, :2])
    assert np.degrees(np.arctan2(turn[1, 0], turn[0, 0])) == pytest.approx(0.0, abs=1.0)


@pytest.mark.slow
def test_a_chain_of_tilts():
    """Neighbours are registered and their maps composed; the least tilted view stays where it is."""
    things, moves = spheres(4), ((0.5, (6, -4), 0.0), (0.0, (0, 0), 0.0), (-0.8, (-7, 5), 0.0))
    (first, _), (last, _) = drawn(things, moves[:2]), drawn(things, moves[1:])
    series = replace(
        first,
        views=np.stack([*first.views, last.views[1]]),
        directions_rad=np.stack([*first.directions_rad, 1.0001 * first.directions_rad[1]]),
        tilts_rad=[-1.0001 * HALF, HALF, 1.0001 * HALF],
    )
    registered = register(series)
    assert [link.views for link in registered.links] == [(0, 1), (1, 2)]
    assert registered.found
    to_image = maps_of(registered.alignment)
    np.testing.assert_allclose(to_image[1], Tilt(HALF, np.pi / 2).to_image(series.field_nm, registered.axis_rad))
    turns = [np.degrees(np.arctan2(to[1, 0], to[0, 0])) for to in to_image]
    assert np.subtract(turns, turns[1]) == pytest.approx([0.5, 0.0, -0.8], abs=0.3)
    assert "registered: 2 of 2 neighbours" in told(series)[0]


def test_drift_between_the_scans_of_a_moved_aperture():
    """Asked for, it is taken off; the views alone do not tell that they have a scan each."""
    things = spheres(5)
    pair, maps = drawn(things, ((0.0, (0, 0), 0.0), (0.0, (-6, 4.3), 0.0)))
    aperture, truth = replace(pair, tilts_rad=None), replace(pair, tilts_rad=None)
    assert align(aperture)[1] is False
    alignment, free = align(aperture, each=True)
    assert free
    assert vertical_px(truth, maps, alignment, things) < 0.3


def test_views_of_one_tilt_keep_their_places():
    """Two detectors at each of two tilts: one scan each."""
    pair, _ = drawn(spheres(6), ((0.0, (0, 0), 0.0), (1.0, (5, -4), 0.0)))
    twice = [0, 0, 1, 1]
    four = replace(pair, views=pair.views[twice], directions_rad=pair.directions_rad[twice] + [[0, 0], [0.01, 0]] * 2,
                   tilts_rad=pair.tilts_rad[twice])  # fmt: skip
    registered = register(four)
    to_image = maps_of(registered.alignment)
    np.testing.assert_array_equal(to_image[0], to_image[1])
    np.testing.assert_array_equal(to_image[2], to_image[3])


def unlike() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    one, other = drawn(curves(6))[0].views[0], drawn(curves(7))[0].views[1]
    return {
        "noise": rng.poisson(100, (2, SIDE, SIDE)),
        "nothing": np.ones((2, SIDE, SIDE)),
        "two places": np.stack([one, other]),
        "small": np.ones((2, 7, 9)),
    }


@pytest.mark.parametrize("case", ["noise", "nothing", "two places", "small"])
def test_images_that_do_not_tell_are_left_as_they_are(case):
    """And it is said, in one line; nothing is invented."""
    tilts = np.array([-HALF, HALF])
    pair = Acquisition(unlike()[case], np.array([[HALF, 0], [-HALF, 0]]), PIXEL, 75.0, THICK, tilts_rad=tilts,
                       tilt_axis_rad=np.pi / 2)  # fmt: skip
    alignment, free = align(pair)
    assert not free
    np.testing.assert_array_equal(alignment.to_image, pair.to_image)
    (line,) = told(pair)
    assert line.startswith("warning: views 0 and 1 cannot be registered")


def test_views_of_one_scan_are_left_alone():
    """Bit for bit: they need no registration, and their depths have a zero."""
    pair, _ = drawn(curves(8), ((0.0, (0, 0), 0.0), (0.0, (3, 2), 0.0)))
    at_once = replace(pair, tilts_rad=None)
    alignment, free = align(at_once)
    assert not free
    assert alignment.directions_rad is at_once.directions_rad
    assert alignment.to_image is None
    assert told(at_once) == []
    same = replace(pair, tilts_rad=[HALF, HALF])
    assert align(same)[1] is False


def within(found, lines, nm: float = 20.0) -> float:
    """Share of what was found that lies near a line at the best offset, which real pairs leave open."""
    places, truth = np.concatenate(found.curves_nm), KDTree(np.concatenate(lines))
    offset = np.zeros(3)
    for reach in np.linspace(60, 15, 15):
        distance, nearest = truth.query(places + offset)
        near = distance < reach
        offset = offset + np.median(np.asarray(truth.data)[np.asarray(nearest)[near]] - places[near] - offset, axis=0)
    return float((truth.query(places + offset)[0] < nm).mean())


@pytest.mark.slow
def test_a_turned_and_shifted_pair_comes_out_as_the_unturned_one(cli, tmp_path):
    """Through convert and reconstruct, over several fields; without registration it lies elsewhere."""
    shares: dict[str, list[float]] = {"as it is": [], "turned": [], "naive": []}
    moved = (("as it is", CASES["as it is"]), ("turned", ((2.3, (0, 0), 0.0), (2.3, (5, -9), 0.0))))
    for seed in (9, 11, 12):
        lines = curves(seed)
        for name, moves in moved:
            pair, _ = drawn(lines, moves)
            files = [tmp_path / f"{side}.tif" for side in ("left", "right")]
            for file, view in zip(files, pair.views):
                tifffile.imwrite(file, view.astype(np.uint16))
            known = ("--pair-angle-deg", 8, "--pixel-nm", PIXEL, "--thickness-nm", THICK, "--tilt-axis-deg", 90)
            made = cli("convert", *files, tmp_path / "pair.h5", *known)
            assert made.code == 0, made.err
            assert "registered: view 1 is turned by" in made.err
            method = ("--method", "stereo-classical")
            ended = cli("reconstruct", tmp_path / "pair.h5", "-o", tmp_path / "found.vtp", *method)
            assert ended.code == 0, ended.err
            shares[name].append(within(read(tmp_path / "found.vtp"), lines))
            depths = np.concatenate(read(tmp_path / "found.vtp").curves_nm)[:, 2]
            assert -30 < depths.min() < depths.max() < THICK + 30  # in the middle of the foil
        naive = read_acquisition(tmp_path / "pair.h5")
        found = reconstruct(naive, alignment=replace(align(naive)[0], to_image=naive.to_image))
        shares["naive"].append(within(found, lines))
    means = {name: float(np.mean(values)) for name, values in shares.items()}
    assert means["as it is"] > 0.9, shares
    assert means["turned"] > means["as it is"] - 0.1, shares
    assert means["naive"] < means["turned"] - 0.2, shares


def test_without_a_tilt_axis_the_pair_is_of_one_scan(cli, tmp_path):
    """As it always was; a pair that is off brings the word that it may have been tilted."""
    pair, _ = drawn(curves(10), CASES["one turned"])
    for name, view in zip(("left", "right"), pair.views):
        tifffile.imwrite(tmp_path / f"{name}.tif", view.astype(np.uint16))
    files = [tmp_path / name for name in ("left.tif", "right.tif", "pair.h5")]
    ended = cli("convert", *files, "--pair-angle-deg", 8, "--pixel-nm", 2)
    assert ended.code == 0
    assert "two views of one scan" in ended.out
    if np.isfinite(vertical_residual_px(*pair.views).px):
        assert "--tilt-axis-deg" in ended.err
    assert read_acquisition(files[2]).tilts_rad is None


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--tilt-axis-deg", "left"), ("--tilt-axis-deg: 'left' found", "find allowed")),
        (("--tilt-axis-deg", "nan"), ("--tilt-axis-deg: 'nan' found",)),
        (("--g", 0, 0, 2, "--material", "Cu"), ("--zone-axis, --g-azimuth-deg, --energy-keV not found",)),
        (("--material", "Unobtainium"), ("Unobtainium",)),
        (("--material", "a.cif"), ("--material: a.cif found", "veristem list materials")),
        (("--thickness-nm", -5), ("--thickness-nm: -5.0 found",)),
        (
            ("--material", "Cu", "--g", 0, 0, 2, "--zone-axis", 0, 0, 1, "--g-azimuth-deg", 90, "--energy-keV", 200),
            ("0.00 deg from the zone axis found, 90 allowed",),
        ),
    ],
)
def test_what_convert_refuses(cli, tmp_path, options, parts):
    """One line, and no file."""
    for name in ("left", "right"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.ones((40, 40), np.uint16))
    files = [tmp_path / name for name in ("left.tif", "right.tif", "pair.h5")]
    ended = cli("convert", *files, "--pair-angle-deg", 8, "--pixel-nm", 2, *options)
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) == 1
    for part in parts:
        assert part in ended.err
    assert not files[2].exists()


def test_an_axis_that_cannot_be_found_is_asked_for(cli, tmp_path):
    """Two empty images."""
    for name, view in zip(("left", "right"), unlike()["nothing"]):
        tifffile.imwrite(tmp_path / f"{name}.tif", view.astype(np.uint16))
    files = [tmp_path / name for name in ("left.tif", "right.tif", "pair.h5")]
    ended = cli("convert", *files, "--pair-angle-deg", 8, "--pixel-nm", 2, "--tilt-axis-deg", "find")
    assert ended.code == 2
    assert "give it as --tilt-axis-deg" in ended.err
    assert not files[2].exists()


def test_lines_and_planes_come_out_in_the_crystal_frame(tmp_path):
    """A line along a known direction within 1 degree, the plane of two within 2, by what convert was told."""
    from veristem.bench.files.real import Known
    from veristem.datasets.intermediate import Alignment, Matches

    known = Known(
        material="Cu", zone_axis=(1, 1, 0), g=(0, 0, 2), g_azimuth_deg=70.0, energy_keV=200.0, tilt_axis_deg=70
    )
    pair, _ = drawn([], axis_deg=70.0)
    pair = replace(known.told_to(pair), thickness_nm=THICK, focus_nm=THICK / 2)
    write_acquisition(tmp_path / "pair.h5", pair)
    to_crystal = crystal_from_specimen(read_acquisition(tmp_path / "pair.h5"))
    assert to_crystal is not None
    directions = [np.array(d) / np.linalg.norm(d) for d in ([1.0, 0, 1], [0, 1.0, 1])]  # both in the plane (1 1 -1)
    rng, places = np.random.default_rng(0), []
    for direction in directions:
        line = SIDE * np.array([1.0, 1, 0]) + np.append(np.zeros(2), THICK / 2)
        line = line + np.linspace(-60, 60, 60)[:, None] * (to_crystal.T @ direction)
        places.append(np.stack([pair.project(line, v) + rng.normal(0, 0.1, (60, 2)) for v in (0, 1)]))
    matches = Matches((0, 1), tuple(places), (np.full(60, 0.2),) * 2)
    found = reconstruct(pair, alignment=Alignment(pair.directions_rad, pair.to_image), matches=matches)
    assert found.crystal_from_specimen == pytest.approx(to_crystal)
    tangents = []
    for curve, direction in zip(found.curves_nm, directions):
        tangents.append(np.linalg.svd((curve - curve.mean(axis=0)) @ to_crystal.T)[2][0])
        assert np.degrees(np.arccos(min(1.0, abs(tangents[-1] @ direction)))) < 1.0
    normal = np.cross(*tangents) / np.linalg.norm(np.cross(*tangents))
    assert np.degrees(np.arccos(min(1.0, abs(normal @ [1, 1, -1]) / 3**0.5))) < 2.0


def test_the_page_shows_how_the_views_lie():
    """Residuals before and after, in words and arrows; the reconstruction lies on images as they are registered."""
    from veristem.bench.pages.lines import make_scene
    from veristem.reports.line_page import figures_of

    lines = curves(11)
    pair, _ = drawn(lines, CASES["one turned"])
    known = replace(pair, material="Cu", zone_axis=[1, 1, 0], g=[0, 0, 2], g_azimuth_rad=1.0, energy_keV=200.0)
    scene = make_scene(known, reconstruct(known), None, "", None)
    assert "view 1 is turned by +2" in scene.registration.text
    before, after, *_ = figures_of(scene)["registration"].axes
    rms = [float(ax.get_title().split(": ")[1].split()[0]) for ax in (before, after)]
    assert rms[0] > 5.0
    assert rms[1] < 1.0
    assert min(view["within_3px"] for view in scene.residuals) > 0.9
    at_once = make_scene(replace(known, tilts_rad=None), reconstruct(replace(known, tilts_rad=None)), None, "", None)
    assert at_once.registration is None
    assert "registration" not in figures_of(at_once)


def test_crystal_axes_are_drawn_where_the_orientation_is_known():
    """Each along its row of the rotation."""
    from veristem.reports.crystal_axes import LEGEND, add_crystal_axes

    class Plotter(list):
        def add_mesh(self, mesh, color, line_width):
            self.append((color, mesh.points[1] - mesh.points[0]))

    drawn_axes = Plotter()
    rotation = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert not add_crystal_axes(drawn_axes, None, (100, 200, 50))
    assert add_crystal_axes(drawn_axes, rotation, (100, 200, 50), (5, 5, 5))
    assert [colour for colour, _ in drawn_axes] == [colour for _, colour in LEGEND]
    np.testing.assert_allclose([along / np.linalg.norm(along) for _, along in drawn_axes], rotation, atol=1e-6)
