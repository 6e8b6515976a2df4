"""Methods from here and from outside: every way in, and every way in which one can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from veristem.bench.study.runner import list_cells
from veristem.datasets import CurveSet, InputError
from veristem.datasets.formats import read_curves
from veristem.datasets.formats.acquisition_h5 import write_acquisition
from veristem.datasets.recipe import load_recipe, load_study
from veristem.recon import load_method, method_names, run_method
from veristem.recon.methods import stages_of

GOOD = """\"\"\"A method of somebody else.\"\"\"
import numpy as np
from veristem.datasets import CurveSet

def reconstruct(acquisition, *, alignment=None, contours=None, matches=None):
    return CurveSet((np.array([[1.0, 2.0, 3.0], [4.0, 5.0, float(len(acquisition.views))]]),))

def raising(acquisition):
    raise ZeroDivisionError("two lines\\nof reason")

def silent(acquisition):
    raise RuntimeError

def listing(acquisition):
    return [[0.0, 0.0, 0.0]]

def nan(acquisition):
    return CurveSet((np.full((3, 3), np.nan),))

number = 3
"""
POINTS = ("points-hough", "points-learned", "points-matched", "points-threshold", "points-tomo")
EXPECTED = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 2.0]])


@pytest.fixture
def given(acquisition, tmp_path) -> Path:
    """An acquisition on disk."""
    path = tmp_path / "acquisition.h5"
    write_acquisition(path, acquisition)
    return path


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    """A module in the working directory, importable by no other way; another name each time."""
    name = f"theirs_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def command(*arguments, cwd, **environment) -> subprocess.CompletedProcess:
    """The command line in a process of its own."""
    code = "from veristem.bench.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def check_failed(ended, *parts: str) -> None:
    """Exit 2, nothing on stdout, one line on stderr that holds the parts, after what was begun."""
    code, out, err = ended
    assert code == 2
    assert out == ""
    *told, err = err.splitlines()
    assert err.startswith("error: ")
    assert all(line.startswith("reconstructing with ") for line in told)
    for part in parts:
        assert part in err


def program(path: Path, text: str) -> Path:
    """An executable file."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def test_registered_names(acquisition):
    """Those that ship; each of lines but `failing` returns curves for any images, and `constant` the same for all."""
    assert {"constant", "failing", "stereo-classical", *POINTS} <= set(method_names())
    assert isinstance(run_method("stereo-classical", acquisition), CurveSet)
    (curve,) = run_method("constant", acquisition).curves_nm
    assert np.ptp(curve[:, 2]) == 0
    with pytest.raises(RuntimeError, match="given 2 views"):
        run_method("failing", acquisition)
    with pytest.raises(
        InputError,
        match="allowed are constant, failing, field-absorption, lines-fitted, lines-multiview, points-hough, ",
    ):
        load_method("no-such")


