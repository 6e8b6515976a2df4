"""Nothing on a page is false, whatever it is made of: words, captions and structure on strange and empty data."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import test_reports_particles as film
from test_reports_page import make_scene, own_part
from test_reports_study_page import failing, make_table
from veristem.bench.pages import lines, particles
from veristem.datasets import Acquisition, CurveSet, DislocationNetwork, PointSet
from veristem.reports import Scene, hero, line_page, particle_page, write_page
from veristem.reports.figures import overlay_depth, overlay_plan
from veristem.reports.particle_figures import plan
from veristem.reports.rows import split


def views_of(acquisition: Acquisition, number: int) -> Acquisition:
    """The first views, or the first one several times from spread directions."""
    given = acquisition.views
    turned = np.radians(np.linspace(4, -4, number))[:, None] * [1.0, 0.0]
    views = given[:number] if number <= len(given) else np.repeat(given[:1], number, axis=0)
    return Acquisition(views, turned, acquisition.pixel_nm, 0.0)  # nothing else is known


def without_lines(scene: Scene) -> Scene:
    none = np.zeros(0)
    empty = DislocationNetwork(np.zeros((0, 3)), np.zeros((0, 2), int), np.zeros((0, 3)))
    return replace(scene, truth=replace(scene.truth, network=empty, visible=none > 0, g_dot_b=none, g_dot_bu=none))


def unseen(scene: Scene) -> Scene:
    """No line visible: what F is of nothing says nothing."""
    dark = replace(scene.truth, visible=np.zeros(len(scene.truth.visible), bool))
    return replace(scene, truth=dark, scores={"f_score_visible": 1.0, "f_score": 0.0, "tolerance_nm": 10.0})


NOTHING = CurveSet(())
LINES = {
    "plain": lambda s: s,
    "no truth": lambda s: Scene(s.acquisition, s.curves, method="m"),
    "a bare pair": lambda s: Scene(views_of(s.acquisition, 2), s.curves),
    "one view": lambda s: Scene(views_of(s.acquisition, 1), s.curves),
    "five views": lambda s: Scene(views_of(s.acquisition, 5), s.curves),
    "no reconstruction": lambda s: replace(s, curves=NOTHING, errors_nm=()),
    "nothing at all": lambda s: Scene(views_of(s.acquisition, 2), NOTHING),
    "no line": without_lines,
    "no line, nothing found": lambda s: replace(without_lines(s), curves=NOTHING, errors_nm=()),
    "no line visible": unseen,
    "errors unknown": lambda s: replace(
        s, errors_nm=tuple(np.full(len(c), np.nan) for c in s.curves.curves_nm), scores={"f_score": float("nan")}
    ),
    "above the foil": lambda s: Scene(
        views_of(s.acquisition, 2), CurveSet(tuple(c - [0, 0, 150] for c in s.curves.curves_nm))
    ),
    "all visible": lambda s: replace(s, truth=replace(s.truth, visible=np.ones(len(s.truth.visible), bool))),
}
FILMS = {
    "plain": lambda s: s,
    "no truth": film.without_truth,
    "one view": lambda s: replace(
        film.without_truth(s),
        acquisition=replace(views_of(s.acquisition, 1), kind="particles"),
        residuals=[],
        radial=None,
    ),
    "five views": lambda s: replace(
        film.without_truth(s), acquisition=replace(views_of(s.acquisition, 5), kind="particles"), radial=None
    ),
    "nothing found": film.nothing_found,
    "nothing there": film.nothing_there,
    "nothing at all": lambda s: replace(film.without_truth(s), points=PointSet(np.zeros((0, 3))), residuals=[]),
    "no limits": lambda s: replace(s, limits_nm=np.full(s.points.points_nm.shape, np.nan)),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Figures are made, but not turned into pixels: it is the words that count here."""
    from veristem.reports import page

    dot = page.png(np.zeros((2, 2, 3), np.uint8))
    names = ("reconstruction", "reconstruction_edge", "truth", "truth_beam")
    monkeypatch.setattr(page, "drawn", lambda *_: dot)
    monkeypatch.setattr(page, "scene_renders", lambda *_, **__: (dict.fromkeys(names, dot), {"truth": {}}))


@pytest.fixture(scope="module")
def base():
    return make_scene(pixel_nm=8.0)


@pytest.fixture(scope="module")
def particle_base():
    return film.make_scene()


