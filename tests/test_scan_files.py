"""4D scans as other programs and detectors leave them: frames that do not go with the scan, broken pixels, odd axes."""

from __future__ import annotations

import json
import os
import shutil

import h5py
import mrcfile
import numpy as np
import pytest

from veristem.datasets import InputError
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.scans import read_scan
from veristem.recon.disc import Disc, broken_pixels, find_disc
from veristem.recon.virtual import calibrate, virtual_acquisition

GIVEN = ("--convergence-mrad", 4, "--azimuth-deg", 0, "--pixel-nm", 1, "--energy-keV", 200)


def write_mib(path, frames, counters=(0,), colour=0):
    """A Merlin file of frames (N, rows, columns) of counts, one header each, row 0 below as the detector has it."""
    kind = {1: "U08", 2: "U16", 4: "U32"}[frames.dtype.itemsize]
    with open(path, "wb") as file:
        for k, frame in enumerate(frames):
            head = (
                f"MQ1,{k + 1:06d},00384,01,{frame.shape[1]:04d},{frame.shape[0]:04d},{kind},   1x1,01,"
                f"2021-04-15 15:01:00.{k:06d},0.001,{counters[k % len(counters)]},{colour},0,2.0E+0,5.11E+2,"
                + "0.0E+0," * 6
                + f"3RX,011,511,MQ1A,2021-04-15T14:01:00.{k:06d}000Z,1000000ns,6,"
            )
            file.write(head.encode().ljust(384, b"\0") + frame[::-1].astype(frame.dtype.newbyteorder(">")).tobytes())


def discs(shape=(6, 5), size=32, level=20, dtype: str = "u2") -> np.ndarray:
    """Patterns with a disc of radius 10 about the middle, a little brighter along the scan."""
    cover = Disc(np.array([15.4, 16.1]), 10.0, 0.0).coverage((size, size))
    steps = 1 + 0.1 * np.arange(np.prod(shape)).reshape(*shape, 1, 1) / np.prod(shape)
    return np.rint(level * steps * cover).astype(dtype)


@pytest.fixture
def nine():
    """Nine frames, each of its number."""
    return np.broadcast_to(np.arange(9, dtype="u1")[:, None, None], (9, 16, 16)).copy()


