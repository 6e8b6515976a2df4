"""Every command does what its help says, and leaves files that the next one opens."""

from __future__ import annotations

import json

import numpy as np
import pytest

import veristem as vs
from veristem.datasets import CurveSet
from veristem.datasets.formats import read_curves, read_network
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.paradis import write_data
from veristem.datasets.formats.truth_h5 import read_truth
from veristem.datasets.formats.vtp import write_vtp
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.results import SUFFIXES
from veristem.reports.words import views_text
from veristem.sim.specimen import orientation

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def done(cli):
    """Run a command that must succeed; its stdout."""

    def run(*arguments) -> str:
        ended = cli(*arguments)
        assert ended.code == 0, ended.err
        return ended.out

    return run


@pytest.fixture
def folder(simulated, tmp_path):
    """A folder of one's own with a simulated acquisition and its truth."""
    for name in ("acquisition.h5", "truth.h5", "truth.vtp"):
        (tmp_path / name).write_bytes((simulated / name).read_bytes())
    return tmp_path


def test_recipe(done, tmp_path):
    """What is printed can be edited and used: the same text in a file, and it loads."""
    text = done("recipe", "cantor-stereo")
    assert done("recipe", "cantor-stereo", "-o", tmp_path / "mine.toml") == ""
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == text
    assert load_recipe(str(tmp_path / "mine.toml")) == load_recipe("cantor-stereo")
    assert "[study]" in done("recipe", "demo")
    schema = json.loads(done("recipe", "--schema"))
    assert "specimen" in schema["recipe"]["properties"]
    assert "axes" in schema["study"]["properties"]


def test_simulate_writes_three_files_and_the_same_again(done, simulated, small, tmp_path):
    """The same recipe gives the same bytes, another seed others; the truth tells the recipe."""
    out = done("simulate", "cantor-stereo", "-o", tmp_path / "new" / "run", *small, "--set", "recipe.seed=987654321")
    names = ["acquisition.h5", "truth.h5", "truth.vtp"]
    assert [line.rsplit("/", 1)[-1] for line in out.splitlines()] == names
    for name in names:
        assert (tmp_path / "new" / "run" / name).read_bytes() == (simulated / name).read_bytes()
    done("simulate", "cantor-stereo", "-o", tmp_path, *small, "--set", "recipe.seed=0")
    assert (tmp_path / "acquisition.h5").read_bytes() != (simulated / "acquisition.h5").read_bytes()
    truth = read_truth(tmp_path / "truth.h5")
    assert truth.recipe["recipe"]["seed"] == 0
    assert len(read_network(tmp_path / "truth.vtp").segments) == len(truth.network.segments)


def test_simulate_says_where_the_views_look():
    """Quadrants of 14 to 28 mrad are 2.25 degrees apart; a long series is shortened, one view has no pair."""
    quadrants = load_recipe("particles-small").microscope.detector.regions(0.0)
    text = views_text(np.array([region.mean_direction_rad(0.028) for region in quadrants]))
    assert text.startswith("4 views, nominal mean direction (19.6, 0.0) (0.0, 19.6) (-19.6, 0.0) (0.0, -19.6) mrad")
    assert text.endswith("widest pair: 0 and 2, 2.25°")
    tilts = np.radians(np.arange(-44.0, 45, 2))
    assert "45 views" in (text := views_text(np.stack([tilts, 0 * tilts], axis=1)))
    assert text.endswith("… (767.9, 0.0) mrad; widest pair: 0 and 44, 88.00°")
    assert views_text(np.zeros((1, 2))) == "1 view, nominal mean direction (0.0, 0.0) mrad"


def test_simulate_reads_its_own_recipe_back(done, simulated, tmp_path):
    """A recipe file, with the network taken from a file too, runs as a named one does."""
    truth = read_truth(simulated / "truth.h5")
    crystal = orientation(Recipe.from_table(truth.recipe, "truth")).T  # files hold networks in the axes of the crystal
    write_data(tmp_path / "net.data", truth.network.rotated(crystal), 0.2539)
    text = (
        '[recipe]\nname = "mine"\n[specimen]\nthickness_nm = 80.0\nfield_nm = [128.0, 128.0]\nbeams = 2\n'
        f'network = {{ file = "{tmp_path / "net.data"}", burgers_magnitude_nm = 0.2539 }}\n'
        "[scan]\nshape = [32, 32]\npixel_nm = 4.0\n"
    )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    done("simulate", tmp_path / "mine.toml", "-o", tmp_path / "run")
    assert read_acquisition(tmp_path / "run" / "acquisition.h5").views.shape == (2, 32, 32)


