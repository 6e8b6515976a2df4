"""Virtual detectors: exact sums in one pass, and the geometry that patterns tell of themselves."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.scans import read_scan
from veristem.datasets.scan4d import Scan4D
from veristem.recon.disc import Disc, find_disc, kikuchi_lines
from veristem.recon.masks import mean_pattern, moved, virtual_images
from veristem.recon.virtual import calibrate, measured, view_masks, virtual_acquisition


@pytest.fixture(scope="module")
def folder(tmp_path_factory, recipe_4d, written):
    """A small scan and its vacuum, not to be written to."""
    path = tmp_path_factory.mktemp("scan")
    written(recipe_4d(), path)
    return path


def flat_disc(center, radius, shape=(96, 112)) -> np.ndarray:
    """Share of each pixel within a circle."""
    return Disc(np.array(center), radius, 0.0).coverage(shape, 16)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["u1", "u2", "u4", ">u2", "f4"]),
    st.tuples(*[st.integers(1, 9)] * 4),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_images_are_sums_of_pixels(dtype, shape, count, seed):
    """Of any masks, overlapping or empty, and any type, exactly; of a moved pattern with moved masks."""
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 255, shape).astype(dtype)
    masks = rng.random((count, *shape[2:])) < 0.4
    scan = Scan4D("made up", data)
    expected = np.einsum("ijkl,vkl->vij", data.astype(float), masks.astype(float))
    np.testing.assert_array_equal(virtual_images(scan, masks), expected)
    shifts = rng.integers(-3, 4, (*shape[:2], 2))
    found = virtual_images(scan, masks, shifts)
    for row, column in np.ndindex(*shape[:2]):
        there = moved(masks, shifts[row, column])
        np.testing.assert_array_equal(found[:, row, column], (there * data[row, column].astype(float)).sum(axis=(1, 2)))


@pytest.mark.parametrize("suffix", [".hspy", ".zspy", ".h5", ".blo"])
def test_scans_of_other_programs(tmp_path, suffix):
    """In chunks of their own or in one piece, each part is read once and gives the same images."""
    from importlib import import_module

    import h5py

    if suffix == ".zspy":
        pytest.importorskip("zarr")  # which rosettasciio writes it with
    data = np.random.default_rng(0).integers(0, 200, (7, 10, 16, 16)).astype(np.uint8)
    path = tmp_path / f"scan{suffix}"
    if suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["anything/patterns"] = data
    else:
        units = ["nm", "nm", "1/nm", "1/nm"]
        axes = [
            {
                "name": n,
                "size": size,
                "scale": 3.0,
                "offset": 0.0,
                "units": unit,
                "navigate": i < 2,
                "index_in_array": i,
            }
            for i, (n, size, unit) in enumerate(zip(("y", "x", "ky", "kx"), data.shape, units))
        ]
        signal = {"data": data, "axes": axes, "metadata": {"General": {"title": ""}, "Signal": {"signal_type": ""}}}
        signal |= {key: {} for key in ("original_metadata", "learning_results", "models", "package_info")}
        signal |= {"attributes": {"_lazy": False, "ragged": False}, "tmp_parameters": {}}
        options = {} if suffix == ".blo" else {"chunks": (4, 3, 8, 16)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(f"rsciio.{'blockfile' if suffix == '.blo' else suffix[1:]}").file_writer(
                str(path), signal, show_progressbar=False, **options
            )
    scan = read_scan(path)
    assert (scan.scan_shape, scan.shape) == ((7, 10), (16, 16))
    assert scan.pixel_nm == (None if suffix == ".h5" else pytest.approx(3.0))
    masks = np.random.default_rng(1).random((3, 16, 16)) < 0.3
    seen = []
    images = virtual_images(scan, masks, progress=lambda rows, _: map(seen.append, rows))
    np.testing.assert_array_equal(images, np.einsum("ijkl,vkl->vij", data.astype(float), masks.astype(float)))
    assert seen == list(range(7))
    np.testing.assert_allclose(mean_pattern(scan, 3), data[::3].mean(axis=(0, 1)))


def test_an_uncertainty_does_not_read_as_zero():
    """A rim known to 0.004 pixels was said to be known to 0.00; what was given has none."""
    assert measured(21.66, 0.0042) == "21.660 ± 0.004"
    assert measured(0.3, 0.05) == "0.30 ± 0.05"
    assert measured(4.0, 0.0) == "4.00"


def test_large_counts_do_not_overflow():
    """A whole frame of the largest counts of 32 bits."""
    data = np.full((1, 2, 64, 64), 2**32 - 1, np.uint32)
    image = virtual_images(Scan4D("made up", data), np.ones((1, 64, 64), bool))
    assert (image == 64 * 64 * (2.0**32 - 1)).all()


@pytest.mark.slow
def test_what_hyperspy_and_pyxem_make_is_the_same(folder):
    """The file opens there with its axes, and an image through a region of theirs equals ours to the last count."""
    hs = pytest.importorskip("hyperspy.api")
    pytest.importorskip("pyxem")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signal = hs.load(folder / "scan.zspy", lazy=True)
        assert signal._signal_type == "electron_diffraction"
        assert signal.axes_manager.navigation_shape == (16, 16)
        assert signal.axes_manager.signal_shape == (40, 48)
        x, y = signal.axes_manager.navigation_axes
        assert (
            (x.name, x.scale, x.offset, x.units)
            == ("x", 4.0, 2.0, "nm")
            == (y.name.replace("y", "x"), *[y.scale, y.offset, y.units])
        )
        theta_x, theta_y = signal.axes_manager.signal_axes
        assert [theta_x.offset, theta_y.offset] == [-19.5 * 1.5, -23.5 * 1.5]
        assert (theta_x.units, theta_x.scale) == ("mrad", 1.5)
        circle = hs.roi.CircleROI(cx=5.0, cy=-2.0, r=9.0)
        ones = signal.inav[0, 0].deepcopy()
        ones.compute(show_progressbar=False)
        ones.data = np.arange(48 * 40.0).reshape(48, 40) + 1
        inside = np.nan_to_num(circle(ones).data).ravel()
        mask = np.isin(ones.data, inside[inside > 0])
        assert 90 < mask.sum() < 130
        theirs = circle(signal, axes=signal.axes_manager.signal_axes).nansum(axis=(2, 3))
        theirs.compute(show_progressbar=False)
        pyxems = signal.get_integrated_intensity(circle)
        pyxems.compute(show_progressbar=False)
    ours = virtual_images(read_scan(folder / "scan.zspy"), mask[None])[0]
    np.testing.assert_array_equal(theirs.data, ours)
    np.testing.assert_array_equal(pyxems.data, ours)


@settings(max_examples=25, deadline=None)
@given(st.floats(40, 70), st.floats(40, 60), st.floats(14, 45), st.floats(0, 0.2), st.integers(0, 99))
def test_the_rim_is_found_to_a_tenth_of_a_pixel(x, y, radius, background, seed):
    """With few counts, on a background, and where the detector cuts it."""
    image = np.random.default_rng(seed).poisson(200 * (flat_disc((x, y), radius) + background)).astype(float)
    disc = find_disc(image)
    np.testing.assert_allclose(disc.center_px, (x, y), atol=0.12)
    assert disc.radius_px == pytest.approx(radius, abs=0.12)
    assert disc.sigma_px < 0.1


@settings(max_examples=20, deadline=None)
@given(st.floats(-89.9, 89.9), st.floats(-12, 12), st.integers(0, 99))
def test_the_direction_of_lines_is_found(azimuth_deg, offset, seed):
    """A dark band with a bright edge anywhere in the disc, at any angle, the raster's own included."""
    azimuth = np.radians(azimuth_deg)
    disc = Disc(np.array([55.0, 47.0]), 40.0, 0.01)
    y, x = np.indices((96, 112), float)
    across = -np.sin(azimuth) * (x - 55) + np.cos(azimuth) * (y - 47) - offset
    pattern = disc.coverage((96, 112)) * (1 - 0.4 / (1 + (across / 5) ** 8) + 0.3 * np.exp(-((across - 7) ** 2) / 4))
    lines = kikuchi_lines(np.random.default_rng(seed).poisson(500 * pattern).astype(float), disc)
    assert abs((np.degrees(lines.azimuth_rad) - azimuth_deg + 90) % 180 - 90) < 0.5
    assert lines.sigma_rad < np.radians(0.5)


