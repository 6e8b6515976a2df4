"""Figures, scenes and pages of particles, from made-up data that only veristem.datasets shapes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tables import frame
from veristem.datasets import Acquisition, CurveSet, InputError, ParticleDispersion, ParticleTruth, PointSet
from veristem.reports import ParticleScene, RadialCurves, Scene, charts, particles, studies, view, write_page
from veristem.reports.export import write_files
from veristem.reports.particle_figures import particle_figures, views
from veristem.reports.rows import split
from veristem.reports.words import label

SIZE = (300.0, 240.0, 150.0)
DIRECTIONS = 0.02 * np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
FALSE, MISSED = 3, 4
BARE = "plan-without-truth"


def make_scene(count=60, seed=0) -> ParticleScene:
    """Particles by chance, views of nothing but noise, and points with three false and four missed."""
    rng = np.random.default_rng(seed)
    spheres = ParticleDispersion(rng.uniform(0, 1, (count, 3)) * SIZE, np.full(count, 2.2), np.array(SIZE))
    counts = rng.poisson(400.0, (4, 120, 150))
    acquisition = Acquisition(counts, DIRECTIONS, 2.0, 75.0, SIZE[2], np.full(4, 500.0), kind="particles")
    truth = ParticleTruth(spheres, counts * 1.0, np.zeros(counts.shape, np.uint8), DIRECTIONS, 75.0, {})
    sigma = np.array([0.1, 0.1, 2.0])
    errors = rng.normal(0, 1, (count - MISSED, 3)) * sigma
    places = np.concatenate([spheres.centers_nm[MISSED:] + errors, rng.uniform(0, 1, (FALSE, 3)) * SIZE])
    nothing = np.full((FALSE, 3), np.nan)
    points = PointSet(places, np.broadcast_to(np.diag(sigma**2), (len(places), 3, 3)))
    r = np.arange(0.5, 20)
    g = 1 - np.exp(-r / 5)
    return ParticleScene(
        acquisition, points, truth, np.concatenate([errors, nothing]),
        np.concatenate([np.broadcast_to(0.9 * sigma, errors.shape), nothing]), np.arange(count) >= MISSED,
        {"f_score": 0.94, "depth_rmse_nm": 2.0, "lateral_rmse_nm": 0.1, "count_truth": 60.0, "calibration": None},
        "points-matched", "seed 0", RadialCurves(r, 1.0, g, g, g, np.stack([g - 0.2, g + 0.2]), {"truth": 7.5}),
    )  # fmt: skip


def without_truth(scene: ParticleScene) -> ParticleScene:
    """What a real specimen leaves known."""
    rows = [{"view": n, "rms_px": 0.5, "within_1px": 0.9, "explained": 0.8} for n in range(4)]
    bare = ParticleScene(scene.acquisition, scene.points, method="m", residuals=rows)
    assert scene.radial is not None
    return replace(bare, radial=replace(scene.radial, truth=None, blurred=None, first_peak_nm={"truth": None}))


def nothing_found(scene: ParticleScene) -> ParticleScene:
    """No point of many particles."""
    none = np.zeros((0, 3))
    missed = np.zeros(60, bool)
    return replace(scene, points=PointSet(none), errors_nm=none, limits_nm=none, found=missed, radial=None)


def nothing_there(scene: ParticleScene) -> ParticleScene:
    """A film without particles, in which all points are false."""
    assert scene.truth is not None
    empty = replace(scene.truth, particles=scene.truth.particles.where(np.zeros(60, bool)))
    nothing = np.full(scene.points.points_nm.shape, np.nan)
    return replace(scene, truth=empty, errors_nm=nothing, limits_nm=nothing, found=np.zeros(0, bool), scores={})


def written(folder, *scenes, table=None) -> str:
    """The page of scenes, whole."""
    write_page(folder / "page.html", title="a page", scenes=scenes, table=table, facts={})
    return (folder / "page.html").read_text(encoding="utf-8")


def own_part(html: str) -> str:
    """The page without the viewer and the scenes, which are data to it."""
    before, rest = html.split('<script type="application/json" id="scenes">')
    return before + rest.split("</script>", 1)[1]


def make_table():
    """Results of a study of particles: a higher concentration hurts, and the error stands over its limit."""

    rows = [
        {
            "study": "crowding", "cell": f"{method}-{dose}-{angle}-{seed}", "method": method, "seed": seed,
            "conditions": json.dumps({"specimen.dispersion.concentration_mg_per_ml": dose, "view": angle}),
            "f_score": f, "precision": f, "recall": f, "depth_rmse_nm": dose / 2, "lateral_rmse_nm": 0.1,
            "depth_limit_nm": dose / 3, "depth_rmse_nm_over_limit": 1.5, "count_truth": 60.0, "count_found": 55.0,
        }
        for method in ("joint", "pairs") for dose in (2.0, 10.0, 50.0) for angle in (1, 2) for seed in range(3)
        for f in [0.99 - dose / 300 - 0.05 * (method == "pairs")]
    ]  # fmt: skip
    return frame(rows)


@pytest.fixture(scope="module")
def scene():
    return make_scene()


@pytest.mark.parametrize(
    ("change", "drawn"),
    [
        (lambda scene: scene, {"views", "plan", BARE, "side", "errors", "calibration", "radial"}),
        (without_truth, {"views", "plan", "side", "radial"}),
        (nothing_found, {"views", "plan", BARE, "side"}),
        (nothing_there, {"views", "plan", BARE, "side", "radial"}),
        (lambda scene: replace(scene, points=PointSet(scene.points.points_nm), limits_nm=None, radial=None),
         {"views", "plan", BARE, "side", "errors"}),
    ],
)  # fmt: skip
def test_figures_show_what_is_known(scene, change, drawn):
    """What cannot be drawn is left out, axes have units, and letters are 7 points or more in print 17 cm wide."""
    from matplotlib.text import Text

    figures = particle_figures(change(scene))
    assert set(figures) == drawn
    for figure in figures.values():
        figure.draw_without_rendering()
        scale = 17 / 2.54 / max(figure.get_size_inches()[0], 17 / 2.54)
        sizes = [t.get_fontsize() for t in figure.findobj(Text) if isinstance(t, Text) and t.get_text()]
        assert min(sizes) * scale >= 7
        labels = [ax.get_xlabel() for ax in figure.axes if ax.get_xlabel()]
        assert all(re.search(r"\(nm\)| / ", text) for text in labels)


def test_views_have_one_scale_of_greys_and_a_window_of_single_particles(scene):
    """About twenty particles stand in the window, which lies on pixels within the field."""
    left, right, upper, lower = scene.window_nm
    assert 0 <= left < right <= SIZE[0]
    assert 0 <= upper < lower <= SIZE[1]
    assert right - left == lower - upper == 154
    shown = [image for ax in views(scene).axes[:5] for image in ax.images]
    assert len(shown) == 5
    assert len({image.get_clim() for image in shown}) == 1
    np.testing.assert_array_equal(shown[1].get_array(), scene.acquisition.views[0, 21:98, 36:113])


def test_found_missed_and_false_are_counted(scene):
    """Those beyond the field are neither missed nor false."""
    assert scene.is_false.sum() == FALSE
    assert scene.is_missed.sum() == MISSED
    moved = scene.truth.particles.centers_nm - [400.0, 0, 0]
    outside = replace(scene.truth, particles=replace(scene.truth.particles, centers_nm=moved))
    points = PointSet(scene.points.points_nm - [400.0, 0, 0])
    gone = replace(scene, truth=outside, points=points)
    assert gone.is_false.sum() == gone.is_missed.sum() == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"errors_nm": np.zeros((1, 3))}, "errors_nm"), ({"limits_nm": np.zeros(59)}, "limits_nm"),
        ({"found": np.ones(2, bool)}, "found"), ({"truth": None}, "found"),
    ],
)  # fmt: skip
def test_lengths_must_fit(scene, wrong, said):
    """What belongs to another reconstruction is refused."""
    with pytest.raises(InputError, match=said):
        replace(scene, **wrong)


def test_radial_curves_must_fit():
    """A curve of other bins or a peak of an unknown curve is refused."""
    with pytest.raises(InputError, match="truth: shape"):
        RadialCurves(np.arange(3.0), 1.0, truth=np.ones(4))
    with pytest.raises(InputError, match="'peak' found"):
        RadialCurves(np.arange(3.0), 1.0, first_peak_nm={"peak": 1.0})


@pytest.mark.slow
def test_page_of_both_specimens(scene, tmp_path, acquisition, truth):
    """Each has a title, its numbers, its figures and its scores; figures are numbered through; nothing is fetched."""
    lines = Scene(
        acquisition, CurveSet((np.array([[10.0, 20, 30], [30, 20, 90]]),)), truth, scores={"f_score_visible": 0.5}
    )
    html = written(tmp_path, ("", lines), ("", scene))
    assert len(html) < 10e6
    own = own_part(html)
    parts = ["Dislocation lines</h2>", 'id="truth"', 'id="reconstruction"', "Particles</h2>", 'id="truth-2"',
             'id="images-2"', 'id="reconstruction-2"', 'id="errors-2"', 'id="radial-2"', 'id="scores"']  # fmt: skip
    found = [own.index(part) for part in parts]
    assert found == sorted(found)
    ids = re.findall(r' id="([^"]*)"', own)
    assert len(ids) == len(set(ids))
    numbers = [int(n) for n in re.findall(r"Figure (\d+)\.", own)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "<b>56 of 60</b><span>true particles in the field were found" in own
    assert "<b>3 of 59</b><span>points found are false" in own
    assert not re.search(r"https?://", own)
    assert all(address.startswith(("data:", "#")) for address in re.findall(r'(?:src|href)="([^"]*)"', own))
    particles_part = own[own.index("Particles</h2>") : own.index('id="scores"')]
    assert "line" not in re.sub(r"horizontal lines|inclined|<[^>]*>", "", particles_part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "change", "said"),
    [
        ("", without_truth, "No truth is known"), ("The worst run", nothing_found, "The reconstruction holds no point"),
        ("", nothing_there, "The film holds no particle"),
    ],
)  # fmt: skip
def test_page_of_little(scene, tmp_path, heading, change, said):
    """It says what is not there, and shows no number that is none."""
    own = own_part(written(tmp_path, (heading, change(scene))))
    assert said in own
    assert not re.search(r"\bnan\b", re.sub(r"data:image[^\"]*", "", own))
    assert ('id="residuals-particles"' in own) == (change is without_truth)
    assert ('id="run-1"' in own) == bool(heading)


def test_page_of_a_study_of_particles(tmp_path):
    """Particles have no visible lines, and a limit under their depth error."""
    table = make_table()
    own = written(tmp_path, table=table)
    assert "over all particles" in own
    assert "lines" not in re.sub(r"data:image[^\"]*|<style>.*?</style>", "", own, flags=re.DOTALL)
    result = split(table)[0]
    assert "Choose method joint, concentration 2 mg/ml" in studies.best_sentence(result)
    figure = charts.score_curves(result, ("depth_rmse_nm",))
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["limit"] * 2
    chief, *others = charts.curve_charts(result)
    assert "Dotted with the errors: their limits" in chief.caption
    assert "20 nm of line" not in chief.caption
    assert "depth RMSE / limit" in [ax.get_ylabel() for ax in others[0].figure.axes]


def test_words_of_the_recipe_of_particles():
    """Keys of a film are called as people call them."""
    assert label("specimen.dispersion.concentration_mg_per_ml") == "concentration (mg/ml)"
    assert label("specimen.dispersion.generator") == "arrangement"
    assert label("specimen.wedge_deg") == "wedge angle (deg)"
    assert label("depth_rmse_nm_over_limit") == "depth RMSE / limit"


def test_files_of_the_figures(scene, tmp_path):
    """Every figure is written as a drawing under the name of its kind."""
    files = {path.name for path in write_files(tmp_path, ["svg"], [("", nothing_found(scene))], None)}
    assert files == {f"particles-{name}.svg" for name in ("views", "plan", BARE, "side")}


def test_a_scene_shows_the_middle_of_a_crowd(scene):
    """Of too many spheres the nearest to the middle of the field are shown, and wild points do not count."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 1, (5000, 3)) * SIZE
    shown = particles.central(places, SIZE, places[:, 0] < 200)
    away = np.abs(places[:, :2] / SIZE[:2] - 0.5).max(axis=1)
    assert shown.sum() == 2000
    assert away[shown].max() <= away[~shown & (places[:, 0] < 200)].min()
    wild = PointSet(np.concatenate([places[:50], [[1e5, 0, -1e6]]]))
    plotter = particles.reconstruction_plotter(ParticleScene(scene.acquisition, wild))
    assert np.abs(plotter.bounds).max() < 400
    plotter.close()


def test_view_of_points(scene, tmp_path):
    """Points are spheres, coloured by depth alone and in one colour with others."""
    view([scene.points], png=tmp_path / "a.png")
    view([scene.points, scene.truth], names=["found", "true"], html=tmp_path / "b.html")
    view([PointSet(np.zeros((0, 3)))], png=tmp_path / "c.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "b.html").read_text("utf-8").rsplit("insertAdjacentHTML", 1)[1]
    assert text.index("found") < text.index("true")
