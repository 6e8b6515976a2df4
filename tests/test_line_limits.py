"""The limit for lines is one: maximum likelihood reaches it, and the short formulas are its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.limits.lines import LENGTH_NM, REACH_NM, LineLimits, depth_slopes, line_limits, moved_in_depth
from veristem.bench.pages.folder import make_scene
from veristem.bench.study.cell import Cell, Made, run_cell
from veristem.datasets import CurveSet, DislocationNetwork, LineTruth
from veristem.datasets.recipe import load_recipe
from veristem.sim.acquire import acquire
from veristem.sim.networks.foil import deeper

SIDE, PIXEL = 128.0, 2.0
MIDDLE = np.array([SIDE / 2, SIDE / 2, 50.0])
TANGENT = np.tan(np.radians(4.0))


def recipe(**values):
    return load_recipe("cantor-small").with_values({
        "specimen.field_nm": [SIDE, SIDE], "scan.shape": [64, 64], "scan.pixel_nm": PIXEL,
        "scan.dwell_us": 2000.0,
        **{key.replace("__", "."): value for key, value in values.items()},
    })  # fmt: skip


def straight(azimuth_deg: float, slope: float = 0.0, through=MIDDLE, reach: float = 120.0) -> np.ndarray:
    """Ends of a line at an angle to x that leaves the field at both sides."""
    azimuth = np.radians(azimuth_deg)
    along = np.array([np.cos(azimuth), np.sin(azimuth), slope])
    return np.array([through - reach * along, through + reach * along])


def drawn(psi_deg: float, width_nm: float = 4.0, contrast: float = 0.2, **values) -> LineTruth:
    """A truth whose line is a dark band of Gaussian profile, 1e4 electrons a pixel beside it."""
    network = DislocationNetwork.from_polyline(straight(psi_deg, reach=60.0), np.array([0.0, 0.25, 0.0]))
    theta = np.radians(4.0)
    truth = LineTruth(
        network, np.ones(1), np.zeros(1), np.ones(1, bool), np.zeros((2, 64, 64)), np.zeros((2, 64, 64), np.uint8),
        np.array([[theta, 0.0], [-theta, 0.0]]), (SIDE, SIDE), 100.0, 50.0, recipe(**values).model_dump(mode="json"),
    )  # fmt: skip
    y, x = (np.mgrid[:64, :64] + 0.5) * PIXEL
    psi = np.radians(psi_deg)
    across = (y - MIDDLE[1]) * np.cos(psi) - (x - MIDDLE[0]) * np.sin(psi)  # in focus: the same in both views
    view = 1e4 * (1 - contrast * np.exp(-((across / width_nm) ** 2) / 2))
    labels = np.where(np.abs(across) < PIXEL, 1, 0).astype(np.uint8)
    return replace(truth, expected=np.stack([view, view]).astype(np.float32), labels=np.stack([labels, labels]))


def central(limits) -> int:
    """The piece through the middle of the field."""
    return int(limits.piece[np.linalg.norm(limits.points_nm - MIDDLE, axis=1).argmin()])


@pytest.mark.parametrize("psi_deg", [90.0, 40.0])
def test_short_formula(psi_deg):
    """Of a symmetric profile width and contrast cost nothing: sigma / (sqrt 2 tan(phi / 2) |sin psi|), sigma by hand.

    For a faint Gaussian of depth c and width w on N electrons a pixel p: J = l (c^2 N / p^2) sqrt(pi) / (2 w) a view.
    """
    faint, width = 0.01, 4.0
    limits = line_limits(drawn(psi_deg, width, faint))
    inner = slice(1, -1)  # pieces hold more or fewer pixels; on average all of them
    information = LENGTH_NM * faint**2 * 1e4 / PIXEL**2 * np.sqrt(np.pi) / (2 * width)
    deep = 1 / np.sqrt(information) / (np.sqrt(2) * TANGENT * np.sin(np.radians(psi_deg)))
    across, found = 1 / np.sqrt(np.mean(1 / limits.parallax_nm[inner] ** 2, axis=0))
    assert limits.psi_deg[inner] == pytest.approx(psi_deg, abs=1e-6)
    assert found == pytest.approx(deep, rel=0.02)
    assert across == pytest.approx(1 / np.sqrt(2 * information), rel=0.02)


def test_two_identical_discs_know_a_line_as_well_as_one():
    """They count the same electrons: before, the limit came out smaller by the root of 2."""
    same = {"kind": "virtual", "pair_angle_deg": 1e-5, "radius_mrad": 10.0}
    one = {"kind": "annular", "outer_mrad": 10.0}
    both = drawn(90.0, microscope__detector=same)
    alone = replace(drawn(90.0, microscope__detector=one), expected=both.expected[:1], labels=both.labels[:1],
                    directions_rad=both.directions_rad[:1])  # fmt: skip
    found, wanted = (line_limits(truth).parallax_nm[:, 0] for truth in (both, alone))
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_views_that_share_half_their_electrons_stand_between():
    """Across the beam the variance of a mean of two is (1 + share) / 2 of that of one."""
    pair = {"kind": "virtual", "pair_angle_deg": 1.0, "radius_mrad": 15.0}
    shared, apart = (line_limits(drawn(90.0, microscope__detector={**pair, "kind": k})).parallax_nm[:, 0] ** 2
                     for k in ("virtual", "aperture"))  # fmt: skip
    np.testing.assert_allclose(shared / apart, 1.3035, rtol=2e-3)


def test_lines_along_the_epipolar_direction_have_no_depth():
    """Parallax moves such a line along itself; across, it is known as well as any other."""
    limits = line_limits(drawn(0.0))
    assert np.isinf(limits.parallax_nm[central(limits), 1])
    assert np.isfinite(limits.parallax_nm[central(limits), 0])


def test_dose_efficiency_and_tilt_of_the_line():
    """1 / sqrt(electrons), 1 / sqrt(DQE); of an inclined line the part of a shift in depth that is normal to it."""
    truth = drawn(90.0)
    number = central(line_limits(truth))
    limit = line_limits(truth).parallax_nm[number]
    more = replace(truth, expected=4 * truth.expected)
    assert line_limits(more).parallax_nm[number] == pytest.approx(limit / 2, rel=1e-6)
    half = replace(truth, recipe=recipe(microscope__response__dqe=0.5).model_dump(mode="json"))
    assert line_limits(half).parallax_nm[number] == pytest.approx(limit * np.sqrt(2), rel=1e-6)
    b = np.array([0.0, 0.25, 0.0])
    inclined = replace(truth, network=DislocationNetwork.from_polyline(straight(90.0, 1.0, reach=45.0), b))
    steep = line_limits(inclined)
    # of 20 nm of it the image shows 14: the limit rises by the fourth root of 2, the share that is normal is a half
    assert steep.parallax_nm[central(steep), 1] == pytest.approx(limit[1] * 2**0.25 / 2, rel=0.03)


def test_places_off_visible_lines_have_no_limit():
    """NaN more than 5 nm away, on invisible lines, and where nothing is found."""
    truth = drawn(90.0)
    limits = line_limits(truth)
    near, far = MIDDLE + np.array([4.0, 0, 0]), MIDDLE + np.array([6.0, 0, 0])
    parallax, full = limits.at(np.array([MIDDLE, near, far, [np.nan] * 3]))
    assert np.isfinite(parallax).all(axis=1).tolist() == [True, True, False, False]
    assert np.isnan(full).all()
    dark = np.where(np.arange(64) < 34, truth.expected, 0)  # a hole beside the line
    assert np.isfinite(line_limits(replace(truth, expected=dark)).parallax_nm[2:-2]).all()
    few = np.where((np.mgrid[:64, :64] == 32).all(axis=0), truth.expected, 0)  # fewer pixels than unknowns
    assert np.isinf(line_limits(replace(truth, expected=few)).parallax_nm).all()
    nothing = line_limits(replace(truth, visible=np.zeros(1, bool)))
    assert np.isnan(nothing.at(MIDDLE[None])[0]).all()
    assert np.isnan(nothing.typical_nm(nothing.parallax_nm, 10.0)).all()


def test_typical_limit_leaves_out_what_scores_leave_out():
    """Of lines of 20 and 40 nm, one flat to the epipolar direction, one too deep and one known in depth alone."""
    across = np.array([1.0, 2.0, 9.0, 9.0, 30.0])
    deep = np.array([3.0, 6.0, 9.0, 30.0, 5.0])
    psi = np.array([90.0, 40.0, 10.0, 90.0, 90.0])
    length = np.array([20.0, 40.0, 20.0, 20.0, 20.0])
    limits = LineLimits(np.zeros((0, 3)), np.zeros(0, int), length, psi, np.stack([across, deep], axis=1), None)
    expected = [np.sqrt((1 + 2 * 4) / 3), np.sqrt((9 + 2 * 36 + 25) / 4)]
    assert limits.typical_nm(limits.parallax_nm, 20.0) == pytest.approx(expected)


def estimates(truth: LineTruth, azimuth_deg: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Maximum-likelihood depths (draws,) of 60 nm of a straight line through the middle from counts of both views.

    The model knows the profile of the line in each view and its background; it moves, stretches and fades the line.
    """
    from scipy.interpolate import make_lsq_spline

    azimuth = np.radians(azimuth_deg)
    along, across = (np.array([np.cos(a), np.sin(a)]) for a in (azimuth, azimuth + np.pi / 2))
    centres = ((np.mgrid[:64, :64] + 0.5) * PIXEL)[::-1].reshape(2, -1).T
    profiles, q, background, counts = [], [], [], []
    for view, expected in enumerate(truth.expected.astype(float)):
        where, away = ((centres - truth.project(MIDDLE, view)) @ axis for axis in (along, across))
        near = (np.abs(away) < 26) & (np.abs(where) < 40)
        order = np.argsort(away[near])
        level = expected.ravel()[near][np.abs(away[near]) > 20].mean()
        knots = np.concatenate([[-26] * 4, np.arange(-24, 24.1, 1.5), [26] * 4])
        profiles.append(make_lsq_spline(away[near][order], expected.ravel()[near][order] - level, knots))
        own = (np.abs(away) <= REACH_NM) & (np.abs(where) <= 30)
        q.append(away[own])
        background.append(expected.ravel()[own] - profiles[-1](away[own]))
        counts.append(rng.poisson(expected.ravel()[own], (draws, own.sum())))
    lever = np.array([-np.tan(d) @ across for d in truth.directions_rad])  # shift across itself for depth
    found = np.zeros((draws, 6))  # across, depth, then fading and stretch of each view
    for _ in range(6):  # Fisher scoring from the truth
        information, score = np.zeros((draws, 6, 6)), np.zeros((draws, 6))
        for v, (profile, away) in enumerate(zip(profiles, q)):
            fade, stretch = 1 + found[:, 2 + 2 * v, None], 1 + found[:, 3 + 2 * v, None]
            moved = (away - (found[:, 0] + lever[v] * found[:, 1])[:, None]) / stretch
            value, slope = profile(np.clip(moved, -26, 26)), profile(np.clip(moved, -26, 26), 1)
            mean = background[v] + fade * value
            to_side = -fade * slope / stretch
            changes = np.zeros((6, *mean.shape))
            changes[0], changes[1] = to_side, lever[v] * to_side
            changes[2 + 2 * v], changes[3 + 2 * v] = value, moved * to_side
            information += np.einsum("idn,jdn->dij", changes / mean, changes)
            score += np.einsum("idn,dn->di", changes / mean, counts[v] - mean)
        found += np.linalg.solve(information, score[..., None])[..., 0]
    return found[:, 1]