def checked(folder, scenes=(), table=None, sentences=("A finding.",)) -> str:
    """The page's own text, its structure checked."""
    path = folder / "page.html"
    write_page(path, title="A title", scenes=scenes, table=table, sentences=sentences, facts={"Versions": {"a": "1"}})
    own = path.read_text(encoding="utf-8")
    own = own_part(own) if 'id="scenes"' in own else own
    body = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", own, flags=re.DOTALL)
    levels = [int(level) for level in re.findall(r"<h([1-6])", body)]
    assert levels[0] == 1
    assert all(1 < level <= before + 1 for before, level in pairwise(levels))
    assert all("scope=" in th for th in re.findall(r"<th\b[^>]*>", body))
    assert all('tabindex="0"' in box and "aria-label" in box for box in re.findall(r'<div class="table[^>]*>', body))
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', body)
    assert all(len(alt) > 20 for alt in alts)
    assert len(set(alts)) == len(alts)
    ids = re.findall(r'\bid="([^"]*)"', body)
    assert len(ids) == len(set(ids))
    anchors = re.findall(r'href="#([^"]*)"', body)
    assert set(anchors) <= set(ids)
    assert anchors
    text = re.sub(r"<[^>]*>", " ", body)
    assert not re.search(r"\b(nan|inf|None|True|False)\b", text)
    numbers = [int(n) for n in re.findall(r"Figure (\d+)\.", text)]
    assert numbers == list(range(1, len(numbers) + 1))
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", LINES)
def test_pages_of_lines_say_nothing_false(base, tmp_path, name):
    scene = LINES[name](base)
    text = checked(tmp_path, [("", scene)])
    knows = scene.truth is not None
    assert ("faces of the foil" in text.replace("where the faces of the foil lie", "")) == scene.knows_thickness
    assert ("the thickness of the foil is not known" in text) == (not scene.knows_thickness)
    assert ("invisible with this g" in text) == (knows and not scene.truth.visible.all())
    assert ("left image" in text) == (len(scene.acquisition.views) == 2)
    assert ("stereo pair" in text) == (len(scene.acquisition.views) == 2)
    assert ("Anaglyph" in text) == (len(scene.acquisition.views) > 1)
    assert ("show the true lines" in text) == knows
    assert ("the true lines in white" in text) == (knows and len(scene.truth.network.segments) > 0)
    assert ("coloured by" in text) == bool(scene.curves.curves_nm)
    assert ("1 is perfect" in text) == (name in ("plain", "no reconstruction", "all visible"))
    assert ("where they were found" in text) is False


@pytest.mark.parametrize("name", FILMS)
def test_pages_of_particles_say_nothing_false(particle_base, tmp_path, name):
    scene = FILMS[name](particle_base)
    text = checked(tmp_path, [("", scene)])
    assert ("faces of the film" in text.replace("where the faces of the film lie", "")) == (scene.knows_thickness)
    peaks = scene.radial is not None and any(scene.radial.first_peak_nm.values())
    assert ("triangles" in text) == peaks
    assert ("Black cubes" in text) == bool(scene.is_false.any())
    assert ("Black frames" in text) == bool(scene.is_missed.any())
    assert ("crosses" in text) == bool(scene.is_false.any())
    assert ("in units of its limit" in text) == (name == "plain")
    assert ("bars are the standard deviation" in text) == bool(np.isfinite(scene.points.sigma_nm[:, 2]).any())
    assert ("1 is perfect" in text) == (name in ("plain", "nothing found", "no limits"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("plain", "From two views 8.0° apart, the visible lines are recovered with F = 0.93 at a tolerance of 10 nm, "
         "with a depth error of 4.1 nm rms where they were found."),
        ("no reconstruction", "From two views 8.0° apart, nothing was reconstructed, though lines are visible."),
        ("no line", "There is no line in this field; 5 curves reconstructed all the same."),
        ("no line, nothing found", "There is no line in this field."),
        ("no line visible",
         "No line is visible in this field with this reflection; 5 curves reconstructed all the same."),
        ("errors unknown", "From two views 8.0° apart, 5 curves reconstructed; F of the visible lines is not known."),
    ],
)  # fmt: skip
def test_headline_of_lines(base, change, said):
    """F of nothing is 1: that nothing is visible is what has to be said."""
    assert lines.headline(LINES[change](base)) == said


def test_headline_of_other_numbers_of_views(base):
    for number, words in ((1, "From one view,"), (3, "From 3 views up to 8.0° apart,")):
        scene = replace(base, acquisition=views_of(base.acquisition, number))
        assert lines.headline(scene).startswith(words)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("plain", "From 4 views, 56 of 60 particles were found, with 3 false points: F = 0.940, with a depth error of "
         "2.00 nm rms."),
        ("nothing found", "From 4 views, none of 60 particles was found."),
        ("nothing there", "There is no particle in this field; 59 points found in it are false."),
    ],
)  # fmt: skip
def test_headline_of_particles(particle_base, change, said):
    """Found are particles, not points: 59 points were told as 59 of 60 found."""
    assert particles.headline(FILMS[change](particle_base)) == said


