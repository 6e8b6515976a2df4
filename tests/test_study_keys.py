"""What a change runs again: exactly the cells that depend on it, each time by a fresh process on changed files."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from veristem.bench.study import key

ROOT = Path(__file__).parents[1]
ROOMS = ("datasets", "sim", "recon", "bench", "reports")
STUDY = """
[study]
name = "tiny"
recipe = "tiny.toml"
methods = ["constant", "one:reconstruct weights=one.weights", "two:reconstruct", "PROGRAM"]
seeds = 1
[study.axes]
"scan.dwell_us" = [10, 500]
"""
METHOD = """
from veristem.recon.constant import reconstruct as constant

def reconstruct(acquisition, *, weights=None):
    return constant(acquisition)
"""
ALONE = """
import numpy as np
from veristem.datasets import CurveSet

def reconstruct(acquisition, *, half=1):
    return CurveSet((np.array([[0.0, 0.0, 30.0], [96.0, 96.0, 30.0]]),))
"""
PROGRAM = f"""#!{sys.executable}
import sys
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.vtp import write_vtp
from veristem.recon.constant import reconstruct
write_vtp(sys.argv[2], reconstruct(read_acquisition(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny) -> Path:
    """A copy of the code, first on the path, and beside it methods from outside: two modules and a program."""
    folder = tmp_path_factory.mktemp("place")
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__", "published")
        shutil.copytree(ROOT / room, folder / "veristem" / room, ignore=ignored)
    (folder / "tiny.toml").write_text(tiny, encoding="utf-8")
    (folder / "study.toml").write_text(STUDY.replace("PROGRAM", "./program"), encoding="utf-8")
    (folder / "one.weights").write_bytes(b"1")
    (folder / "one.py").write_text(METHOD, encoding="utf-8")
    (folder / "two.py").write_text(ALONE, encoding="utf-8")
    (folder / "program").write_text(PROGRAM, encoding="utf-8")
    (folder / "program").chmod(0o755)
    return folder


KEYS = """
import sys
import veristem.sim
from veristem.bench.study.runner import list_cells
from veristem.datasets.recipe import load_recipe, load_study

assert veristem.sim.__file__.startswith(sys.argv[1])
study = load_study("study.toml")
print(*[cell.key for cell in list_cells(study, load_recipe(study.recipe), sys.argv[2])])
"""


@pytest.fixture(scope="module")
def runs(place) -> Callable[..., int]:
    """How many of the eight rows a fresh process would make that none before has made: their keys are new."""
    made: set[str] = set()

    def run(method_version: str = "") -> int:
        done = subprocess.run(
            [sys.executable, "-c", KEYS, str(place), method_version],
            cwd=place, env={**os.environ, "PYTHONPATH": str(place)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        keys = set(done.stdout.split())
        assert len(keys) == 8
        new = keys - made
        made.update(new)
        return len(new)

    return run


def imports(module: str) -> set[str]:
    """Modules of veristem that a file imports, at its top or where it uses them."""
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("veristem."):
            found.add(node.module)
            below = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name for name in below if ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py").is_file()}
    return found


def test_a_key_holds_all_that_a_row_is_made_by():
    """Every file that cell.py leads to lies in a folder that keys hash; an edit there must not keep old columns."""
    seen, left = set(), {"veristem.bench.study.cell"}
    while left:
        module = left.pop()
        seen.add(module)
        left |= imports(module) - seen
    hashed = tuple(f"veristem.{name}" for name in (*key._ROW, *key._CALLS))
    astray = {name for name in seen if not any(name == top or name.startswith(top + ".") for top in hashed)}
    assert not {name for name in astray if ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py").is_file()}


def append(path: Path, text: str) -> None:
    """Change one line of a file."""
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.slow
def test_exactly_what_depends_on_a_change_is_run_again(place, runs):
    """One line or one number at a time, and nothing twice; back again costs nothing."""
    assert runs() == 8
    assert runs() == 0
    append(place / "one.py", "# another line\n")
    assert runs() == 2
    (place / "one.weights").write_bytes(b"2")
    assert runs() == 2
    (place / "one.weights").write_bytes(b"1")
    assert runs() == 0
    text = (place / "study.toml").read_text(encoding="utf-8")
    (place / "study.toml").write_text(text.replace("two:reconstruct", "two:reconstruct half=2"), encoding="utf-8")
    assert runs() == 2
    append(place / "program", "# another line\n")
    assert runs() == 2
    append(place / "veristem/recon/constant.py", "# another line\n")
    assert runs() == 6  # all but the one that does not use recon
    assert runs("2") == 6
    assert runs() == 0
    append(place / "veristem/reports/figures.py", "# another line\n")
    assert runs() == 0
    for changed in (
        "sim/noise.py",
        "datasets/crystal.py",
        "datasets/polyline.py",
        "bench/limits/lines.py",
        "bench/metrics/recall.py",
    ):
        append(place / "veristem" / changed, "# another line\n")
        assert runs() == 8
