"""The page of a report, its figures and its scenes, from made-up data that only veristem.datasets shapes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from browser import browsed
from tables import frame
from veristem.datasets import Acquisition, CurveSet, DislocationNetwork, InputError, LineTruth
from veristem.datasets.geometry import project
from veristem.reports import Scene, charts, figures, scenes, studies, view, words, write_page
from veristem.reports.rows import is_geometric, split

SECTIONS = ("numbers", "truth", "images", "reconstruction", "curves", "scores", "failures", "run")
FIELD, THICKNESS, PIXEL = 512.0, 200.0, 4.0
DIRECTIONS = np.radians([[4.0, 0.0], [-4.0, 0.0]])


def make_scene(seed=0, lines=6, noise_nm=(1.0, 4.0), pixel_nm=PIXEL) -> Scene:
    """Curved lines through a foil, their noisy images as dark Gaussian lines, and a noisy copy of the lines."""
    rng = np.random.default_rng(seed)
    s = np.linspace(0, 1, 40)
    truth_curves, networks = [], []
    for i in range(lines):
        start, end = rng.uniform([20, 20], [FIELD - 20, FIELD - 20], (2, 2))
        bend = rng.uniform(-60, 60, 2)
        xy = start + s[:, None] * (end - start) + np.sin(np.pi * s)[:, None] * bend
        truth_curves.append(np.column_stack([np.clip(xy, 0, FIELD), THICKNESS * (s if i % 2 else s[::-1])]))
        networks.append(DislocationNetwork.from_polyline(truth_curves[-1], [0.18, 0.18, 0.0]))
    network = DislocationNetwork.union(networks)
    visible = np.repeat(np.arange(lines) != lines - 1, 39)

    count = int(FIELD / pixel_nm)
    y, x = (np.mgrid[:count, :count] + 0.5) * pixel_nm
    grid = np.column_stack([x.ravel(), y.ravel()])
    expected = np.full((2, count, count), 400.0, np.float32)
    for number, direction in enumerate(DIRECTIONS):
        for curve in truth_curves[: lines - 1]:
            at = project(curve, direction, THICKNESS / 2)
            fine = np.stack([np.interp(np.linspace(0, 1, 300), s, at[:, k]) for k in (0, 1)], axis=1)
            for p in fine[::6]:
                near = np.exp(-((grid - p) ** 2).sum(1) / (2 * 6.0**2)).reshape(count, count)
                expected[number] = np.minimum(expected[number], 400 * (1 - 0.5 * near))
    acquisition = Acquisition(
        rng.poisson(expected), DIRECTIONS, pixel_nm, THICKNESS / 2, THICKNESS, np.array([1200.0, 1200.0]), 200.0, 0.091,
        "CoCrFeMnNi", np.array([1, 1, 0]), np.array([0, 0, 2]), np.radians(90.0),
    )  # fmt: skip
    curves, errors = [], []
    for curve in truth_curves[: lines - 1]:
        off = np.cumsum(rng.normal(0, noise_nm[1] / 3, len(curve)))
        curves.append(curve + np.column_stack([rng.normal(0, noise_nm[0], (len(curve), 2)), off]))
        errors.append(np.linalg.norm(curves[-1][:, None] - curve[None], axis=2).min(axis=1))
    truth = LineTruth(
        network, visible * 1.0, visible * 0.0, visible, expected, np.zeros(expected.shape, np.uint8), DIRECTIONS,
        (FIELD, FIELD), THICKNESS, THICKNESS / 2, {"seed": seed},
    )  # fmt: skip
    scores = {"f_score_visible": 0.93, "depth_rmse_nm_visible": 4.1, "recall": 0.77, "apls": None, "tolerance_nm": 10.0}
    return Scene(acquisition, CurveSet(tuple(curves)), truth, tuple(errors), scores, "stereo-classical")


def make_table(angles=(2, 4, 6, 8), radii=(5, 15), dwells=(10, 40, 160, 640), seeds=4, failed=2):
    """A results table in which a wide stereo angle and a high dose help."""

    rng = np.random.default_rng(1)
    rows = []
    for angle in angles:
        for radius in radii:
            for dwell in dwells:
                for seed in range(seeds):
                    blur = 16 / angle + 10 / np.sqrt(dwell) + 0.1 * radius
                    quality = np.clip(1 - 0.04 * blur - 0.4 / np.sqrt(dwell) + rng.normal(0, 0.02), 0, 1)
                    conditions = {
                        "microscope.detector.pair_angle_deg": angle,
                        "microscope.detector.radius_mrad": radius,
                        "scan.dwell_us": dwell,
                    }
                    rows.append(
                        {
                            "study": "stereo",
                            "cell": f"{len(rows):04x}",
                            "recipe": "fake",
                            "method": "stereo-classical",
                            "conditions": json.dumps(conditions),
                            "error": None,
                            "seed": seed,
                            "tolerance_nm": 10.0,
                            "f_score_visible": quality,
                            "recall_visible": quality - 0.05,
                            "depth_rmse_nm_visible": blur * rng.lognormal(0, 0.1),
                        }
                    )
    for row in rows[:failed]:
        row.update(error="InputError: no lines found in view 0", f_score_visible=None, recall_visible=None)
        row["depth_rmse_nm_visible"] = None
    return frame(rows)


@pytest.fixture(scope="module")
def scene():
    return make_scene()


@pytest.fixture(scope="module")
def page(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(
        path, title="Lines <in> a foil", scenes=[("", scene), ("The best run", scene)], table=make_table(),
        sentences=["A first finding."],
        facts={"Versions": {"veristem": "0.1.0"}, "Recipe": {"cantor": "[recipe]\nname = 'fake'\n"}},
        command="veristem demo",
    )  # fmt: skip
    return path


def own_part(html: str) -> str:
    """The page without the viewer and the scenes, which are data to it."""
    before, rest = html.split('<script type="application/json" id="scenes">')
    return before + rest.split("</script>", 1)[1]


def written(folder, scene, table=None) -> str:
    """The own part of the plainest page of a scene."""
    write_page(folder / "page.html", title="a page", scenes=[("", scene)], table=table, facts={})
    return own_part((folder / "page.html").read_text(encoding="utf-8"))


def test_page_fetches_nothing(page):
    html = page.read_text(encoding="utf-8")
    assert len(html) < 10e6
    own = own_part(html)
    assert "http://" not in own
    assert "https://" not in own
    for address in re.findall(r'(?:src|href)="([^"]*)"', own) + re.findall(r"url\(([^)]*)\)", own):
        assert address.startswith(("data:", "#")), address[:80]
    assert "default-src 'none'" in own  # and the browser is told to refuse it
    assert "kitware.github.io/vtk-js/icon" not in html
    assert not page.with_name("page.html.partial").exists()


def test_page_has_every_section(page):
    own = own_part(page.read_text(encoding="utf-8"))
    found = [own.index(f'id="{name}"') for name in SECTIONS]
    assert found == sorted(found)
    assert "Lines &lt;in&gt; a foil" in own
    assert "A first finding." in own
    assert "Choose stereo angle 8°" in own
    assert "Failed runs: 2 of 128" in own
    assert "<details><summary>cantor</summary>" in own
    assert "–</td>" in own  # a score that does not exist


def test_scenes_share_one_viewer(page):
    text = page.read_text(encoding="utf-8").split('id="scenes">')[1].split("</script>")[0]
    data = json.loads(text)
    assert set(data["scenes"]) == {"scene0-truth", "scene0-reconstruction", "scene1-reconstruction"}
    assert data["viewer"].count("</body>") == 1


def test_page_of_a_single_view_without_truth(scene, tmp_path):
    views = Acquisition(scene.acquisition.views[:1], DIRECTIONS[:1], PIXEL, 0.0)
    own = written(tmp_path, Scene(views, scene.curves))
    assert 'id="truth"' not in own
    assert 'id="scores"' not in own
    assert "Anaglyph" not in own
    assert "No truth is known" in own


def test_page_of_nothing_found_in_an_empty_foil(scene, tmp_path):
    empty, none = DislocationNetwork(np.zeros((0, 3)), np.zeros((0, 2), int), np.zeros((0, 3))), np.zeros(0)
    truth = replace(scene.truth, network=empty, visible=none > 0, g_dot_b=none, g_dot_bu=none)
    own = written(tmp_path, replace(scene, truth=truth, curves=CurveSet(()), errors_nm=()), make_table().iloc[5:6])
    assert "The foil holds no line" in own
    assert "The reconstruction holds no curve" in own
    assert "there is no curve to draw" in own  # one run is no study


def test_page_of_a_wild_vertex(scene, tmp_path):
    wild = CurveSet((np.array([[0, 0, -3000.0], [10, 10, 5000.0]]),))
    failed = make_table().iloc[:2]
    own = written(tmp_path, replace(scene, curves=wild, errors_nm=(np.array([np.inf, np.nan]),)), failed)
    assert "Failed runs: 2 of 2" in own
    assert not re.search(r"\bnan\b", re.sub(r"data:image[^\"]*", "", own))


def test_errors_must_match_the_curves(scene):
    with pytest.raises(InputError, match="errors_nm"):
        replace(scene, errors_nm=scene.errors_nm[1:])


def test_figures_have_labelled_axes(scene):
    shown = [figures.stereo_pair(scene.acquisition), figures.overlay_plan(scene), figures.overlay_depth(scene)]
    for figure in [*shown, figures.anaglyph(scene.acquisition)]:
        assert all(ax.get_xlabel().endswith("(nm)") and ax.get_ylabel().endswith("(nm)") for ax in figure.axes)
    pair_axes = shown[0].axes[0]
    assert pair_axes.get_ylim()[0] > pair_axes.get_ylim()[1]  # y runs down
    curves = charts.score_curves(split(make_table())[0])
    bottom = [ax.get_xlabel() for ax in curves.axes if ax.get_xlabel()]
    assert bottom == ["stereo angle (deg)", "detector radius (mrad)", "dwell time (µs)"]
    assert [ax.get_xscale() for ax in curves.axes[-3:]] == ["linear", "linear", "log"]


@pytest.mark.parametrize(("limit", "marked"), [(3.0, True), (30.0, False), (None, False)])
def test_the_limit_is_a_line_in_the_scale_of_errors(scene, limit, marked):
    """Where it lies within the tolerance, at its value."""
    figure = figures.overlay_depth(replace(scene, limit_nm=limit))
    (bar,) = figure.axes[0].child_axes
    assert bar.get_ylabel() == ("error (nm); line: limit" if marked else "error (nm)")
    assert [line.get_ydata()[0] for line in bar.lines] == ([limit] if marked else [])
    plotter = scenes.reconstruction_plotter(replace(scene, limit_nm=limit))
    mappers = [getattr(actor, "mapper", None) for actor in plotter.actors.values()]
    notes = [dict(mapper.lookup_table.annotations) for mapper in mappers if mapper is not None]
    assert [note for note in notes if note] == ([{limit: "limit"}] if marked else [])


def test_left_eye_is_the_view_whose_rays_come_from_the_left(scene):
    assert figures.pair(scene.acquisition) == (0, 1)
    assert figures.pair(replace(scene.acquisition, directions_rad=DIRECTIONS[::-1])) == (1, 0)


def test_anaglyph_of_a_vertical_pair_has_horizontal_parallax():
    """A point at two heights along y in the views lies at two places along x of the anaglyph, on one row."""
    views = np.full((2, 64, 64), 100.0)
    views[0, 36:44, 20:28], views[1, 26:34, 20:28] = 0, 0
    pair = Acquisition(views, np.radians([[0.0, 4.0], [0.0, -4.0]]), 1.0, 0.0)
    image = figures.anaglyph(pair).axes[0].images[0].get_array()
    red, cyan = (np.argwhere(np.asarray(image)[..., k] < 0.5).mean(axis=0) for k in (0, 1))
    assert red[0] == pytest.approx(cyan[0], abs=0.6)
    assert red[1] - cyan[1] == pytest.approx(10, abs=0.6)  # along +x as it was along +y


def test_best_condition_needs_enough_lines_found():
    def row(angle, seed, f, depth, error=None):
        conditions = json.dumps({"microscope.detector.pair_angle_deg": angle})
        return {"study": "s", "method": "m", "conditions": conditions, "seed": seed, "error": error,
                "f_score_visible": f, "depth_rmse_nm_visible": depth}  # fmt: skip

    rows = [row(2, s, 0.9, 8.0 + s) for s in range(2)] + [row(4, s, 0.9, 4.0 + s) for s in range(2)]
    rows += [row(8, 0, 0.95, 1.0), row(8, 1, None, None, "ValueError: nothing")]  # survived once: F is 0.475
    study = split(frame(rows))[0]
    text = studies.best_sentence(study)
    assert "Choose stereo angle 4°" in text
    assert "2 of 3 conditions" in text
    assert "4.5 nm" in text
    low = split(frame([{**one, "f_score_visible": 0.3} for one in rows]))[0]
    assert "None of 3 conditions reaches F = 0.8" in studies.best_sentence(low)


@pytest.mark.parametrize(
    ("values", "geometric"),
    [([2, 4, 6, 8], False), ([1, 4, 16], True), ([1, 3, 10, 30, 100], True), ([5, 15], False), ([0, 10, 100], False)],
)
def test_geometric_values_get_a_log_axis(values, geometric):
    assert is_geometric(values) == geometric


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("known", [(), (1,), (10,), (100,), (1, 100)])
@pytest.mark.parametrize("dwells", [(1, 10, 100), (10, 50, 100)])
def test_conditions_without_a_score_keep_their_place(dwells, known):
    """An axis whose one condition has a score shrank to that, and on a logarithmic scale to nothing, with a warning."""
    rows = [
        {"study": "s", "method": "m", "seed": seed, "conditions": json.dumps({"scan.dwell_us": dwell}),
         "f_score": 0.5 if dwell in known else None}
        for seed in range(2) for dwell in dwells
    ]  # fmt: skip
    figure = charts.score_curves(split(frame(rows))[0], ("f_score",))
    figure.canvas.draw()
    low, high = figure.axes[0].get_xlim()
    assert low < min(dwells) < max(dwells) < high


def test_unknown_paths_still_get_a_label():
    assert words.label("specimen.some_length_nm") == "some length (nm)"
    assert words.label("specimen.kind") == "kind"


def test_view_writes_picture_and_page(scene, tmp_path):
    view([scene.truth, scene.curves, scene.acquisition], png=tmp_path / "a.png", html=tmp_path / "a.html")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "kitware.github.io/vtk-js/icon" not in (tmp_path / "a.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="int found"):
        view([3], png=tmp_path / "b.png")


def test_scene_has_the_handedness_of_the_image(scene):
    """Seen along the beam, x runs to the right and y down."""
    plotter = scenes.truth_plotter(scene)
    scenes.aim(plotter, "beam")
    forward = np.subtract(plotter.camera.focal_point, plotter.camera.position)
    right = np.cross(forward, plotter.camera.up)
    plotter.close()
    assert right[0] > 0
    assert plotter.camera.up[1] < 0
    assert forward[2] > 0


_PRESS = """<script>
const first = document.querySelector(".stage"), box = document.querySelector(".overlay > input");
const seen = kind => getComputedStyle(document.querySelector(".layers ." + kind)).visibility;
const ticks = () => [...first.querySelector("iframe").contentDocument.querySelectorAll("html > div > div")].map(
  part => part.textContent + part.style.left).join();
