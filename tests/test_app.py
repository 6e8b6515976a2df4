"""What the window of `veristem app` is made of, without a browser: jobs, opening, measuring, and what it tells."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from veristem.bench.app import front
from veristem.bench.app.drawing import paths, scale_bar
from veristem.bench.app.fields import Field, as_words, typed
from veristem.bench.app.jobs import Job, Stopped, command_text, share_done
from veristem.bench.app.opening import Openers, listing, open_paths, save_uploads
from veristem.bench.app.planner import LIMITS, foil_of, plan_words, rows_of
from veristem.bench.app.series import order_of, ways_px
from veristem.bench.commands.options import values_of
from veristem.bench.commands.progress import in_lines
from veristem.bench.files.virtual import disc_options
from veristem.datasets import Acquisition, CurveSet, InputError, PointSet, formats
from veristem.datasets.recipe import load_recipe
from veristem.recon.measuring import Place, angle_to_direction_deg, place, vector_nm


class State(dict):
    """What a browser would show."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Window:
    """As much of a window as opening needs."""

    def __init__(self, folder: Path):
        self.folder, self.run, self.script, self.shown = folder, "", [], []
        self.acquisition, self.state = None, State(opened="")

    async def aside(self, function, *args):
        return function(*args)

    def new_run(self) -> str:
        (self.folder / "run-1").mkdir(exist_ok=True)
        return "run-1"

    async def show(self, run: str) -> None:
        self.shown.append(run)


def opened(folder: Path, *paths: Path) -> tuple[Window, list]:
    """A window, and what was asked of its panels."""
    window, asked = Window(folder), []

    def ask(name: str):
        return lambda *given: asked.append((name, *given))

    async def scan(path):
        asked.append(("scan", path))

    openers = Openers(ask("pair"), ask("specimen"), scan, ask("result"), ask("volume"))
    asyncio.run(open_paths(window, openers, list(paths)))  # type: ignore[arg-type]
    return window, asked


