"""Tilt series for other programs."""

from __future__ import annotations

import warnings

import mrcfile
import numpy as np
import pytest

from veristem.bench.files.convert import convert_files
from veristem.datasets import Acquisition, InputError
from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition
from veristem.datasets.formats.images import read_tilt_series
from veristem.datasets.formats.mrc import read_stack, write_tilt_series


def series(tilts_deg, **keys) -> Acquisition:
    """Noise at some tilts about y."""
    tilts = np.radians(np.array(tilts_deg, float))
    views = np.random.default_rng(0).poisson(50, (len(tilts), 20, 30))
    directions = np.column_stack([-tilts, np.zeros(len(tilts))])
    return Acquisition(views, directions, 1.5, 50.0, tilts_rad=tilts, tilt_axis_rad=np.pi / 2, **keys)


def test_other_readers_find_pixel_and_angles(tmp_path):
    """mrcfile and the reader behind HyperSpy and ETSpy; the file is a valid stack of images."""
    tilts = np.arange(-44.0, 45.0, 2.0)
    acquisition = series(tilts)
    angles = write_tilt_series(tmp_path / "series.mrc", acquisition)
    np.testing.assert_allclose(np.loadtxt(angles), tilts, atol=0.005)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mrcfile.validate(tmp_path / "series.mrc")
        with mrcfile.open(tmp_path / "series.mrc") as file:
            assert file.is_image_stack()
            np.testing.assert_array_equal(file.data, acquisition.views)
            assert (float(file.voxel_size.x), float(file.voxel_size.y)) == (15.0, 15.0)
    from rsciio.mrc import file_reader

    (found,) = file_reader(str(tmp_path / "series.mrc"))
    np.testing.assert_array_equal(found["data"], acquisition.views)
    assert [axis["scale"] for axis in found["axes"] if axis["name"] in "xy"] == pytest.approx([1.5, 1.5])


def test_the_same_series_gives_the_same_bytes_in_order_of_tilt(tmp_path):
    """No date in the header; a series taken in another order is sorted."""
    write_tilt_series(tmp_path / "a.mrc", series([0, 2, 4]))
    write_tilt_series(tmp_path / "b.mrc", series([0, 2, 4]))
    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()
    turned = write_tilt_series(tmp_path / "c.mrc", series([4, 0, 2]))
    assert turned.read_text() == "0.00\n2.00\n4.00\n"
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "c.mrc"), series([4, 0, 2]).views[[1, 2, 0]])


def test_convert_takes_the_series_from_its_acquisition(tmp_path):
    """The tilts pass through acquisition.h5; without them, or with several views a tilt, it is one line."""
    write_acquisition(tmp_path / "acquisition.h5", series([-2, 0, 2]))
    stored = read_acquisition(tmp_path / "acquisition.h5")
    np.testing.assert_allclose(stored.tilts_rad, np.radians([-2, 0, 2]))
    assert stored.tilt_axis_rad == np.pi / 2
    note = convert_files([tmp_path / "acquisition.h5"], tmp_path / "series.mrc")
    assert note == f"angles in {tmp_path / 'series.rawtlt'}"
    for wrong, text in ((Acquisition(stored.views, stored.directions_rad, 1.5, 50.0), "no tilt series"),
                        (series([1, 1, 2]), "several views at one tilt")):  # fmt: skip
        with pytest.raises(InputError, match=text):
            write_tilt_series(tmp_path / "none.mrc", wrong)
    assert not (tmp_path / "none.mrc").exists()


@pytest.mark.parametrize("tilts", [[0.0, 70.0, 2.0], [0.0, np.nan, 2.0]])
def test_tilts_of_an_acquisition_are_checked(tilts):
    """Degrees taken for radians, and what is no number."""
    with pytest.raises(InputError, match="tilts_rad"):
        Acquisition(np.ones((3, 4, 4)), np.zeros((3, 2)), 1.0, 0.0, tilts_rad=np.array(tilts))


def test_tilts_stand_where_etspy_looks(tmp_path):
    """In the extended header of SerialEM, seven int16 a section, and in the metadata of a .hspy: bytes and names."""
    from rsciio.hspy import file_reader

    from veristem.datasets.formats.hspy import write_hspy

    made = series([-61.25, 0, 2.5])
    write_tilt_series(tmp_path / "a.mrc", made)
    content = (tmp_path / "a.mrc").read_bytes()
    assert content[104:108] == b"SERI"
    assert np.frombuffer(content, "<i2", 2, 128).tolist() == [14, 61]
    assert np.frombuffer(content, "<i4", 1, 92).tolist() == [42]
    assert np.frombuffer(content, "<i2", 21, 1024)[::7].tolist() == [-6125, 0, 250]
    write_hspy(tmp_path / "a.hspy", made)
    (signal,) = file_reader(str(tmp_path / "a.hspy"))
    np.testing.assert_allclose(signal["metadata"]["Tomography"]["tilts"], [[-61.25], [0], [2.5]])