const say = (name, value) => { document.body.dataset[name] = value; };
const timer = setInterval(() => {
  if (first.dataset.scene !== "loaded") return;
  clearInterval(timer);
  const before = ticks();
  say("ticks", before.includes("x (nm)"));
  const press = key => first.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
  say("prevented", !press("ArrowRight"));
  say("turned", ticks() !== before);
  press("Home");
  say("home", ticks() === before);
  say("other", press("Tab"));
  say("shown", seen("with") + seen("without"));
  box.click();
  say("hidden", seen("with") + seen("without"));
}, 50);
</script>"""


def test_scenes_load_and_keys_turn_them_in_a_browser_without_complaint(page):
    """The truth in the flat picture goes when its box is cleared."""
    html = page.read_text(encoding="utf-8")
    dom, said = browsed(page, html.replace("</body>\n</html>", _PRESS + "</body>\n</html>"))
    console = [line for line in said.splitlines() if "CONSOLE" in line]
    # the viewer says "hashes,scene", and a software renderer that reading pixels is slow
    bad = [line for line in console if "INFO:CONSOLE" not in line or re.search(r"Error|violates|Failed|refused", line)]
    assert not bad
    assert re.findall(r'class="stage[^"]*" data-scene="(\w+)"', dom) == ["loaded"] * 3
    told = dict(re.findall(r'data-(\w+)="(\w+)"', re.findall(r"<body[^>]*>", dom)[0]))
    assert told == {
        "ticks": "true", "prevented": "true", "turned": "true", "home": "true", "other": "true",
        "shown": "visiblehidden", "hidden": "hiddenvisible",
    }  # fmt: skip


def test_the_page_takes_any_reconstruction(tmp_path):
    """README writes run/mine.vtp; the page said F = 0.00. Several are asked about; none is said."""
    from veristem.bench.files.simulation import save_simulation
    from veristem.bench.pages.folder import result_path
    from veristem.datasets import formats
    from veristem.datasets.kinds import KINDS
    from veristem.datasets.recipe import load_recipe
    from veristem.sim.simulate import simulate_recipe

    values = {"scan.shape": [16, 16], "specimen.field_nm": [64.0, 64.0]}
    truth, acquisition, _ = simulate_recipe(load_recipe("cantor-small").with_values(values))
    save_simulation(tmp_path, truth, acquisition)
    kind = KINDS["dislocations"]
    assert result_path(tmp_path, kind) is None
    mine = CurveSet((np.array([[1.0, 2.0, 3.0], [40.0, 50.0, 60.0]]),))
    (tmp_path / "other.vtp").write_text("no file of lines", encoding="utf-8")
    formats.write(tmp_path / "mine.vtp", mine)
    assert result_path(tmp_path, kind) == tmp_path / "mine.vtp"
    formats.write(tmp_path / "yours.vtp", mine)
    with pytest.raises(InputError, match=r"mine\.vtp, yours\.vtp found, one reconstruction allowed"):
        result_path(tmp_path, kind)
    formats.write(tmp_path / "reconstruction.vtp", mine)
    assert result_path(tmp_path, kind) == tmp_path / "reconstruction.vtp"
