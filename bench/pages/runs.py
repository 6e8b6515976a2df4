"""The commands that make single runs of a study again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from veristem.datasets.errors import InputError
from veristem.datasets.kinds import KINDS
from veristem.datasets.recipe import Recipe, load_recipe, recipe_paths
from veristem.recon.methods import without_oracles

_SAVED = "recipe.toml"


def study_commands(folder: Path, table) -> tuple[dict[str, str], set[str]]:
    """`run_commands` of a folder with study.json, and the studies whose recipe is to be saved first.

    Nothing without that file, for several studies at once, or for a recipe that is no longer allowed.
    """
    try:
        known = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        name = known["study"]["recipe"]
        recipe = Recipe.from_table(known["recipe"], str(name))
        studies = set(table["study"])
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return {}, set()
    if studies != {known["study"].get("name")} or not isinstance(name, str):
        return {}, set()
    return run_commands(name, recipe, table), set() if has_name(name, recipe) else studies


def run_commands(name: str, recipe: Recipe, table) -> dict[str, str]:
    """By cell of a table: `veristem simulate`, `reconstruct` and `score` of that very run, a line each.

    A run with a stage of the truth's handed in has none, nor one whose detector gives a 4D scan: only a study has them.
    Where no named recipe gives this one (`has_name`), the commands take it from a file recipe.toml.

    Parameters
    ----------
    name : str
        Of the recipe that was changed, or its file.
    recipe : Recipe
        What the conditions of the table change.
    table : DataFrame
        Rows of one study.
    """
    given = _changes(name, recipe)
    source, values = (_SAVED, {}) if given is None else (name, given)
    found = {}
    for row in table.to_dict("records"):
        method, stages = without_oracles(row["method"])
        changed = {**values, **json.loads(row["conditions"] or "{}"), "recipe.seed": int(row["seed"])}
        if stages or _is_4d(recipe, changed):
            continue
        sets = [word for path, value in changed.items() for word in ("--set", f"{path}={_text(value)}")]
        curves = f"run/reconstruction{KINDS[recipe.specimen.kind].suffix}"
        tolerance = row["tolerance_nm"]
        known = tolerance is not None and tolerance == tolerance
        words = (
            ["veristem", "simulate", source, "-o", "run", *sets],
            ["veristem", "reconstruct", "run/acquisition.h5", "--method", method, "-o", curves],
            ["veristem", "score", "run/truth.h5", curves, *(["--tolerance-nm", f"{tolerance:.15g}"] if known else [])],
        )
        found[row["cell"]] = "\n".join(map(shlex.join, words))
    return found


def has_name(name: str, recipe: Recipe) -> bool:
    """Whether a named recipe, with values set, gives this one; else its text is to be saved first as recipe.toml."""
    return _changes(name, recipe) is not None


def _changes(name: str, recipe: Recipe) -> dict[str, Any] | None:
    """What makes the recipe out of the named one as it is today; None where nothing that can be set does."""
    try:
        named = load_recipe(name)
        values = dict(_different(named.model_dump(mode="json"), recipe.model_dump(mode="json"), ""))
        values.pop("recipe.seed", None)  # every run has its own
        values = {path: value for path, value in values.items() if value is not None}
        same = named.with_values({**values, "recipe.seed": recipe.recipe.seed}).model_dump() == recipe.model_dump()
    except InputError:
        return None
    return values if same else None


def _different(one: dict, other: dict, prefix: str) -> Iterator[tuple[str, Any]]:
    """Paths and values of a table where it differs from another, as deep as paths go."""
    for key, value in other.items():
        path = prefix + key
        before = one.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and value.keys() == before.keys():
            yield from _different(before, value, path + ".")
        elif value != before and path in recipe_paths():
            yield path, value


def _is_4d(recipe: Recipe, changed: dict[str, Any]) -> bool:
    try:
        return recipe.with_values(changed).microscope.detector.kind == "pixelated"
    except InputError:
        return True  # a condition that is no longer allowed


def _text(value: Any) -> str:
    """A value as --set reads it."""
    return value if isinstance(value, str) and not _is_json(value) else json.dumps(value)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
