"""One row of a study: a condition, a seed and a method, scored."""

from __future__ import annotations

import errno
import json
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import chdir
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench.key import cell_key, scan_key
from veristem.bench.limits import point_limits
from veristem.bench.line_contrast import line_contrast
from veristem.bench.oracles import handed_in
from veristem.bench.scoring import score
from veristem.bench.store import Store
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth
from veristem.recon.methods import run_method
from veristem.sim.acquire import acquire
from veristem.sim.film import Film
from veristem.sim.scan4d import check_pixelated, simulate_scan
from veristem.sim.shots import Progress
from veristem.sim.specimen import Specimen, make_specimen

_MACHINE_ERRNO = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "ENOMEM", "EAGAIN", "EIO", "EMFILE", "ENFILE", "ESTALE")
    if hasattr(errno, name)
}


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
    tolerance_nm : float or None
        Distance up to which a point is matched [nm]; 10 nm for lines, a particle's radius, if None.
    study, method_version : str
        Kept in the row.
    """

    key: str
    recipe: Recipe
    conditions: dict[str, Any]
    method: str
    tolerance_nm: float | None
    study: str
    method_version: str = ""

    @property
    def conditions_json(self) -> str:
        """What was changed, as it stands in the table."""
        return json.dumps(self.conditions, sort_keys=True)


@dataclass
class Made:
    """The specimen and the acquisition last made: rows that follow each other share them."""

    specimen: Specimen | Film | None = None
    specimen_key: str = ""
    pair: tuple[Truth, Acquisition] | None = None
    limits: np.ndarray | None = None
    contrast: tuple[float | None, float | None] | None = None
    recipe_key: str = ""
    seconds: float = 0.0
    failed: Exception | None = None


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The generators of the specimen and of the noise of a seed."""
    specimen, noise = np.random.SeedSequence(seed).spawn(2)
    return np.random.default_rng(specimen), np.random.default_rng(noise)


def simulate(
    recipe: Recipe, specimen: Specimen | Film | None = None, progress: Progress = lambda tilts, _: tilts
) -> tuple[Truth, Acquisition, Specimen | Film]:
    """Truth, acquisition and specimen of a recipe; a specimen already made is used again."""
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    if specimen is None:
        specimen = make_specimen(recipe, specimen_rng)
    return *acquire(specimen, recipe, noise_rng, progress), specimen


def simulate_4d(recipe: Recipe, folder: Path, progress: Progress) -> tuple[Truth, Specimen | Film, list[Path]]:
    """Write the 4D scan of a recipe and that of the vacuum; truth, that of the views of its detector, and specimen."""
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    check_pixelated(recipe)
    specimen = make_specimen(recipe, specimen_rng)
    paths = simulate_scan(specimen, recipe, noise_rng, folder, scan_key(recipe), progress)
    unlimited = {"microscope.response.bits": None, "microscope.response.saturation_electrons": None}
    truth, _ = acquire(specimen, recipe.with_values(unlimited), noise_rng)
    return replace(truth, recipe=recipe.model_dump(mode="json")), specimen, paths


def run_cell(cell: Cell, made: Made) -> tuple[dict[str, Any], str | None]:
    """The row of a cell, and the traceback when something failed; nothing but its times depends on ``made``."""
    row: dict[str, Any] = base_row(cell)
    try:
        truth, acquisition = _pair(cell.recipe, made)
    except Exception as error:  # a condition that cannot be imaged costs its own rows only
        return row | _failure("simulation", error), traceback.format_exc()
    assert acquisition.electrons_per_pixel is not None
    row |= {
        "pair_angle_deg": _pair_angle_deg(acquisition),
        "electrons_per_pixel": float(acquisition.electrons_per_pixel.mean()),
        "counts_per_pixel": float(acquisition.views.mean()),
        "depth_limit_nm": _depth_limit_nm(truth, made),
        **dict(zip(("line_contrast", "line_cnr"), (None, None) if made.contrast is None else made.contrast)),
        "simulate_s": made.seconds,
    }
    given = deepcopy(acquisition)  # a method may write into what it gets
    try:
        method, stages = handed_in(cell.method, truth, acquisition)
        start = time.perf_counter()
        with chdir("."):  # or go elsewhere
            result = run_method(method, given, **stages)
        found = time.perf_counter()
        known = {} if made.limits is None else {"covariance_nm2": made.limits}
        scores = score(truth, result, tolerance_nm=cell.tolerance_nm, **known)
    except (Exception, SystemExit) as error:  # a method may fail in any way; the failure is a result
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
        "conditions": cell.conditions_json,
        "seed": cell.recipe.recipe.seed,
        "tolerance_nm": cell.tolerance_nm,
        "version": version("veristem"),
    }


def run_batch(cells: Iterable[Cell], store: Store, made: Made) -> Iterator[str]:
    """Run cells one after the other, those that have a row already left out, and name each when it is stored.

    Raises
    ------
    InputError
        When what a cell depends on is not what the study was begun with.
    """
    for cell in cells:
        if not store.has(cell.key):
            if cell_key(cell.recipe, cell.method, cell.tolerance_nm, cell.method_version) != cell.key:
                raise InputError(
                    f"method {cell.method}: its code, weights or network file are no longer those the study was begun "
                    "with; run the study again, and restart the workers of a cluster"
                )
            store.put(cell.key, *run_cell(cell, made))
        yield cell.key


def _pair(recipe: Recipe, made: Made) -> tuple[Truth, Acquisition]:
    """Truth and acquisition, made once for all methods; what failed is not tried again for the next one."""
    recipe_key = recipe.model_dump_json()
    if made.recipe_key != recipe_key:
        if made.specimen_key != recipe.specimen_key:
            made.specimen = None  # before the next is made: two may not fit into memory
        made.pair, made.limits, made.recipe_key, made.specimen_key = None, None, recipe_key, recipe.specimen_key
        made.failed, start = None, time.perf_counter()
        try:
            truth, acquisition, made.specimen = simulate(recipe, made.specimen)
        except Exception as error:
            made.failed = error
            raise
        made.contrast = line_contrast(truth) if isinstance(truth, LineTruth) else None
        made.pair, made.seconds = (truth, acquisition), time.perf_counter() - start
    if made.failed is not None:
        raise made.failed
    assert made.pair is not None
    return made.pair


def _pair_angle_deg(acquisition: Acquisition) -> float | None:
    """Angle of the widest pair; None of views that share one direction, which have no pair."""
    if np.ptp(acquisition.directions_rad, axis=0).max() < 1e-6:
        return None
    first, second = widest_pair(acquisition.directions_rad)
    return float(np.degrees(pair_angle_rad(*acquisition.directions_rad[[first, second]])))


def _depth_limit_nm(truth: Truth, made: Made) -> float | None:
    """Root mean square over the particles in the field of their limits in depth, which are kept; None for lines."""
    if not isinstance(truth, ParticleTruth):
        return None
    if made.limits is None:
        made.limits = point_limits(truth)
    square = made.limits[truth.inside, 2, 2]
    return float(np.sqrt(np.nanmean(square))) if np.isfinite(square).any() else None


def _failure(whose: str, error: BaseException) -> dict[str, str]:
    """The columns of a failure: the machine's when memory, disk or handles ran out."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _MACHINE_ERRNO):
            whose = "machine"
        cause = cause.__cause__ or cause.__context__
    text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return {"failure": whose, "error": (text.strip().splitlines() or ["no message"])[0]}
