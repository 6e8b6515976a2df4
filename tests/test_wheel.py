"""What is installed is what is tracked, and it works away from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("datasets", "sim", "recon", "reports", "bench")


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Paths of the tracked files."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tracked, tmp_path_factory) -> Path:
    """A wheel built from a clean copy of the tracked files: nothing that only lies about here gets in."""
    copy = tmp_path_factory.mktemp("copy")
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", "dist", "."], cwd=copy, check=True)
    (found,) = (copy / "dist").glob("*.whl")
    return found


def test_wheel_holds_the_tracked_files(wheel, tracked):
    """A sub-package or a data file that a pattern forgets works here and fails on every other machine."""
    in_rooms = (Path(name) for name in tracked if name.split("/")[0] in ROOMS)
    expected = {f"veristem/{p}" for p in in_rooms if p.parts[:2] != ("reports", "published")}
    expected = {name.replace("veristem/bench/face/", "veristem/") for name in expected}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected


def test_wheel_holds_no_evidence(wheel):
    """Tests, documentation, reports of record and what made them stand in the repository; users get the product."""
    names = zipfile.ZipFile(wheel).namelist()
    evidence = {"tests", "docs", "published", "validation", "gallery"}
    assert [n for n in names if evidence & set(Path(n).parts)] == []
    words = ("degradations", "thesis", "power", "planted", ".csv")
    method = "veristem/recon/stereo/thesis.py"  # its network, not what the thesis found
    assert [n for n in names if n != method and any(word in n for word in words)] == []


def test_wheel_works_elsewhere(wheel, tmp_path):
    """Installed alone, away from the checkout, the command finds its recipes."""
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True)
    code = "import sys, veristem, veristem.bench.cli as c; print(veristem.__file__, c.__file__, file=sys.stderr)"
    code += "; sys.exit(c.main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "list", "recipes"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count(str(target)) == 2  # not the editable install
    assert "cantor-stereo" in done.stdout.split()
    assert (target / "bin" / "veristem").is_file()