_BLURRED = {"microscope__source_size_nm": 2.5, "microscope__aberrations": {"energy_spread_eV": 2.0}}


@pytest.mark.slow
@pytest.mark.parametrize(("psi_deg", "lens"), [(90.0, {}), (40.0, {}), (90.0, _BLURRED)])
def test_maximum_likelihood_reaches_the_limit(foil_with_line, psi_deg, lens):
    """Simulated images of a straight line: the errors in depth of 3000 draws over the limit are 1 within 5 %.

    The pair lies 20 degrees off the rows of pixels, so that these show the profile of any line at many places. Blurred
    by the source and its energies as well: the limit takes its slopes from the image as it is.
    """
    specimen = foil_with_line(straight(20 + psi_deg), SIDE)
    asked = recipe(microscope__detector__pair_azimuth_deg=20.0, scan__dwell_us=5e4, **lens)  # errors below the width
    truth, _ = acquire(specimen, asked, np.random.default_rng(1))
    assert isinstance(truth, LineTruth)
    depths = estimates(truth, 20 + psi_deg, 3000, np.random.default_rng(2))
    limits = line_limits(truth)
    middle = np.linalg.norm(limits.points_nm - MIDDLE, axis=1) < 35
    pieces = np.unique(limits.piece[middle])  # pieces of 20 nm hold more or fewer pixels; on average all of them
    limit = np.sqrt(LENGTH_NM / 60) / np.sqrt(np.mean(1 / limits.parallax_nm[pieces, 1] ** 2))
    assert limits.psi_deg[pieces] == pytest.approx(psi_deg, abs=1.5)  # the disc is not lit evenly
    assert abs(depths.mean()) < 0.1 * limit
    assert depths.std() / limit == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_contrast_tells_of_depth_too(foil_with_line):
    """In bright field a line at z, seen along theta, looks like one at t - z along -theta (Howie & Whelan 1961).

    So in the middle of the foil the slopes of two opposite views are each other's negative; they are more than
    parallax, and not so elsewhere.
    """
    narrow = {"convergence_mrad": 2.0, "detector": {"kind": "annular", "outer_mrad": 2.0}}
    asked = recipe(**{f"microscope__{key}": value for key, value in narrow.items()}, stage__tilts_deg=[-4.0, 4.0])
    even = []
    for depth in (50.0, 30.0):
        specimen = foil_with_line(straight(90.0, through=np.array([64, 64, depth])), SIDE)
        slopes = depth_slopes(moved_in_depth(specimen), asked, np.random.default_rng(1))
        even.append(np.abs(slopes.sum(axis=0)).max() / np.abs(slopes).max())
    assert even[0] < 0.05
    assert even[1] > 0.3
    truth, _ = acquire(specimen, asked, np.random.default_rng(1))
    limits = line_limits(truth, slopes)
    number = int(limits.piece[np.linalg.norm(limits.points_nm - [64, 64, 30], axis=1).argmin()])
    assert limits.full_nm[number, 1] < 0.8 * limits.parallax_nm[number, 1]


