"""acquisition.h5 and truth.h5 from strangers: no other file is opened, nothing hangs, no number is trusted."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from veristem.datasets import InputError
from veristem.datasets.formats import hdf5
from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition
from veristem.datasets.formats.regular import regular_file
from veristem.datasets.formats.truth_h5 import read_truth, write_truth
from veristem.datasets.geometry import Region


def remade(file, name, **options):
    """Put another dataset in place of one."""
    del file[name]
    return file.create_dataset(name, **options)


def external_link(file):
    """Views that lie in another file."""
    del file["views"]
    file["views"] = h5py.ExternalLink("other.h5", "views")


def soft_link(file):
    """Views under another name."""
    file.move("views", "elsewhere")
    file["views"] = h5py.SoftLink("/elsewhere")


def mapped_onto_itself(file):
    """A virtual dataset whose source is itself: HDF5 follows it until the stack ends."""
    del file["views"]
    layout = h5py.VirtualLayout((2, 16, 20), "f4")
    layout[:] = h5py.VirtualSource(".", "views", (2, 16, 20))
    file.create_virtual_dataset("views", layout)


def of_the_system(file):
    """Bytes of a file of the system as views."""
    remade(file, "views", shape=(2, 4, 4), dtype="u1", external=[("/etc/hostname", 0, 32)])


def many_names(file):
    """One small dataset under so many names that all together fill the memory."""
    one = file.create_dataset("zeros", shape=(10**7,), dtype="u1", chunks=(10**6,), compression="gzip")
    one[...] = 0
    for k in range(40):
        file[f"again{k}"] = one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external_link, "views: an external link found"),
        (soft_link, "views: a soft link found"),
        (mapped_onto_itself, "views: a virtual dataset found"),
        (of_the_system, "views: data in another file found"),
        (many_names, "more than the file can hold"),
        (lambda f: remade(f, "views", data=np.full((2, 16, 20), 1e300)), r"views: 1e\+300 found .* of type float32"),
        (lambda f: remade(f, "views", data=np.zeros((2, 0, 64))), r"views: shape \(2, 0, 64\) found, one view"),
        (lambda f: remade(f, "electrons_per_pixel", data=[-5.0, 1.0]), "electrons_per_pixel: -5 found, positive"),
        (lambda f: remade(f, "electrons_per_pixel", data=[0.0, 1.0]), "electrons_per_pixel: 0 found, positive"),
        (lambda f: remade(f, "directions_rad", data=np.zeros((2, 2))), "directions_rad: 2 times the same direction"),
        (lambda f: f.attrs.modify("convergence_rad", 1e9), r"convergence_rad: 1e\+09 found, at most 1 allowed"),
        (lambda f: f.attrs.modify("pixel_nm", 1e300), r"pixel_nm: 1e\+300 found, at most"),
        (lambda f: f.attrs.modify("focus_nm", -1e300), r"focus_nm: -1e\+300 found, at most"),
        (lambda f: f.attrs.create("schema", ["a", "b"]), "schema .* found, veristem-acquisition 1 allowed"),
        (lambda f: f.attrs.create("schema_version", [1, 1]), "schema .* found, veristem-acquisition 1 allowed"),
        (lambda f: f.attrs.create("pixel_nm", h5py.Empty("f8")), "attribute pixel_nm: .* a finite number allowed"),
        (lambda f: remade(f, "views", data=h5py.Empty("f4")), "views: type nothing found, numbers allowed"),
        (lambda f: f.attrs.create("material", h5py.Empty("S1")), "attribute material: .* a text allowed"),
    ],
)
def test_an_acquisition_is_not_trusted(tmp_path, acquisition, change, message, refused_after):
    """Each was followed or taken as it is, crashed or filled the memory: one line that names the place."""
    path = tmp_path / "a.h5"
    write_acquisition(tmp_path / "other.h5", acquisition)
    write_acquisition(path, acquisition)
    refused_after(path, change, read_acquisition, message)


def test_views_of_one_direction_but_other_regions_are_an_acquisition(tmp_path, acquisition):
    """Two rings about the axis, bright and dark field, are no slip."""
    rings = (Region((0.0, 0.0), 0.02), Region((0.0, 0.0), 0.09, 0.03))
    write_acquisition(tmp_path / "a.h5", replace(acquisition, directions_rad=np.zeros((2, 2)), regions=rings))
    assert read_acquisition(tmp_path / "a.h5").regions == rings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.modify("thickness_nm", 0.0), "attribute thickness_nm: 0.0 found, a positive number"),
        (lambda f: f.attrs.modify("thickness_nm", -1.0), "attribute thickness_nm: -1.0 found, a positive number"),
        (lambda f: f.attrs.modify("field_nm", [40.0, 0.0]), "attribute field_nm: 0.0 found, a positive number"),
        (lambda f: remade(f, "expected", data=np.full((2, 16, 20), 1e300)), r"expected: 1e\+300 .* type float32"),
        (lambda f: remade(f, "labels", data=np.full((2, 16, 20), 300)), "labels: 300 .* whole numbers of type uint8"),
        (lambda f: remade(f, "network/segments", data=[[1, 0.5], [0, 2], [0, 3]]), r"segments: 0.5 .* \(0, 1\), whole"),
        (lambda f: remade(f, "network/segments", data=[[1, 0], [2, 2], [0, 3]]), "segments: 1 from node 2 to itself"),
        (lambda f: remade(f, "network/visible", data=[0, 7, 1]), r"visible: 7 found at index \(1,\), 0 or 1 allowed"),
        (lambda f: remade(f, "network/pinned", data=[0, 1, 1, -1]), "pinned: -1 found .* 0 or 1 allowed"),
        (
            lambda f: f["network/nodes_nm"].write_direct(np.full((4, 3), 1e300)),
            r"nodes_nm: 1e\+300 nm found",
        ),
        (lambda f: f["network/nodes_nm"].write_direct(np.full((4, 3), 1e7)), r"nodes_nm: 1e\+07 found, at most"),
        (lambda f: remade(f, "directions_rad", data=[[9.0, 0], [0, 0]]), "directions_rad: 9 found, less than pi/2"),
    ],
)
def test_a_truth_is_not_trusted(tmp_path, truth, change, message, refused_after):
    """A segment onto itself has no direction, a node a centimetre off is sampled for hours, visible = 7 is no flag."""
    path = tmp_path / "t.h5"
    write_truth(path, truth)
    refused_after(path, change, read_truth, message)


@pytest.mark.parametrize("ends", ["while True: pass", "import os; input(); os.abort()"])
def test_a_library_that_hangs_or_crashes_is_one_line(tmp_path, acquisition, monkeypatch, ends):
    """Flipped bits made HDF5 run for ever, others made it crash; the next file is read all the same."""
    write_acquisition(tmp_path / "a.h5", acquisition)
    child = hdf5._Child()
    child.process, child.of = subprocess.Popen([sys.executable, "-c", ends], stdin=-1, stdout=-1), os.getpid()
    monkeypatch.setattr(hdf5, "_child", child)
    monkeypatch.setattr(hdf5, "_PATIENCE_S", 0.5)
    with child.process, pytest.raises(InputError, match=r"a\.h5: no whole HDF5 file found"):
        read_acquisition(tmp_path / "a.h5")
    monkeypatch.undo()
    assert child.ask(tmp_path / "a.h5", True).attributes["id"] == acquisition.id
    child.process.communicate()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs of POSIX")
def test_only_regular_files_are_read(tmp_path):
    """A FIFO waits for ever, a device has no end; a link to a file is one."""
    os.mkfifo(tmp_path / "fifo.h5")
    (tmp_path / "file.h5").write_text("")
    (tmp_path / "link.h5").symlink_to("file.h5")
    (tmp_path / "folder.h5").mkdir()
    for path, kind in (("fifo.h5", "a FIFO"), ("/dev/zero", "a device"), ("folder.h5", "a folder")):
        with pytest.raises(InputError, match=f"{kind} found, a regular file allowed"):
            regular_file(tmp_path / path)
        with pytest.raises(InputError, match=f"{kind} found, a regular file allowed"):
            read_acquisition(tmp_path / path)
    assert stat.S_ISFIFO((tmp_path / "fifo.h5").stat().st_mode)
    regular_file(tmp_path / "link.h5")
    with pytest.raises(InputError, match="No such file"):
        regular_file(tmp_path / "none.h5")
