"""Tilt series for other programs."""

from __future__ import annotations

import warnings

import mrcfile
import numpy as np
import pytest

from veristem.bench.files.convert import convert_files
from veristem.datasets import Acquisition, InputError
from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition
from veristem.datasets.formats.mrc import write_tilt_series


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
