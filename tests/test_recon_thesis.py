"""stereo-thesis: how views are turned, what soft-argmin makes of a distribution, where snapping goes, which depth."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import truncnorm

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import mapped, project
from veristem.datasets.intermediate import Contours
from veristem.recon.methods import run_method
from veristem.recon.stereo import thesis
from veristem.recon.stereo.rows import to_rows, turned
from veristem.recon.stereo.thesis import LEVEL_PX, LEVELS, RANGE_PX, reconstruct, soft_argmin

PIXEL_NM, DEEP_NM = 2.0, 200.0


def normal(mean_px: float, sigma_px: float) -> np.ndarray:
    """Logits (LEVELS, 1, 1) of a normal distribution."""
    level = LEVEL_PX * (np.arange(LEVELS) - LEVELS // 2)
    return (-0.5 * ((level - mean_px) / sigma_px) ** 2)[:, None, None]


@pytest.mark.parametrize("mean_px", [-11.0, 0.0, 5.0])
def test_soft_argmin_of_narrow_distributions_has_no_bias(mean_px):
    """Between levels too, as long as the distribution is as wide as the levels are apart and ends within the range."""
    told = soft_argmin(normal(mean_px, 1.5), 2.0)
    assert told.mean_px.item() == pytest.approx(mean_px, abs=0.03)
    assert told.sigma_px.item() == pytest.approx(2 * 1.5, rel=0.02)


@pytest.mark.parametrize(("mean_px", "sigma_px"), [(10.0, 5.0), (8.0, 8.0), (12.0, 6.0), (-12.0, 6.0)])
def test_soft_argmin_of_broad_distributions_is_biased_to_the_middle(mean_px, sigma_px):
    """Cut off at the end of the range, the mean is that of the truncated normal distribution: 0.8 to 2 pixels short."""
    edge = RANGE_PX + LEVEL_PX / 2
    expected = truncnorm.mean(*((np.array([-edge, edge]) - mean_px) / sigma_px), mean_px, sigma_px)
    found = soft_argmin(normal(mean_px, sigma_px)).mean_px.item()
    assert found == pytest.approx(expected, abs=0.1)
    assert (found - mean_px) * np.sign(mean_px) < -0.5


def test_what_lies_beyond_the_range_is_said_to():
    """Most on an outermost level: never taken for a disparity at the end of the range."""
    assert soft_argmin(normal(20.0, 2.0)).beyond.item()
    assert soft_argmin(normal(-20.0, 2.0)).beyond.item()
    assert not soft_argmin(normal(13.0, 2.0)).beyond.item()


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 180.0, 37.0])
def test_epipolar_lines_become_rows(azimuth_deg):
    """A way along the epipolar direction is one along +x, all of the field is within, and images turn with places."""
    epipolar = np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    place, size = to_rows((120.0, 80.0), epipolar, 0.5)
    way = mapped(epipolar * 7.0, place) - mapped(np.zeros(2), place)
    np.testing.assert_allclose(way, [14.0, 0.0], atol=1e-9)
    corners = mapped(np.array([[0, 0], [120, 0], [0, 80], [120, 80.0]]), place)
    assert corners.min() >= -1e-9
    assert (corners <= np.array(size) + 1e-9).all()
    assert not np.array(size) % 8 @ [1, 1]
    y, x = np.mgrid[:80, :120] + 0.5
    image = np.exp(-0.5 * ((x - 71.0) ** 2 + (y - 22.0) ** 2) / 9).astype(np.float32)
    found = turned(image, place, size)
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    middle = [(found * x).sum() / found.sum(), (found * y).sum() / found.sum()]
    np.testing.assert_allclose(middle, mapped(np.array([71.0, 22.0]), place), atol=0.02)


def test_snapping_goes_to_the_contour_on_the_row_within_reach():
    """Numbers by hand: a steep contour at x = 20, one along the row y = 40."""
    steep = np.column_stack([np.full(301, 20.0), np.linspace(0, 30, 301)])
    along = np.column_stack([np.linspace(0, 30, 301), np.full(301, 40.0)])
    snap = thesis._Snap(np.concatenate([steep, along]), 3.0)
    places = np.array([[10.0, 5.0], [10.0, 5.0], [10.0, 5.0], [15.0, 38.9]])
    disparity, near = snap(places, np.array([8.0, 12.9, 6.5, 4.0]))
    assert near.tolist() == [True, True, False, True]
    np.testing.assert_allclose(disparity, [10.0, 10.0, 6.5, 4.0], atol=1e-6)
    nothing = thesis._Snap(np.zeros((0, 2)), 3.0)
    assert not nothing(places, np.zeros(4))[1].any()
    assert thesis._Snap(np.zeros((0, 2)), 0.0)(places, np.zeros(4))[1].all()


def says(level: int, sigma_px: float = 1.5):
    """A network that tells every pixel the same."""

    def network(views):
        assert views.shape[0] == 2
        rows, columns = views.shape[1] // 2, views.shape[2] // 2
        return np.tile(np.concatenate([normal(LEVEL_PX * level, sigma_px), [[[0.0]]]]), (1, rows, columns))

    network.calibration = np.ones(1)
    return network


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 180.0, -120.0])
@pytest.mark.parametrize("focus_nm", [100.0, 60.0])
def test_depths_follow_from_disparities(azimuth_deg, focus_nm, monkeypatch):
    """Whichever way the views lie apart and wherever the focus is: the disparity that the network tells is a depth, and
    a contour of the second view within three pixels is where it goes instead."""
    level = 3
    monkeypatch.setattr(thesis, "trained", lambda *_: says(level))
    along = np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    directions = np.radians(4.0) * np.array([along, -along])
    parallax = float(np.linalg.norm(np.tan(directions[0]) - np.tan(directions[1])))
    middle_nm = DEEP_NM / 2 + level * LEVEL_PX * PIXEL_NM / parallax
    t = np.linspace(-60, 60, 61)[:, None]
    across = np.array([-along[1], along[0]])
    acquisition = Acquisition(np.ones((2, 128, 128)), directions, PIXEL_NM, focus_nm, DEEP_NM)
    for off_nm, snap_px, expected_nm in ((0.0, 3.0, 0.0), (3.0, 3.0, 3.0), (3.0, 0.0, 0.0), (9.0, 3.0, None)):
        line = np.column_stack([128 + t * (across + 0.2 * along), np.full(61, middle_nm)])
        first, second = (project(line, direction, focus_nm) for direction in directions)
        curves = ((first,), (second + off_nm * along,))
        given = Contours(curves, tuple(tuple(np.full(len(c), 0.5) for c in view) for view in curves))
        found = reconstruct(acquisition, contours=given, snap_px=snap_px)
        if expected_nm is None:
            assert not found.curves_nm
            continue
        (curve,) = found.curves_nm
        np.testing.assert_allclose(curve[:, 2], middle_nm + expected_nm / parallax, atol=1.5)
        np.testing.assert_allclose(curve[:, :2].mean(axis=0), 128.0, atol=2.5)
        assert (found.sigma_nm[0] > 0).all()


def test_what_cannot_be_is_refused_in_a_line():
    """One view, a foil whose disparities would not fit, another unit of snapping."""
    views = np.ones((2, 64, 64))
    turn = np.radians([[4.0, 0.0], [-4.0, 0.0]])
    with pytest.raises(InputError, match="at least 2 allowed for stereo"):
        reconstruct(Acquisition(views[:1], turn[:1], 4.0, 100.0, DEEP_NM))
    with pytest.raises(
        InputError, match=r"disparities: ±57.2 nm found of 790 nm of depth .* allowed for stereo-thesis"
    ):
        reconstruct(Acquisition(views, turn, 4.0, 375.0, 750.0))
    with pytest.raises(InputError, match="snap_px: -1 found"):
        reconstruct(Acquisition(views, turn, 4.0, 100.0, DEEP_NM), snap_px=-1)


def pair_of_lines(pixel_nm: float, field_nm: float = 360.0, dose: float = 3000) -> tuple[Acquisition, np.ndarray]:
    """Two views of two lines at an angle to the rows, one high and one deep; and the depths of both [nm]."""
    count = round(field_nm / pixel_nm)
    directions = np.radians([[4.0, 0.0], [-4.0, 0.0]])
    y, x = (np.mgrid[:count, :count] + 0.5) * pixel_nm
    depths = np.array([40.0, 160.0])
    images = np.full((2, count, count), 0.8)
    for at, depth in zip((0.3, 0.7), depths):
        for view, direction in enumerate(directions):
            middle = at * field_nm - (depth - 100) * np.tan(direction[0])
            images[view] *= 1 - 0.35 * np.exp(-0.5 * ((x - middle - 0.2 * (y - field_nm / 2)) / 5.1) ** 2)
    counts = np.random.default_rng(0).poisson(dose * images)
    return Acquisition(counts.astype(np.float32), directions, pixel_nm, 100.0, DEEP_NM), depths


@pytest.mark.parametrize("pixel_nm", [1.0, 2.0, 3.5])
def test_pixels_of_any_size(pixel_nm):
    """With the weights of the package, lines of known depth are found there in pixels from 1 nm on."""
    acquisition, depths = pair_of_lines(pixel_nm)
    found = run_method("stereo-thesis", acquisition)
    middles = sorted(float(np.median(curve[:, 2])) for curve in found.curves_nm if len(curve) * pixel_nm > 150)
    np.testing.assert_allclose(middles, depths, atol=12)


def test_a_pair_is_reconstructed_without_torch():
    """Users who only reconstruct need no PyTorch: its import fails, and all goes on."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from veristem.recon.methods import run_method\n"
        "from veristem.datasets.acquisition import Acquisition\n"
        "views = np.random.default_rng(0).poisson(50, (2, 96, 96)).astype(float)\n"
        "given = Acquisition(views, np.array([[0.05, 0.0], [-0.05, 0.0]]), 2.0, 50.0, 100.0)\n"
        "print(type(run_method('stereo-thesis', given)).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "CurveSet"