@pytest.mark.parametrize("error", ["scan__jitter_nm", "microscope__current_noise"])
def test_errors_of_the_scan_do_not_look_like_lines(foil_with_line, error):
    """Rows that are displaced or brighter have steep edges, which made the limit of a line too small."""
    specimen = foil_with_line(straight(60.0), SIDE)
    found = []
    for size in (0.0, {"scan__jitter_nm": 3.0, "microscope__current_noise": 0.05}[error]):
        truth, _ = acquire(specimen, recipe(**{error: size}), np.random.default_rng(1))
        assert isinstance(truth, LineTruth)
        assert (truth.steady is None) == (not size)
        found.append(np.median(line_limits(truth).parallax_nm, axis=0))
    np.testing.assert_allclose(found[1], found[0], rtol=0.03)


def test_lines_that_are_moved_in_depth_still_end_on_the_faces(network):
    """Their ends slide along the lines; inner nodes and Burgers vectors stay, so the foil has the same lines."""
    for step in (1.0, -1.0):
        moved = deeper(network, step, 100.0)
        moved.check_conservation()
        assert moved.nodes_nm[:, 2].min() == pytest.approx(0.0)
        assert moved.nodes_nm[:, 2].max() == pytest.approx(100.0)
        assert np.linalg.norm(moved.nodes_nm - (network.nodes_nm[0] + [0, 0, step]), axis=1).min() < 1e-9
        start, stop = moved.ends_nm()
        assert len(start) == 3
        on = np.cross(stop - start, (network.vectors_nm)[[0, 1, 2]])
        assert np.linalg.norm(on, axis=1).max() < 1e-6 * np.linalg.norm(network.vectors_nm, axis=1).max() ** 2


def test_limits_reach_results_and_pages():
    """By parallax: the columns of a study, and the line in the scale of errors, their root sum of squares."""
    small = recipe(specimen__network={"density_per_m2": 2e14})
    cell = Cell("key", small, {}, "constant", 20.0, "study")
    made = Made()
    row, error = run_cell(cell, made)
    assert error is None
    truth, acquisition = made.pair
    scene = make_scene(acquisition, CurveSet(()), truth, "constant", 20.0)
    known = [row["lateral_parallax_limit_nm"], row["depth_parallax_limit_nm"]]
    assert known == pytest.approx(made.limits.given["limits"].typical_nm(made.limits.given["limits"].parallax_nm, 20.0))
    assert scene.limit_nm == pytest.approx(np.hypot(*known))
    assert row["depth_limit_nm"] is row["lateral_limit_nm"] is None
    assert make_scene(acquisition, CurveSet(()), truth, "constant", 1e-6).limit_nm is None
