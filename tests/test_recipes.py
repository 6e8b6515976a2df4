"""Recipes and studies by name, and errors that say where in a file they are."""

from __future__ import annotations

import re

import pytest

from veristem.bench.study.runner import list_cells
from veristem.datasets import InputError
from veristem.datasets.recipe import Recipe, load_recipe, load_study, recipe_names, recipe_text


def test_studies_are_known_by_their_table(tmp_path, monkeypatch):
    """Not by what stands in comments or texts, nor by how the header is written."""
    (tmp_path / "recipes").mkdir()
    for name, text in (
        ("a", '# for a [study]\n[recipe]\nname = "[study] of one"\n'),
        ("b", '[ study ]\nname = "b" # [recipe]\n'),
        ("c", 'study.name = "c"\n'),
    ):
        (tmp_path / f"recipes/{name}.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr("veristem.datasets.recipe.resources.files", lambda _: tmp_path)
    assert recipe_names("recipe") == ["a"]
    assert recipe_names("study") == ["b", "c"]


@pytest.mark.parametrize("name", recipe_names("study"))
def test_named_studies_can_be_run(name):
    """Of a recipe that is there, with values that it takes, and methods that are registered."""
    study = load_study(name)
    cells = list_cells(study, load_recipe(study.recipe))
    assert study.name == name
    assert len(cells) == sum(len(study.seeds_of(cell, 0)) for cell in study.cells()) * len(study.methods)


def test_foils_for_tests_are_frozen_and_of_their_own():
    """24 foils of six kinds, whose recipes never change, with seeds that nothing shipped uses."""
    study = load_study("test-foils")
    cells = list_cells(study, load_recipe(study.recipe))
    foils = {cell.recipe.specimen_key: cell.recipe.recipe.name for cell in cells}
    kinds = {"glide": 6, "lamellae": 4, "aluminium": 3, "junctions": 3, "tangles": 4, "cell-walls": 4}
    assert {kind: list(foils.values()).count(kind) for kind in kinds} == kinds
    for name in recipe_names("study"):
        other = load_study(name)
        seeds = other.seeds_of({}, load_recipe(other.recipe).recipe.seed)
        assert name == "test-foils" or max(seeds) < 9000


def test_films_for_tests_are_frozen_and_of_their_own():
    """Twenty films of four kinds at three doses, with seeds that no training draws and no other study of films uses."""
    study = load_study("test-films")
    cells = list_cells(study, load_recipe(study.recipe))
    films = {cell.recipe.specimen_key: cell.recipe.recipe.name for cell in cells}
    assert {kind: list(films.values()).count(kind) for kind in ("ten", "forty", "short-chains", "long-chains")} == {
        "ten": 5, "forty": 5, "short-chains": 5, "long-chains": 5,
    }  # fmt: skip
    for name in recipe_names("study"):
        other = load_study(name)
        seeds = other.seeds_of({}, load_recipe(other.recipe).recipe.seed)
        assert name in ("test-films", "test-foils") or max(seeds) < 8000


@pytest.mark.parametrize("name", recipe_names("study"))
def test_studies_have_the_tolerance_of_everything_else(name):
    """10 nm for lines, the radius for particles.

    But 20 nm where the scatter of depths is asked for, which 10 nm would cut off: the planner's studies.
    """
    wide = {"conditions", "planner-proof"}
    assert load_study(name).tolerance_nm == (20.0 if name in wide else None)


@pytest.mark.parametrize("name", recipe_names("recipe"))
def test_wide_cones_have_a_lens_or_say_that_it_is_ideal(name):
    """Above 30 mrad no lens is free of aberrations: balanced where the discs are, or ideal and the title says so."""
    recipe, title = load_recipe(name), recipe_text(name).split("\n[")[0]
    if recipe.microscope.convergence_mrad > 30:
        lens = recipe.microscope.aberrations.preset
        assert lens == "corrected" or (lens == "none" and "ideal lens" in title)
        assert lens == "none" or recipe.microscope.balanced.aberrations.balanced_mrad


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"specimen": {"network": {"density_per_m2": -3}}}, "specimen.network.density_per_m2"),
        ({"specimen": {"network": {"file": "a", "colour": 3}}}, "specimen.network.colour"),
        ({"specimen": {"kind": "particles", "dispersion": {"file": 3}}}, "specimen.dispersion.file"),
        ({"microscope": {"detector": {"kind": "annular", "annular": 3}}}, "microscope.detector.annular"),
        ({"specimen": {"field_nm": [1, -2]}}, "specimen.field_nm.1"),
    ],
)
def test_an_error_names_a_key_as_it_stands_in_the_file(table, key):
    """Not the tables and tags by which unions are told apart."""
    with pytest.raises(InputError, match=rf"^t\.toml: {re.escape(key)}: \S+ found, "):
        Recipe.from_table({"recipe": {"name": "t"}} | table, "t.toml")
