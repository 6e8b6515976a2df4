"""The examples of CONTRIBUTING.md are complete and true: each is run, and dropped into a copy whose tests see it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from veristem.bench.metrics.lines import Lines
from veristem.bench.metrics.pair import Pair
from veristem.datasets import CurveSet, InputError, ParticleDispersion, load_material
from veristem.datasets.kinds import KINDS
from veristem.recon import run_method
from veristem.sim.networks.population import Population

ROOT = Path(__file__).parents[1]
ROOMS = ("datasets", "sim", "recon", "reports", "bench")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", GUIDE, re.DOTALL))
# By name, the files with tests of it: those that run over what is found have the name of an example in their ids, the
# others went red of an example once. Chosen so that both runs take some 15 s: nothing is simulated.
SEES = {
    "halves": ("test_detectors.py",),
    "straight": ("test_sim_networks.py", "test_sim_generators.py"),
    "strewn": ("test_sim_dispersions.py",),
    "astray": ("test_metrics_registry.py",),
    "foil-thickness": ("test_recipes.py",),
    "xyzr": ("test_formats_registry.py",),
    "test_other_suffixes": ("test_formats_particles.py",),
    "test_a_wrong_table": ("test_detectors.py",),
    "test_empty_sides": ("test_metrics_variants.py",),
    "test_identical": ("test_metrics_distances.py",),
    "test_every_column": ("test_metrics_distances.py",),
    "test_every_table": ("test_sim_dispersions.py",),
}


def loaded(path: str) -> dict:
    """What an example defines."""
    names: dict = {"__name__": "example"}
    exec(compile(EXAMPLES[path], path, "exec", dont_inherit=True), names)  # not with this file's future
    return names


def test_style(tmp_path):
    """Who copies one need not mend it first."""
    files = []
    for path, text in EXAMPLES.items():
        if path.endswith(".py") and path != "datasets/specimens.py":  # of which it is a part
            files.append(tmp_path / path)
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            files[-1].write_text(text, encoding="utf-8")
    for check in (("check",), ("format", "--check")):
        command = [Path(sys.executable).with_name("ruff"), *check, "--no-cache", "--config", ROOT / "pyproject.toml"]
        done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_detector():
    """Its regions look from opposite sides, their directions 4 R / (3 pi) off the axis, and a wrong key is an error."""
    detector = loaded("datasets/detectors/halves.py")["Detector"]
    right, left = (half.mean_direction_rad(0.03) for half in detector(radius_mrad=15.0).regions(0.0))
    np.testing.assert_allclose(right, [4 * 0.015 / (3 * np.pi), 0], atol=1e-5)
    np.testing.assert_allclose(left, -right, atol=1e-5)
    with pytest.raises(ValueError, match="Extra inputs"):
        detector(outer_mrad=3.0)


def test_specimen():
    """It meets the density with lines from face to face."""
    systems = [np.array(v) for v in zip(*load_material("Al").slip_systems(), strict=True)]
    foil = Population(*systems, np.array([0.0, 4.9, 0.0]), np.array([400.0, 400.0, 150.0]), 5e-5, 0.5)
    network = loaded("sim/networks/straight.py")["generate"](foil, np.random.default_rng(0))
    network.check_conservation()
    assert foil.length_of(network) == pytest.approx(foil.length_nm, rel=0.06)
    np.testing.assert_allclose(np.unique(np.round(network.nodes_nm[:, 2], 6)), [0, 150])


def test_metric():
    """Its ends are what METRIC says they are."""
    names = loaded("bench/metrics/astray.py")
    line = np.array([[0.0, 0, 50], [100, 0, 50]])
    truth, near, far = (Lines.of(CurveSet((line + np.array([0, y, 0]),)), 10.0) for y in (0, 20, 40))
    assert names["METRIC"].name == "astray"
    assert names["score"](Pair.of(truth, near)) == names["METRIC"].good
    assert names["score"](Pair.of(truth, far)) == names["METRIC"].bad
    assert names["score"](Pair.of(truth, Lines.of(CurveSet(()), 10.0))) is None


def test_format(tmp_path):
    """Numbers come back exactly, and what is wrong names its line."""
    form = loaded("datasets/formats/particles_xyzr.py")["FORMAT"]
    spheres = ParticleDispersion([[1 / 3, 2.0, 3.0]], [0.1], [5.0, 5.0, 5.0])
    path = tmp_path / "a.xyzr"
    form.write(path, spheres)
    np.testing.assert_array_equal(form.read(path).centers_nm, spheres.centers_nm)
    for text, told in (
        ("1 2 3 0\n", "line 1: radius 0 found"),
        ("# x\n1 2\n", "line 2: 2 values found"),
        ("", "no part"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=told):
            form.read(path)


def test_method(acquisition, tmp_path, monkeypatch):
    """It runs by module:function from the working directory."""
    (tmp_path / "my_method.py").write_text(EXAMPLES["my_method.py"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (curve,) = run_method("my_method:reconstruct", acquisition).curves_nm
    assert len(curve) == acquisition.views.shape[2]


def test_tables_of_kinds():
    """The guide names those that there are, and each has a row a kind."""
    section = GUIDE.partition("## Add a kind of specimen")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+(?:/\w+)+)\.py` `([_A-Z]+)`", section)
    assert len(named) == 7
    for file, name in named:
        assert set(getattr(import_module(f"veristem.{file.replace('/', '.')}"), name)) == set(KINDS)


def test_files_that_the_guide_names():
    """A stranger finds the place: every path in it is there."""
    text = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL).partition("## Add a learned method")
    for path in re.findall(r"`((?:bench|datasets|sim|recon|reports|docs|tests)/[\w./]+)`", text[0] + text[2]):
        known = path in ("recon/weights/NAME.onnx", "bench/training", "tests/benchmarks/test_SUBJECT.py")
        assert known or (ROOT / path).exists(), path


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The package as it stands with all examples dropped into it; its files are links to ours."""
    folder = tmp_path_factory.mktemp("copy")
    for file in (file for room in ROOMS for file in (ROOT / room).rglob("*") if "__pycache__" not in file.parts):
        there = folder / "veristem" / file.relative_to(ROOT)
        if file.is_file():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(file)
    for path, text in EXAMPLES.items():
        if path.startswith(ROOMS) and path != "datasets/specimens.py":
            (folder / "veristem" / path).write_text(text, encoding="utf-8")
    table, command = EXAMPLES["datasets/specimens.py"], "from veristem.bench.commands.length import length\n"
    insert(folder / "veristem/datasets/specimens.py", "# by the name of their file in sim/dispersions", f"{table}\n\n")
    insert(folder / "veristem/bench/cli.py", "from veristem.datasets.errors", command)
    insert(folder / "veristem/bench/cli.py", "recipe, simulate,", "length, ")
    return folder