def test_without_a_disc_or_a_line_nothing_is_made_up():
    """Noise, an even disc, and nothing at all."""
    noise = np.random.default_rng(0).poisson(5.0, (96, 112)).astype(float)
    for image in (noise, np.zeros((64, 64)), np.full((64, 64), 3.0)):
        with pytest.raises(InputError, match="no bright-field disc found"):
            find_disc(image)
    even = np.random.default_rng(0).poisson(200 * flat_disc((50.0, 50.0), 40.0)).astype(float)
    with pytest.raises(InputError, match="no Kikuchi line found"):
        kikuchi_lines(even, Disc(np.array([50.0, 50.0]), 40.0, 0.01))


def test_a_pattern_that_is_not_still_is_followed(folder, tmp_path, recipe_4d, written):
    """The movement and the centre come from the vacuum; views are those of a still pattern but for noise."""
    moving = recipe_4d(
        microscope__detector__descan_px=[6.0, -3.0],
        microscope__detector__center_px=[1.5, -2.0],
        microscope__detector__vacuum_shape=[8, 8],
    )
    written(moving, tmp_path)
    scan, vacuum = read_scan(tmp_path / "scan.zspy"), read_scan(tmp_path / "vacuum.zspy")
    found = calibrate(scan, vacuum, azimuth_rad=0.0)
    np.testing.assert_allclose(found.descan_px, np.diag([6.0, -3.0]), atol=0.3)
    np.testing.assert_allclose(found.disc.center_px, [19.5 + 1.5, 23.5 - 2.0], atol=0.15)
    assert found.rad_per_px == pytest.approx(1.5e-3, rel=0.01)
    views = virtual_acquisition(scan, found).views
    still = calibrate(scan, None, azimuth_rad=0.0, rad_per_px=1.5e-3, center_px=(21.0, 21.5))
    unfollowed = virtual_acquisition(scan, still).views
    true = read_scan(folder / "scan.zspy")
    reference = virtual_acquisition(true, calibrate(true, azimuth_rad=0.0)).views
    off, far = (np.abs((found - reference).mean(axis=(0, 1))).max() for found in (views, unfollowed))
    assert off < 0.04 * reference.mean()  # masks move by whole pixels, here an eighth of their diameter
    assert off < 0.65 * far
    assert mean_pattern(scan, shifts_px=found.shifts_px(scan.scan_shape)).sum() == pytest.approx(
        mean_pattern(scan).sum()
    )


