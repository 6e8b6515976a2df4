"""What is no file, or holds what no specimen has, is refused at once by every reader of lines and points."""

import os

import numpy as np
import pytest

from veristem.datasets import CurveSet, DislocationNetwork, InputError
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.formats import read_curves, read_network, read_particles, read_points
from veristem.datasets.formats.regular import regular_file
from veristem.datasets.reconstruction import PointSet

READERS = [
    (read_network, ".data"), (read_network, ".ca"), (read_network, ".vtp"), (read_curves, ".vtp"),
    (read_particles, ".csv"), (read_particles, ".xyz"), (read_points, ".csv"),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "suffix"), READERS)
def test_a_fifo_or_device_is_refused_without_reading(tmp_path, reader, suffix):
    """A FIFO that nobody writes to waits for ever, /dev/zero never ends."""
    fifo, device = tmp_path / f"fifo{suffix}", tmp_path / f"device{suffix}"
    os.mkfifo(fifo)
    device.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="a FIFO found, a regular file allowed"):
        reader(fifo)
    with pytest.raises(InputError, match="a device found, a regular file allowed"):
        reader(device)


@pytest.mark.parametrize(("reader", "suffix"), READERS)
def test_a_file_of_absurd_size_is_refused_without_reading(tmp_path, reader, suffix):
    """A sparse file of 1 TB takes no room on the disk; read, it would take all memory."""
    path = tmp_path / f"huge{suffix}"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(InputError, match=r"huge\S+: 1000000000000 bytes found, at most \d+ allowed"):
        reader(path)


def test_a_control_file_that_is_a_fifo_is_refused(tmp_path):
    """What stands beside the file is opened too."""
    (tmp_path / "x.data").write_text("")
    os.mkfifo(tmp_path / "x.ctrl")
    with pytest.raises(InputError, match=r"x\.ctrl: a FIFO found"):
        read_network(tmp_path / "x.data")


def test_regular_files_and_links_to_them_pass(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    regular_file(tmp_path / "link")
    for name, message in (("none", "No such file"), (".", "a folder found"), ("a\0b", "null")):
        with pytest.raises(InputError, match=message):
            regular_file(tmp_path / name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DislocationNetwork([[1e300, 0, 0], [0, 0, 0]], [[0, 1]], [[1, 0, 0]]), r"nodes_nm: 1e\+300 nm found"),
        (lambda: DislocationNetwork(np.eye(3), [[0, 0]], [[1, 0, 0]]), "segments: 0 from node 0 to itself found"),
        (
            lambda: DislocationNetwork(np.eye(3), [[0, 1]], [[1, 0, 0]], box_nm=[[0, 0, 0], [1, 0, 1]]),
            "box_nm: .* found, an upper corner above",
        ),
        (
            lambda: DislocationNetwork(np.eye(3), [[0, 1]], [[1, 0, 0]], crystal_from_network=-np.eye(3)),
            "crystal_from_network: .* found, a rotation allowed",
        ),
        (lambda: CurveSet(([[0, 0, 0], [0, 1e300, 0]],)), r"curve 0: 1e\+300 nm found at index \(1, 1\), at most"),
        (lambda: PointSet([[0, 0, -1e300]]), r"points_nm: -1e\+300 nm found"),
        (lambda: ParticleDispersion([[1, 1, 1]], [1e300], [9, 9, 9]), r"radii_nm: 1e\+300 nm found"),
    ],
)  # fmt: skip
def test_what_no_specimen_holds_is_refused(make, message):
    """Squares of 1e300 are infinite, and a segment without a length has no direction: scores met both as tracebacks."""
    with pytest.raises(InputError, match=message):
        make()


def test_a_segment_of_half_the_cell_is_refused():
    """Its two nearest images are opposite segments: a line through the cell by two nodes became nothing."""
    line = [[10, 20, -200], [10, 20, 200]], [[0, 1], [1, 0]], [[0.3, 0, 0]] * 2
    with pytest.raises(InputError, match="segments: 0 from node 0 to node 1 is half the periodic cell long"):
        DislocationNetwork(*line, box_nm=[[-400] * 3, [400] * 3])
    assert DislocationNetwork(*line, box_nm=[[-401] * 3, [401] * 3]).lengths_nm.sum() == pytest.approx(800)


def test_an_error_is_one_line_of_plain_letters():
    """Parts of a file are told in it: control characters would change the terminal, a line end would make two of it."""
    assert str(InputError("x\x1b[31m\n\0\ud800 nm²")) == r"x\x1b[31m\n\x00\ud800 nm²"
