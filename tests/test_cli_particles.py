"""Every command on particles: what each writes the next one opens, and nothing of the truth gets through."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from veristem.bench.limits import columns
from veristem.bench.metrics import metrics
from veristem.bench.pages import demo as bench_demo
from veristem.bench.study import cell as bench_cell
from veristem.bench.study.store import read_table
from veristem.datasets import ParticleDispersion, PointSet
from veristem.datasets.formats import read_particles, read_points, write
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.truth_h5 import read_truth
from veristem.datasets.kinds import KINDS
from veristem.datasets.recipe import load_study
from veristem.datasets.results import score_columns

PNG = b"\x89PNG\r\n\x1a\n"
SEED = 987654321
SMALL = [
    word
    for value in (
        "scan.shape=[192,192]",
        "specimen.field_nm=[76.8,76.8]",
        f"recipe.seed={SEED}",
    )
    for word in ("--set", value)
]
STUDY = """[study]
name = "tiny"
recipe = "tiny.toml"
methods = ["points-matched rounds=1", "constant"]
seeds = 1
[study.axes]
"scan.dwell_us" = [10]
"""
RECIPE = """[recipe]
name = "tiny"
[specimen]
kind = "particles"
field_nm = [51.2, 51.2]
dispersion = { concentration_mg_per_ml = 20.0 }
[microscope]
convergence_mrad = 28.0
detector = { kind = "segmented", inner_mrad = 14.0, outer_mrad = 28.0 }
[scan]
shape = [128, 128]
pixel_nm = 0.4
"""
OWN = np.array([[12.0, 15.0, 20.0], [40.0, 20.0, 30.0], [25.0, 45.0, 50.0], [48.0, 50.0, 10.0]])


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Folder of a simulation with the command line and of its reconstruction by our own method; not to be written."""
    from veristem.bench.cli import main

    folder = tmp_path_factory.mktemp("film")
    with pytest.MonkeyPatch.context() as patch:
        for arguments in (
            ["simulate", "particles-small", "-o", folder, *SMALL],
            ["reconstruct", folder / "acquisition.h5", "-o", folder / "reconstruction.csv"],
        ):
            patch.setattr(sys, "argv", ["veristem", *map(str, arguments)])
            with pytest.raises(SystemExit) as end:
                main()
            assert not end.value.code
    return folder


@pytest.fixture
def done(cli):
    """Run a command that must succeed; its stdout."""

    def run(*arguments) -> str:
        ended = cli(*arguments)
        assert ended.code == 0, ended.err
        return ended.out

    return run


@pytest.fixture
def refused(cli, tmp_path, monkeypatch):
    """Run a command that must fail with one line and leave nothing behind: refused(arguments, parts of the line)."""
    monkeypatch.chdir(tmp_path)

    def run(arguments, *parts: str) -> None:
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        code, out, err = cli(*arguments)
        assert (code, out) == (2, ""), err
        *told, err = err.splitlines()
        assert err.startswith("error: ")
        assert all(line.startswith("reconstructing ") for line in told)
        assert not [part for part in parts if part not in err], err
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before

    return run


@pytest.fixture
def folder(film, tmp_path) -> Path:
    """A copy of one's own."""
    for path in film.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_simulate_and_reconstruct_write_their_files(film):
    """Three of the simulation, with the truth of people beside that of programs, and one of the method."""
    assert {p.name for p in film.iterdir()} == {"acquisition.h5", "truth.h5", "truth.csv", "reconstruction.csv"}
    acquisition, truth = read_acquisition(film / "acquisition.h5"), read_truth(film / "truth.h5")
    assert acquisition.kind == "particles"
    assert acquisition.views.shape == (4, 192, 192)
    assert truth.recipe["recipe"]["seed"] == SEED
    inside = truth.particles.where(truth.particles.inside_field)
    np.testing.assert_array_equal(read_particles(film / "truth.csv").centers_nm, inside.centers_nm)
    found = read_points(film / "reconstruction.csv")
    assert len(found.points_nm) > 10
    assert np.isfinite(found.covariance_nm2).all()


def test_the_same_recipe_gives_the_same_bytes(done, film, tmp_path):
    """Whatever was run before in this process."""
    out = done("simulate", "particles-small", "-o", tmp_path / "run", *SMALL)
    names = ["acquisition.h5", "truth.h5", "truth.csv"]
    assert [Path(line).name for line in out.splitlines()] == names
    for name in names:
        assert (tmp_path / "run" / name).read_bytes() == (film / name).read_bytes()