@pytest.mark.parametrize("suffix", [".mib", ".h5", ".mrc"])
def test_frames_that_do_not_go_with_the_scan_are_counted(tmp_path, nine, suffix):
    """The ninth of a scan of 2 x 4 was dropped without a word, and of 3 x 4 eight were counted."""
    path = tmp_path / f"nine{suffix}"
    if suffix == ".mib":
        write_mib(path, nine)
    elif suffix == ".mrc":
        mrcfile.write(path, nine.astype(np.uint16))
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", data=nine, chunks=(2, 16, 16))
    for shape, message in (((2, 4), "9 patterns found, 2 x 4 = 8 allowed; `skip"), ((3, 4), "9 .* 3 x 4 = 12 allowed"),
                           ((3, 2), "9 .*; `skip_per_row` = 1 leaves out")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            read_scan(path, shape)
    with pytest.raises(InputError, match="no `scan_shape` found"):
        read_scan(path, skip_last=1)

    def numbers(shape, **skip):
        scan = read_scan(path, shape, **skip)
        return scan.read(slice(0, shape[0]), slice(0, shape[1]))[..., 0, 0].tolist()

    assert numbers((3, 3)) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert numbers((3, 2), skip_per_row=1) == [[0, 1], [3, 4], [6, 7]]
    assert numbers((2, 4), skip_last=1) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert numbers((2, 3), skip_first=1, skip_per_row=1, skip_last=1) == [[1, 2, 3], [5, 6, 7]]
    assert numbers((2, 4), skip_per_row=1) == [[0, 1, 2, 3], [5, 6, 7, 8]]  # without what flies back after the last row
    (block,) = [read_scan(path, (3, 2), skip_per_row=1).read(slice(1, 3), slice(1, 2))[..., 0, 0].tolist()]
    assert block == [[4], [7]]


@pytest.mark.parametrize("announced", [4, 8])
def test_two_counters_of_twelve_bit(tmp_path, announced):
    """Every shot leaves two frames in 16 bits, whichever number the .hdr counts; no count loses its upper bits."""
    shots = np.arange(4095, 4087, -1, dtype="u2")[:, None, None] * np.ones((1, 16, 16), "u2")
    write_mib(tmp_path / "two.mib", shots, counters=(0, 1))
    said = ("HDR,\t", "Counter Depth (number):\t12", f"Frames in Acquisition (Number):\t{announced}", "End\t")
    (tmp_path / "two.hdr").write_text("\r\n".join(said))
    scan = read_scan(tmp_path / "two.mib", (2, 2))
    assert scan.read(slice(0, 2), slice(0, 2))[..., 0, 0].tolist() == [[4095, 4093], [4091, 4089]]
    assert "two counters: 4 frames of the first one" in scan.notes[0]
    (tmp_path / "two.hdr").write_text("\r\n".join(said).replace(":\t12", ":\t6"))
    with pytest.raises(InputError, match="counter depth of 6 bit found, one that goes with U16"):
        read_scan(tmp_path / "two.mib", (2, 2))


def test_two_counters_of_a_merlin(tmp_path, nine):
    """The frames of the second threshold are no patterns of the scan; colour and mixtures are refused."""
    path = tmp_path / "two.mib"
    write_mib(path, nine[:8], counters=(0, 1))
    scan = read_scan(path, (2, 2))
    assert scan.read(slice(0, 2), slice(0, 2))[..., 0, 0].tolist() == [[0, 2], [4, 6]]
    assert "two counters: 4 frames of the first one" in scan.notes[0]
    write_mib(path, nine, counters=(0, 1, 1))
    with pytest.raises(InputError, match="9 frames of counters 0 1 1 0"):
        read_scan(path, (3, 3))
    write_mib(path, nine, colour=1)
    with pytest.raises(InputError, match="colour mode found"):
        read_scan(path, (3, 3))


def test_rows_of_a_merlin_are_those_of_rosettasciio(tmp_path):
    """Another orientation would mirror every view direction."""
    from rsciio.quantumdetector import file_reader

    frames = np.random.default_rng(0).integers(0, 2**12, (6, 5, 7)).astype(np.uint16)
    write_mib(tmp_path / "a.mib", frames)
    (signal,) = file_reader(str(tmp_path / "a.mib"), navigation_shape=(3, 2))
    np.testing.assert_array_equal(read_scan(tmp_path / "a.mib", (2, 3)).read(slice(0, 2), slice(0, 3)), signal["data"])


@pytest.mark.parametrize("chunks", [None, (2, 2, 1, 32, 32)])
def test_axes_of_length_one_are_left_out(cli, tmp_path, chunks):
    """fpd writes a colour axis between scan and detector."""
    data = discs()
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file.create_dataset("data", data=data[:, :, None], chunks=chunks)
    scan = read_scan(tmp_path / "one.h5")
    np.testing.assert_array_equal(scan.read(slice(1, 6), slice(0, 3)), data[1:, :3])
    ended = cli("virtual", tmp_path / "one.h5", "-o", tmp_path / "v.h5", *GIVEN)
    assert ended.code == 0, ended.err
    assert "axes of 6 x 5 x 1 x 32 x 32 found: those of length one are left out" in ended.err


def test_two_scans_in_a_file_ask_which(cli, tmp_path):
    """The names are told; the one that is asked for is read."""
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a/dark"], file["a/data"] = discs(level=5), discs(level=9)
        file["mask"] = np.zeros((9, 32, 32))
    ended = cli("virtual", tmp_path / "two.h5", "-o", tmp_path / "v.h5", *GIVEN)
    assert ended.code == 2
    assert "2 arrays of patterns found (a/dark, a/data); --dataset says which" in ended.err
    scan = read_scan(tmp_path / "two.h5", dataset="/a/data")
    np.testing.assert_array_equal(scan.data, discs(level=9))
    with pytest.raises(InputError, match="0 arrays of patterns called a found, one allowed"):
        read_scan(tmp_path / "two.h5", dataset="a")
    assert cli("virtual", tmp_path / "two.h5", "-o", tmp_path / "v.h5", *GIVEN, "--dataset", "a/dark").code == 0


@pytest.mark.parametrize("value", [4095, 0])
def test_a_hot_or_a_dead_pixel_does_not_hide_the_disc(cli, tmp_path, value):
    """It is found, told and counted by no view."""
    data = discs()
    sane = calibrate(scan_of(tmp_path, data), convergence_rad=4e-3, azimuth_rad=0.0)
    data[..., 3, 3] = data[..., 16, 17] = value
    data[..., 3, 4] = value  # two side by side
    found = calibrate(scan_of(tmp_path, data), convergence_rad=4e-3, azimuth_rad=0.0)
    np.testing.assert_allclose(found.disc.center_px, sane.disc.center_px, atol=0.02)
    assert found.disc.radius_px == pytest.approx(sane.disc.radius_px, abs=0.02)
    assert found.broken is not None
    assert found.broken[16, 17]
    assert found.broken.sum() == (3 if value else 1)
    assert "left out" in found.notes[0]
    assert "17 16" in found.notes[0]
    made = virtual_acquisition(scan_of(tmp_path, data), found, pixel_nm=1.0)
    assert made.views.max() < 2000


def scan_of(folder, data):
    """A scan in an HDF5 file."""
    with h5py.File(folder / "scan.h5", "w") as file:
        file["data"] = data
    return read_scan(folder / "scan.h5")


@pytest.mark.slow
def test_no_pixel_of_a_sound_pattern_is_called_broken(recipe_4d, written, tmp_path):
    """Neither of a simulated scan with few counts, nor of a small disc, noise or nothing at all."""
    patterns = written(recipe_4d(), tmp_path)
    assert not broken_pixels(patterns.mean(axis=(0, 1))).any()
    rng = np.random.default_rng(0)
    for radius in (2.5, 4.0, 12.0):
        cover = Disc(np.array([15.3, 16.8]), radius, 0.0).coverage((32, 32))
        for dose in (0.3, 3.0, 300.0):
            assert not broken_pixels(rng.poisson(dose * cover, (400, 32, 32)).mean(axis=0)).any()
    assert not broken_pixels(np.zeros((8, 8))).any()
    assert find_disc(rng.poisson(50 * Disc(np.array([15.3, 16.8]), 9.0, 0).coverage((32, 32))).astype(float))


def test_a_value_that_is_not_finite_is_named(tmp_path):
    """Pattern and pixel, instead of no disc or a view with a hole."""
    data = discs(dtype="f4")
    data[4, 2, 7, 9] = np.nan
    with pytest.raises(InputError, match="nan found in the pattern of scan row 4, column 2, at pixel X Y = 9 7"):
        calibrate(scan_of(tmp_path, data), convergence_rad=4e-3)


def test_saturated_counters_are_told(cli, tmp_path):
    """A disc of 63 counts at 6 bit gave "2.000 ± 0.003 deg" and a black page; a part of it is a warning."""
    full = discs(level=200, dtype="u2")
    everything = np.minimum(full, 63).astype(np.uint8)
    part = discs(level=30, dtype="u1")
    part[:, :2] = everything[:, :2]
    for name, data in (("all", everything), ("part", part), ("none", discs(level=58, dtype="u1"))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"] = data
    ended = {
        n: cli("virtual", tmp_path / f"{n}.h5", "-o", tmp_path / f"v{n}.h5", *GIVEN) for n in ("all", "part", "none")
    }
    assert (ended["all"].code, ended["part"].code, ended["none"].code) == (2, 0, 0)
    assert "% of the disc's pixels saturated at 63 found" in ended["all"].err
    assert not (tmp_path / "vall.h5").exists()
    assert "warning: 40 % of the disc's pixels are saturated at 63" in ended["part"].err
    assert "saturated" not in ended["none"].err


def test_what_is_given_against_the_file_is_said(cli, tmp_path, recipe_4d, written):
    """The option is taken, with a warning."""
    written(recipe_4d(), tmp_path)
    options = ("--pixel-nm", 3, "--energy-keV", 200)
    ended = cli("virtual", tmp_path / "scan.zspy", "-o", tmp_path / "v.h5", *options)
    assert "warning: --pixel-nm: 3 found and taken, but" in ended.err
    assert "says 4" in ended.err
    assert "--energy-keV" not in ended.err
    assert read_acquisition(tmp_path / "v.h5").pixel_nm == 3.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory, recipe_4d, written):
    """A small .zspy, not to be written to."""
    path = tmp_path_factory.mktemp("scan")
    written(recipe_4d(), path)
    return path


def edited(path, **values):
    """Change keys of a JSON file."""
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


META = "Experiments/__unnamed__/metadata"


def instead(path, **values):
    """Values in place of a group."""
    shutil.rmtree(path / next(iter(values)))
    edited(path / ".zattrs", **values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: edited(p / META / "VeriSTEM/.zattrs", g_azimuth_deg="north"), "VeriSTEM.g_azimuth_deg: 'north'"),
        (lambda p: edited(p / META / "VeriSTEM/.zattrs", thickness_nm=None), "VeriSTEM.thickness_nm: 'None'"),
        (lambda p: edited(p / META / "VeriSTEM/.zattrs", material=[1]), "VeriSTEM.material"),
        (lambda p: edited(p / META / "VeriSTEM/.zattrs", kind="grains"), "VeriSTEM.kind: 'grains' found, dislocations"),
        (lambda p: instead(p / META, VeriSTEM="text"), "metadata VeriSTEM: 'text'"),
        (lambda p: instead(p / META, Acquisition_instrument=None), "metadata Acquisition_instrument: 'None'"),
        (lambda p: edited(p / "Experiments/__unnamed__/data/.zarray", chunks=[2, 16, 48, 40]), "bytes in a chunk of"),
        (lambda p: edited(p / "Experiments/__unnamed__/data/.zarray", shape=[10**6, 10**6, 48, 40]), "chunks missing"),
        (lambda p: edited(p / "Experiments/__unnamed__/data/.zarray", shape=[16, 16, 10**6, 10**6]), "chunks missing"),
        (
            lambda p: edited(p / "Experiments/__unnamed__/data/.zarray", chunks=[16, 16, 10**4, 10**4]),
            "at most 1 GiB allowed",
        ),
        (
            lambda p: edited(p / "Experiments/__unnamed__/data/.zarray", filters=[{"id": "pickle", "protocol": 5}]),
            "codec 'pickle' found",
        ),
        (lambda p: edited(p / "Experiments/__unnamed__/data/.zarray", compressor={"id": "pickle"}), "codec 'pickle'"),
        (lambda p: (p / "Experiments/__unnamed__/data/.zarray").write_text("[" * 10**5), "no description of an array"),
        (
            lambda p: (p / "Experiments/__unnamed__/data/9.0.0.0").unlink(),
            "1 of 16 chunks missing, the first of scan row 9",
        ),
        (lambda p: swapped(p / "Experiments/__unnamed__/data/9.0.0.0"), "is a link or a device"),
    ],
)
def test_a_zspy_is_not_trusted(cli, folder, tmp_path, change, message):
    """Metadata of any kind, chunks of another size, promises, codecs that run code, and links: one line each."""
    path = tmp_path / "scan.zspy"
    shutil.copytree(folder / "scan.zspy", path)
    (path / ".zmetadata").unlink()
    change(path)
    ended = cli("virtual", path, "-o", tmp_path / "v.h5")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert message.replace("\\", "") in ended.err
    assert not (tmp_path / "v.h5").exists()