def test_shares_are_never_rounded_up(base, particle_base):
    """99.7 % within three pixels is not "at least 100 %"."""
    rows = [{"view": 0, "rms_px": 1.0, "median_px": 1.0, "within_3px": 0.997, "explained": 0.495}]
    text = lines.residual_sentence(replace(base, truth=None, residuals=rows))
    assert "at least 99 %" in text
    assert "at least 49 %" in text
    rows = [{"view": 0, "rms_px": 1.0, "within_1px": 0.999, "explained": 1.0}]
    text = particles.residual_sentence(replace(film.without_truth(particle_base), residuals=rows))
    assert "at least 99 %" in text
    assert "at least 100 %" in text
    assert "nothing was reconstructed" in lines.residual_sentence(LINES["nothing at all"](base))
    assert "no particle was found" in particles.residual_sentence(FILMS["nothing at all"](particle_base))


def test_numbers_can_be_understood_alone(base, particle_base):
    length = 1e-3 * base.truth.network.lengths_nm
    seen = f"{length[base.truth.visible].sum():.2g} of {length.sum():.2g} µm"
    assert (seen, "of true lines show with this reflection") in line_page.numbers(base)
    told = dict(map(reversed, particle_page.numbers(particle_base)))
    assert told["true particles in the field were found"] == "56 of 60"
    assert told["points found are false: no particle belongs to them"] == "3 of 59"
    assert ("0", "lines in the foil") in line_page.numbers(LINES["no line"](base))


def test_the_truth_alone_differs_between_the_two_pictures(base, particle_base):
    """Both have the same frame, so that the box shows and hides the truth in place."""
    for draw, scene in ((overlay_plan, base), (plan, particle_base)):
        pair = [draw(scene, with_truth=truth) for truth in (True, False)]
        places = []
        for figure in pair:
            figure.draw_without_rendering()
            places.append([ax.get_position().bounds for ax in figure.axes])
        np.testing.assert_allclose(places[0], places[1], atol=1e-3)
        collections = [
            len(f.axes[0].collections) + sum(len(line.get_xdata()) for line in f.axes[0].lines) for f in pair
        ]
        assert collections[0] > collections[1]


def test_no_face_is_drawn_that_is_not_known(base):
    """Two faces of a foil; none of a pair of images that tells no thickness."""
    assert len(overlay_depth(base).axes[0].lines) == 2
    assert len(overlay_depth(LINES["a bare pair"](base)).axes[0].lines) == 0


STUDIES = {
    "plain": (make_table(), "Choose ", True, True),
    "one cell": (make_table(("good",), (8,), (10,), 1),
                 "1 run, 1 condition, 1 seed: F of good over all lines is ", True, False),
    "seeds alone": (make_table(("good",), (8,), (10,), 4), "4 runs, 1 condition, 4 seeds: mean F of good", True, False),
    "all failed": (failing(make_table()), "All 36 runs failed: nothing was found, which counts", False, False),
    "one failed": (failing(make_table(("good",), (8,), (10,), 1)), "The only run failed: nothing was found,",
                   False, False),
    "none simulated": (failing(make_table()).assign(failure="simulation"), "All 36 runs failed: there is no score.",
                       False, False),
    "all with truth": (make_table(("good contours=truth",)), "All 18 runs had a stage of the truth",
                       False, False),
}  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_pages_of_studies_say_nothing_false(tmp_path, name):
    """One number with its interval where there is one, a picture where something is to be seen."""
    table, opening, has_number, has_picture = STUDIES[name]
    (result,) = split(table)
    text = checked(tmp_path, table=table, sentences=())
    assert hero.opening([result])[0].startswith(opening)
    assert opening in text
    number = hero.chief_number(result)
    assert (number is not None) == has_number
    if number is not None:
        assert bool(number[1]) == (result.rows["seed"].nunique() > 1)
        assert ("95 % interval over seeds" in text) == bool(number[1])
    assert (hero.chief_chart(result) is not None) == has_picture
    assert ("of one seed" in text.lower()) == (result.rows["seed"].nunique() == 1)
    assert ("with 95 % intervals" in text) == (result.rows["seed"].nunique() > 1)


def test_a_study_of_two_tables_has_no_single_number(tmp_path):
    import pandas as pd

    two = pd.concat([make_table(), make_table().assign(study="other")], ignore_index=True)
    two.attrs = make_table().attrs
    text = checked(tmp_path, table=two, sentences=())
    assert "Study wide: Choose" in text
    assert "95 % interval over seeds)" not in text


def test_each_specimen_has_its_sentence_and_the_rest_follows(base, particle_base, tmp_path):
    """Above the picture; a study's findings below."""
    said = ("Of lines.", "Of particles.", "Of neither.")
    text = checked(tmp_path, [("", base), ("", particle_base)], sentences=said)
    first, second, other, picture = (text.index(words) for words in (*said, "Figure 1."))
    assert first < second < picture < text.index("What else was found") < other
