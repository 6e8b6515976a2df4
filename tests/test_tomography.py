"""A volume from many views: against loops that say the same, and against lines whose place is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from veristem.datasets import Acquisition, CurveSet, InputError, Volume
from veristem.datasets.formats import read, write
from veristem.datasets.formats.mrc import write_tilt_series
from veristem.datasets.geometry import Tilt
from veristem.datasets.intermediate import Alignment, Contours
from veristem.recon.methods import run_method
from veristem.recon.tomography.field import fit
from veristem.recon.tomography.lines import lines_in
from veristem.recon.tomography.maps import one_axis
from veristem.recon.tomography.projector import Projector
from veristem.recon.tomography.series import drawn, elongation
from veristem.recon.tomography.sirt import sirt
from veristem.recon.tomography.weighted import wbp

VOXEL = 2.0
SLOPES = np.tan(np.radians(np.arange(-60, 61, 20)))
DEPTHS = np.arange(12) - 5.5


def summed(slices: np.ndarray) -> np.ndarray:
    """(V, R, C) what rays gather in slices (R, Z, C): each voxel given to the two rays beside it, one by one."""
    rows, _, columns = slices.shape
    maps = np.zeros((len(SLOPES), rows, columns))
    for view, slope in enumerate(SLOPES):
        for k, depth in enumerate(DEPTHS):
            for i in range(columns):
                at = i - depth * slope
                low = int(np.floor(at))
                for ray, part in ((low, 1 - (at - low)), (low + 1, at - low)):
                    if 0 <= ray < columns:
                        maps[view, :, ray] += part * VOXEL * np.sqrt(1 + slope**2) * slices[:, k, i]
    return maps


@pytest.fixture(scope="module")
def projector() -> Projector:
    """Of seven views and slices of 12 x 24 voxels."""
    return Projector(SLOPES, 24, DEPTHS, VOXEL)


def two_blobs(rows: int = 3) -> np.ndarray:
    """Slices (R, 12, 24) with two bright places each."""
    slices = np.zeros((rows, 12, 24))
    for row in range(rows):
        slices[row, 5, 9 + row % 3] = slices[row, 8, 15] = 1.0
    return gaussian_filter(slices, (0, 1, 1))


def test_projections_are_sums_along_rays(projector):
    """The matrix against loops over voxels; back is its transpose."""
    slices = np.random.default_rng(0).random((3, 12, 24))
    found = projector.forth @ slices.reshape(3, -1).T
    np.testing.assert_allclose(found.T.reshape(3, 7, 24), np.moveaxis(summed(slices), 0, 1), rtol=1e-5, atol=1e-5)
    assert (projector.back != projector.forth.T).nnz == 0


def test_rays_that_astra_sums():
    """Strips through a slice, by another program where it is installed."""
    astra = pytest.importorskip("astra", reason="astra-toolbox is not installed (extra `tomography`)")
    side, angles = 48, np.radians(np.arange(-60, 61, 10.0))
    slice_ = gaussian_filter(np.pad(two_blobs(1)[0], ((18, 18), (12, 12))), 1.5)
    depths = np.arange(side) - (side - 1) / 2
    rows = Projector(np.tan(angles), side, depths).forth @ slice_.ravel()
    # where the beam is, rays are 1 apart; on the focus plane 1 / cos
    geometry = astra.create_proj_geom("parallel", 1.0, side, angles)
    identity, expected = astra.create_sino(
        slice_, astra.create_projector("linear", geometry, astra.create_vol_geom(side, side))
    )
    astra.data2d.delete(identity)
    for angle, found, theirs in zip(angles, rows.reshape(len(angles), side), expected):
        at = (np.arange(side) - (side - 1) / 2) * np.cos(angle)
        best = min(
            np.abs(found - np.interp(sign * at, np.arange(side) - (side - 1) / 2, theirs)).max() for sign in (1, -1)
        )
        assert best < 0.05 * expected.max()


def test_sirt_is_the_iteration_it_says(projector):
    """Against dense matrices and a loop over slices; rays that are not known do not count."""
    maps = summed(two_blobs()) + np.random.default_rng(1).normal(0, 0.1, (7, 3, 24))
    inside = np.ones(maps.shape, bool)
    inside[2, 1, 10:] = False
    inside[:, 2] = False
    matrix = projector.forth.toarray().astype(float)
    found = sirt(projector, maps, inside, 5)
    for row in range(3):
        known = inside[:, row].ravel().astype(float)
        per_ray = known / np.maximum(matrix.sum(axis=1), 1e-9)
        seen = matrix.T @ known
        x = np.zeros(matrix.shape[1])
        for _ in range(5):
            step = matrix.T @ (per_ray * (maps[:, row].ravel() - matrix @ x))
            x = np.maximum(0, x + np.where(seen > 0, step / np.maximum(seen, 1e-9), 0))
        np.testing.assert_allclose(found[row].ravel(), x, rtol=1e-3, atol=1e-5)


def test_sirt_comes_nearer_with_every_round(projector):
    """To the maps and to the truth, up to what the wedge hides."""
    truth = two_blobs()
    maps, inside = summed(truth), np.ones((7, 3, 24), bool)
    left = [
        np.abs(summed(sirt(projector, maps, inside, rounds)) - maps).mean() / np.abs(maps).mean()
        for rounds in (1, 4, 24, 100)
    ]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 0.02
    assert np.corrcoef(sirt(projector, maps, inside, 100).ravel(), truth.ravel())[0, 1] > 0.95


def test_sirt_ends_at_the_noise(projector):
    """Morozov: the first round whose projections are as near as the noise, slice by slice; then truth is not left."""
    truth, sigma = two_blobs(), 0.05
    inside = np.ones((7, 3, 24), bool)
    maps = summed(truth) + np.random.default_rng(2).normal(0, sigma, inside.shape)
    ended = sirt(projector, maps, inside, 400, sigma)
    for row in range(3):
        one = slice(row, row + 1)
        assert np.sqrt(np.mean((summed(ended[one]) - maps[:, one]) ** 2)) <= sigma * (1 + 1e-4)
        np.testing.assert_array_equal(ended[one], sirt(projector, maps[:, one], inside[:, one], 400, sigma))
    far = [np.sqrt(np.mean((x - truth) ** 2)) for x in (ended, sirt(projector, maps, inside, 4))]
    assert far[0] < 0.6 * far[1]
    nothing = np.zeros_like(maps)
    nothing[:, :, ::2] = sigma
    assert not sirt(projector, nothing, inside, 400, sigma).any()  # noise alone is explained by nothing


def test_wbp_is_the_sum_it_says(projector):
    """Each view is sharpened by a kernel and spread along its rays: against loops over voxels."""
    maps = summed(two_blobs(1))
    found = wbp(projector, maps, np.ones(maps.shape, bool), SLOPES)[0]
    n = np.arange(-23, 24)
    ramp = np.where(n % 2, -1 / (np.pi * np.where(n, n, 1)) ** 2, 0.25 * (n == 0))
    smooth = np.convolve(ramp, [0.25, 0.5, 0.25], "full")  # Hann, in place
    plain = np.zeros((12, 24))
    for view, slope in enumerate(SLOPES):
        sharp = np.convolve(maps[view, 0], smooth)[24 : 24 + 24]
        weight = np.radians(20) * np.sqrt(1 + slope**2) / VOXEL
        for k, depth in enumerate(DEPTHS):
            at = np.arange(24) - depth * slope
            plain[k] += weight * np.interp(at, np.arange(-1, 25), np.pad(sharp, 1))
    inner = found[:, 6:18] - plain[:, 6:18]  # kernels end at the border in other ways
    assert np.abs(inner).max() < 0.01 * np.abs(plain).max()


def test_wbp_gives_values_back():
    """A blob, from views up to 80 degrees: seven eighths of its height, and nothing beside it."""
    slopes = np.tan(np.radians(np.arange(-80, 81, 2.0)))
    x, z = np.meshgrid(np.arange(128) - 63.5, np.arange(49) - 24.0)
    blob = np.exp(-(x**2 + z**2) / 32)
    projector = Projector(slopes, 128, z[:, 0], VOXEL)
    maps = np.moveaxis((projector.forth @ blob.reshape(1, -1).T).reshape(len(slopes), 128, 1), 2, 1)
    found = wbp(projector, maps, np.ones(maps.shape, bool), slopes)[0]
    assert found[24, 63:65].mean() == pytest.approx(0.88, abs=0.02)
    assert found.sum() == pytest.approx(blob.sum(), rel=0.05)
    assert abs(found[:, 100:115].mean()) < 0.005


def test_field_comes_near_its_views(projector):
    """Of two blobs and views without noise: ever nearer to both, nowhere below zero; rays not known do not count."""
    pytest.importorskip("torch", reason="PyTorch is not installed (extra `learn`)")
    truth = two_blobs()
    maps, inside = summed(truth), np.ones((7, 3, 24), bool)
    start, *left = [np.abs(summed(fit(projector, maps, inside, steps)) - maps).mean() for steps in (1, 60, 200)]
    assert left[0] < 0.3 * start
    assert left[1] < 0.5 * left[0]
    found = fit(projector, maps, inside, 200)
    assert (found >= 0).all()
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.9
    hidden, wrong = inside.copy(), maps.copy()
    hidden[2], wrong[2] = False, 1e3
    np.testing.assert_array_equal(
        fit(projector, wrong, hidden, 5), fit(projector, np.where(hidden, maps, 0), hidden, 5)
    )


def test_field_needs_pytorch(monkeypatch):
    """One line that says what to install."""
    monkeypatch.setattr("veristem.recon.tomography.field.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"field-absorption: no torch found, which it needs; `pip install veristem"):
        run_method("field-absorption", tilted([-20, 0, 20], noise=False))


def test_slices_do_not_depend_on_their_block(projector):
    """40 slices, which are two blocks, as each alone."""
    maps, inside = summed(two_blobs(40)), np.ones((7, 40, 24), bool)
    together = sirt(projector, maps, inside, 3)
    for row in (0, 31, 32, 39):
        alone = sirt(projector, maps[:, row : row + 1], inside[:, row : row + 1], 3)
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-4, atol=1e-6)


def test_elongation_of_a_wedge():
    """1.55 at 60 degrees, 2.17 at 44 (Radermacher)."""
    assert elongation(np.tan(np.radians([-60.0, 0, 60]))) == pytest.approx(1.55, abs=0.01)
    assert elongation(np.tan(np.radians([-34.0, 54]))) == pytest.approx(2.17, abs=0.01)


SIDE, THICK = 80, 100.0
LINES = (
    np.column_stack([np.linspace(30, 120, 200), np.linspace(20, 140, 200), np.linspace(10, 90, 200)]),
    np.column_stack([np.linspace(130, 40, 200), np.linspace(30, 120, 200), np.full(200, 70.0)]),
)


def tilted(tilts_deg, axis_deg: float = 90.0, directions=None, noise: bool = True) -> Acquisition:
    """Views of two dark lines."""
    tilts, axis = np.radians(np.asarray(tilts_deg, float)), np.radians(axis_deg)
    if directions is None:
        directions = np.array([Tilt(float(t), axis).direction_rad for t in tilts])
    blank = np.ones((len(tilts), SIDE, SIDE))
    how = {"tilts_rad": tilts, "tilt_axis_rad": axis, "kind": "dislocations"}
    a = Acquisition(blank, directions, VOXEL, THICK / 2, thickness_nm=THICK, **how)
    rng = np.random.default_rng(0)
    shown = [
        np.maximum.reduce([drawn([a.project(c, v)], (SIDE, SIDE), VOXEL, 4.0) for c in LINES])
        for v in range(len(tilts))
    ]
    views = 2000 * (1 - 0.4 * np.minimum(shown, 1.0))
    return replace(a, views=rng.poisson(views) if noise else views)


def compared(found: CurveSet) -> tuple[float, float, np.ndarray]:
    """How much of what was found lies within 6 nm of a line, how much of the lines was, and distances (K,) [nm]."""
    truth = np.concatenate(LINES)
    far = np.linalg.norm(found.places_nm[:, None] - truth, axis=2)
    return float(np.mean(far.min(axis=1) < 6.0)), float(np.mean(far.min(axis=0) < 6.0)), far.min(axis=1)


SERIES = np.arange(-44, 45, 4)
METHODS = (
    "tomo-sirt",
    "tomo-wbp",
    "tomo-sirt contours=ridge",
    "tomo-lines contours=ridge",
    "field-absorption voxel_nm=3",
)


@pytest.mark.parametrize("method", METHODS)
def test_lines_come_out_where_they_are(method):
    """To a voxel, most of them, with an uncertainty that fits."""
    if method.startswith("field"):
        pytest.importorskip("torch", reason="PyTorch is not installed (extra `learn`)")
    a = tilted(SERIES)
    found = run_method(method, a, alignment=Alignment(a.directions_rad, a.to_image))
    right, share, far = compared(found)
    assert right > 0.65  # the ends of a line throw streaks along the edges of the wedge
    assert share > 0.85
    assert np.median(far) < VOXEL
    sigma = np.concatenate(found.sigma_nm)
    assert np.isfinite(sigma).all()
    assert 0.3 < np.sqrt(np.mean(far[far < 6.0] ** 2) / np.mean(sigma**2)) < 3


def test_lines_fitted_to_contours_are_finer_than_voxels():
    """Contours that err by chance: many views together tell more than the volume of coarse voxels holds."""
    a, rng = tilted(SERIES, noise=False), np.random.default_rng(0)
    curves = tuple(tuple(a.project(c, v) + rng.normal(size=(200, 2)) for c in LINES) for v in range(len(SERIES)))
    contours = Contours(curves, tuple(tuple(np.ones(200) for _ in LINES) for _ in SERIES))
    off = {}
    for method in ("tomo-wbp voxel_nm=4", "tomo-lines voxel_nm=4"):
        found = run_method(method, a, alignment=Alignment(a.directions_rad, a.to_image), contours=contours)
        right, share, far = compared(found)
        off[method.split()[0]] = np.median(far)
    assert min(right, share) > 0.85  # of the second, which drops what the views do not show
    assert off["tomo-lines"] < 0.6 * off["tomo-wbp"]


@pytest.mark.parametrize("axis_deg", [0.0, 30.0, -90.0])
def test_about_any_axis(axis_deg):
    """The frame of the specimen stays, whatever the axis in it."""
    a = tilted(SERIES, axis_deg)
    right, share, far = compared(run_method("tomo-wbp", a, alignment=Alignment(a.directions_rad, a.to_image)))
    assert min(right, share) > 0.55
    assert np.median(far) < VOXEL


def test_all_views_leaning_to_one_side_of_the_axis():
    """As with the beam off the zone: slices are then planes that lean."""
    tilts = np.radians(SERIES)
    directions = np.array([np.arctan([np.tan(t), 0.1]) for t in -tilts])
    a = tilted(SERIES, directions=directions)
    right, share, far = compared(run_method("tomo-wbp", a, alignment=Alignment(a.directions_rad, a.to_image)))
    assert min(right, share) > 0.55
    assert np.median(far) < VOXEL


def test_the_volume_itself():
    """In the frame of the specimen, brightest on the lines, with voxels as asked for."""
    a = tilted(SERIES)
    alignment = Alignment(a.directions_rad, a.to_image)
    found = run_method("tomo-sirt volume=true voxel_nm=4 depth_margin_nm=8", a, alignment=alignment)
    assert isinstance(found, Volume)
    assert found.values.shape == (29, 40, 40)
    np.testing.assert_allclose(found.origin_nm, [0, 0, -8])
    index = np.floor((np.concatenate(LINES) - found.origin_nm) / found.voxel_nm).astype(int)
    on = found.values[tuple(index[:, ::-1].T)]
    assert np.median(on) > 10 * found.values.mean()
    assert np.median(compared(lines_in(found, 4.0, 2.17))[2]) < 4.0


def test_nothing_in_noise():
    """No lines where there are none."""
    a = tilted(np.arange(-40, 41, 10))
    views = np.random.default_rng(3).poisson(2000, a.views.shape)
    found = run_method("tomo-sirt", replace(a, views=views), alignment=Alignment(a.directions_rad, a.to_image))
    assert found.length_nm < 60


def test_what_tomography_refuses():
    """One view, views about two axes, voxels that cannot be: one line each."""
    a = tilted([-20, 0, 20], noise=False)
    nominal = Alignment(a.directions_rad, a.to_image)

    def refused(text: str, given: Acquisition = a, method: str = "tomo-sirt", alignment: Alignment | None = nominal):
        with pytest.raises(InputError) as error:
            run_method(method, given, alignment=alignment)
        assert text in str(error.value)
        assert "\n" not in str(error.value)

    one = replace(a, views=a.views[:1], directions_rad=a.directions_rad[:1], tilts_rad=a.tilts_rad[:1])
    refused("views: 1 found, at least 2 allowed for tomography", one, alignment=None)
    same = np.zeros((3, 2))
    refused("all views share one direction", alignment=Alignment(same))
    refused("about one axis", alignment=Alignment(np.array([[0.1, 0.0], [0.0, 0.1], [-0.1, 0.0]])))
    refused("iterations: 0 found", method="tomo-sirt iterations=0")
    refused("steps: 0 found", method="field-absorption steps=0")
    refused("voxel_nm: -1 found", method="tomo-wbp voxel_nm=-1")
    refused("voxel_nm: 0.001 found, which makes", method="tomo-wbp voxel_nm=0.001")
    refused("scale_nm: 1e+06 found", method="tomo-wbp scale_nm=1e6")
    refused("depth_range_nm: -5 found", method="tomo-wbp depth_range_nm=-5")


def test_directions_on_a_line():
    """Azimuth, slopes and what all views lean have the same tangents as the directions."""
    tangents = np.array([[0.15, -0.18], [0.35, 0.02], [0.05, -0.28]])
    azimuth, slopes, lean = one_axis(np.arctan(tangents), (-50, 50), 2.0)
    along = np.array([np.cos(azimuth), np.sin(azimuth)])
    np.testing.assert_allclose(slopes[:, None] * along + lean * np.array([-along[1], along[0]]), tangents, atol=1e-9)


def test_volumes_are_no_tilt_series_and_no_truth(cli, tmp_path):
    """Each file says what it is when it is taken for something else; a volume is shown, and cannot be scored."""
    a = tilted([-20, 0, 20], noise=False)
    write_tilt_series(tmp_path / "series.mrc", a)
    with pytest.raises(InputError, match="a tilt series found, a volume allowed"):
        read(tmp_path / "series.mrc", Volume)
    volume = Volume(two_blobs().astype(np.float32), VOXEL)
    write(tmp_path / "volume.vti", volume)
    write(tmp_path / "lines.vtp", CurveSet(LINES))
    code, _, err = cli("score", tmp_path / "lines.vtp", tmp_path / "volume.vti")
    assert code == 2
    assert "'.vti' found, curves as .vtp" in err


def test_volumes_of_others(tmp_path):
    """Cubes, one number a voxel, a known size: else one line."""
    import mrcfile

    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.zeros((3, 4, 5), np.int16))
    with pytest.raises(InputError, match="no size of a voxel found"):
        read(tmp_path / "a.mrc", Volume)
    with mrcfile.open(tmp_path / "a.mrc", "r+") as file:
        file.voxel_size = (10.0, 10.0, 30.0)
    with pytest.raises(InputError, match="voxels of 1 x 1 x 3 nm found, cubes allowed"):
        read(tmp_path / "a.mrc", Volume)
    with mrcfile.open(tmp_path / "a.mrc", "r+") as file:
        file.voxel_size = 10.0
    assert read(tmp_path / "a.mrc", Volume).values.shape == (3, 4, 5)
