"""Files of lines and points, broken in ways that keep their structure: an object or one line, soon, and no crash.

Files are numbered and their numbers the seeds: VERISTEM_FUZZ_SECONDS=600 takes more of them; a failure tells its own.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from veristem.datasets import CurveSet, DislocationNetwork, InputError
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.formats import read_network, read_particles, read_points, write
from veristem.datasets.formats.paradis import write_data
from veristem.datasets.formats.vtp import read_vtp, write_vtp
from veristem.datasets.reconstruction import PointSet

SECONDS = float(os.environ.get("VERISTEM_FUZZ_SECONDS", "8"))
_LONGEST_S = 10  # of one call, on a slow machine; most take a thousandth
_MOST_MEMORY_MB = 512  # more than at the start
_NUMBERS = [
    b"0", b"-1", b"1", b"2", b"0.5", b"1e300", b"-1e300", b"1e-300", b"nan", b"inf", b"1e400", b"1e9", b"-0", b"+3",
    b"9223372036854775808", b"18446744073709551615", b"1" + b"0" * 30, b"9" * 5000, b"1_0", b"0x10", b"&#49;", b"",
    b"1e10", b"3.0", b"\xd9\xa1", b'"', b"[", b"]", b"=", b"e", b"'", b"\0",
]  # fmt: skip
_NUMBER = re.compile(rb"(?<![\w.])[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def _text_vtp(path: Path, obj) -> None:
    """The same as VTK's writer puts it into text, where numbers can be changed."""
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLPolyDataWriter

    write_vtp(path, obj)
    reader, writer = vtkXMLPolyDataReader(), vtkXMLPolyDataWriter()
    reader.SetFileName(str(path))
    reader.Update()
    writer.SetInputData(reader.GetOutput())
    writer.SetFileName(str(path))
    writer.SetDataModeToAscii()
    writer.Write()