def test_images_are_opened_with_their_truth(tmp_path, acquisition, truth):
    """Both are copied; a folder stands for what is in it; the commands say so."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "window").mkdir()
    formats.write(tmp_path / "mine/acquisition.h5", acquisition)
    formats.write(tmp_path / "mine/truth.h5", truth)
    window, asked = opened(tmp_path / "window", tmp_path / "mine")
    assert asked == []
    assert window.shown == ["run-1"]
    assert sorted(path.name for path in (tmp_path / "window/run-1").iterdir()) == ["acquisition.h5", "truth.h5"]
    assert shlex.split(window.script[0]) == ["cp", str(tmp_path / "mine/acquisition.h5"), "run-1/acquisition.h5"]


def test_other_things_go_to_their_panels(tmp_path, network):
    """A network is asked about, two images are a pair, what nobody knows may be a scan; companions are not opened."""
    formats.write(tmp_path / "line.vtp", network)
    for name in ("a.tif", "b.tif", "c.mib", "c.hdr"):
        (tmp_path / name).write_bytes(b"-")
    assert opened(tmp_path, tmp_path / "line.vtp")[1][0][:2] == ("specimen", tmp_path / "line.vtp")
    assert opened(tmp_path, tmp_path / "b.tif", tmp_path / "a.tif")[1] == [
        ("pair", tmp_path / "a.tif", tmp_path / "b.tif")
    ]
    assert opened(tmp_path, tmp_path / "c.hdr", tmp_path / "c.mib")[1] == [("scan", tmp_path / "c.mib")]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["no.h5"], "no such file"),
        (["a.png"], "together with"),
        ([], "no file"),
        (["a.png", "b.vtp", "c.h5"], "3 files"),
        (["."], "no acquisition.h5"),
        (["a.vtp"], "a.vtp"),
    ],
)
def test_what_cannot_be_opened_is_one_line(tmp_path, names, told):
    """InputError, which the window shows."""
    (tmp_path / "a.png").write_bytes(b"-")
    (tmp_path / "a.vtp").write_bytes(b"-")
    with pytest.raises(InputError, match=told) as caught:
        opened(tmp_path, *(tmp_path / name for name in names))
    assert "\n" not in str(caught.value)


def test_dropped_files_stay_in_the_folder_of_the_window(tmp_path):
    """Whatever their names: no path leads out, nothing is hidden, nothing is executed."""
    window = Window(tmp_path)
    names = ["../../out.h5", "/etc/passwd", ".hidden", "a b;rm.png", "x" * 300 + ".tif"]
    saved = save_uploads(window, [{"name": name, "content": [b"1", b"2"]} for name in names])  # type: ignore[arg-type]
    assert [path.parent for path in saved] == [tmp_path] * 5
    assert [path.name[:10] for path in saved[:4]] == ["out.h5", "passwd", "hidden", "a_b_rm.png"]
    assert saved[4].suffix == ".tif"
    assert saved[0].read_bytes() == b"12"
    with pytest.raises(InputError, match="no file"):
        save_uploads(window, [{"name": "..", "content": b""}])  # type: ignore[arg-type]


def test_listing(tmp_path):
    """Folders first, nothing hidden; a scan is a folder that is opened, not entered."""
    for name in ("b", "scan.zspy", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "a.h5").touch()
    assert [(one["name"], one["folder"]) for one in listing(tmp_path)] == [
        ("b", True),
        ("a.h5", False),
        ("scan.zspy", False),
    ]


def fake(monkeypatch, code: str) -> None:
    """Let a job run this instead of VeriSTEM."""
    monkeypatch.setattr("veristem.bench.app.jobs._START", [sys.executable, "-c", code])


def test_a_job_tells_how_it_went(tmp_path, monkeypatch):
    """What it prints and says comes back; when it ends badly, the line that it ended with."""
    said: list[str] = []
    fake(monkeypatch, "import sys; print('out'); print('one\\rtwo', file=sys.stderr); sys.exit(int(sys.argv[1]))")
    assert asyncio.run(Job(tmp_path).run(["0"], said.append)) == ("out\n", ["one", "two"])
    assert said == ["one", "two"][: len(said)]
    with pytest.raises(InputError, match=r"^two$"):
        asyncio.run(Job(tmp_path).run(["2"], said.append))


def test_a_stopped_job_leaves_nothing_running(tmp_path, monkeypatch):
    """Neither itself nor what it has started."""
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']); "
    fake(monkeypatch, code + "print(p.pid, file=sys.stderr, flush=True); p.wait()")
    job, started = Job(tmp_path), []

    def say(line: str) -> None:
        started.append(psutil.Process(int(line)))
        job.stop()

    with pytest.raises(Stopped):
        asyncio.run(job.run([], say))
    _, running = psutil.wait_procs(started, timeout=30)  # a killed process ends when it next gets its turn
    assert not running or running[0].status() == "zombie"


def test_commands_are_fit_for_a_terminal():
    """Quoted where a shell would break them."""
    assert (
        command_text(["reconstruct", "a b.h5", "--method", "m k=1"]) == "veristem reconstruct 'a b.h5' --method 'm k=1'"
    )


def test_discs_are_options():
    """Half the pair's angle from the axis."""
    assert disc_options(0, 50, 12) == pytest.approx(
        {"pair_angle_deg": np.degrees(0.1), "radius_mrad": 12, "azimuth_deg": 90}
    )


def flat(points, view):
    """Along the beam."""
    return np.asarray(points)[..., :2]


def test_places_between_vertices_and_off_them():
    """The nearest point of a curve, not of its vertices; nothing beyond reach; points by their centres."""
    curves = CurveSet((np.array([[0.0, 0, 10], [100, 0, 30]]),))
    np.testing.assert_allclose(place(curves, flat, 0, (25, 3), 5).point_nm, [25, 0, 15])
    assert place(curves, flat, 0, (25, 8), 5).point_nm is None
    assert place(None, flat, 0, (25, 8), 5).point_nm is None
    np.testing.assert_allclose(place(PointSet([[1.0, 2, 3]]), flat, 0, (1, 2.5), 1).point_nm, [1, 2, 3])
    assert place(PointSet(np.zeros((0, 3))), flat, 0, (1, 2.5), 1).point_nm is None