def test_the_acquisition_file_holds_nothing_of_the_truth(film):
    """A method could read all of it: no seed, no specimen, no centre, no expected count may be there."""
    truth = read_truth(film / "truth.h5")
    names, content, numbers = [], [], []
    with h5py.File(film / "acquisition.h5") as file:

        def visit(name, item):
            values = dict(item.attrs)
            if isinstance(item, h5py.Dataset) and name != "views":
                values[""] = item[()]
            for key, value in values.items():
                names.append(f"{name}@{key}")
                content.append(str(value).encode() + b" " + np.asarray(value).tobytes())
                if np.asarray(value).dtype.kind == "f":
                    numbers.extend(np.asarray(value).ravel())

        visit("", file)
        file.visititems(visit)
    text = (b" ".join(content) + " ".join(names).encode()).lower()
    words = ("seed", "recipe", "specimen", "dispersion", "concentration", "shell", "centers", "radii", "expected")
    for word in (*words, "label", "truth", "generator"):
        assert word.encode() not in text
    for form in (str(SEED).encode(), np.int64(SEED).tobytes(), np.int32(SEED).tobytes(), np.float64(SEED).tobytes()):
        assert form not in b" ".join(content)
    for secret in (*truth.particles.centers_nm.ravel(), truth.particles.radii_nm[0]):
        assert not np.isclose(numbers, secret, rtol=1e-7, atol=0).any()
    assert str(SEED).encode() in (film / "truth.h5").read_bytes()  # this search would find it


def test_reconstruct_with_the_other_methods(done, folder):
    """Each method of particles by its name, with its parameters, and how many it finds is told."""
    for method in ("points-threshold", "points-hough", "constant", "points-hough fewest_views=4"):
        out = done("reconstruct", folder / "acquisition.h5", "--method", method, "-o", folder / "other.csv")
        assert out == f"{len(read_points(folder / 'other.csv').points_nm)} particles: {folder / 'other.csv'}\n"
    middle = PointSet(read_points(folder / "other.csv").points_nm)
    assert (middle.points_nm[:, :2] < 77).all()


def test_reconstruct_into_another_kind_of_file(refused, folder):
    """Points go into a table; a method of lines has nothing to give for particles."""
    refused(["reconstruct", "acquisition.h5", "-o", "out.vtp"], "out.vtp: suffix '.vtp' found, .csv allowed")
    (folder / "lines.py").write_text(
        "from veristem.datasets import CurveSet\ndef run(acquisition):\n    return CurveSet(())\n", encoding="utf-8"
    )
    method = f"lines_{folder.name}"
    (folder / "lines.py").rename(folder / f"{method}.py")
    refused(
        ["reconstruct", "acquisition.h5", "--method", f"{method}:run", "-o", "out.csv"],
        "returned CurveSet, a PointSet allowed for particles",
    )