@pytest.mark.parametrize("suffix", [".mrc", ".hspy"])
def test_etspy_opens_the_series(tmp_path, suffix):
    """With its angles; it ignores the .rawtlt beside a .mrc that HyperSpy reads."""
    etspy_io = pytest.importorskip(
        "etspy.io", reason="ETSpy is not installed; tests/validation/with_etspy.py runs this with it"
    )
    from veristem.datasets.formats.hspy import write_hspy

    made = series([-61.25, 0, 2.5])
    (write_tilt_series if suffix == ".mrc" else write_hspy)(tmp_path / f"a{suffix}", made)
    stack = etspy_io.load(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(np.ravel(stack.tilts.data), [-61.25, 0, 2.5], atol=0.006)
    np.testing.assert_array_equal(stack.data, made.views)


@pytest.mark.parametrize("axis_deg", [90.0, 0.0, 30.0])
def test_a_tilt_series_comes_in_as_it_went_out(cli, tmp_path, axis_deg):
    """From either format, steep tilts included, with the directions that a simulation has."""
    from veristem.datasets.formats.hspy import write_hspy
    from veristem.datasets.geometry import Tilt

    tilts = np.array([-80.0, -10.0, 0.0, 55.5])
    axis = np.radians(axis_deg)
    directions = [Tilt(float(t), float(axis)).into_specimen(np.zeros(2)) for t in np.radians(tilts)]
    views = np.random.default_rng(0).poisson(50, (4, 20, 30))
    made = Acquisition(views, directions, 1.5, 0.0, tilts_rad=np.radians(tilts), tilt_axis_rad=axis)
    write_tilt_series(tmp_path / "a.mrc", made)
    write_hspy(tmp_path / "b.hspy", made)
    for name in ("a.mrc", "b.hspy"):
        out = tmp_path / f"{name}.h5"
        ended = cli("convert", tmp_path / name, out, "--tilt-axis-deg", axis_deg)
        assert ended.code == 0, ended.err
        assert "pixel size: 1.5 nm" in ended.err
        back = read_acquisition(out)
        np.testing.assert_array_equal(back.views, made.views)
        np.testing.assert_allclose(back.tilts_rad, made.tilts_rad, atol=1e-4)
        np.testing.assert_allclose(back.directions_rad, made.directions_rad, atol=1e-4)
        np.testing.assert_allclose(back.to_image, made.to_image, atol=1e-2)
        assert back.pixel_nm == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.rawtlt", "-60\n0.5\n60\n"),
        ("s.tlt", " -60.0 \n 0.5\n 60\n"),
        ("s.mrc.mdoc", "PixelSpacing = 15\n[ZValue = 0]\nTiltAngle = -60\nDose = 1\nTiltAngle = 0.5\nTiltAngle = 60\n"),
        ("s.mdoc", "[ZValue = 0]\nTiltAngle=-60\n[ZValue = 1]\nTiltAngle = 0.5\n[ZValue = 2]\nTiltAngle = 6.0e1\n"),
    ],
)
def test_tilts_of_a_file_beside_it(tmp_path, name, text):
    """As IMOD and SerialEM leave them; another number of angles, or none, is one line."""
    mrcfile.write(tmp_path / "s.mrc", np.ones((3, 8, 9), np.int16), voxel_size=15.0)
    with pytest.raises(InputError, match=r"s\.mrc: no tilts found, 3 allowed: .* s\.rawtlt"):
        read_tilt_series(tmp_path / "s.mrc")
    (tmp_path / name).write_text(text)
    np.testing.assert_allclose(np.degrees(read_tilt_series(tmp_path / "s.mrc").tilts_rad), [-60, 0.5, 60])
    (tmp_path / name).write_text(text + "TiltAngle = 70\n" if "mdoc" in name else text + "70\n")
    with pytest.raises(InputError, match="4 angles found, 3 below 90 deg"):
        read_tilt_series(tmp_path / "s.mrc")


def test_stacks_that_are_not_whole(tmp_path):
    """Cut short, promising terabytes, of complex numbers, or no MRC: one line each."""
    path = tmp_path / "s.mrc"
    mrcfile.write(path, np.ones((3, 8, 9), np.float32), voxel_size=15.0)
    content = path.read_bytes()
    for changed, message in ((content[:-5], "cut short"), (content[:700], "no header of an MRC"), (b"", "no header"),
                             (b"\xff\xff\xff\x7f" * 3 + content[12:], "cut short"),
                             (content[:12] + b"\4" + content[13:], "images of real numbers allowed"),
                             (content[:92] + b"\xff\xff\xff\x7f" + content[96:], "cut short")):  # fmt: skip
        path.write_bytes(changed)
        with pytest.raises(InputError, match=message):
            read_stack(path)
    mrcfile.write(path, np.ones((3, 8, 9), np.float32), voxel_size=(10, 20, 1), overwrite=True)
    with pytest.raises(InputError, match="pixels of 1 x 2 nm found"):
        read_stack(path)
