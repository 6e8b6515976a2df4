"""A study: every condition of a recipe, every seed, every method, scored; one row each."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench.scoring import score_curves
from veristem.bench.store import Store
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.recipe import FromFile, Recipe, Study
from veristem.recon.methods import load_method, run_method
from veristem.sim.acquire import acquire
from veristem.sim.specimen import Specimen, make_specimen


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The generators of the specimen and of the noise of a seed."""
    specimen, noise = np.random.SeedSequence(seed).spawn(2)
    return np.random.default_rng(specimen), np.random.default_rng(noise)


def simulate(recipe: Recipe, specimen: Specimen | None = None):
    """Truth, acquisition and specimen of a recipe; a specimen already made is used again."""
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    if specimen is None:
        specimen = make_specimen(recipe, specimen_rng)
    return *acquire(specimen, recipe, noise_rng), specimen


def run_study(
    study: Study,
    recipe: Recipe,
    folder: str | Path,
    progress: Callable[[Iterable, int], Iterable] = lambda cells, _: cells,
):
    """Run what is not finished yet, and return the whole table.

    Parameters
    ----------
    study : Study
        Conditions, methods and seeds.
    recipe : Recipe
        What the conditions change.
    folder : path
        Results folder; a finished cell in it is not run again.
    progress : callable
        Wraps the loop over (cells, number of cells).

    Returns
    -------
    DataFrame
        One row a cell and method; a method that fails is a row with its error.

    Raises
    ------
    InputError
        For a condition or method that is not allowed, before anything is run.
    """
    store = Store(folder)
    for method in study.methods:
        load_method(method)
    work = []
    for seed in range(recipe.recipe.seed, recipe.recipe.seed + study.seeds):
        for conditions in study.cells():
            changed = recipe.with_values({**conditions, "recipe.seed": seed})
            for method in study.methods:
                work.append((cell_key(changed, method, study.tolerance_nm), changed, conditions, method))
    todo = [w for w in work if not store.has(w[0])]
    made: dict[str, Any] = {}  # the specimen and the acquisition last made, by what they depend on
    for cell, changed, conditions, method in progress(todo, len(todo)):
        row, log = _run_cell(changed, method, study.tolerance_nm, made)
        row |= {"study": study.name, "cell": cell, "conditions": json.dumps(conditions, sort_keys=True)}
        store.put(cell, row, log)
    return store.compact([w[0] for w in work])


def _run_cell(recipe: Recipe, method: str, tolerance_nm: float, made: dict[str, Any]) -> tuple[dict, str | None]:
    row: dict[str, Any] = {
        "recipe": recipe.recipe.name,
        "method": method,
        "seed": recipe.recipe.seed,
        "tolerance_nm": tolerance_nm,
        "version": version("veristem"),
    }
    specimen_key = json.dumps([recipe.recipe.seed, recipe.specimen.model_dump(mode="json")], sort_keys=True)
    recipe_key = recipe.model_dump_json()
    start = time.perf_counter()
    if made.get("recipe_key") != recipe_key:
        specimen = made["specimen"] if made.get("specimen_key") == specimen_key else None
        try:
            truth, acquisition, specimen = simulate(recipe, specimen)
        except InputError as error:  # a condition that cannot be imaged costs its own row only
            return row | {"error": f"simulation: {error}"}, traceback.format_exc()
        made.update(recipe_key=recipe_key, specimen_key=specimen_key, specimen=specimen, pair=(truth, acquisition))
    truth, acquisition = made["pair"]
    simulated = time.perf_counter()
    first, second = widest_pair(acquisition.directions_rad)
    row |= {
        "pair_angle_deg": np.degrees(pair_angle_rad(*acquisition.directions_rad[[first, second]])),
        "electrons_per_pixel": float(acquisition.electrons_per_pixel.mean()),
        "counts_per_pixel": float(acquisition.views.mean()),
        "simulate_s": simulated - start,
    }
    try:
        curves = run_method(method, acquisition)
        row["reconstruct_s"] = time.perf_counter() - simulated
        row |= score_curves(truth, curves, tolerance_nm=tolerance_nm)
    except Exception as error:  # a method may fail in any way; the failure is a result
        row["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
        return row, traceback.format_exc()
    return row, None


def cell_key(recipe: Recipe, method: str, tolerance_nm: float) -> str:
    """SHA-256 of everything a row depends on: recipe, network file, sources of sim and datasets, method."""
    digest = hashlib.sha256(f"{recipe.model_dump_json()} {method} {tolerance_nm}".encode())
    network = recipe.specimen.network
    if isinstance(network, FromFile):
        for path in (Path(network.file), Path(network.file).with_suffix(".ctrl")):
            digest.update(path.read_bytes() if path.is_file() else b"")
    for package in ("veristem.sim", "veristem.datasets", "veristem.bench"):
        digest.update(_source_hash(package))
    digest.update(Path(method).read_bytes() if Path(method).is_file() else _source_hash(_method_package(method)))
    return digest.hexdigest()[:24]


def _method_package(method: str) -> str:
    top = load_method(method).__module__.partition(".")[0]
    return "veristem.recon" if top == "veristem" else top


@cache
def _source_hash(package: str) -> bytes:
    """Hash of the sources of a package or module."""
    module = import_module(package)
    roots = [Path(p) for p in getattr(module, "__path__", None) or [module.__file__ or ""]]
    digest = hashlib.sha256()
    for root in roots:
        for file in sorted(f for f in (root.rglob("*") if root.is_dir() else [root]) if f.suffix in (".py", ".toml")):
            digest.update(file.read_bytes())
    return digest.digest()