def swapped(path):
    """A link in place of a chunk."""
    path.unlink()
    os.symlink("/dev/zero", path)


def test_a_scan_in_an_hdf5_file_that_is_not_there(tmp_path):
    """An empty file promised 10^12 patterns, and a virtual dataset onto itself crashed."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", shape=(10**6, 10**6, 256, 256), dtype="u2", chunks=(1, 1, 256, 256))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("a", shape=(10**3, 10**3, 256, 256), dtype="u2")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        layout = h5py.VirtualLayout((2, 2, 4, 4), "u2")
        layout[:] = h5py.VirtualSource(".", "a", (2, 2, 4, 4))
        file.create_virtual_dataset("a", layout)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.create_dataset("a", shape=(2, 2, 32, 32), dtype="u2", chunks=(1, 1, 32, 32))[0, 0] = 1
    for name, message in (
        ("a", "than the file can hold"),
        ("b", "than the file"),
        ("c", "virtual"),
        ("d", "3 of their chunks missing"),
    ):
        with pytest.raises(InputError, match=message):
            read_scan(tmp_path / f"{name}.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs of POSIX")
@pytest.mark.parametrize("suffix", [".mib", ".zspy", ".h5", ".mrc", ".blo"])
def test_a_scan_is_a_regular_file(tmp_path, suffix):
    """A FIFO waits for ever."""
    os.mkfifo(tmp_path / f"scan{suffix}")
    with pytest.raises(InputError, match="a FIFO found, a regular file allowed"):
        read_scan(tmp_path / f"scan{suffix}")
