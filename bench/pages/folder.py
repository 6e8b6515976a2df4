"""From the files of a folder to its page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from veristem.bench.files.missed import read_missed
from veristem.bench.metrics import metrics
from veristem.bench.pages import lines, particles
from veristem.bench.pages.runs import study_commands
from veristem.bench.study.facts import versions
from veristem.bench.study.store import read_table
from veristem.datasets import formats
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import together
from veristem.datasets.kinds import KINDS, Kind, check_same_kind, kind_of
from veristem.datasets.reconstruction import Reconstruction
from veristem.datasets.truth import Truth
from veristem.reports import Scene, write_page
from veristem.reports.export import write_files
from veristem.reports.particles import ParticleScene
from veristem.reports.studies import best_and_worst
from veristem.reports.words import conditions_text

AnyScene = Scene | ParticleScene
_PAGES: dict[str, Any] = {"dislocations": lines, "particles": particles}  # what a page says of each kind


def make_scene(
    acquisition: Acquisition, found: Reconstruction, truth: Truth | None, method: str, tolerance_nm: float | None
) -> AnyScene:
    """A scene for the page: scored when the truth is known, else with its residuals in the images.

    Raises
    ------
    InputError
        When one side is of lines and the other of particles.
    """
    kind = kind_of(found) if truth is None else check_same_kind(truth, found)
    return _PAGES[kind.name].make_scene(acquisition, found, truth, method, tolerance_nm)


def run_facts(truth: Truth | None, notes=()) -> dict[str, dict[str, str]]:
    """What a simulation was run with: versions, recipe."""
    facts = {"Versions": versions()}
    if truth is not None:
        recipe = truth.recipe
        facts["Recipe"] = {"name": recipe["recipe"]["name"], "seed": str(recipe["recipe"]["seed"])}
        facts["Recipe"]["full text"] = toml_text(recipe)
    if notes:
        facts["Specimen"] = {f"note {n}": note for n, note in enumerate(notes, 1)}
    return facts


def study_facts(folder: Path, table) -> dict[str, dict[str, str]]:
    """What a study was run with, from study.json; without that file, what the table tells.

    Raises
    ------
    InputError
        When study.json is damaged.
    """
    path = folder / "study.json"
    if not path.is_file():
        told = {"study": "study", "recipe": "recipe", "version": "VeriSTEM"}
        return {"Study": {name: ", ".join(map(str, table[key].dropna().unique())) for key, name in told.items()}}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        for key in ("machine", "versions"):
            if not isinstance(known.get(key, {}), dict):
                raise TypeError(f"{key}: {type(known[key]).__name__} found")
        if not isinstance(known.get("command", ""), str):
            raise TypeError(f"command: {type(known['command']).__name__} found")
        study, recipe = known["study"], known["recipe"]
        facts = {
            "Study": {"name": study["name"], "methods": ", ".join(study["methods"]), "full text": toml_text(study)}
        }
        facts["Recipe"] = {"name": recipe["recipe"]["name"], "full text": toml_text(recipe)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: {error!r}, what `veristem study` writes allowed; run it again or remove it"
        ) from None
    facts["Run"] = {"command": known["command"]} if known.get("command") else {}
    for key, name in {"workers": "workers", "cells": "cells of the last run", "wall_s": "its wall time (s)"}.items():
        if key in known:
            facts["Run"][name] = str(known[key])
    for key in ("machine", "versions"):
        facts[key.capitalize()] = {name: str(value) for name, value in known.get(key, {}).items()}
    return {name: values for name, values in facts.items() if values}


def write_folder_page(
    folder: Path, page: Path, command: str = "", tolerance_nm: float | None = None, formats: Sequence[str] = ()
) -> Path:
    """The page of a folder, and its figures and tables as files beside it.

    A folder with acquisition.h5 gets the page of that scene, with truth.h5, a reconstruction (`result_path`) and
    results.parquet if they are there; one with results.parquet alone that of its study, with examples/CELL for the best
    and worst run.

    Raises
    ------
    InputError
        When the folder holds neither, or a damaged file; when csv is asked for and there is no table.
    """
    acquisition_path, table_path = folder / "acquisition.h5", folder / "results.parquet"
    if not acquisition_path.is_file() and not table_path.is_file():
        found = "neither acquisition.h5 nor results.parquet" if folder.is_dir() else "no such folder"
        raise InputError(f"{folder}: {found}; `veristem simulate`, `veristem demo` or `veristem study` writes them")
    if "csv" in formats and not table_path.is_file():
        raise InputError(f"{table_path}: no such file, which csv is made of; `veristem study` writes it")
    table = read_table(folder) if table_path.is_file() else None
    if acquisition_path.is_file():
        if tolerance_nm is None and table is not None and len(table):
            tolerance_nm = _known(table["tolerance_nm"].iloc[0])
        scene, truth = read_scene(folder, tolerance_nm)
        scenes = [("", scene)]
        title, facts = f"VeriSTEM: {folder.resolve().name}", run_facts(truth)
        kind = KINDS[scene.kind]
        nothing = truth is not None and result_path(folder, kind) is None
        sentences = [_nothing_found(kind) if nothing else sentence(scene)]
    else:
        assert table is not None
        if table.empty:
            raise InputError(f"{table_path}: no rows found; run `veristem study` again")
        scenes, sentences = list(_examples(folder, table)), []
        title = "Study " + ", ".join(map(str, table["study"].dropna().unique()))
        facts = study_facts(folder, table)
    commands, saved = ({}, set()) if table is None else study_commands(folder, table)
    if "full text" not in facts.get("Recipe", {}):
        commands = {} if saved else commands  # there is no text to save
    with together():
        _write(page, title, scenes, table, facts, sentences, command, commands=commands, saved_recipes=saved)
        if formats:
            write_files(page.parent / "figures", formats, scenes, table)
    return page


def _known(value) -> float | None:
    """A number of a table; None for a null."""
    return None if value is None or np.isnan(value) else float(value)


def read_scene(folder: Path, tolerance_nm: float | None, method: str = "") -> tuple[AnyScene, Truth | None]:
    """The scene of acquisition.h5 and, if they are there, truth.h5 and reconstruction.vtp or .csv; and the truth."""
    acquisition = formats.read(folder / "acquisition.h5", Acquisition)
    path = folder / "truth.h5"
    truth = formats.read(path, *get_args(Truth)) if path.is_file() else None
    kind = KINDS[acquisition.kind]
    path = result_path(folder, kind)
    found = kind.result(()) if path is None else formats.read(path, kind.result)
    scene = make_scene(acquisition, found, truth, method, tolerance_nm)
    if path is not None and isinstance(scene, Scene):
        scene = replace(scene, missed=read_missed(path, acquisition))
    return scene, truth


def result_path(folder: Path, kind: Kind) -> Path | None:
    """The reconstruction in a folder: reconstruction.vtp or .csv, else the one other file that holds such a result.

    Raises
    ------
    InputError
        When there are several, which it names.
    """
    known = formats.suffixes(kind.result)
    named = [path for suffix in known if (path := folder / f"reconstruction{suffix}").is_file()]
    if named:
        return named[0]
    others = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in known and path.stem != "truth"]
    found = [path for path in others if path.is_file() and not path.name.startswith(".") and _holds(path, kind)]
    if len(found) > 1:
        raise InputError(
            f"{folder}: {', '.join(path.name for path in found)} found, one reconstruction allowed; call the one that "
            f"is meant reconstruction{kind.suffix}"
        )
    return found[0] if found else None


def _holds(path: Path, kind: Kind) -> bool:
    try:
        return isinstance(formats.read(path, kind.result), kind.result)
    except InputError:
        return False


def _nothing_found(kind: Kind) -> str:
    """What is said in place of scores where there is no reconstruction."""
    return (
        f"There is no reconstruction in this folder: reconstruction{kind.suffix} was looked for, and any other "
        f"{' or '.join(formats.suffixes(kind.result))} with {kind.found}. What follows is the specimen; scores are "
        "those of finding nothing."
    )


def _examples(folder: Path, table) -> Iterator[tuple[str, AnyScene]]:
    """The best and the worst run, as far as their files are kept."""
    rows = {row["cell"]: row for row in table.to_dict("records")}
    for heading, cell in zip(("The best run", "The worst run"), best_and_worst(table)):
        place = folder / "examples" / Path(str(cell)).name  # whatever a table names its cells, nowhere else
        if cell is not None and (place / "acquisition.h5").is_file():
            row = rows[cell]
            scene, _ = read_scene(place, _known(row["tolerance_nm"]), row["method"])
            told = [row["method"], conditions_text(json.loads(row["conditions"])), f"seed {row['seed']}"]
            yield heading, replace(scene, about=", ".join(text for text in told if text), cell=str(cell))


def save_page(
    page: Path, title: str, scenes: Sequence[AnyScene], table, facts: dict, command: str, commands: dict | None = None
) -> None:
    """Write the page of scenes with what they say and, if there is a table, of the study around them.

    ``commands`` holds by cell of the table what makes a run again.
    """
    said = [sentence(scene) for scene in scenes]
    _write(page, title, [("", scene) for scene in scenes], table, facts, said, command, commands=commands)


def sentence(scene: AnyScene) -> str:
    """What was recovered, or how well the reconstruction fits its images."""
    page = _PAGES[scene.kind]
    return page.residual_sentence(scene) if scene.truth is None else page.headline(scene)


def _write(page: Path, title: str, scenes, table, facts: dict, sentences: list[str], command: str, **runs) -> None:
    what = {"facts": facts, "sentences": sentences, "command": command, "metrics": metrics()}
    write_page(page, title=title, scenes=scenes, table=table, **what, **runs)


def toml_text(table: dict) -> str:
    """A table as a file has it, keys without a value left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(table))


def _without_none(table: dict) -> dict:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in table.items() if v is not None}