def test_vectors_are_as_much_as_is_known():
    """In space where both ends are on the reconstruction, else in the image."""
    one, other = (Place(np.array([t, 0.0]), np.array([t, 0, 4 * t / 3])) for t in (0.0, 3.0))
    assert np.linalg.norm(vector_nm(one, other)) == 5
    assert vector_nm(one, Place(other.at_nm, None)).tolist() == [3, 0]


def test_angles_to_directions_of_the_crystal(acquisition: Acquisition):
    """g = 002 lies along y of the image, up to the small tilt off the zone: 0 to [0 0 1], 90 to [1 -1 0] along x."""
    assert angle_to_direction_deg(np.array([0, 1, 0]), acquisition, (0, 0, 1)) == pytest.approx(0, abs=1)
    assert angle_to_direction_deg(np.array([0, -2, 0]), acquisition, (0, 0, 3)) == pytest.approx(0, abs=1)
    assert angle_to_direction_deg(np.array([1, 0, 0]), acquisition, (0, 0, 1)) == pytest.approx(90, abs=1)
    for vector, uvw, told in (
        ([0, 0, 0], (0, 0, 1), "distance"),
        ([1, 0, 0], (0, 0, 0), "u v w"),
        ([1, 0, 0], (1,), "u v w"),
    ):
        with pytest.raises(InputError, match=told):
            angle_to_direction_deg(np.array(vector), acquisition, uvw)
    bare = Acquisition(acquisition.views, acquisition.directions_rad, 2.0, 100.0)
    with pytest.raises(InputError, match="not known"):
        angle_to_direction_deg(np.array([1, 0, 0]), bare, (0, 0, 1))


def test_lines_and_bars():
    """Two vertices make a path, one none; many are thinned and keep their ends; a bar has a round length."""
    assert paths([np.array([[0, 1], [2, 3.456]]), np.zeros((1, 2))]) == ["M0.00 1.00L2.00 3.46"]
    long = np.column_stack([np.arange(200_001.0), np.zeros(200_001)])
    (path,) = paths([long])
    assert path.count("L") < 60_000
    assert path.endswith("200000.00 0.00")
    assert scale_bar(256, 2.0) == {"px": 50.0, "text": "100 nm"}


def test_crystal_of_images_by_command(tmp_path, acquisition, cli):
    """What is said changes, all else stays, the focus too; the tilt axis and the pixel are not to be said."""
    formats.write(tmp_path / "a.h5", acquisition)
    assert cli("convert", tmp_path / "a.h5", tmp_path / "b.h5", "--material", "Al", "--g", 0, 0, 4).code == 0
    found = formats.read(tmp_path / "b.h5", Acquisition)
    assert (found.material, found.g.tolist()) == ("Al", [0, 0, 4])
    assert found.zone_axis.tolist() == [1, 1, 0]
    assert (found.thickness_nm, found.focus_nm, found.id) == (200, 100, acquisition.id)
    assert found.tilt_off_bragg_rad == pytest.approx(acquisition.tilt_off_bragg_rad)
    for option in ("--tilt-axis-deg", "--pixel-nm"):
        done = cli("convert", tmp_path / "a.h5", tmp_path / "c.h5", option, 1)
        assert done.code == 2
        assert "leave it out" in done.err
    assert not (tmp_path / "c.h5").exists()


def test_methods_by_kind():
    """Those that return it, our own first; their parameters are neither stages nor the volume."""
    from veristem.recon.methods import makes_volume, methods_of, parameters_of

    lines, points = methods_of("dislocations"), methods_of("particles")
    assert lines[0] == "stereo-learned"
    assert points[0] == "points-matched"
    assert "tomo-sirt" in lines
    assert not {"failing", "constant"} & {*lines, *points}
    names = [one.name for one in parameters_of("tomo-sirt")]
    assert "iterations" in names
    assert not {"volume", "contours", "alignment", "acquisition"} & set(names)
    assert makes_volume("tomo-sirt")
    assert not makes_volume("stereo-classical")


