"""Bad input: exit 2, one line on stderr that says what was found, and nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from veristem.datasets import CurveSet
from veristem.datasets.formats.paradis import write_data
from veristem.datasets.formats.vtp import write_vtp

RECIPE = """[recipe]
name = "mine"
[specimen]
thickness_nm = 100.0
field_nm = [256.0, 256.0]
[scan]
shape = [64, 64]
pixel_nm = 4.0
"""


@pytest.fixture
def check(cli, tmp_path, monkeypatch):
    """Run a command that must fail: check(arguments, parts of the message); nothing in the folder may change."""
    monkeypatch.chdir(tmp_path)

    def listing() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}

    def run(arguments, *parts: str) -> str:
        before = listing()
        code, out, err = cli(*arguments)
        assert (code, out) == (2, ""), err
        assert err.endswith("\n")
        *told, err = err.splitlines(keepends=True)
        assert err.startswith("error: ")
        assert len(told) < 2
        assert all(line.startswith(("simulating ", "reconstructing ")) for line in told)  # what was begun
        for part in parts:
            assert part in err
        assert listing() == before
        return err

    return run


@pytest.fixture
def acquisition_file(simulated, tmp_path) -> Path:
    """A copy of a simulated acquisition that may be spoilt."""
    path = tmp_path / "acquisition.h5"
    path.write_bytes((simulated / "acquisition.h5").read_bytes())
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["reconstruct", "none.h5", "-o", "out.vtp"],
        ["score", "none.h5", "none.vtp"],
        ["score", "none.data", "none.vtp"],
        ["view", "none.vtp", "--png", "out.png"],
        ["convert", "none.data", "out.vtp"],
        ["convert", "none.h5", "out.hspy"],
        ["simulate", "none.toml", "-o", "out"],
        ["study", "none.toml", "-o", "out"],
        ["report", "none"],
    ],
)
def test_missing_file(check, arguments):
    """The name of the file that is not there stands in the message."""
    assert "none" in check(arguments, "o such f")  # file or folder


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.3, 0.7, 0.99])
def test_truncated_acquisition(check, acquisition_file, share):
    """A copy that was cut short anywhere is told as such, never read in part."""
    whole = acquisition_file.read_bytes()
    acquisition_file.write_bytes(whole[: int(share * len(whole))])
    check(["reconstruct", acquisition_file, "-o", "out.vtp"], "acquisition.h5", "damaged")


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "views"), (np.inf, "views"), (-np.inf, "views")], ids=["nan", "inf", "-inf"]
)
def test_views_that_are_not_finite(check, acquisition_file, value, message):
    """One bad pixel would spread through every filter."""
    with h5py.File(acquisition_file, "r+") as file:
        views = file["views"][()]
        views[1, 3, 4] = value
        file["views"][...] = views
    check(["reconstruct", acquisition_file, "-o", "out.vtp"], "acquisition.h5", message)


@pytest.mark.parametrize("value", [0.0, -2.0, np.nan])
def test_pixel_size_that_is_none(check, acquisition_file, value):
    """Every length in the result follows from it."""
    with h5py.File(acquisition_file, "r+") as file:
        file.attrs["pixel_nm"] = value
    check(["reconstruct", acquisition_file, "-o", "out.vtp"], "acquisition.h5", "pixel_nm")


def test_a_file_of_another_kind(check, simulated, tmp_path):
    """A truth is no acquisition, text is no HDF5, a network is no reconstruction."""
    check(["reconstruct", simulated / "truth.h5", "-o", "out.vtp"], "veristem-truth 1 found, veristem-acquisition 1")
    (tmp_path / "text.h5").write_text("hello\n", encoding="utf-8")
    check(["reconstruct", "text.h5", "-o", "out.vtp"], "text.h5")
    check(["score", simulated / "truth.h5", simulated / "truth.vtp"], "a network found, curves or points allowed")


@pytest.fixture
def data_file(network, tmp_path) -> Path:
    """A good network of three arms in ParaDiS format."""
    path = tmp_path / "net.data"
    write_data(path, network, 0.25)
    return path


def test_data_file_with_dangling_arms(check, data_file):
    """A line that ends within the crystal without a pin is no dislocation; the node is named."""
    lines = data_file.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith(" 0,1 "))
    lines[first] = lines[first].replace(" 7\n", " 0\n")
    data_file.write_text("".join(lines), encoding="utf-8")
    check(["convert", data_file, "out.vtp", "--burgers-magnitude-nm", "0.25"], "net.data, line", "node 0,1", "pin it")


def test_data_file_with_burgers_vectors_that_do_not_sum(check, data_file):
    """Both ends of one arm agree on a vector that the node does not conserve."""
    lines = data_file.read_text(encoding="utf-8").splitlines(keepends=True)
    node = ""
    for i, line in enumerate(lines):
        words = line.split()
        if len(words) == 6:
            node = words[0]
        elif len(words) == 4 and {node, words[0]} == {"0,0", "0,1"}:
            lines[i] = " ".join([words[0], "9.0" if node == "0,0" else "-9.0", *words[2:]]) + "\n"
    data_file.write_text("".join(lines), encoding="utf-8")
    check(["convert", data_file, "out.vtp", "--burgers-magnitude-nm", "0.25"], "net.data, line", "node 0,0: Burgers")


def test_data_file_cut_within_a_line(check, data_file):
    """Cut anywhere, within a number or between two lines, it is an error that names the line."""
    whole = data_file.read_text(encoding="utf-8")
    for share in (0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97):
        data_file.write_text(whole[: int(share * len(whole))], encoding="utf-8")
        check(["convert", data_file, "out.vtp", "--burgers-magnitude-nm", "0.25"], "net.data, line")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("thickness_nm = 100.0", "thickness_um = 0.1", ["specimen.thickness_um", "--schema"]),
        ("thickness_nm = 100.0", 'thickness_nm = "100 nm"', ["specimen.thickness_nm", "'100 nm' found"]),
        ("thickness_nm = 100.0", "thickness_nm = -100.0", ["specimen.thickness_nm", "-100.0 found"]),
        ("thickness_nm = 100.0", "thickness_nm = nan", ["specimen.thickness_nm", "nan found"]),
        ("thickness_nm = 100.0", "thickness_nm = inf", ["specimen.thickness_nm", "inf found"]),
        ("thickness_nm = 100.0", "g = [0, 0]", ["specimen.g"]),
        ("thickness_nm = 100.0", 'kind = "aliens"', ["specimen.kind", "'aliens' found"]),
        ("[specimen]", "[specimens]", ["specimens", "--schema"]),
        ('name = "mine"', "", ["recipe.name"]),
        ('name = "mine"', 'name = "mine"\nversion = 2', ["recipe.version", "2 found"]),
        ('name = "mine"', 'name = "mine"\nseed = -1', ["recipe.seed", "-1 found"]),
        ("shape = [64, 64]", "shape = [32, 64]", ["256 x 128 nm found", "scan.shape"]),
        ("shape = [64, 64]", "shape = [64, 64", ["mine.toml"]),
        ("[scan]", "[microscope]\ndetector = { kind = 'eye' }\n[scan]", ["microscope.detector", "eye"]),
        ("[scan]", "[microscope]\ndetector = { kind = 'virtual', pair_angle_deg = 0 }\n[scan]", ["pair_angle_deg"]),
    ],
)
def test_recipe_file(check, tmp_path, old, new, parts):
    """The message names the file and the key."""
    assert old in RECIPE
    (tmp_path / "mine.toml").write_text(RECIPE.replace(old, new), encoding="utf-8")
    check(["simulate", "mine.toml", "-o", "out"], "mine.toml", *parts)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("specimen.thicknes_nm=3", ["specimen.thicknes_nm", "--schema"]),
        ("specimen.network.nothing.deep=3", ["specimen.network.nothing.deep: no such key"]),
        ("no.such=3", ["no.such: no such key"]),
        ("thickness_nm", ["no '=' found, KEY=VALUE allowed"]),
        ("specimen.thickness_nm=200 nm", ["specimen.thickness_nm", "'200 nm' found"]),
        ("specimen.thickness_nm=NaN", ["specimen.thickness_nm", "nan found"]),
        ("specimen.thickness_nm=Infinity", ["specimen.thickness_nm", "inf found"]),
        ("scan.dwell_us=-1", ["scan.dwell_us", "-1 found"]),
        ("scan.pixel_nm=3", ["768 x 768 nm found", "scan.shape and scan.pixel_nm"]),
        ("specimen.material=unobtainium", ["material: 'unobtainium' found, allowed are", "CoCrFeMnNi"]),
        ("specimen.network.generator=weave", ["generator", "weave", "glide"]),
        ("specimen.g=[1,1,1]", ["g: 35.26 deg from the zone axis found, 90 allowed"]),
        ("specimen.thickness_nm=0.5", ["specimen.thickness_nm: 0.5 found, at least a slice of 2 allowed"]),
        (
            "specimen.g=[0,0,3]",
            ["g: (0 0 3) found, which the structure of CoCrFeMnNi forbids; (0 0 6) is allowed"],
        ),
        ("microscope.detector.pair_angle_deg=30", ["region at 261.8 mrad found, outside the cone of 91.0 mrad"]),
        ("microscope.detector.kind=eye", ["microscope.detector", "eye"]),
        ('specimen.network={"file": "none.data"}', ["none.data", "o such file"]),
    ],
)
def test_set(check, value, parts):
    """Each --set is checked like the file, physics included, and nothing is written."""
    check(["simulate", "cantor-stereo", "-o", "out", "--set", value], *parts)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["simulate", "no-such", "-o", "out"], ["no such recipe; named ones are cantor-small, cantor-stereo"]),
        (["simulate", "demo", "-o", "out"], ["demo: no such recipe"]),
        (["study", "no-such", "-o", "out"], ["no such study; named ones are"]),
        (["study", "demo", "-o", "out", "--method", "no-such"], ["method: 'no-such' found, allowed are"]),
        (["recipe", "no-such"], ["no-such: no such recipe"]),
        (["recipe"], ["give a name or --schema"]),
        (["list", "wishes"], ["list: 'wishes' found, allowed are recipes, studies"]),
        (["demo", "-o", "out", "--material", "unobtainium"], ["material: 'unobtainium' found"]),
        (["reconstruct"], ["`veristem reconstruct --help`"]),
        (["dream"], ["dream", "--help"]),
        (["list", "recipes", "--colour"], ["--colour"]),
        (["convert", "one.data"], ["convert: one file found, IN… OUT allowed"]),
        (["convert", "a.png", "b.png", "out.h5"], ["--pair-angle-deg", "--pixel-nm"]),
        (["convert", "a.txt", "out.vtp"], [".txt to .vtp found, allowed are"]),
    ],
)
def test_unknown_names_and_missing_options(check, arguments, parts):
    """What is not known is told with what is."""
    check(arguments, *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[study]\nname='s'\nrecipe='cantor-stereo'\nsedes=3\n", ["sedes", "--schema"]),
        ("[study]\nname='s'\nrecipe='cantor-stereo'\nseeds=0\n", ["seeds", "0 found"]),
        ("[study]\nname='s'\nrecipe='none'\n", ["none: no such recipe"]),
        ("[study]\nname='s'\nrecipe='cantor-stereo'\nmethods=['x']\n", ["method: 'x' found"]),
        ("[study]\nname='s'\nrecipe='cantor-stereo'\n[study.axes]\n'scan.no'=[1]\n", ["scan.no"]),
        (
            "[study]\nname='s'\nrecipe='cantor-stereo'\n[study.axes]\n'scan.dwell_us'=[]\n",
            ["one or more values that differ allowed"],
        ),
        ("[study]\nname='s'\nrecipe='cantor-stereo'\n[study.axes]\n'scan.dwell_us'=[1, -1]\n", ["-1 found"]),
        (
            "[study]\nname='s'\nrecipe='cantor-stereo'\n[study.axes]\n'scan.dwell_us'={from=-1,to=1,steps=3,scale='log'}\n",
            ["scan.dwell_us"],
        ),
        ("[recipe]\nname='s'\n", ["tables recipe found, only [study] allowed"]),
    ],
)
def test_study_file(check, tmp_path, text, parts):
    """A condition that is not allowed is told before the first cell is run."""
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    check(["study", "mine.toml", "-o", "out"], *parts)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize("tolerance", ["0", "-1", "nan", "inf"])
def test_tolerance(check, simulated, tmp_path, tolerance):
    """A tolerance that is no length would score anything."""
    write_vtp(tmp_path / "curves.vtp", CurveSet(()))
    check(["score", simulated / "truth.h5", "curves.vtp", "--tolerance-nm", tolerance], "tolerance")


def test_options_are_named_as_they_are_typed(check, simulated, tmp_path):
    """Python's names of parameters are those of the command line with dashes."""
    write_vtp(tmp_path / "curves.vtp", CurveSet(()))
    asked = ["score", simulated / "truth.h5", "curves.vtp", "--of"]
    check([*asked, "masks", "--view", 7], "error: --view: 7 found, 0 to 1 allowed")
    check([*asked, "mask"], "error: --of: 'mask' found, allowed are masks, disparity")
    check(["score", simulated / "truth.vtp", "curves.vtp", "--full-limits"], "error: --full-limits: no truth.h5 of")