def test_nothing_found_says_what_it_may_mean(cli, monkeypatch, folder):
    """A table of no particles is a result, and is not to be read as an empty film."""
    name = f"empty_{folder.name}"
    (folder / f"{name}.py").write_text(
        "import numpy as np\nfrom veristem.datasets import PointSet\n"
        "def run(acquisition):\n    return PointSet(np.empty((0, 3)))\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(folder)
    code, out, err = cli("reconstruct", "acquisition.h5", "--method", f"{name}:run", "-o", "none.csv")
    assert (code, out) == (0, "0 particles: none.csv\n")
    assert "does not say that the specimen is empty" in err
    assert "veristem view acquisition.h5" in err


def test_an_executable_gets_a_table_to_write(done, refused, folder):
    """Any program that reads the one file and writes the other, here with three columns alone."""
    mine = folder / "mine"
    mine.write_text(
        f"#!{sys.executable}\nimport sys\nimport h5py\n"
        "views = h5py.File(sys.argv[1])['views']\nassert sys.argv[2].endswith('.csv')\n"
        "open(sys.argv[2], 'w').write('x_nm,y_nm,z_nm\\n1,2,%d\\n' % len(views))\n",
        encoding="utf-8",
    )
    mine.chmod(0o755)
    done("reconstruct", folder / "acquisition.h5", "--method", mine, "-o", folder / "out.csv")
    found = read_points(folder / "out.csv")
    np.testing.assert_array_equal(found.points_nm, [[1, 2, 4]])
    assert np.isnan(found.radii_nm).all()
    mine.write_text("#!/bin/sh\necho rubbish > $2\n", encoding="utf-8")
    refused(["reconstruct", "acquisition.h5", "--method", mine, "-o", "other.csv"], "x_nm")


def test_score(done, film):
    """Against the truth with its limits, or against a bare table without them; printed as a table or as JSON."""
    scores = json.loads(done("score", film / "truth.h5", film / "reconstruction.csv", "--json"))
    assert set(scores) == {"tolerance_nm", *(m.name for m in metrics() if "points" in m.of)}
    assert scores["tolerance_nm"] is None
    assert scores["f_score"] > 0.9
    assert 0.5 < scores["depth_rmse_nm_over_limit"] < 3
    bare = json.loads(done("score", film / "truth.csv", film / "reconstruction.csv", "--json", "--tolerance-nm", "6"))
    assert bare["tolerance_nm"] == 6
    assert bare["depth_rmse_nm_over_limit"] is None
    printed = done("score", film / "truth.csv", film / "truth.csv")
    table = dict(line.rsplit(maxsplit=1) for line in printed.splitlines())
    assert (table["F"], table["depth RMSE (nm)"], table["depth RMSE / limit"]) == ("1", "0", "–")
    assert int(table["number found"]) == scores["count_truth"]


def test_score_of_lines_against_particles(refused, film, simulated):
    """One line, whichever side is which."""
    refused(["score", simulated / "truth.h5", film / "reconstruction.csv"], "points found, curves allowed")
    curves = ["score", film / "truth.h5", simulated / "truth.vtp"]
    refused(curves, "a network found, curves or points allowed")
    refused(["score", film / "truth.h5", film / "reconstruction.csv", "--tolerance-nm", "0"], "--tolerance-nm: 0")


def test_report_with_and_without_the_truth(done, folder):
    """With it the scores, and why particles were missed; without it how well the points fit their images."""
    points = read_points(folder / "reconstruction.csv")
    write(folder / "reconstruction.csv", points.where(np.arange(len(points.points_nm)) > 3))
    assert done("report", folder).strip() == str(folder / "page.html")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert re.search(r"From \d+ views, \d+ of \d+ particles were found", page)
    assert "Missed were " in page
    assert "No truth is known" not in page
    (folder / "truth.h5").unlink()
    done("report", folder, "-o", folder / "plain.html")
    plain = (folder / "plain.html").read_text(encoding="utf-8")
    assert "No truth is known. In every view at least " in plain
    assert "this does not prove that the depths are right" in plain
    assert "particles were found where there are" not in plain


def test_report_of_nothing_found(done, folder):
    """Images alone have a page too."""
    for name in ("truth.h5", "truth.csv", "reconstruction.csv"):
        (folder / name).unlink()
    done("report", folder)
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert "No truth is known, and no particle was found." in text


def test_view(done, film, tmp_path):
    """A picture of the truth, of what was found, of both, and a page to turn."""
    for number, names in enumerate((["truth.csv"], ["reconstruction.csv"], ["truth.h5", "reconstruction.csv"])):
        done("view", *(film / name for name in names), "--png", tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").read_bytes().startswith(PNG)
    done("view", film / "truth.csv", "--html", tmp_path / "both.html")
    assert "<html" in (tmp_path / "both.html").read_text(encoding="utf-8").lower()


def test_convert(done, refused, film, tmp_path):
    """.csv to .xyz and back is the same to the last digit; to lines there is no way."""
    done("convert", film / "truth.csv", tmp_path / "a.xyz")
    done("convert", tmp_path / "a.xyz", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == (film / "truth.csv").read_bytes()
    refused(["convert", film / "truth.csv", "out.vtp"], "convert: .csv to .vtp found", "particles (.csv .xyz)")


def test_study(cli, tmp_path, monkeypatch):
    """Two methods on one film: limits are made once and shared, columns of lines stay empty, a second run is none."""
    asked, limits = [], columns.point_limits
    monkeypatch.setattr(columns, "point_limits", lambda truth: asked.append(truth) or limits(truth))
    (tmp_path / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    arguments = ["study", tmp_path / "study.toml", "-o", tmp_path / "out"]
    first = cli(*arguments)
    assert first.code == 0, first.err
    assert first.out.splitlines()[-1] == f"2 rows, 0 failed: {tmp_path / 'out' / 'results.parquet'}"
    assert len(asked) == 1
    table = read_table(tmp_path / "out").set_index("method")
    ours, constant = table.loc["points-matched rounds=1"], table.loc["constant"]
    assert ours["f_score"] > 0.8 > constant["f_score"]
    assert ours["depth_limit_nm"] == constant["depth_limit_nm"] > 0.1
    assert ours["count_truth"] == constant["count_truth"] > 3
    assert (constant["count_found"], constant["electrons_per_pixel"]) == (1, ours["electrons_per_pixel"])
    assert ours["depth_rmse_nm_over_limit"] > 0.3
    assert table["tolerance_nm"].isna().all()
    of_lines = [n for n, m in score_columns(metrics()).items() if n != m.name or "points" not in m.of]
    assert table[of_lines].isna().all(axis=None)
    examples = {p.name for p in (tmp_path / "out" / "examples").glob("*/*")}
    assert examples == {"acquisition.h5", "truth.h5", "truth.csv", "reconstruction.csv"}
    monkeypatch.setattr(bench_cell, "simulate_recipe", lambda *_: pytest.fail("simulated again"))
    second = cli(*arguments)
    assert (second.code, second.out, second.err) == (0, first.out, "")
    assert len(asked) == 1


@pytest.fixture
def short_demo(monkeypatch) -> None:
    """The demo with one cell of a fast method for its study, and a fast one for its reconstruction."""
    study = load_study("demo-particles").changed(
        {"axes": {"scan.dwell_us": [10]}, "methods": ["points-threshold"], "seeds": 1}
    )
    monkeypatch.setattr(bench_demo, "load_study", lambda _: study)
    fast = replace(KINDS["particles"], method="points-threshold")
    monkeypatch.setitem(KINDS, "particles", fast)


def own_particles(path: Path, centers=OWN, radius=2.25) -> Path:
    """A table of particles of one's own."""
    write(path, ParticleDispersion(centers, np.full(len(centers), radius), [60.0, 60.0, 60.0]))
    return path


@pytest.mark.slow
def test_demo_of_ones_own_particles(done, short_demo, tmp_path):
    """Wherever their origin lies, the film just holds them; files, scores, study and page lie in one folder."""
    file, out = own_particles(tmp_path / "mine.csv", OWN - [30.0, 30.0, 30.0]), tmp_path / "out"
    said = done("demo", "-o", out, "--particles", file)
    assert said.splitlines()[-1] == f"open {out / 'page.html'}"
    assert "specimen: 4 particles in " in said
    names = {"acquisition.h5", "truth.h5", "truth.csv", "reconstruction.csv", "scores.json", "results.parquet"}
    assert names <= {p.name for p in out.iterdir()}
    truth = read_truth(out / "truth.h5")
    particles = truth.particles
    shift = particles.centers_nm - OWN
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-9)
    assert particles.centers_nm.min() - 2.25 >= -1e-9
    assert (particles.centers_nm.max(axis=0) + 2.25 <= particles.box_nm + 1e-9).all()
    assert truth.recipe["recipe"]["name"] == "mine"
    assert json.loads((out / "scores.json").read_text(encoding="utf-8"))["count_truth"] == 4
    page = (out / "page.html").read_text(encoding="utf-8")
    assert "Particles in 3D from four STEM views: mine.csv" in page
    assert "Dislocation" not in page.split("<body", 1)[1].split("<script", 1)[0]


def test_demo_errors(refused, network, tmp_path):
    """Bad particles end the demo with one line, before anything is drawn."""
    own_particles(tmp_path / "good.csv")
    for other in (["--network", "net.data"], ["--material", "Ta"]):
        refused(["demo", "-o", "out", "--particles", "good.csv", *other], "--particles: found with --network or")
    refused(["demo", "-o", "out", "--particles", "none.csv"], "none.csv", "o such file")
    own_particles(tmp_path / "twice.csv", np.concatenate([OWN, OWN[1:2]]))
    refused(["demo", "-o", "out", "--particles", "twice.csv"], "twice.csv: particles 2 and 5 at the same place found")
    text = (tmp_path / "good.csv").read_text(encoding="utf-8").splitlines()
    text[2] = ",".join(["nan", *text[2].split(",")[1:]])
    (tmp_path / "nan.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    refused(["demo", "-o", "out", "--particles", "nan.csv"], "nan.csv, line 3", "nan")
    (tmp_path / "empty.csv").write_text(text[0] + "\n", encoding="utf-8")
    refused(["demo", "-o", "out", "--particles", "empty.csv"], "empty.csv", "no particle")
    refused(["demo", "-o", "out", "--particles", "good.txt"], "good.txt")