def test_a_file_that_is_not_there_is_told_before_anything_opens(cli, tmp_path):
    """`veristem app` with a bad path or port ends with a line."""
    done = cli("app", tmp_path / "no.h5")
    assert done.code == 2
    assert "no such file" in done.err


def test_help_teaches(cli):
    """What it opens, that nobody else reaches it, and how it ends."""
    text = " ".join(cli("app", "--help").out.split())
    for words in ("acquisition.h5", "4D scan", "Only this machine", "stop button", "Ctrl-C", "--no-browser"):
        assert words in text


def test_how_much_is_done_is_read_off():
    """From a line of progress, and from no other."""
    said: list[str] = []
    assert list(in_lines("abcd", 4, "rows or tilts", said.append, -1)) == list("abcd")
    assert [share_done(line) for line in said] == [25, 50, 75, 100]
    assert share_done("imaging 2 small foils in 15 set-ups; about 70 s") is None
    assert share_done("3 of 4 neighbours in the order of tilts") is None


def test_functions_run_apart():
    """What they return and raise comes back, and how far they are; what nobody expected is said to be a fault."""
    job, said = Job(Path()), []
    assert asyncio.run(job.call(counted, 3, say=said.append)) == [0, 1, 2]
    assert [share_done(line) for line in said] == [33, 67, 100]
    with pytest.raises(InputError, match=r"^no such file: x$"):
        asyncio.run(job.call(refused, "no such file: x"))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        asyncio.run(job.call(divmod, 1, 0))


def counted(number: int, progress) -> list[int]:
    """A function that tells how far it is."""
    return list(progress(range(number), number))


def refused(line: str) -> None:
    """A function that finds bad input."""
    raise InputError(line)


def test_functions_are_stopped_as_commands_are():
    """The process ends; what was to come after it does not begin until another task does."""
    job = Job(Path())

    async def stopped() -> None:
        task = asyncio.create_task(job.call(time.sleep, 600))
        while job.pid is None:
            await asyncio.sleep(0.01)
        process = psutil.Process(job.pid)
        job.stop()
        with pytest.raises(Stopped):
            await task
        assert not process.is_running() or process.status() == "zombie"
        with pytest.raises(Stopped):
            await job.call(divmod, 1, 1)
        with pytest.raises(Stopped):
            await job.run(["list", "recipes"], print)
        job.begin()
        assert await job.call(divmod, 7, 2) == (3, 1)

    asyncio.run(stopped())


def test_fields_are_options():
    """Numbers in whatever brackets; empty ones are left out; too few are one line."""
    fields = {
        "axis": Field("zone_axis", "Axis", 3),
        "dose": Field("dose_per_nm2", "Dose"),
        "no": Field("no", "No"),
    }
    given = typed(State(axis="[1, 1 0]", dose="1234567", no=" "), fields)
    assert as_words(given | {"material": "Al"}) == [
        "--zone-axis", "1", "1", "0", "--dose-per-nm2", "1234567", "--material", "Al",
    ]  # fmt: skip
    for text in ("1 1", "a b c", "1 1 0 0"):
        with pytest.raises(InputError, match=r"^Axis: .* found, 3 numbers allowed$"):
            typed(State(axis=text, dose="", no=""), fields)


def plan_state(**changed) -> State:
    """The planner's panel as it is opened, but for what is typed."""
    state = State(plan_recipe="cantor-stereo", plan_microscope="osiris", plan_method="stereo-learned", plan_setups=[])
    return State(state | dict.fromkeys(LIMITS, "") | foil_of("cantor-stereo") | changed)


