"""Real stereo pairs in, HyperSpy files out."""

import numpy as np
import pytest
from skimage.io import imsave

from veristem.datasets import InputError
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
        (np.full((12, 10), np.nan, np.float32), "not finite"),
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
    with pytest.raises(InputError, match="pair_angle_deg: 0 found"):
        read_pair(left, left, 1.0, 0)
    with pytest.raises(InputError, match="pixel_nm: 0 found"):
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