def test_output_that_cannot_be_written(check, simulated, small, tmp_path):
    """A file where the folder should be, or a folder where the file should be, is told and left alone."""
    (tmp_path / "taken").write_text("mine\n", encoding="utf-8")
    (tmp_path / "folder.vtp").mkdir()
    inside = tmp_path / "taken" / "deep"
    check(["simulate", "cantor-stereo", "-o", "taken", *small], "taken")
    check(["simulate", "cantor-stereo", "-o", inside, *small], "taken")
    check(["study", "demo", "-o", "taken", *small], "taken")
    check(["recipe", "cantor-stereo", "-o", inside], "taken")
    check(["demo", "-o", "taken", *small], "taken")
    for out in (inside, "folder.vtp", tmp_path / "none" / "out.vtp"):
        check(["reconstruct", simulated / "acquisition.h5", "--method", "constant", "-o", out], str(out))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--pair-angle-deg", "0", "--pixel-nm", "1"], "--pair-angle-deg: 0.0 found"),
        (["--pair-angle-deg", "8", "--pixel-nm", "-1"], "--pixel-nm: -1.0 found"),
        (["--pair-angle-deg", "8", "--pixel-nm", "nan"], "--pixel-nm: nan found"),
        (["--pair-angle-deg", "nan", "--pixel-nm", "1"], "--pair-angle-deg: nan found"),
        (["--pair-angle-deg", "8"], "left.png: pixel size not found; give --pixel-nm"),
        (["--pair-angle-deg", "eight", "--pixel-nm", "1"], "--pair-angle-deg"),
    ],
)
def test_stereo_pair(check, tmp_path, options, part):
    """The geometry of a real pair is known to the user alone; a slip there is a slip in every depth."""
    from skimage.io import imsave

    for name in ("left.png", "right.png"):
        imsave(tmp_path / name, np.full((20, 24), 90, np.uint8), check_contrast=False)
    check(["convert", "left.png", "right.png", "out.h5", *options], part)


