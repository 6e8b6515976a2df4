"""Mutated files of images, 4D scans, acquisitions and truths: what comes back is an object or an InputError, soon.

Every case has a number from which it can be made again: ``python tests/test_fuzz_images.py FOLDER SECONDS FIRST``. The
readers run in one process of their own, since a C library may crash or hang. VERISTEM_FUZZ_SECONDS runs longer.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import numpy as np
import tifffile

from veristem.datasets import Acquisition, DislocationNetwork, InputError, LineTruth
from veristem.datasets.formats import hdf5
from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition
from veristem.datasets.formats.hspy import write_hspy
from veristem.datasets.formats.images import read_pair, read_tilt_series
from veristem.datasets.formats.mrc import write_tilt_series
from veristem.datasets.formats.scans import read_scan
from veristem.datasets.formats.truth_h5 import read_truth, write_truth
from veristem.datasets.formats.zspy import ScanWriter

SECONDS = float(os.environ.get("VERISTEM_FUZZ_SECONDS", "8"))
MEMORY = 6 * 2**30  # bytes of addresses
SLOW_S = 10.0  # one case
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 7, 2**31, 2**62, 10**30, -0.5, 1e300, float("nan"), float("inf"), "", "text", "9" * 400,
    "\ud800",
    [], [1], [1, 2, 3], [[1], [2, 3]], {}, {"a": {}}, ["text"],
)  # fmt: skip


def axis(name: str, size: int, navigate: bool) -> dict[str, Any]:
    """An axis of a HyperSpy file."""
    return {"name": name, "units": "nm", "scale": 2.0, "offset": 0.0, "size": size, "navigate": navigate}


def make_bases(folder: Path) -> None:
    """A small sound file of each kind."""
    rng = np.random.default_rng(0)
    views = rng.poisson(100, (3, 16, 20))
    tilts = np.radians([-20.0, 0.0, 20.0])
    made = Acquisition(
        views, np.column_stack([-tilts, 0 * tilts]), 2.0, 50.0, thickness_nm=100.0, electrons_per_pixel=[9.0] * 3,
        material="Al", g=[0, 0, 2], tilts_rad=tilts, tilt_axis_rad=np.pi / 2,
    )  # fmt: skip
    write_acquisition(folder / "acquisition.h5", made)
    network = DislocationNetwork([[5.0, 6, 0], [20, 20, 50], [30, 25, 100]], [[0, 1], [1, 2]], [[0.2, 0, 0]] * 2)
    known = {"g_dot_b": np.ones(2), "g_dot_bu": np.ones(2), "visible": np.ones(2, bool)}
    write_truth(
        folder / "truth.h5",
        LineTruth(network, **known, expected=views, labels=0 * views, directions_rad=made.directions_rad,
                  field_nm=(40.0, 32.0), thickness_nm=100.0, focus_nm=50.0, recipe={"recipe": {"seed": 1}}),
    )  # fmt: skip
    write_hspy(folder / "series.hspy", made)
    write_tilt_series(folder / "series.mrc", made)
    tifffile.imwrite(folder / "image.tif", views[0].astype(np.uint16), compression="zlib")
    tifffile.imwrite(
        folder / "imagej.tif", views[0].astype(np.uint16), imagej=True, resolution=(2, 2), metadata={"unit": "nm"}
    )
    mrcfile.write(folder / "image.mrc", views[0].astype(np.int16))
    counts = rng.poisson(9, (4, 5, 12, 10)).astype(np.uint8)
    axes = [axis("y", 4, True), axis("x", 5, True), axis("ky", 12, False), axis("kx", 10, False)]
    metadata = {"General": {"title": ""}, "Signal": {"signal_type": ""}, "VeriSTEM": {"g": [0, 0, 2], "dqe": 1.0}}
    writer = ScanWriter(folder / "scan.zspy", counts.shape, counts.dtype, axes, metadata, "key")
    for row, columns in writer.parts():
        writer.write(row, columns, counts[row, columns])
    writer.finish()
    with h5py.File(folder / "scan.h5", "w") as file:
        file.create_dataset("data", data=counts, chunks=(2, 2, 12, 10), compression="gzip")
    head = b"MQ1,000001,00384,01,0010,0012,U08,   1x1,01,2021-04-15 15:01:00.3,0.001,0,0,0,2.0E+0,MQ1A,"
    head += b"2021-04-15T14:01:00.320786181Z,1000000ns,6,"
    frames = counts.reshape(20, 12, 10)
    (folder / "scan.mib").write_bytes(b"".join(head.ljust(384, b"\0") + frame.tobytes() for frame in frames))


def whole_scan(path: Path) -> None:
    """All patterns of a scan."""
    scan = read_scan(path, (4, 5) if path.suffix == ".mib" else None)
    for part in scan.parts():
        scan.read(*part)


READERS: dict[str, Callable[[Path], Any]] = {
    "acquisition.h5": read_acquisition,
    "truth.h5": read_truth,
    "scan.h5": whole_scan,
    "scan.zspy": whole_scan,
    "scan.mib": whole_scan,
    "series.hspy": read_tilt_series,
    "series.mrc": read_tilt_series,
    "image.tif": lambda path: read_pair(path, path, 1.0, 8.0),
    "imagej.tif": lambda path: read_pair(path, path, None, 8.0),
    "image.mrc": lambda path: read_pair(path, path, 1.0, 8.0),
}


def flip(path: Path, rng: random.Random) -> None:
    """Some bits, more often near the beginning, where headers are; or a part cut off, doubled or overwritten."""
    content = bytearray(path.read_bytes())
    near = min(len(content), rng.choice([64, 256, 1024, 4096, len(content)])) or 1
    for _ in range(rng.choice([1, 1, 2, 8, 40])):
        if content:
            content[rng.randrange(min(near, len(content)))] ^= 1 << rng.randrange(8)
    match rng.randrange(8):
        case 0:
            del content[rng.randrange(len(content) + 1) :]
        case 1:
            at = rng.randrange(len(content) + 1)
            content[at : at + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f" * 2])
        case 2:
            content += content[-100:]
    path.write_bytes(content)


def odd_hdf5(path: Path, rng: random.Random) -> None:
    """An attribute or a dataset replaced by one of another type, shape or value, or taken away."""
    with h5py.File(path, "a") as file:
        items: list[Any] = [file]
        file.visititems(lambda _, item: items.append(item))
        item = rng.choice(items)
        if item is file or rng.random() < 0.5:
            name = rng.choice(list(item.attrs) or ["new"])
            item.attrs.pop(name, None)
            with_value(lambda value: item.attrs.create(name, value), rng)
            return
        name, shape = item.name, getattr(item, "shape", ())
        del file[name]
        kind = rng.choice(["u1", "<i2", ">f4", "f2", "f8", "c8", "S5", "bool", "i8"])
        other = rng.choice([(), (0,), (2,), (*shape, 1), shape[::-1], shape[1:], (2**40,), (10**6,) * 3])
        chunks = rng.choice([None, True]) if other and 0 not in other else None
        match rng.randrange(4):
            case 0:
                file.create_dataset(name, other, kind, chunks=chunks)
            case 1:
                file[name] = h5py.SoftLink(rng.choice(["/", name, "/nothing"]))
            case 2:
                with_value(lambda value: file.create_dataset(name, data=value), rng)


def with_value(write: Callable[[Any], Any], rng: random.Random) -> None:
    """Write one odd value, if the format can hold it."""
    with suppress(TypeError, ValueError, OverflowError, OSError, UnicodeError):
        write(rng.choice([*ODD, np.bytes_(b"x"), h5py.Empty("f8"), np.ones((2, 2)), np.float32(1)]))


def odd_zspy(path: Path, rng: random.Random) -> None:
    """One file of the folder: taken away, flipped, or a value of its JSON replaced."""
    file = rng.choice(sorted(p for p in path.rglob("*") if p.is_file()))
    if not file.name.startswith(".z") or rng.random() < 0.2:
        file.unlink() if rng.random() < 0.2 else flip(file, rng)
        return
    table = json.loads(file.read_text())
    place = table
    while True:
        key = rng.choice(list(place) or ["new"])
        if not isinstance(place.get(key), dict) or rng.random() < 0.3:
            break
        place = place[key]
    value = place.get(key)
    if isinstance(value, list) and value and rng.random() < 0.5:
        value[rng.randrange(len(value))] = rng.choice(ODD)
    else:
        place[key] = rng.choice(ODD)
    file.write_text(json.dumps(table))


def one_case(bases: Path, number: int) -> None:
    """Mutate and read."""
    rng = random.Random(number)
    name = rng.choice(list(READERS))
    path = bases / "now" / name
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir()
    (shutil.copytree if (bases / name).is_dir() else shutil.copy)(bases / name, path)
    if path.is_dir():
        odd_zspy(path, rng)
    elif path.suffix in (".h5", ".hspy") and rng.random() < 0.5:
        odd_hdf5(path, rng)
    else:
        flip(path, rng)
    told = ""
    try:
        READERS[name](path)
    except InputError as error:
        told = str(error)
    assert "\n" not in told, told
    assert len(told) < 2000, told


def main() -> None:
    """Cases until the time is over, each told before it is read."""
    bases, seconds, number = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except ImportError:
        pass
    warnings.simplefilter("ignore")
    hdf5._PATIENCE_S = 3.0
    make_bases(bases)
    for name, read in READERS.items():
        read(bases / name)  # sound before it is mutated
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        print(f"case {number}", flush=True)
        before = time.monotonic()
        one_case(bases, number)
        assert time.monotonic() - before < SLOW_S
        number += 1


def test_readers_of_images_and_scans_hold(tmp_path):
    """No traceback, crash, hang or flood of memory, whatever is in the file."""
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path), str(SECONDS), "0"],
        capture_output=True, text=True, timeout=10 * SECONDS + 120, check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1:]} ended with {done.returncode}: {done.stderr[-3000:]}"
    assert "case 20\n" in done.stdout


if __name__ == "__main__":
    main()