def test_a_plan_is_asked_by_words():
    """Only what differs from the recipe is said, and its numbers are those of the recipe that the command reads."""
    usual = ["cantor-stereo", "--microscope", "osiris", "--method", "stereo-learned"]
    assert plan_words(plan_state()) == usual
    words = plan_words(plan_state(
        plan_material="Al", plan_g="1 -1 1", plan_density="1e14", plan_dose="2e4", plan_share="0.7",
        plan_setups=["discs", "tilts"],
    ))  # fmt: skip
    assert words[-8:] == ["--setup", "discs", "--setup", "tilts", "--dose-per-nm2", "20000", "--completeness", "0.7"]
    changed = load_recipe("cantor-stereo").with_values(values_of(words[6:-8:2]))
    specimen: Any = changed.specimen
    assert (specimen.material, tuple(specimen.g), specimen.network.density_per_m2) == ("Al", (1, -1, 1), 1e14)
    assert specimen.thickness_nm == 200


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"plan_recipe": "particles"}, "of particles"),
        ({"plan_recipe": "no-such"}, "no-such"),
        ({"plan_recipe": "/no/such.toml"}, "/no/such.toml"),
        ({"plan_microscope": " "}, "microscope: none found"),
        ({"plan_g": "0 2"}, "3 numbers"),
        ({"plan_time": "soon"}, "1 number allowed"),
    ],
)
def test_bad_questions_to_the_planner_are_one_line(changed, told):
    """InputError, which the window shows."""
    with pytest.raises(InputError, match=told) as caught:
        plan_words(plan_state(**changed))
    assert "\n" not in str(caught.value)


def test_faults_are_no_recipe(cases):
    """Each file of a fault, given to the planner as a recipe: a line."""
    for path in sorted((cases / "faults").rglob("*")):
        if path.is_file() and path.stat().st_size < 1e6:
            with pytest.raises(InputError) as caught:
                foil_of(str(path))
            assert "\n" not in str(caught.value)


def test_the_recommended_are_a_table():
    """As many as cannot be told from the best and have a recipe, in the numbers that people write."""
    option = {"setup": "discs", "current_nA": 0.02561, "dwell_us": 500.0, "dose_per_nm2": 19997.0, "time_s": 32.768,
              "recall": [0.881, 0.28, 0.99], "depth_nm": [3.94, 2.1, 7.2]}  # fmt: skip
    rows = rows_of({"chosen": 2, "options": [option] * 5}, 5)
    assert rows == [["discs", "0.0256", "500", "20000", "32.8", "0.88 (0.28–0.99)", "3.9 (2.1–7.2)"]] * 2
    assert len(rows_of({"chosen": 9, "options": [option] * 9}, 5)) == 5


def test_ways_of_points_through_views():
    """In the order of tilts; where a point was not seen its way is shorter, and it has none in its first view."""
    tilted: dict[str, Any] = {"tilts_rad": [0.1, -0.1, 0.0], "tilt_axis_rad": 0.0}
    shown = Acquisition(np.ones((3, 4, 4)), np.zeros((3, 2)), 2.0, 0.0, **tilted)
    assert order_of(shown) == [1, 2, 0]
    places = np.array([[[0.0, 0], [2, 0], [4, 2]], [[8, 8], [np.nan, np.nan], [8, 6]], [[1, 1], [1, 1], [np.nan] * 2]])
    points, ways = ways_px(places, 2, 2.0)
    assert points.tolist() == [[2, 1], [4, 3]]
    assert [way.tolist() for way in ways] == [[[0, 0], [1, 0], [2, 1]], [[4, 4], [4, 3]]]
    assert ways_px(places, 0, 2.0)[1] == []


def test_the_window_left_longest_gives_way(monkeypatch):
    """Neither one in use nor one that was left a moment ago, whose page may be loading anew."""
    ended: list[str] = []

    def child(name: str, left_s: float | None) -> front._Child:
        one = front._Child(cast("Any", None), left_s)
        monkeypatch.setattr(one, "end", lambda: ended.append(name))
        return one

    monkeypatch.setattr(front.time, "monotonic", lambda: 1000.0)
    windows = front._Front([])
    monkeypatch.setattr(windows, "keep", lambda _: None)
    windows.children = [child("used", None), child("left", 500.0), child("long", 100.0), child("now", 990.0)]
    assert windows.give_way()
    assert windows.give_way()
    assert ended == ["long", "left"]
    assert not windows.give_way()
    assert len(windows.children) == 2