def test_entry_point_of_another_package(given, tmp_path):
    """A package that is merely installed shows up in the list and runs by its name."""
    site = tmp_path / "site"
    info = site / "theirs-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "theirs.py").write_text(GOOD, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[veristem.methods]\nby-them = theirs:reconstruct\n", encoding="utf-8")
    assert "by-them" in command("list", "methods", cwd=tmp_path, PYTHONPATH=str(site)).stdout.split()
    done = command("reconstruct", given, "--method", "by-them", "-o", "c.vtp", cwd=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(read_curves(tmp_path / "c.vtp").curves_nm[0], EXPECTED)


def test_module_and_function(given, tmp_path):
    """A module of the working directory needs no installation."""
    (tmp_path / "mine.py").write_text(GOOD, encoding="utf-8")
    done = command("reconstruct", given, "--method", "mine:reconstruct", "-o", "c.vtp", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(read_curves(tmp_path / "c.vtp").curves_nm[0], EXPECTED)


def test_executable(cli, given, tmp_path):
    """Any program that reads the one file and writes the other is a method."""
    text = (
        f"#!{sys.executable}\nimport sys\nimport h5py\nimport numpy as np\n"
        "from veristem.datasets import CurveSet\nfrom veristem.datasets.formats.vtp import write_vtp\n"
        "views = h5py.File(sys.argv[1])['views']\n"
        "write_vtp(sys.argv[2], CurveSet((np.array([[1.0, 2, 3], [4, 5, len(views)]]),)))\n"
    )
    mine = program(tmp_path / "mine", text)
    ended = cli("reconstruct", given, "--method", mine, "-o", tmp_path / "c.vtp")
    assert (ended.code, ended.err) == (0, f"reconstructing with {mine}: 2 views of 20 x 16 pixels\n")
    np.testing.assert_array_equal(read_curves(tmp_path / "c.vtp").curves_nm[0], EXPECTED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#!/bin/sh\necho first >&2\necho no licence found >&2\nexit 3\n", "ended with 3: no licence found"),
        ("#!/bin/sh\nexit 1\n", "ended with 1: no message"),
        ("#!/bin/sh\nexit 0\n", "ended without writing the file it was asked for"),
        ("#!/bin/sh\necho rubbish > $2\n", "a .vtp file allowed"),
        ("#!/no/such/shell\n", "mine"),
    ],
)
def test_executable_that_fails(cli, given, tmp_path, text, reason):
    """A program's failure is told by its last words, and by what is missing when it says none."""
    mine = program(tmp_path / "mine", text)
    out = tmp_path / "c.vtp"
    check_failed(cli("reconstruct", given, "--method", mine, "-o", out), reason)
    assert not out.exists()


def test_file_that_is_not_executable(cli, given, tmp_path):
    """The commonest slip with a script of one's own, and how to mend it."""
    path = tmp_path / "mine"
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    check_failed(cli("reconstruct", given, "--method", path, "-o", tmp_path / "c.vtp"), "not executable", "chmod +x")
    check_failed(cli("reconstruct", given, "--method", tmp_path / "none", "-o", tmp_path / "c.vtp"), "no such file")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("raising", "ZeroDivisionError: two lines"),
        ("silent", "RuntimeError: no message"),
        ("listing", "returned list, a CurveSet allowed"),
        ("nan", "curve 0: "),
        ("none", "has no function 'none'"),
        ("number", "int found, a function allowed"),
    ],
)
def test_function_that_fails(cli, given, module, tmp_path, function, reason):
    """Whatever somebody's method does, the user sees one line, and no file."""
    check_failed(cli("reconstruct", given, "--method", f"{module}:{function}", "-o", "c.vtp"), reason)
    assert not (tmp_path / "c.vtp").exists()


@pytest.mark.parametrize("name", ["no-such", "no_such_module:reconstruct", ":", "a:b:c", ""])
def test_unknown_method(cli, given, tmp_path, name):
    """A name that leads nowhere is told with what is allowed."""
    check_failed(cli("reconstruct", given, "--method", name, "-o", tmp_path / "c.vtp"), "method")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("builtins:range", "type whose arguments cannot be told found, a function allowed"),
        ("builtins:dict", "type whose arguments cannot be told found"),
        ("os:getcwd", "too many positional arguments; a function of an acquisition allowed"),
        ("numpy:hypot", "missing a required argument: 'x2'; a function of an acquisition allowed"),
        ("math:sin x=1", "unexpected keyword argument 'x'; allowed are none"),
        ("stereo-classical scale_nm=[[[[", "scale_nm: '\\[\\[\\[\\[' found, a finite number allowed"),
        ("stereo-classical scale_nm=nan", "scale_nm: 'nan' found, a finite number allowed"),
        ("points-hough diameter_nm=wide", "diameter_nm: 'wide' found, a finite number"),
    ],
)
def test_what_cannot_be_a_method_is_told_before_it_is_called(text, message):
    """Some of these ended in a traceback: os:system and its like come from no file and tell no arguments."""
    with pytest.raises(InputError, match=message):
        load_method(text)


