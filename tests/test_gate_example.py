"""The package that docs/examples has for copying, installed by itself: its gate does what it says."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

EXAMPLE = Path(__file__).parents[1] / "docs/examples/method-package"


class Package(NamedTuple):
    """A copy of the package that is installed."""

    folder: Path
    installed: Path
    veristem: Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Package:
    """Installed beside what is installed here, this checkout among it, so that nothing is downloaded."""
    root = tmp_path_factory.mktemp("example")
    folder = shutil.copytree(EXAMPLE, root / "copy")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True)
    python = root / "venv" / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment |= {f"{name}_NUM_THREADS": "1" for name in ("NUMBA", "OMP", "OPENBLAS", "MKL")}

    def run(*arguments) -> subprocess.CompletedProcess:
        command = [python, *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    site = Path(run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    (site / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", "utf-8")

    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index")
    done = run("-m", "pip", "install", *quiet, ".")
    assert done.returncode == 0, done.stderr

    def veristem(*arguments) -> subprocess.CompletedProcess:
        return run("-c", "from veristem.bench.cli import main; main()", *arguments)

    return Package(folder, site / "darkest_row.py", veristem)


def workflow_commands() -> list[list[str]]:
    """What its workflow runs of VeriSTEM."""
    text = (EXAMPLE / ".github/workflows/gate.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["gate"]["steps"]
    commands = [shlex.split(step.get("run", "")) for step in steps]
    found = [words[1:] for words in commands if words[:1] == ["veristem"]]
    assert [words[0] for words in found] == ["study", "gate"]
    return found


@pytest.mark.slow
def test_its_gate_passes_and_fails(package):
    """What its workflow and its README run passes; made to err by 3 nm in depth it falls short, and says where."""
    assert "darkest-row" in package.veristem("list", "methods").stdout.split()
    study, gate = ("study", "gate.toml", "-o", "results"), ("gate", "results", "--baseline", "baseline.json")
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert all(f"\nveristem {' '.join(command)}\n" in readme for command in (study, gate))
    done = package.veristem(*study)
    assert done.returncode == 0, done.stderr
    for command, told in zip(workflow_commands(), (study, gate), strict=True):
        assert tuple(command[: len(told)]) == told  # and how many workers, and which files besides
        done = package.veristem(*command)
        assert done.returncode == 0, done.stdout + done.stderr
    report = (package.folder / "gate.md").read_text(encoding="utf-8")
    assert report.startswith("### ✅")
    assert "no loss proven" in report
    assert "losses that 20 specimens show" in report
    text = package.installed.read_text(encoding="utf-8")
    worse = text.replace("acquisition.focus_nm)", "acquisition.focus_nm + 3.0)")
    assert worse != text
    for source in (package.installed, package.folder / "darkest_row.py"):  # in its own folder Python takes the latter
        source.write_text(worse, encoding="utf-8")
    assert package.veristem(*study).returncode == 0
    done = package.veristem(*gate)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "fell short" in done.stdout.splitlines()[-1]
    (worse,) = (line for line in done.stdout.splitlines() if line.rstrip(" │").endswith("worse") and "_nm" in line)
    assert "depth_bias_nm" in worse
