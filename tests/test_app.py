"""What the window of `veristem app` is made of, without a browser: jobs, opening, measuring, and what it tells."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from veristem.bench.app.drawing import paths, scale_bar
from veristem.bench.app.jobs import Job, Stopped, command_text
from veristem.bench.app.opening import Openers, listing, open_paths, save_uploads
from veristem.bench.files.virtual import disc_options
from veristem.datasets import Acquisition, CurveSet, InputError, PointSet, formats
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