def test_reconstruct_score_and_report(done, folder):
    """The chain of a user with own images, step by step; what is printed is what the files hold."""
    out = done("reconstruct", folder / "acquisition.h5", "-o", folder / "reconstruction.vtp")
    curves = read_curves(folder / "reconstruction.vtp")
    assert out.startswith(f"{len(curves.curves_nm)} curves, {curves.length_nm:.0f} nm")
    scores = json.loads(done("score", folder / "truth.h5", folder / "reconstruction.vtp", "--json"))
    assert scores["tolerance_nm"] == 10.0
    assert all(value is None or np.isfinite(value) for value in scores.values())
    more = json.loads(done("score", folder / "truth.h5", folder / "reconstruction.vtp", "--json", "--junctions"))
    assert {key: value for key, value in more.items() if key != "junctions"} == scores
    table = done("score", folder / "truth.h5", folder / "reconstruction.vtp", "--tolerance-nm", "25")
    head, *lines = table.splitlines()
    assert (head.split(), len(lines)) == (["all", "visible", "ψ", ">", "25°"], 12)
    assert lines[0].split()[0] == "F"
    assert lines[-1].split() == ["tolerance", "(nm)", "25"]
    every = done("score", folder / "truth.h5", folder / "reconstruction.vtp", "--all").splitlines()
    assert len(every) == 1 + len([name for name in scores if not name.endswith(SUFFIXES[1:])])
    page = done("report", folder).strip()
    with_truth = (folder / "page.html").read_text(encoding="utf-8")
    assert page == str(folder / "page.html")
    (folder / "truth.h5").unlink()
    done("report", folder, "-o", folder / "plain.html")
    without = (folder / "plain.html").read_text(encoding="utf-8")
    assert "F = " in with_truth
    assert "F = " not in without
    assert "data:image/png;base64" in without


def test_score_of_the_truth_against_itself(done, folder):
    """The truth as curves is a perfect reconstruction, whichever of its two files is the truth."""
    network = read_network(folder / "truth.vtp")
    write_vtp(folder / "perfect.vtp", CurveSet(tuple(network.chains())))
    for name in ("truth.h5", "truth.vtp"):
        more = ["--acquisition", folder / "acquisition.h5"] if name.endswith("vtp") else []
        scores = json.loads(done("score", folder / name, folder / "perfect.vtp", "--json", *more))
        assert scores["f_score"] == pytest.approx(1)
        assert scores["length_ratio"] == pytest.approx(1)
        assert scores["depth_rmse_nm"] == pytest.approx(0, abs=1e-6)
        assert scores["betti0_error"] == scores["betti1_error"] == 0


def test_view(done, folder, tmp_path):
    """A picture and a page, of lines and of an acquisition with them."""
    done("view", folder / "truth.vtp", "--png", tmp_path / "lines.png")
    done("view", folder / "truth.vtp", folder / "acquisition.h5", "--html", tmp_path / "scene.html")
    assert (tmp_path / "lines.png").read_bytes().startswith(PNG)
    assert "<html" in (tmp_path / "scene.html").read_text(encoding="utf-8").lower()


def test_convert_networks(done, network, tmp_path):
    """.data to .vtp and back is the network again; |b| may stand in the .ctrl beside it."""
    write_data(tmp_path / "a.data", network, 0.25)
    done("convert", tmp_path / "a.data", tmp_path / "b.vtp", "--burgers-magnitude-nm", "0.25")
    done("convert", tmp_path / "b.vtp", tmp_path / "c.data", "--burgers-magnitude-nm", "0.5")
    back = read_network(tmp_path / "c.data", 0.5)
    np.testing.assert_allclose(back.nodes_nm, network.nodes_nm, atol=1e-9)
    np.testing.assert_allclose(back.burgers_residual_nm(), network.burgers_residual_nm(), atol=1e-9)
    np.testing.assert_array_equal(back.pinned, network.pinned)
    assert len(back.segments) == len(network.segments)
    (tmp_path / "a.ctrl").write_text("burgMag = 5.0e-10\n", encoding="utf-8")
    done("convert", tmp_path / "a.data", tmp_path / "d.vtp")
    np.testing.assert_allclose(read_network(tmp_path / "d.vtp").nodes_nm, 2 * network.nodes_nm)


