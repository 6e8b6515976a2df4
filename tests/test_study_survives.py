"""Whatever happens to a study, it ends with the same table: killed, resumed, on one worker or many, on a full disk.

VERISTEM_CELLS sets the number of cells (12 if not set); the figure of record is for 1000.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from veristem.bench.study.runner import run_study
from veristem.bench.study.store import read_table
from veristem.datasets import InputError
from veristem.datasets.recipe import load_recipe, load_study
from veristem.datasets.results import TIMES

resource = pytest.importorskip("resource", reason="limits and process groups are those of POSIX")

CELLS = int(os.environ.get("VERISTEM_CELLS", "12"))
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("NUMBA", "OMP", "OPENBLAS", "MKL")}
PROGRAM = [sys.executable, "-c", "from veristem.bench.cli import main; main()"]
STUDY = """
[study]
name = "tiny"
recipe = "tiny.toml"
methods = ["slow:nap"]
seeds = 2
[study.axes]
"scan.dwell_us" = { from = 1, to = 1000, steps = STEPS, scale = "log" }
"""
METHOD = """
import os, signal, time
from pathlib import Path
from veristem.recon.constant import reconstruct

def nap(acquisition, *, seconds=0.03):
    time.sleep(seconds)
    return reconstruct(acquisition)

def fragile(acquisition):
    # the first call takes the worker with it
    if not Path(os.environ["MARKER"]).exists():
        Path(os.environ["MARKER"]).touch()
        os.kill(os.getppid(), signal.SIGKILL)
    return nap(acquisition)

def late(acquisition):
    # the first time its worker dies at once, the second time when its last row is stored, before it can say so
    import threading
    calls = len(list(Path(os.environ["MARKER"]).parent.glob("call-*")))
    Path(os.environ["MARKER"]).with_name(f"call-{calls}").touch()
    def watch():
        while not list((Path(os.environ["MARKER"]).parent / "out/parts").glob("[!.]*.json")):
            pass
        os.kill(os.getppid(), signal.SIGKILL)
    if calls == 0:
        os.kill(os.getppid(), signal.SIGKILL)
    if calls == 1:
        threading.Thread(target=watch, daemon=True).start()
    return reconstruct(acquisition)

