"""`import veristem`: the chain from Python, what it costs to import, and that the command line does the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import veristem as vs
from veristem.datasets import InputError

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_script_of_the_readme_runs(tmp_path):
    """It is copied as it stands and run alone; its last line prints a score."""
    (script,) = re.findall(r"```python\nimport veristem as vs\n(.*?)```", README, re.DOTALL)
    assert len(script.strip().splitlines()) <= 6
    code = "import veristem as vs\n" + script
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) > 0


def test_import_is_light():
    """Nothing heavy is loaded before it is used: a hundred modules, most of them Python's own."""
    code = "import sys; before = set(sys.modules); import veristem; print(len(set(sys.modules) - before), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *modules = done.stdout.split()
    assert int(count) < 60
    assert not {"numpy", "scipy", "numba", "pandas", "pydantic"} & set(modules)
    assert re.fullmatch(r"\d+\.\d+.*", vs.__version__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vs.nothing  # noqa: B018


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny):
    """A simulation in a folder, from Python."""
    folder = tmp_path_factory.mktemp("face")
    (folder / "tiny.toml").write_text(tiny, encoding="utf-8")
    return folder, vs.simulate(folder / "tiny.toml", folder / "run", values={"recipe.seed": 3})


def test_python_and_command_line_do_the_same(made, cli):
    """The same files byte for byte, the same scores."""
    folder, simulation = made
    assert cli("simulate", folder / "tiny.toml", "-o", folder / "again", "--set", "recipe.seed=3").code == 0
    for path in simulation.paths:
        assert (folder / "again" / path.name).read_bytes() == path.read_bytes()
    found = vs.reconstruct(folder / "run/acquisition.h5", "constant", out=folder / "mine.vtp")
    np.testing.assert_array_equal(vs.load(folder / "mine.vtp").curves_nm[0], found.curves_nm[0])
    scores = vs.score(simulation.truth, found, tolerance_nm=20)
    done = cli("score", folder / "run/truth.h5", folder / "mine.vtp", "--tolerance-nm", 20, "--json")
    assert json.loads(done.out) == scores


def test_lines_as_pixels(made, cli):
    """Masks, disparity and topology of the true lines are perfect; of an image they are those of its pixels."""
    from PIL import Image

    folder, simulation = made
    curves = folder / "true.vtp"
    lines = vs.load(folder / "run/truth.h5")
    chains = lines.network.chains(lines.visible)
    from veristem.datasets import CurveSet, formats

    formats.write(curves, CurveSet(tuple(chains)))
    masks = json.loads(cli("score", folder / "run/truth.h5", curves, "--of", "masks", "--view", 1, "--json").out)
    assert (masks["f_score"], masks["cldice"]) == (1, 1)
    assert masks["topological_score"] == pytest.approx(0, abs=1e-9)
    disparity = vs.score(simulation.truth, curves, of="disparity")
    assert disparity["epe_px"] == pytest.approx(0, abs=1e-9)
    shape = simulation.truth.expected.shape[1:]
    Image.fromarray(np.full(shape, 255, np.uint8)).save(folder / "white.png")
    white = vs.score(simulation.truth, folder / "white.png", of="masks")
    assert white["recall"] == 1
    assert white["precision"] < 1


def test_a_study_from_python(made):
    """Its table, and the same again without running anything."""
    folder, _ = made
    (folder / "study.toml").write_text(
        f'[study]\nname = "s"\nrecipe = "{folder / "tiny.toml"}"\nmethods = ["constant"]\nseeds = 1\n', encoding="utf-8"
    )
    table = vs.study(folder / "study.toml", folder / "out", seeds=2)
    assert len(table) == 2
    assert vs.load(folder / "out").equals(table)


def test_faults(made, tmp_path):
    """One line each: a suffix, a view, what is no lines, a folder that is needed."""
    folder, simulation = made
    for call, told in (
        (lambda: vs.load(tmp_path / "a.foo"), "suffix '.foo' found"),
        (lambda: vs.reconstruct(folder / "run/acquisition.h5", out=tmp_path / "a.csv"), "'.csv' found, .vtp allowed"),
        (lambda: vs.score(simulation.truth, np.zeros((2, 2)), of="masks", view=7), "`view`: 7 found, 0 to 1 allowed"),
        (lambda: vs.score(simulation.truth, np.zeros((2, 2)), of="mask"), "'mask' found, allowed are masks, disparity"),
        (lambda: vs.score(simulation.truth, "a.vtp", tolerance_nm=0), "`tolerance_nm`: 0 found"),
        (lambda: vs.simulate("tial-4d"), "needs a folder"),
        (lambda: vs.simulate("nothing"), "no such recipe"),
    ):
        with pytest.raises(InputError, match=told):
            call()
