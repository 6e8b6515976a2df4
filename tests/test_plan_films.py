"""The planner of films: what a small film shows, and answers that speak of particles."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import veristem as vs
from veristem.bench.pages import plan as pages
from veristem.bench.plan import answer, films, model, signals
from veristem.bench.plan.question import Wish
from veristem.bench.plan.setups import setups_of
from veristem.datasets import InputError
from veristem.datasets.instruments import load_instrument
from veristem.datasets.recipe import load_recipe
from veristem.sim.simulate import simulate_recipe

FILM = load_recipe("particles")
THEMIS = load_instrument("themis-4d")
SEGMENTS = setups_of(THEMIS, 200.0, ["segments"])[0]
SIGNAL = signals.Signal(0.12, 0.2, 150.0, 2.1, 0.19, 0.0, 0.8, 1.0, signals._png(np.full((60, 60), 128, np.uint8)))


@pytest.fixture
def told(monkeypatch):
    """The same signal everywhere but for the angle, so that nothing is imaged."""

    def of(recipe, setups, say=None, workers=2, progress=None):
        return [
            replace(SIGNAL, angle_deg=(s.place or (2.1, 0))[0], limit_nm=300 / (s.place or (2.1, 0))[0]) for s in setups
        ]

    monkeypatch.setattr(answer, "signals_of", of)


def test_what_is_covered_is_the_area_of_what_is_made():
    """Of a simulated film, in projection; and neighbours are no nearer than said."""
    recipe = load_recipe("particles-small")
    particles = simulate_recipe(recipe)[0].particles
    width, height, _ = particles.box_nm
    x, y, _ = particles.centers_nm.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    area = np.pi * (particles.radii_nm[inside] ** 2).sum() / (width * height)
    assert films.covered(recipe) == pytest.approx(area, rel=0.05)
    apart = np.linalg.norm(particles.centers_nm[:, None] - particles.centers_nm, axis=2)
    assert apart[apart > 0].min() > films.neighbour_nm(recipe) - 1e-9


def test_depths_that_scatter_lengthen_distances():
    """Against drawn pairs in all directions; a wish for the peak is one for that depth."""
    rng, distance, scatter = np.random.default_rng(0), 6.0, 0.8
    pairs = rng.normal(size=(400_000, 3))
    pairs *= distance / np.linalg.norm(pairs, axis=1, keepdims=True)
    pairs[:, 2] += rng.normal(0, np.sqrt(2) * scatter, len(pairs))
    longer = np.linalg.norm(pairs, axis=1).mean() - distance
    assert films.depth_for_peak(distance, longer) == pytest.approx(scatter, rel=0.02)


@pytest.mark.parametrize("radius_nm", [2.25])
def test_a_small_film_shows_what_a_particle_takes(radius_nm):
    """Dose does not count; a contrast-to-noise ratio is that of the counts a particle takes out of its disc."""
    quick = replace(SEGMENTS, values=SEGMENTS.values | {"specimen.field_nm": [39.75, 39.75], "scan.shape": [106, 106]})
    thin = FILM.with_values({"specimen.dispersion.concentration_mg_per_ml": 40.0, "specimen.thickness_nm": 60.0})
    small = films.small_film(thin, quick, 71)
    found = []
    for dwell in (1.0, 9.0):
        recipe = small.with_values({"scan.dwell_us": dwell})
        truth = simulate_recipe(recipe)[0]
        dose = recipe.microscope.current_nA * dwell * 6241.509 / recipe.scan.pixel_nm**2
        found.append(films.shown(truth, [0, 1], dose))
    once, more = found
    assert {name: more[name] for name in once} == pytest.approx(once, rel=1e-3)
    share = np.median(truth.expected[0]) / (dose * recipe.scan.pixel_nm**2)
    assert once["cnr"] == pytest.approx(once["contrast"] * np.sqrt(share * np.pi * radius_nm**2), rel=0.1)


def test_a_plan_of_a_film_speaks_of_particles(told, tmp_path):
    """Sheet, table, page and recipes; a wish for the peak gets the least dose that meets it."""
    plan = vs.plan("particles", dose_per_nm2=2e4)
    assert plan.method == "points-learned"
    sheet, page = pages.sheet(plan), pages.page(plan)
    assert "of the particles" in pages.sentence(plan)
    assert "10 mg/ml of gold particles of 4.5 nm in 178 nm of ice" in sheet
    for text in (sheet, page, pages.basis(plan)):
        assert not re.search(r"\b20 nm|\bfoil|Kikuchi|\bg =", text)
    frames = vs.plan("particles", dose_per_nm2=1e6)  # they cannot be shorter
    assert "small film of these particles" in pages.page(frames)
    assert all("Bragg" not in note for option in plan.options for note in option.warnings)
    assert pages.recipe_of(plan, plan.options[0]).startswith(f"# {plan.number}")
    wish = vs.plan("particles", peak_nm=0.2, completeness=0.9)
    depth = films.depth_for_peak(films.neighbour_nm(FILM), 0.2)
    assert wish.wish == Wish(depth, 0.9)
    assert not wish.met or wish.options[0].depth_nm[0] <= depth
    json.dumps(pages.table(wish))


@pytest.mark.parametrize(
    ("recipe", "how", "says"),
    [
        ("cantor-stereo", {"peak_nm": 0.1}, "a foil of lines found"),
        ("particles", {"peak_nm": 0.1, "depth_nm": 1.0}, "both found"),
        ("particles", {"peak_nm": -1.0}, "peak_nm"),
        ("particles", {"method": "stereo-learned"}, "for particles"),
        ("cantor-stereo", {"method": "points-learned"}, "for lines"),
        ("particles", {"values": {"specimen.dispersion": {"file": "mine.csv"}}}, "a file found"),
        ("particles", {"microscope": "osiris"}, "from one scan; no set-up is left"),
    ],
)
def test_bad_questions_are_one_line(recipe, how, says):
    """Nothing is imaged for them."""
    with pytest.raises(InputError, match=says) as error:
        vs.plan(recipe, **how)
    assert "\n" not in str(error.value)


def test_the_model_knows_methods_of_particles():
    """The learned one is taken if none is named; more electrons find more."""
    assert model.methods("particles")[0] == "points-learned"
    x = model.features(SIGNAL, np.array([1e2, 1e4]), 0.03)
    for method in model.methods("particles"):
        low, high = model.predict(method, "recall", x)[:, 0]
        assert low <= high
