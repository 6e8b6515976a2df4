"""One row of a study: a condition, a seed and a method, scored; and the key that names it."""

from __future__ import annotations

import errno
import hashlib
import json
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench.scoring import score_curves
from veristem.bench.store import Store
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.recipe import FromFile, Recipe
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import load_method, run_method, split_method
from veristem.sim.acquire import acquire
from veristem.sim.specimen import Specimen, make_specimen

_MACHINE_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE}


@dataclass(frozen=True)
class Cell:
    """What is needed to make one row.

    Parameters
    ----------
    key : str
        Its `cell_key`.
    recipe : Recipe
        The changed recipe, its seed included.
    conditions : dict
        What was changed, by dotted path.
    method : str
        Name and parameters.
    tolerance_nm : float
        Distance up to which a point is matched [nm].
    study, method_version : str
        Kept in the row.
    """

    key: str
    recipe: Recipe
    conditions: dict[str, Any]
    method: str
    tolerance_nm: float
    study: str
    method_version: str = ""


@dataclass
class Made:
    """The specimen and the acquisition last made: rows that follow each other share them."""

    specimen: Specimen | None = None
    specimen_key: str = ""
    pair: tuple[LineTruth, Acquisition] | None = None
    recipe_key: str = ""
    seconds: float = 0.0
    failed: Exception | None = None


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The generators of the specimen and of the noise of a seed."""
    specimen, noise = np.random.SeedSequence(seed).spawn(2)
    return np.random.default_rng(specimen), np.random.default_rng(noise)


def simulate(recipe: Recipe, specimen: Specimen | None = None) -> tuple[LineTruth, Acquisition, Specimen]:
    """Truth, acquisition and specimen of a recipe; a specimen already made is used again."""
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    if specimen is None:
        specimen = make_specimen(recipe, specimen_rng)
    return *acquire(specimen, recipe, noise_rng), specimen


def run_cell(cell: Cell, made: Made) -> tuple[dict[str, Any], str | None]:
    """The row of a cell, and the traceback when something failed; nothing but its times depends on ``made``."""
    row: dict[str, Any] = base_row(cell)
    try:
        truth, acquisition = _pair(cell.recipe, made)
    except Exception as error:  # a condition that cannot be imaged costs its own rows only
        return row | _failure("simulation", error), traceback.format_exc()
    assert acquisition.electrons_per_pixel is not None
    first, second = widest_pair(acquisition.directions_rad)
    row |= {
        "pair_angle_deg": np.degrees(pair_angle_rad(*acquisition.directions_rad[[first, second]])),
        "electrons_per_pixel": float(acquisition.electrons_per_pixel.mean()),
        "counts_per_pixel": float(acquisition.views.mean()),
        "simulate_s": made.seconds,
    }
    start = time.perf_counter()
    try:
        curves = run_method(cell.method, acquisition)
        found = time.perf_counter()
        scores = score_curves(truth, curves, tolerance_nm=cell.tolerance_nm)
    except Exception as error:  # a method may fail in any way; the failure is a result
        return row | _failure("method", error), traceback.format_exc()
    return row | scores | {"reconstruct_s": found - start, "score_s": time.perf_counter() - found}, None


def base_row(cell: Cell) -> dict[str, Any]:
    """What a row holds before anything is run."""
    return {
        "study": cell.study,
        "cell": cell.key,
        "recipe": cell.recipe.recipe.name,
        "method": cell.method,
        "method_version": cell.method_version or None,
        "conditions": json.dumps(cell.conditions, sort_keys=True),
        "seed": cell.recipe.recipe.seed,
        "tolerance_nm": cell.tolerance_nm,
        "version": version("veristem"),
    }


def run_batch(cells: Iterable[Cell], store: Store, made: Made) -> Iterator[str]:
    """Run cells one after the other, those that have a row already left out, and name each when it is stored."""
    for cell in cells:
        if not store.has(cell.key):
            store.put(cell.key, *run_cell(cell, made))
        yield cell.key


def _pair(recipe: Recipe, made: Made) -> tuple[LineTruth, Acquisition]:
    """Truth and acquisition, made once for all methods; what failed is not tried again for the next one."""
    recipe_key = recipe.model_dump_json()
    if made.recipe_key != recipe_key:
        if made.specimen_key != recipe.specimen_key:
            made.specimen = None  # before the next is made: two may not fit into memory
        made.pair, made.recipe_key, made.specimen_key = None, recipe_key, recipe.specimen_key
        made.failed, start = None, time.perf_counter()
        try:
            truth, acquisition, made.specimen = simulate(recipe, made.specimen)
        except Exception as error:
            made.failed = error
            raise
        made.pair, made.seconds = (truth, acquisition), time.perf_counter() - start
    if made.failed is not None:
        raise made.failed
    assert made.pair is not None
    return made.pair


def _failure(whose: str, error: Exception) -> dict[str, str]:
    """The columns of a failure: the machine's when memory, disk or handles ran out."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _MACHINE_ERRNO):
        whose = "machine"
    text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return {"failure": whose, "error": (text.strip().splitlines() or ["no message"])[0]}


def cell_key(recipe: Recipe, method: str, tolerance_nm: float, method_version: str = "") -> str:
    """SHA-256 of everything a row depends on.

    The recipe and its network file; the sources of datasets, sim and of what makes scores; the method with its
    parameters, the content of files among these (weights), and the files of its top package, module or program.
    ``method_version`` tells methods from outside apart where that does not see a change: in a helper module of a
    script, or behind a program.
    """
    name, parameters = split_method(method)
    digest = hashlib.sha256(f"{recipe.model_dump_json()} {method} {tolerance_nm}".encode())
    network = recipe.specimen.network
    files = [Path(network.file), Path(network.file).with_suffix(".ctrl")] if isinstance(network, FromFile) else []
    files += [Path(value) for value in parameters.values() if isinstance(value, str)]
    for path in files:
        digest.update(path.read_bytes() if path.is_file() else b"")
    for package in ("datasets", "sim", "bench.cell", "bench.scoring", "bench.metrics"):
        digest.update(_source_hash(f"veristem.{package}"))
    if Path(name).is_file():
        digest.update(Path(name).read_bytes())
        outside = True
    else:
        top = _module_of(name).partition(".")[0]
        outside = top != "veristem"
        digest.update(_source_hash(top if outside else "veristem.recon"))
    digest.update(method_version.encode() if outside else b"")
    return digest.hexdigest()[:24]


def _module_of(name: str) -> str:
    method = load_method(name)
    return (method.func if isinstance(method, partial) else method).__module__


@cache
def _source_hash(package: str) -> bytes:
    """Hash of the files of a package or module, as they were when this process first asked."""
    module = import_module(package)
    roots = [Path(p) for p in getattr(module, "__path__", None) or [module.__file__ or ""]]
    digest = hashlib.sha256()
    for root in roots:
        for file in sorted(root.rglob("*") if root.is_dir() else [root]):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root)}".encode() + b"\0" + file.read_bytes())
    return digest.digest()