def deadly(acquisition):
    if "SPARED" not in os.environ:
        os.kill(os.getppid(), signal.SIGKILL)
    return reconstruct(acquisition)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny) -> Path:
    """A working directory with recipe, study and method."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "tiny.toml").write_text(tiny, encoding="utf-8")
    (folder / "study.toml").write_text(STUDY.replace("STEPS", str(CELLS // 2)), encoding="utf-8")
    (folder / "slow.py").write_text(METHOD, encoding="utf-8")
    return folder


def run_here(place: Path, folder: Path, study: str = "study.toml", **changes) -> pd.DataFrame:
    """Run a study of the place in this process, which costs less than to start one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "path", [*sys.path, str(place)])
        given = load_study(study)
        return run_study(given.changed(changes), load_recipe(given.recipe), folder)


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory) -> Path:
    """The folder of a study that nobody has stopped; not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_here(place, folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(whole) -> pd.DataFrame:
    """The table of a study that nobody has stopped."""
    return read_table(whole)


@pytest.fixture
def start(place):
    """Start `veristem study` as its own process group in the place; whatever is left at the end is killed."""
    started = []

    def run(*arguments, env=(), **how) -> subprocess.Popen:
        command = [*PROGRAM, "study", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        environment = {**os.environ, **ONE_THREAD, **dict(env)}
        started.append(subprocess.Popen(command, cwd=place, env=environment, **pipes, **how))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process: subprocess.Popen) -> SimpleNamespace:
    """Exit code and output of a process that is to end by itself."""
    out, err = process.communicate(timeout=300 + CELLS)
    return SimpleNamespace(code=process.returncode, out=out, err=err)


def parts(folder: Path) -> int:
    """Number of stored rows."""
    return len([p for p in (folder / "parts").glob("*.json") if not p.name.startswith(".")])


def wait_for(process: subprocess.Popen, folder: Path, count: int) -> None:
    """Wait until so many rows are stored, or the process has ended."""
    patience = time.monotonic() + 120
    while process.poll() is None and parts(folder) < count:
        assert time.monotonic() < patience
        time.sleep(0.01)


def same(folder: Path, table: pd.DataFrame) -> None:
    """The stored table is another one to the last bit, times aside."""
    one, two = (t.drop(columns=list(TIMES)) for t in (read_table(folder), table))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.slow
def test_killed_thrice(start, place, undisturbed, tmp_path):
    """kill -9 of the study at random moments, on one worker and on two; its workers end with it."""
    moments = random.Random(0)
    for workers in (2, 1, 2):
        process = start("study.toml", "-o", tmp_path, "--workers", workers)
        wait_for(process, tmp_path, parts(tmp_path) + moments.randint(1, CELLS // 6))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
    assert 0 < parts(tmp_path) < CELLS
    run_here(place, tmp_path)
    same(tmp_path, undisturbed)
    assert not list(tmp_path.glob("*/.*"))


def test_workers_make_no_difference(start, undisturbed, tmp_path):
    """Two processes, and a cluster that was there before and stays, give what one process gives."""
    from distributed import LocalCluster

    assert ended(start("study.toml", "-o", tmp_path / "two", "--workers", "2")).code == 0
    same(tmp_path / "two", undisturbed)
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0", memory_limit=0) as cluster:
        address = ("--scheduler", cluster.scheduler_address)
        assert ended(start("study.toml", "-o", tmp_path / "cluster", *address)).code == 0
        assert len(cluster.scheduler_info["workers"]) == 1
    same(tmp_path / "cluster", undisturbed)


@pytest.mark.slow
def test_a_killed_worker_is_replaced(start, undisturbed, tmp_path):
    """Its cell is done again by another, and nothing in the table tells."""
    arguments = ("--seeds", "1", "--workers", "2", "--method", "slow:fragile")
    done = ended(start("study.toml", "-o", tmp_path / "out", *arguments, env={"MARKER": str(tmp_path / "marker")}))
    assert done.code == 0, done.err
    assert (tmp_path / "marker").exists()
    table = read_table(tmp_path / "out")
    assert table["error"].isna().all()
    pd.testing.assert_series_equal(table["f_score"], undisturbed["f_score"][: len(table)], check_exact=True)


@pytest.mark.slow
def test_a_method_that_kills_its_worker(start, place, tmp_path, monkeypatch):
    """Its row says that the machine failed, the other method is unharmed, and the next run tries that row again."""
    (place / "one.toml").write_text(STUDY.split("[study.axes]")[0], encoding="utf-8")
    methods = ("slow:deadly", "constant")
    arguments = [part for method in methods for part in ("--method", method)]
    first = ended(start("one.toml", "-o", tmp_path, "--seeds", "1", "--workers", "2", *arguments))
    assert first.code == 0, first.err
    table = read_table(tmp_path).set_index("method")
    assert table.loc["slow:deadly", "failure"] == "machine"
    assert "worker died" in table.loc["slow:deadly", "error"]
    assert pd.isna(table.loc["constant", "error"])
    monkeypatch.setenv("SPARED", "")
    again = run_here(place, tmp_path, "one.toml", seeds=1, methods=list(methods)).set_index("method")
    assert again["error"].isna().all()
    pd.testing.assert_series_equal(again.loc["constant"], table.loc["constant"])  # as it was stored


@pytest.mark.slow
def test_a_worker_that_dies_after_its_last_row(start, tmp_path):
    """The row counts; nobody is blamed for a death that cost nothing."""
    (tmp_path / "one.toml").write_text(STUDY.split("[study.axes]")[0], encoding="utf-8")
    arguments = ("--seeds", "1", "--workers", "2", "--method", "slow:late")
    how = {"env": {"MARKER": str(tmp_path / "marker")}}
    done = ended(start(tmp_path / "one.toml", "-o", tmp_path / "out", *arguments, **how))
    assert done.code == 0, done.err
    assert read_table(tmp_path / "out")["error"].isna().all()


@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0])
def test_interrupt_while_workers_start(start, tmp_path, seconds):
    """At whatever moment: one line at most after what was said before, and no process is left."""
    process = start("study.toml", "-o", tmp_path, "--workers", 2, "--method", "slow:nap seconds=2")
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT)  # the latter while Python itself still starts
    assert "Traceback" not in out + err or process.returncode == -signal.SIGINT


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupt_ends_cleanly(start, tmp_path, workers):
    """Ctrl-C: one line, exit 130, no process left; what was finished is kept."""
    process = start("study.toml", "-o", tmp_path, "--workers", workers, "--method", "slow:nap seconds=2")
    wait_for(process, tmp_path, 1)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopped; what was finished is kept"
    assert "Traceback" not in out + err
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert parts(tmp_path) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_loses_nothing(start, place, whole, undisturbed, tmp_path, workers):
    """A row that cannot be written ends the study with one line; what was stored before is there for the next run."""
    folder = shutil.copytree(whole, tmp_path / "out", ignore=shutil.ignore_patterns("results.parquet", "examples"))
    for row in sorted((folder / "parts").glob("*.json"))[3:]:
        row.unlink()
    full = ended(
        start(
            "study.toml", "-o", folder, "--workers", workers,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
    )  # fmt: skip
    assert full.code == 2
    assert full.err.splitlines()[-1].startswith("error: ")
    assert "File too large; choose a folder" in full.err.splitlines()[-1]
    assert parts(folder) == 3
    run_here(place, folder)
    same(folder, undisturbed)


@pytest.mark.slow
def test_two_at_once(start, place, tmp_path):
    """A second study in the same folder is told to wait, and the first goes on."""
    process = start("study.toml", "-o", tmp_path, "--method", "slow:nap seconds=5")
    wait_for(process, tmp_path, 1)
    with pytest.raises(InputError, match="another study is running in it"):
        run_here(place, tmp_path)
    assert process.poll() is None


def test_scheduler_that_does_not_answer(cli, place, tmp_path, monkeypatch):
    """Nobody there, or no address at all: one line."""
    from dask import config

    from veristem.bench.study import cluster

    monkeypatch.setattr(cluster, "_ANSWER_S", 1)
    monkeypatch.chdir(place)
    for address in ("tcp://127.0.0.1:1", "nonsense", "quic://somewhere"):
        done = cli("study", "study.toml", "-o", tmp_path, "--scheduler", address)
        assert done.code == 2
        assert done.err.startswith(f"error: --scheduler {address}: no answer")
        assert config.get("scheduler", None) is None  # Dask elsewhere in this process goes on without it
        assert len(done.err.splitlines()) == 1