def test_a_parameter_out_of_range(acquisition):
    """A blur wider than the images would fill the memory with its kernel."""
    with pytest.raises(InputError, match="scale_nm: 1e\\+12 found, above 0 and below the field's"):
        run_method("stereo-classical scale_nm=1e12", acquisition)


def test_debug_shows_the_traceback(given, tmp_path):
    """With --debug the writer of a method sees the line that failed."""
    (tmp_path / "mine.py").write_text(GOOD, encoding="utf-8")
    arguments = ("reconstruct", given, "--method", "mine:raising", "-o", "c.vtp")
    plain, debug = command(*arguments, cwd=tmp_path), command(*arguments, "--debug", cwd=tmp_path)
    check_failed((plain.returncode, plain.stdout, plain.stderr), "ZeroDivisionError")
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr
    assert 'mine.py", line 9, in raising' in debug.stderr


def walk(path: Path) -> tuple[set[str], bytes]:
    """Names of all groups, datasets and attributes of an HDF5 file, and everything in them but the images."""
    names, content = set(), []
    with h5py.File(path) as file:

        def visit(name, item):
            names.add(name)
            for key, value in item.attrs.items():
                names.add(f"{name}@{key}")
                content.extend([key.encode(), str(value).encode(), np.asarray(value).tobytes()])
            if isinstance(item, h5py.Dataset) and name != "views":
                content.extend([str(item[()]).encode(), np.asarray(item[()]).tobytes()])

        visit("", file)
        file.visititems(visit)
    return names, b" ".join(content)


def test_the_acquisition_file_holds_nothing_of_the_truth(simulated, cli, small, tmp_path):
    """A method could read all of it: no seed, no recipe, no line, no expected count may be there."""
    names, content = walk(simulated / "acquisition.h5")
    assert names >= {"views", "directions_rad", "@pixel_nm", "@focus_nm"}
    for word in ("seed", "recipe", "network", "nodes", "burgers", "expected", "label", "visible", "truth", "generator"):
        assert not [name for name in names if word in name.lower()]
        assert word.encode() not in content.lower()
    seed = 987654321
    for form in (str(seed).encode(), np.int64(seed).tobytes(), np.int32(seed).tobytes(), np.float64(seed).tobytes()):
        assert form not in content
    ended = cli("simulate", "cantor-stereo", "-o", tmp_path, *small, "--set", "recipe.seed=1")
    assert ended.code == 0
    others, _ = walk(tmp_path / "acquisition.h5")
    assert others == names
    truth_names, truth_content = walk(simulated / "truth.h5")
    assert "recipe_json" in truth_names
    assert str(seed).encode() in truth_content  # this search would find it


def test_a_stage_that_is_not_taken_is_refused(acquisition, tmp_path, monkeypatch):
    """A method that ignores what it is handed would seem to make no error there; **parameters do not take a stage."""
    (tmp_path / "loose.py").write_text(
        "from veristem.recon.constant import reconstruct as constant\n"
        "def reconstruct(acquisition, *, matches=None, **parameters): return constant(acquisition)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert stages_of("loose:reconstruct") == ("matches",)
    assert stages_of("stereo-classical scale_nm=6") == ("alignment", "contours", "matches")
    assert stages_of("points-matched") == ("detections", "matches")
    assert stages_of("constant") == ()
    run_method("loose:reconstruct", acquisition, matches=None)
    with pytest.raises(InputError, match=r"contours handed in, which it does not take; it takes matches"):
        run_method("loose:reconstruct", acquisition, contours=None)
    study = load_study("smoke").changed({"methods": ["loose:reconstruct contours=truth"]})
    with pytest.raises(InputError, match="contours handed in"):
        list_cells(study, load_recipe(study.recipe))