def test_views_of_the_command_line(cli, folder, tmp_path):
    """By default those that the recipe has; calibrated in the patterns; ready for a method."""
    out = tmp_path / "views.h5"
    ended = cli("virtual", folder / "scan.zspy", "--vacuum", folder / "vacuum.zspy", "-o", out)
    assert ended.code == 0
    assert "1.5" in ended.err
    assert "deg apart" in ended.err
    views = read_acquisition(out)
    assert views.views.shape == (2, 16, 16)
    assert (views.material, views.pixel_nm, views.energy_keV, views.thickness_nm) == ("gamma-TiAl", 4.0, 200.0, 100.0)
    np.testing.assert_allclose(np.degrees(views.directions_rad), [[0.75, 0], [-0.75, 0]], atol=0.02)
    assert (views.views.mean(axis=(1, 2)) < views.electrons_per_pixel).all()
    ended = cli("virtual", folder / "scan.zspy", "-o", out, "--views", 5, "--pair-angle-deg", 2, "--radius-mrad", 3)
    assert ended.code == 0
    assert len(read_acquisition(out).views) == 5


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--radius-mrad", "0.01"], "holds no pixel"),
        (["--center-px", "5", "23.5", "--mrad-per-pixel", "1.5", "--azimuth-deg", "0"], "beyond the detector"),
        (["--pair-angle-deg", "8"], "holds no pixel"),
        (["--pair-angle-deg", "3.2", "--radius-mrad", "1"], "outside the cone"),
        (["--radius-mrad", "-1"], "a positive number allowed"),
        (["--scan-shape", "3", "5"], "256 patterns found, 3 x 5"),
        (["--center-px", "nan", "3", "--mrad-per-pixel", "1.5"], "--center-px"),
    ],
)
def test_discs_that_do_not_fit(cli, folder, tmp_path, options, told):
    """One line each, and no file."""
    ended = cli("virtual", folder / "scan.zspy", "-o", tmp_path / "views.h5", *options)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "views.h5").exists()


