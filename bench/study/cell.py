"""One row of a study: a condition, a seed and a method, scored."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from veristem.bench.limits.columns import Limits, contrast_of, limits_of
from veristem.bench.limits.lines import depth_slopes, moved_in_depth
from veristem.bench.oracles import handed_in
from veristem.bench.scoring import score
from veristem.bench.study.key import cell_key
from veristem.bench.study.store import Store
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.recipe import Recipe
from veristem.datasets.text import ran_out, told
from veristem.datasets.truth import Truth
from veristem.recon.apart import MethodError, reconstruct
from veristem.sim.foil import Foil
from veristem.sim.simulate import simulate_recipe, streams
from veristem.sim.specimen import Specimen

_LONGEST = 2000  # characters of an error in a row; its log has all of it


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
    full_limits : bool
        Whether limits of lines take in what contrast tells of depth.
    metrics : tuple of str
        From outside, as module:function.
    timeout_s : float or None
        Time after which a method is ended [s].
    """

    key: str
    recipe: Recipe
    conditions: dict[str, Any]
    method: str
    tolerance_nm: float | None
    study: str
    method_version: str = ""
    full_limits: bool = False
    metrics: tuple[str, ...] = ()
    timeout_s: float | None = None

    @property
    def conditions_json(self) -> str:
        """What was changed, as it stands in the table."""
        return json.dumps(self.conditions, sort_keys=True)


@dataclass
class Made:
    """The specimen and the acquisition last made: rows that follow each other share them."""

    specimen: Specimen | None = None
    specimen_key: str = ""
    pair: tuple[Truth, Acquisition] | None = None
    limits: Limits | None = None
    moved: list[Foil] | None = None  # the specimen with its lines moved in depth
    contrast: tuple[float | None, float | None] = (None, None)
    recipe_key: str = ""
    seconds: float = 0.0
    failed: Exception | None = None


def run_cell(cell: Cell, made: Made) -> tuple[dict[str, Any], str | None]:
    """The row of a cell, and the traceback when something failed; nothing but its times depends on ``made``."""
    row: dict[str, Any] = base_row(cell)
    try:
        truth, acquisition = _pair(cell.recipe, made)
        limits = _limits(cell, truth, made)
    except Exception as error:  # a condition that cannot be imaged costs its own rows only
        return row | _failure("simulation", error), traceback.format_exc()
    assert acquisition.electrons_per_pixel is not None
    assert made.limits is not None
    row |= {
        "pair_angle_deg": _pair_angle_deg(acquisition),
        "electrons_per_pixel": float(acquisition.electrons_per_pixel.mean()),
        "counts_per_pixel": float(acquisition.views.mean()),
        **limits,
        **dict(zip(("line_contrast", "line_cnr"), made.contrast)),
        "simulate_s": made.seconds,
    }
    try:
        method, stages = handed_in(cell.method, truth, acquisition)
        with chdir("."):  # a method may go elsewhere
            result, seconds = reconstruct(method, acquisition, cell.timeout_s, **stages)
        found = time.perf_counter()
        scores = score(truth, result, tolerance_nm=cell.tolerance_nm, metrics=cell.metrics, **made.limits.given)
    except (Exception, SystemExit) as error:  # a method may fail in any way; the failure is a result
        return row | _failure("method", error), getattr(error, "trace", "") or traceback.format_exc()
    return row | scores | {"reconstruct_s": seconds, "score_s": time.perf_counter() - found}, None


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
        "version": _version(),
    }


@cache
def _version() -> str:
    """Of the package; to look it up takes longer than to store a row."""
    return version("veristem")


def run_batch(cells: Iterable[Cell], store: Store, made: Made) -> Iterator[str]:
    """Run cells one after the other, those that have a row already left out, and name each when it is stored.

    Raises
    ------
    InputError
        When what a cell depends on is not what the study was begun with.
    """
    for cell in cells:
        if not store.has(cell.key):
            same = (cell.recipe, cell.method, cell.tolerance_nm, cell.method_version, cell.full_limits)
            if cell_key(*same, cell.metrics, cell.timeout_s) != cell.key:
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
            made.specimen = made.moved = None  # before the next is made: two may not fit into memory
        made.pair, made.limits, made.recipe_key, made.specimen_key = None, None, recipe_key, recipe.specimen_key
        made.failed, start = None, time.perf_counter()
        try:
            truth, acquisition, made.specimen = simulate_recipe(recipe, made.specimen)
        except Exception as error:
            made.failed = error
            raise
        made.contrast = contrast_of(truth)
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


def _limits(cell: Cell, truth: Truth, made: Made) -> dict[str, float | None]:
    """The limits' columns of a row; the limits themselves are kept."""

    def slopes():
        if not cell.full_limits or not isinstance(made.specimen, Foil):
            return None
        made.moved = moved_in_depth(made.specimen) if made.moved is None else made.moved
        return depth_slopes(made.moved, cell.recipe, streams(truth.recipe["recipe"]["seed"])[1])

    if made.limits is None:
        made.limits = limits_of(truth, slopes)
    return made.limits.columns(cell.tolerance_nm)


def _failure(whose: str, error: BaseException) -> dict[str, str]:
    """The columns of a failure: the machine's when memory, disk or handles ran out."""
    text = told(error)
    if isinstance(error, (InputError, MethodError)):  # they say what it is themselves
        text = text.partition(": ")[2]
    out = error.ran_out if isinstance(error, MethodError) else ran_out(error)
    line = (text.strip().splitlines() or ["no message"])[0]
    return {"failure": "machine" if out else whose, "error": line[:_LONGEST] or "no message"}
