"""Files are written whole or not at all."""

import os
import re
import subprocess
import sys
import time

import pytest

from veristem.datasets import InputError
from veristem.datasets.formats.atomic import atomic_path, together

FULL = """
import resource, signal, sys
import numpy as np
from veristem.datasets import Acquisition, CurveSet, DislocationNetwork, InputError
from veristem.datasets.formats.acquisition_h5 import write_acquisition
from veristem.datasets.formats.paradis import write_data
from veristem.datasets.formats.vtp import write_vtp

random = np.random.default_rng(0)
points = random.random((5000, 3))
acquisition = Acquisition(random.random((2, 99, 99)), [[0.1, 0], [-0.1, 0]], pixel_nm=1, focus_nm=0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
for write, name, args in (
    (write_data, "x.data", (DislocationNetwork.from_polyline(points, np.array([1.0, 0, 0])), 0.25)),
    (write_vtp, "x.vtp", (CurveSet((points,)),)),
    (write_acquisition, "x.h5", (acquisition,)),
):
    try:
        write(name, *args)
    except InputError as error:
        print(error)
"""


def test_a_full_disk_is_one_line(tmp_path):
    """A limit on the size of files stands for the full disk: each writer says so once and leaves nothing behind."""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", FULL], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["x.data", "x.vtp", "x.h5"]
    assert all("has space" in line for line in lines)
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_what_stood_there_stays(tmp_path):
    """An error of any kind within the block leaves the old file and no temporary one."""
    path = tmp_path / "x.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text(f"half {1 // 0}")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match="choose a folder"), atomic_path(tmp_path / "no/x.txt"):
        pass


def test_several_files_appear_together(tmp_path):
    """A command stopped between two of its files left the new one beside the old ones."""
    names = [tmp_path / name for name in ("a.h5", "b.h5")]
    names[0].write_text("old")

    def write(text: str, fails: bool = False) -> None:
        with together():
            for path in names:
                with together(), atomic_path(path) as temporary:
                    temporary.write_text(text)
            assert names[0].read_text() == "old"
            if fails:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write("new", fails=True)
    assert list(tmp_path.iterdir()) == [names[0]]
    names[1].mkdir()
    with pytest.raises(InputError, match=r"b\.h5: Is a directory"):
        write("new")
    assert sorted(tmp_path.iterdir()) == names
    names[1].rmdir()
    write("new")
    assert [path.read_text() for path in names] == ["new", "new"]
    assert sorted(tmp_path.iterdir()) == names
    with pytest.raises(ZeroDivisionError), atomic_path(names[0]) as temporary:  # alone again
        temporary.write_text(f"{1 // 0}")
    assert sorted(tmp_path.iterdir()) == names


KILLED = """
import os, sys
from veristem.datasets.formats.atomic import atomic_path
with atomic_path("x.h5") as temporary:
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path):
    """Nobody finds it by its hidden name; that of a process that still writes stays."""
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, capture_output=True, text=True, check=False)
    left = tmp_path / done.stdout.strip()
    assert left.read_bytes() == b"half"
    mine = left.with_name(re.sub(r"-\d+-", f"-{os.getppid()}-", left.name))
    mine.write_text("still written")
    strangers = tmp_path / ".veristem-notes"
    strangers.write_text("not ours")
    with atomic_path(tmp_path / "y.h5") as temporary:
        temporary.write_text("whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([mine.name, strangers.name, "y.h5"])
    old = time.time() - 10**6
    os.utime(mine, (old, old))
    with atomic_path(tmp_path / "y.h5") as temporary:
        temporary.write_text("whole")
    assert not mine.exists()


def test_names_as_long_as_the_system_allows(tmp_path):
    """The temporary name is short, so that every name of a file that can be is one of ours too."""
    path = tmp_path / ("n" * 252 + ".h5")
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".h5"
        temporary.write_text("whole")
    assert path.read_text() == "whole"
