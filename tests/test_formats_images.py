"""Real stereo pairs in, HyperSpy files out."""

import sys

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from veristem.datasets import InputError
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.hspy import write_hspy
from veristem.datasets.formats.images import read_pair


@pytest.fixture
def images():
    """Two 16-bit grey images of 12 x 10."""
    return np.random.default_rng(1).integers(0, 60000, (2, 12, 10)).astype(np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pair_of_grey_images(tmp_path, images, suffix):
    """Grey levels unchanged, directions symmetric about the beam along x."""
    for name, image in zip("lr", images, strict=True):
        imsave(tmp_path / f"{name}{suffix}", image, check_contrast=False)
    pair = read_pair(tmp_path / f"l{suffix}", tmp_path / f"r{suffix}", pixel_nm=0.5, pair_angle_deg=8.0)
    np.testing.assert_array_equal(pair.views, images)
    np.testing.assert_allclose(pair.directions_rad, np.radians([[4, 0], [-4, 0]]))
    assert (pair.pixel_nm, pair.focus_nm, pair.material) == (0.5, 0.0, None)


def test_colours_are_averaged(tmp_path, images):
    """A grey image saved as RGB is the same image."""
    rgb = np.repeat((images[0] // 256).astype(np.uint8)[..., None], 3, axis=2)
    imsave(tmp_path / "c.png", rgb, check_contrast=False)
    pair = read_pair(tmp_path / "c.png", tmp_path / "c.png", 1.0, 5.0)
    np.testing.assert_array_equal(pair.views[0], rgb[..., 0])


def test_faults_of_a_pair(tmp_path, images):
    """Other shapes, no image, no file, a stack, and angles without sense: one line each."""
    left, right = tmp_path / "l.tif", tmp_path / "r.tif"
    imsave(left, images[0], check_contrast=False)
    for content, message in (
        (images[1][:, :8], "12 x 8 pixels found, 12 x 10 as in"),
        (np.zeros((5, 12, 10), np.uint16), r"shape \(5, 12, 10\)"),
        (np.full((12, 10), np.nan, np.float32), "nan found at pixel X Y = 0 0, finite grey levels"),
    ):
        imsave(right, content, check_contrast=False)
        with pytest.raises(InputError, match=message) as caught:
            read_pair(left, right, 1.0, 8.0)
        assert str(right) in str(caught.value)
    right.write_bytes(left.read_bytes()[:100])
    with pytest.raises(InputError, match="no readable image"):
        read_pair(left, right, 1.0, 8.0)
    with pytest.raises(InputError, match="no such file"):
        read_pair(left, tmp_path / "none.png", 1.0, 8.0)
    (tmp_path / "x.abc").write_text("")
    with pytest.raises(InputError, match=r"suffix '\.abc'"):
        read_pair(tmp_path / "x.abc", right, 1.0, 8.0)
    with pytest.raises(InputError, match="`pair_angle_deg`: 0 found"):
        read_pair(left, left, 1.0, 0)
    with pytest.raises(InputError, match="`pixel_nm`: 0 found"):
        read_pair(left, left, 0, 8.0)


def test_hspy_is_calibrated(tmp_path, acquisition):
    """rosettasciio gives back the counts with axes view, y, x in nm; a view of it is read like any image."""
    from rsciio.hspy import file_reader

    write_hspy(tmp_path / "a.hspy", acquisition)
    signal = file_reader(str(tmp_path / "a.hspy"))[0]
    np.testing.assert_array_equal(signal["data"], acquisition.views)
    axes = [(a["name"], a["units"], a["scale"], a["offset"], a["navigate"]) for a in signal["axes"]]
    assert axes == [("view", "", 1, 0, True), ("y", "nm", 2, 1, False), ("x", "nm", 2, 1, False)]
    assert signal["metadata"]["Signal"]["signal_type"] == ""
    np.testing.assert_array_equal(signal["metadata"]["VeriSTEM"]["directions_rad"], acquisition.directions_rad)
    with pytest.raises(InputError, match=r"a\.hspy: array of shape \(2, 16, 20\)"):
        read_pair(tmp_path / "a.hspy", tmp_path / "a.hspy", 1.0, 8.0)


def test_hspy_unwritable(tmp_path, acquisition):
    """One line."""
    with pytest.raises(InputError, match="choose a folder that exists"):
        write_hspy(tmp_path / "no/a.hspy", acquisition)


def test_mrc_images_are_read_although_one_reader_is_not_installed(cli, tmp_path, images):
    """The first reader of rosettasciio with that suffix needs a library that is not there, and unpickles."""
    import mrcfile

    for name, image in zip("lr", images):
        mrcfile.write(tmp_path / f"{name}.mrc", image.astype(np.int16), voxel_size=15.0)
    ended = cli("convert", tmp_path / "l.mrc", tmp_path / "r.mrc", tmp_path / "pair.h5", "--pair-angle-deg", 8)
    assert ended.code == 0, ended.err
    assert "pixel size: 1.5 nm, from l.mrc and r.mrc" in ended.err
    pair = read_acquisition(tmp_path / "pair.h5")
    np.testing.assert_array_equal(pair.views, images.astype(np.int16))
    assert pair.pixel_nm == pytest.approx(1.5)


def test_the_next_reader_of_a_suffix_is_tried(tmp_path, monkeypatch):
    """Whether the first is not installed or cannot read the file; what the first said is told when none can."""
    import rsciio

    from veristem.datasets.formats.rosetta import read_signals

    tried = []

    class First:
        @staticmethod
        def file_reader(path, **_):
            tried.append(path)
            raise ValueError("of another kind")

    plugins = [
        {"name": "absent", "api": "rsciio.no_such_reader", "file_extensions": ["abc"]},
        {"name": "first", "api": "first_reader", "file_extensions": ["abc"]},
        {"name": "second", "api": "second_reader", "file_extensions": ["ABC"]},
    ]
    (tmp_path / "x.abc").write_text("")
    monkeypatch.setattr(rsciio, "IO_PLUGINS", plugins)
    monkeypatch.setitem(sys.modules, "first_reader", First)
    with pytest.raises(InputError, match=r"x\.abc: nothing readable found \(of another kind\); an image"):
        read_signals(tmp_path / "x.abc", "an image allowed")
    second = type("Second", (), {"file_reader": staticmethod(lambda path, **_: [path])})
    monkeypatch.setitem(sys.modules, "second_reader", second)
    assert read_signals(tmp_path / "x.abc", "an image allowed") == [str(tmp_path / "x.abc")]
    assert len(tried) == 2


def imagej(path, image, pixel_nm):
    """A TIFF with its pixel size as ImageJ writes it."""
    tifffile.imwrite(path, image, imagej=True, resolution=(1 / pixel_nm, 1 / pixel_nm), metadata={"unit": "nm"})


def test_pixel_sizes_in_the_files(cli, tmp_path, images):
    """Taken when they agree, refused when two differ, and a size against them is said; 72 dpi is no pixel size."""
    for name, pixel in (("a", 0.75), ("b", 0.75), ("c", 1.5)):
        imagej(tmp_path / f"{name}.tif", images[0], pixel)
    tifffile.imwrite(tmp_path / "print.tif", images[0], resolution=(72, 72), resolutionunit=2)
    said: list[str] = []
    assert read_pair(tmp_path / "a.tif", tmp_path / "b.tif", None, 8.0, said.append).pixel_nm == pytest.approx(0.75)
    assert said == ["pixel size: 0.75 nm, from a.tif and b.tif"]
    with pytest.raises(InputError, match=r"c\.tif: pixels of 1\.5 nm found, 0\.75 nm as in .*a\.tif allowed"):
        read_pair(tmp_path / "a.tif", tmp_path / "c.tif", 19.0, 8.0)
    with pytest.raises(InputError, match=r"print\.tif: pixel size not found; give `pixel_nm`"):
        read_pair(tmp_path / "print.tif", tmp_path / "print.tif", None, 8.0)
    ended = cli("convert", *(tmp_path / n for n in ("a.tif", "b.tif", "p.h5")), "--pair-angle-deg", 8, "--pixel-nm", 19)
    assert ended.code == 0
    assert "warning: --pixel-nm: 19 found and taken, but" in ended.err
    assert "a.tif says 0.75" in ended.err
    assert read_acquisition(tmp_path / "p.h5").pixel_nm == 19.0


def test_colours_and_pages_are_said_or_dropped(tmp_path, images):
    """The mean of three colours is told; a stack of one page is an image; transparency is not averaged in."""
    grey = (images[0] // 256).astype(np.uint8)
    said: list[str] = []
    imsave(tmp_path / "rgba.png", np.dstack([grey, grey, grey, grey // 2]), check_contrast=False)
    tifffile.imwrite(tmp_path / "page.tif", images[0][None])
    np.testing.assert_array_equal(read_pair(*[tmp_path / "rgba.png"] * 2, 1.0, 8.0, said.append).views[1], grey)
    assert len(said) == 2
    assert said[0].endswith("rgba.png: 3 colours found: their mean is taken")
    np.testing.assert_array_equal(read_pair(*[tmp_path / "page.tif"] * 2, 1.0, 8.0).views[0], images[0])


def test_images_that_promise_too_much(tmp_path):
    """A small TIFF of a million pixels a side is refused before memory is set aside for it."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint8), metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(30000)
    with pytest.raises(InputError, match="pixels found"):
        read_pair(tmp_path / "a.tif", tmp_path / "a.tif", 1.0, 8.0)