def test_masks_are_pixels_whose_centres_lie_within(folder, recipe_4d):
    """The definition of the forward model: a pixel counts wholly or not at all."""
    found = calibrate(read_scan(folder / "scan.zspy"), convergence_rad=0.024, rad_per_px=1.5e-3, center_px=(19.5, 23.5))
    detector = recipe_4d().microscope.detector
    masks = view_masks(found, np.array([[np.radians(0.75), 0.0], [-np.radians(0.75), 0.0]]), 6e-3)
    for mask, region in zip(masks, detector.regions(0.0)):
        np.testing.assert_array_equal(mask, region.contains(detector.directions_rad()))


@pytest.mark.parametrize(("name", "shape"), [("001_4x2_6bit", (256, 256)), ("002_4x2_6bit_roi128", (128, 256))])
def test_real_merlin_files(cli, cases, tmp_path, name, shape):
    """Four by two patterns of a real detector, and views from them by the same command."""
    path = cases / "merlin" / f"{name}.mib"
    scan = read_scan(path)
    assert (scan.scan_shape, scan.shape) == ((2, 4), shape)
    out = tmp_path / "views.h5"
    options = ["--convergence-mrad", "1", "--pixel-nm", "2", "--azimuth-deg", "90", "--pair-angle-deg", "0.05"]
    ended = cli("virtual", path, "-o", out, *options, "--radius-mrad", "0.4")
    assert ended.code == 0, ended.err
    assert read_acquisition(out).views.shape == (2, 2, 4)
    assert (read_acquisition(out).views > 1000).all()


def test_files_that_contradict_themselves(cli, cases, folder, tmp_path):
    """A missing or broken chunk, a short .mib, a .hdr of another file, raw data, a text: one line that names it."""
    source = cases / "merlin" / "001_4x2_6bit.mib"

    def told(path, *words):
        ended = cli("virtual", path, "-o", tmp_path / "views.h5")
        assert ended.code == 2
        assert ended.err.count("\n") == 1
        for word in (path.name.partition(".")[0], *words):
            assert word in ended.err

    short = tmp_path / "short.mib"
    short.write_bytes(source.read_bytes()[:-1000])
    told(short, "cut short", "7 patterns")
    other = tmp_path / "other.mib"
    shutil.copy(source, other)
    header = source.with_suffix(".hdr").read_bytes()
    other.with_suffix(".hdr").write_bytes(header.replace(b"Acquisition (Number):\t8", b"Acquisition (Number):\t9"))
    told(other, "9 frames", "8")
    other.with_suffix(".hdr").write_bytes(header.replace(b"Depth (number):\t6", b"Depth (number):\t12"))
    told(other, "counter depth of 12 bit", "U08")
    raw = tmp_path / "raw.mib"
    raw.write_bytes(source.read_bytes().replace(b"U08", b"R64"))
    told(raw, "raw")
    empty = tmp_path / "empty.mib"
    empty.write_bytes(b"nothing")
    told(empty, "no Merlin header")
    lost = tmp_path / "lost.zspy"
    shutil.copytree(folder / "scan.zspy", lost)
    chunk = lost / "Experiments/__unnamed__/data/5.0.0.0"
    content = chunk.read_bytes()
    chunk.unlink()
    told(lost, "1 of 16 chunks missing", "row 5")
    chunk.write_bytes(content[: len(content) // 2])
    told(lost, "row 5 cannot be read")
    told(tmp_path / "none.zspy", "no such file")