def insert(path: Path, before: str, text: str) -> None:
    """Put a text before another one into a file of ours, which is a copy from then on."""
    content = path.read_text(encoding="utf-8")
    assert content.count(before) == 1
    path.unlink()
    path.write_text(content.replace(before, text + before), encoding="utf-8")


def within(copy: Path, *arguments) -> subprocess.CompletedProcess:
    """Run Python in the copy."""
    outer = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "NUMBA"))}
    inner = {"PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(copy / "numba"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=outer | inner, capture_output=True, text=True, check=False, timeout=600
    )


def test_dropped_into_a_copy_the_tests_see_them_and_pass(copy):
    """The guide keeps its word: a file is found where the guide says, and no test keeps a list that lacks it."""
    files = sorted({str(ROOT / "tests" / file) for files in SEES.values() for file in files})
    done = within(copy, "-m", "pytest", "-p", "no:cacheprovider", "-vv", *files, "-k", " or ".join(SEES))
    assert done.returncode == 0, done.stdout + done.stderr
    for name, seen in SEES.items():
        for file in seen:
            assert re.search(rf"{file}::\S*{name}.* PASSED", done.stdout), (name, file)


def test_dropped_into_a_copy_commands_know_them(copy, network, tmp_path):
    """Lists, the schema, a study's columns, a format's suffix and the command are there as the guide says."""
    from veristem.datasets.formats import write

    write(tmp_path / "a.vtp", network)
    code = f"""
import io, sys, veristem.datasets
from contextlib import redirect_stdout
from pathlib import Path
from veristem.bench.commands.listing import listing
from veristem.bench.commands.recipe import recipe
assert Path(veristem.datasets.__file__).is_relative_to({str(copy)!r})
for kind, name in (("detectors", "halves"), ("specimens", "dislocations straight"), ("specimens", "particles strewn"),
                   ("studies", "foil-thickness"), ("metrics", "astray")):
    assert any(line.startswith(name) for line in listing(kind)), name
told = io.StringIO()
with redirect_stdout(told):
    recipe(None, None, True)
assert all(name in told.getvalue() for name in ("halves", "strewn", "radius_mrad", "tries"))
from veristem.bench.metrics import metrics
from veristem.datasets.formats import suffixes
from veristem.datasets import ParticleDispersion
from veristem.datasets.results import schema
assert {{"astray", "astray_visible"}} <= set(schema(metrics()).names)
assert ".xyzr" in suffixes(ParticleDispersion)
from veristem.bench.cli import main
sys.argv = ["veristem", "length", {str(tmp_path / "a.vtp")!r}]
main()
"""
    done = within(copy, "-c", code)
    assert (done.returncode, done.stdout) == (0, f"{network.lengths_nm.sum():.6g} nm\n"), done.stderr