def _ca(path: Path) -> None:
    """A junction of three lines in a periodic cell."""
    head = (
        "CA_FILE_VERSION 6\nCA_LIB_VERSION 0.0.0\nSTRUCTURE_TYPES 1\nSTRUCTURE_TYPE 1\nNAME fcc\nEND_STRUCTURE_TYPE\n"
    )
    cell = "SIMULATION_CELL_ORIGIN -50 -50 -50\nSIMULATION_CELL_MATRIX\n100 0 0\n0 100 0\n0 0 100\nPBC_FLAGS 1 1 1\n"
    cluster = "CLUSTER_STRUCTURE 1\nCLUSTER_ORIENTATION\n0 -3.6 0\n3.6 0 0\n0 0 3.6\nEND_CLUSTER\n"
    lines = (
        "0\n0.5 0.5 0\n1\n3\n0 0 0\n10 0 1\n20 0 0\n1\n0.5 0 0.5\n1\n2\n20 0 0\n30 10 0\n"
        "2\n0 0.5 -0.5\n1\n2\n20 0 0\n30 -10 0\n"
    )
    rings = "DISLOCATION_JUNCTIONS\n0 1\n0 0\n1 1\n0 2\n1 2\n1 0\n"
    path.write_text(
        f"{head}{cell}CLUSTERS 1\nCLUSTER 1\n{cluster}CLUSTER_TRANSITIONS 0\nDISLOCATIONS 3\n{lines}{rings}"
    )


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> list[tuple[Path, Callable]]:
    """A small valid file of each kind, and its reader. A control file is fuzzed through the .data beside it."""
    folder = tmp_path_factory.mktemp("seeds")
    rng = np.random.default_rng(0)
    line = DislocationNetwork.from_polyline(rng.uniform(0, 50, (5, 3)), np.array([0.25, 0, 0]))
    cell = DislocationNetwork(
        line.nodes_nm, line.segments, line.burgers_nm, line.pinned, np.array([[-9.0] * 3, [60] * 3])
    )
    curves = CurveSet(tuple(rng.uniform(0, 50, (k, 3)) for k in (2, 4)), crystal_from_specimen=np.eye(3))
    spheres = ParticleDispersion(rng.uniform(0, 50, (4, 3)), np.full(4, 2.5), np.full(3, 60.0))
    write_vtp(folder / "network.vtp", cell)
    _text_vtp(folder / "text.vtp", cell)
    _text_vtp(folder / "curves.vtp", curves)
    write_data(folder / "free.data", line, 0.25)
    write_data(folder / "cell.data", cell, 0.25)
    (folder / "cell.ctrl").write_text(
        "burgMag = 2.5e-10\nuseLabFrame = 1\nrotationMatrix = [\n1 0 0\n0 1 0\n0 0 1\n]\n"
    )
    _ca(folder / "junction.ca")
    write(folder / "spheres.csv", spheres)
    write(folder / "spheres.xyz", spheres)
    write(folder / "points.csv", PointSet(spheres.centers_nm, np.tile(np.eye(3), (4, 1, 1))))
    return [
        (folder / "network.vtp", read_vtp), (folder / "text.vtp", read_vtp), (folder / "curves.vtp", read_vtp),
        (folder / "free.data", lambda path: read_network(path, 0.25)), (folder / "cell.data", read_network),
        (folder / "cell.ctrl", lambda path: read_network(path.with_suffix(".data"))),
        (folder / "junction.ca", read_network), (folder / "spheres.csv", read_particles),
        (folder / "spheres.xyz", read_particles), (folder / "points.csv", read_points),
    ]  # fmt: skip


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes of some kind."""
    for _ in range(rng.integers(1, 4)):
        lines = content.splitlines(keepends=True)
        kind = rng.integers(9)
        if kind <= 2 and (found := list(_NUMBER.finditer(content))):  # most faults are numbers
            at = found[rng.integers(len(found))]
            content = content[: at.start()] + _NUMBERS[rng.integers(len(_NUMBERS))] + content[at.end() :]
        elif kind == 3 and content:
            place, bit = rng.integers(len(content)), 1 << rng.integers(8)
            content = content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
        elif kind == 4:
            content = content[: rng.integers(len(content) + 1)]
        elif kind == 5 and lines:  # a line again, at another place
            lines.insert(rng.integers(len(lines)), lines[rng.integers(len(lines))])
            content = b"".join(lines)
        elif kind == 6 and len(lines) > 1:  # two sections change places
            a, b, c = np.sort(rng.integers(0, len(lines) + 1, 3))
            content = b"".join(lines[:a] + lines[b:c] + lines[a:b] + lines[c:])
        elif kind == 7 and lines:
            del lines[rng.integers(len(lines))]
            content = b"".join(lines)
        elif kind == 8 and (found := list(re.finditer(rb"[A-Za-z_]{3,}", content))):  # a word in place of another
            at, other = (found[k] for k in rng.integers(0, len(found), 2))
            content = content[: at.start()] + other[0] + content[at.end() :]
    return content


@contextmanager
def bounded(seconds: int):
    """The block, or TimeoutError."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def is_sound(obj) -> bool:
    """Whether what was read can be used: finite, with indices that exist."""
    if isinstance(obj, DislocationNetwork):
        return bool(np.isfinite(obj.lengths_nm).all() and np.isfinite(obj.burgers_residual_nm()).all())
    if isinstance(obj, CurveSet):
        return bool(np.isfinite(obj.length_nm))
    places = obj.centers_nm if isinstance(obj, ParticleDispersion) else obj.points_nm
    return bool(np.isfinite(places).all() and places.shape[1] == 3)


def fault(path: Path, reader: Callable) -> str:
    """What is wrong with how a file was taken; empty for an object or one line."""
    try:
        with bounded(_LONGEST_S), warnings.catch_warnings():
            warnings.simplefilter("error")
            return "" if is_sound(reader(path)) else "an object that is not sound"
    except InputError as error:
        text = str(error)
        printable = all(c.isprintable() for c in text)
        return "" if text and len(text) < 1000 and printable and text.count(path.stem) else f"the message {text!r}"
    except BaseException as error:  # a traceback in any other place
        return repr(error)


def test_fuzz(seeds, tmp_path):
    """Thousands of broken files; the first that is not refused in one line, or takes long, fails with its seed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end, number = time.process_time() + SECONDS, 0
    beside = (seeds[5][0].with_suffix(".data").read_bytes(), seeds[5][0].read_bytes())
    while time.process_time() < end:
        source, reader = seeds[number % len(seeds)]
        rng = np.random.default_rng([number, 0])
        content = mutated(source.read_bytes(), rng)
        path = tmp_path / source.name
        if source.stem == "cell":
            path.with_suffix(".data").write_bytes(beside[0])
            path.with_suffix(".ctrl").write_bytes(beside[1])
        path.write_bytes(content)
        found = fault(path, reader)
        assert not found, f"{source.name} changed with seed {number}: {found[:500]}\n{content[:3000]!r}"
        number += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert number > 100
    assert grown < _MOST_MEMORY_MB