def test_network_without_a_unit(check, data_file, simulated):
    """ParaDiS lengths mean nothing without |b|, in either direction."""
    check(["convert", data_file, "out.vtp"], "net.data: no unit of length found", "--burgers-magnitude-nm")
    check(["convert", simulated / "truth.vtp", "out.data"], "--burgers-magnitude-nm")
    check(["convert", data_file, "out.vtp", "--burgers-magnitude-nm", "-1"], "--burgers-magnitude-nm: -1.0 found")


def test_errors_in_a_process_of_its_own(tmp_path):
    """The same from a shell: one line, no traceback; with --debug the traceback."""
    code = "from veristem.bench.cli import main; main()"
    run = [sys.executable, "-c", code, "simulate", "no-such", "-o", "out"]
    plain, debug = (
        subprocess.run([*run, *more], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
        for more in ([], ["--debug"])
    )
    assert plain.returncode == 2
    assert plain.stderr.count("\n") == 1
    assert plain.stderr.startswith("error: no-such: no such recipe")
    assert "Traceback" in debug.stderr
    assert debug.returncode != 0


def test_an_interrupt_that_comes_out_as_another_error():
    """Ctrl-C within the import of a compiled module may raise anything; it is still an interrupt, no fault of ours."""
    code = (
        "import os, signal, sys, time, typer\n"
        "from veristem.bench import cli\n"
        "class Command:\n"
        "    def main(self, *args, **how):\n"
        "        try:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "            time.sleep(5)\n"
        "        except KeyboardInterrupt:\n"
        "            raise ImportError('cut short') from None\n"
        "typer.main.get_command = lambda app: Command()\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.splitlines() == ["stopped; what was finished is kept"]