def test_what_convert_adds_is_said(cli, network, tmp_path):
    """A .data file is periodic: the cell that a network without one gets is told."""
    write_vtp(tmp_path / "a.vtp", network)
    ended = cli("convert", tmp_path / "a.vtp", tmp_path / "b.data", "--burgers-magnitude-nm", "0.25")
    extent = np.ptp(network.nodes_nm, axis=0).max()
    assert f"in a cube of {10 * extent:.4g} nm made for it" in ended.out + ended.err
    (tmp_path / "restart").write_text("burgMag = 3e-10\n", encoding="utf-8")
    (tmp_path / "b.data").rename(tmp_path / "restart.data")
    ended = cli("convert", tmp_path / "restart.data", tmp_path / "c.vtp")
    assert "unit of length 0.3 nm, from burgMag of restart beside it" in ended.out + ended.err


def test_convert_acquisition_to_hspy(done, folder):
    """HyperSpy finds the images and their scale."""
    from rsciio.hspy import file_reader

    done("convert", folder / "acquisition.h5", folder / "pair.hspy")
    (signal,) = file_reader(str(folder / "pair.hspy"))
    acquisition = read_acquisition(folder / "acquisition.h5")
    np.testing.assert_array_equal(signal["data"], acquisition.views)
    assert {axis["scale"] for axis in signal["axes"] if axis["units"] == "nm"} == {acquisition.pixel_nm}


def test_convert_two_images_and_reconstruct(done, tmp_path):
    """A real pair, from two pictures to curves without any further knowledge."""
    from skimage.io import imsave

    x, y = np.meshgrid(np.arange(96), np.arange(96))
    for name, shift in (("left.png", -4), ("right.png", 4)):
        line = 200 - 120 * np.exp(-0.5 * ((x - 0.4 * y - 28 - shift) / 3.0) ** 2)
        imsave(tmp_path / name, line.astype(np.uint8), check_contrast=False)
    pair = tmp_path / "pair.h5"
    files = (tmp_path / "left.png", tmp_path / "right.png", pair)
    done("convert", *files, "--pair-angle-deg", "8", "--pixel-nm", "2")
    acquisition = read_acquisition(pair)
    assert acquisition.views.shape == (2, 96, 96)
    np.testing.assert_allclose(acquisition.directions_rad, np.radians([[4, 0], [-4, 0]]))
    done("reconstruct", pair, "-o", tmp_path / "c.vtp")
    curves = read_curves(tmp_path / "c.vtp").curves_nm
    assert curves
    for curve in curves:
        np.testing.assert_allclose(np.median(curve[:, 2]), 8 * 2 / (2 * np.tan(np.radians(4))), atol=3)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("recipes", "cantor-stereo"),
        ("studies", "demo"),
        ("methods", "stereo-classical"),
        ("metrics", "f_score"),
        ("materials", "CoCrFeMnNi"),
        ("detectors", "segmented"),
        ("specimens", "dislocations glide"),
        ("specimens", "particles spheres"),
    ],
)
def test_list(done, kind, known):
    """Each kind has its names, one a line, in order, and `recipe`, `--set` and `--method` take them."""
    lines = done("list", kind).splitlines()
    names = lines if kind == "specimens" else [line.split()[0] for line in lines]
    assert known in names
    assert len(set(names)) == len(names)
    assert kind == "metrics" or names == sorted(names, key=str.lower)


def test_alone_it_helps(cli):
    """Without a command the help, and no error; -h and --version are what hands try first."""
    alone = cli()
    assert (alone.code, alone.err) == (0, "")
    assert alone.out == cli("-h").out == cli("--help").out
    assert cli("--version").out.split() == ["veristem", vs.__version__]
    assert "Usage: veristem score" in cli("score", "-h").out


def test_help_lists_the_commands(done):
    """A user who knows nothing finds everything from --help."""
    text = done("--help")
    for name in ("demo", "recipe", "simulate", "reconstruct", "score", "study", "report", "view", "convert", "list"):
        assert f"  {name} " in text
        assert "Usage: veristem " + name in done(name, "--help")
