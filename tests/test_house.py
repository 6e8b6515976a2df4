"""House rules that no linter knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("datasets", "sim", "recon", "reports", "bench")
HEAVY = {
    "numba",
    "scipy",
    "pandas",
    "pyarrow",
    "torch",
    "pyvista",
    "vtkmodules",
    "matplotlib",
    "h5py",
    "skimage",
    "skan",
}
MODULES = 450  # 380 when this was written, most of them pydantic's and numpy's


def test_imports_point_down():
    """recon must not see sim, nor the truth that only bench opens: a reconstruction that can is worth nothing."""
    done = lint_imports(ROOT, ROOT / ".links")
    assert done.returncode == 0, done.stdout


def lint_imports(folder: Path, links: Path) -> subprocess.CompletedProcess:
    """The contracts of a folder, over the package that its links make of the rooms."""
    lint = Path(sys.executable).with_name("lint-imports")
    given = {**os.environ, "PYTHONPATH": str(links)}
    return subprocess.run([lint, "--no-cache"], cwd=folder, env=given, capture_output=True, text=True, check=False)


def test_a_forbidden_import_is_seen(tmp_path):
    """One line in a copy, of a method that looks at the simulator: a contract that cannot fail would hold nothing."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__", "published")
        shutil.copytree(ROOT / room, tmp_path / "links" / "veristem" / room, ignore=ignored)
    shutil.copy(ROOT / "bench/face/__init__.py", tmp_path / "links" / "veristem")
    assert lint_imports(tmp_path, tmp_path / "links").returncode == 0
    method = tmp_path / "links/veristem/recon/constant.py"
    method.write_text(method.read_text("utf-8") + "\nfrom veristem.sim.optics import Image\n", encoding="utf-8")
    done = lint_imports(tmp_path, tmp_path / "links")
    assert done.returncode == 1
    assert "veristem.recon.constant -> veristem.sim.optics" in done.stdout


def test_listing_loads_no_heavy_library(tmp_path):
    """A command that only prints names answers at once: heavy libraries are imported where they are used."""
    code = (
        "import sys; from veristem.bench.cli import main; sys.argv = ['veristem', 'list', 'recipes']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    modules = done.stderr.split()
    assert "cantor-stereo" in done.stdout
    assert not HEAVY & set(modules)
    assert len(modules) < MODULES


@pytest.mark.parametrize("folder", [*ROOMS, "docs", "tests/validation"])
def test_files_stay_small(folder):
    """One method, detector, metric or format a file: a stranger finds the place to change in a minute."""
    long = {str(p): n for p in (ROOT / folder).rglob("*.py") if (n := len(p.read_text("utf-8").splitlines())) > 400}
    assert not long


def test_what_flows_loads_no_tables_of_recipes():
    """Who writes a method needs arrays and files alone: pydantic is half of the time of an import."""
    code = "import sys, veristem.datasets; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"veristem.datasets.specimens", "pydantic", *HEAVY} & set(done.stdout.split())
