"""A study: every condition of a recipe, every seed, every method, scored; one row each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, groupby
from pathlib import Path

from veristem.bench.study.cell import Cell, Made, run_batch
from veristem.bench.study.facts import machine, peak_memory_mib, versions
from veristem.bench.study.key import cell_key, is_outside
from veristem.bench.study.store import Store
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe, Study
from veristem.recon.methods import check_stages, load_method, without_oracles

_COMPACT_S = 60.0
_BATCHES = 4  # that every worker gets at least, so that none waits long for the last
_MOST = 32  # conditions of a batch: it is told of when all are done, and is held by driver and scheduler


def run_study(
    study: Study,
    recipe: Recipe,
    folder: str | Path,
    progress: Callable[[Iterable, int], Iterable] = lambda cells, _: cells,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    method_version: str = "",
    timeout_s: float | None = None,
    command: str = "",
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
    workers : int
        Processes: one runs in this process, more on a Dask cluster of this machine. A script that asks for more needs
        an ``if __name__ == "__main__":`` around it.
    scheduler : str, optional
        Address of a Dask scheduler, whose workers see the same files, instead.
    method_version : str
        Tells states of methods from outside apart where `cell_key` cannot.
    timeout_s : float, optional
        Time after which the method of a cell is ended [s]; its row says so.
    command : str
        Kept beside the results.

    Returns
    -------
    DataFrame
        One row a cell and method; what fails is a row with its error.

    Raises
    ------
    InputError
        For a condition or method that is not allowed, before anything is run; a folder of another version or in use;
        a scheduler that does not answer; a full disk. What was finished is kept.
    """
    cells = list_cells(study, recipe, method_version, timeout_s)
    labels = [{"cell": c.key, "study": c.study, "conditions": c.conditions_json} for c in cells]
    store = Store(folder, study.metrics)
    with alone(store.folder):
        finished = store.finished(cell.key for cell in cells)
        todo = [cell for cell in cells if cell.key not in finished]
        facts = {"command": command, "study": study.model_dump(mode="json", by_alias=True)}
        store.describe(facts | {"recipe": recipe.model_dump(mode="json"), "versions": versions()})
        if todo:
            for cell in todo:
                store.drop(cell.key)  # a failure of the machine, or a part that cannot be read
            start = time.perf_counter()
            with _running(todo, store, workers, scheduler) as done:
                for _ in progress(_compacting(done, lambda: store.compact(labels)), len(todo)):
                    pass
            wall = round(time.perf_counter() - start, 1)
            store.describe({
                "machine": machine(), "workers": scheduler or workers, "cells": len(todo), "wall_s": wall,
                "peak_memory_mib": None if scheduler else peak_memory_mib(),
            })  # fmt: skip
        return store.compact(labels)


def list_cells(study: Study, recipe: Recipe, method_version: str = "", timeout_s: float | None = None) -> list[Cell]:
    """All cells of a study, each checked: seeds slowest, methods fastest.

    Raises
    ------
    InputError
        For a condition or method that is not allowed, or conditions that come to the same.
    """
    for method in study.methods:
        load_method(method)
        check_stages(method, without_oracles(method)[1])
    versions_of = {method: method_version if is_outside(method) else "" for method in study.methods}
    cells: dict[str, Cell] = {}
    for count in range(study.seeds):
        for conditions in study.cells():
            if count >= len(seeds := study.seeds_of(conditions, recipe.recipe.seed)):
                continue
            try:
                changed = recipe.with_values({**conditions, "recipe.seed": seeds[count]})
            except InputError as error:
                hint = "; axes that must change together go into zip" if len(study.axes) > len(study.zip) + 1 else ""
                raise InputError(f"study {study.name}, at {json.dumps(conditions)}: {error}{hint}") from None
            for method, its_version in versions_of.items():
                same = (method, study.tolerance_nm, its_version, study.full_limits, study.metrics, timeout_s)
                key = cell_key(changed, *same)
                if key in cells:
                    two = f"{json.dumps(cells[key].conditions)} and {json.dumps(conditions)}"
                    raise InputError(f"study {study.name}: {two} found, which are the same; different ones allowed")
                cells[key] = Cell(
                    key,
                    changed,
                    conditions,
                    method,
                    study.tolerance_nm,
                    study.name,
                    its_version,
                    study.full_limits,
                    tuple(study.metrics),
                    timeout_s,
                )
    return list(cells.values())


def batches(cells: Iterable[Cell], workers: int) -> list[list[Cell]]:
    """Cells in the order and the portions in which they cost least.

    A batch is of one specimen, which a worker makes once, and small enough that every worker gets several. Cells of one
    specimen follow each other, those that differ in dose alone and the methods of a condition stay together.
    """
    specimens: dict[str, dict[str, list[list[Cell]]]] = {}
    for recipe, methods in groupby(cells, lambda cell: cell.recipe):
        same = specimens.setdefault(recipe.specimen_key, {})
        same.setdefault(recipe.images_key, []).append(list(methods))
    conditions = sum(len(group) for same in specimens.values() for group in same.values())
    most = max(1, min(conditions // (_BATCHES * workers), _MOST))
    portions: list[list[list[Cell]]] = []
    for same in specimens.values():
        last: list[list[Cell]] = []
        for group in same.values():
            if len(last) + len(group) > most:
                portions.append(last)
                whole = len(group) // most * most
                portions += [group[i : i + most] for i in range(0, whole, most)]
                last, group = [], group[whole:]
            last = last + group
        portions.append(last)
    return [list(chain(*portion)) for portion in portions if portion]


@contextmanager
def _running(cells: list[Cell], store: Store, workers: int, scheduler: str | None) -> Iterator[Iterable[str]]:
    """The keys of cells as they are stored."""
    if workers == 1 and scheduler is None:
        made = Made()
        yield (key for batch in batches(cells, 1) for key in run_batch(batch, store, made))
    else:
        from veristem.bench.study.cluster import connect, run_on

        with connect(workers, scheduler) as (client, count):
            yield run_on(client, batches(cells, count), store, count)


def _compacting(done: Iterable[str], compact: Callable[[], object]) -> Iterator[str]:
    """Compact every minute: a report may be read meanwhile, and a killed study resumes at once."""
    last = time.monotonic()
    for key in done:
        if time.monotonic() - last > _COMPACT_S:
            compact()
            last = time.monotonic()
        yield key


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder, so that no second study runs in it; clear what a killed one left half-written."""
    import locket

    lock = locket.lock_file(str(folder / ".lock"), timeout=0)
    try:
        lock.acquire()
    except locket.LockError:
        raise InputError(f"{folder}: another study is running in it; wait for it or choose a new folder") from None
    try:
        for part in ("parts", "logs"):
            for partial in (folder / part).glob(".*"):
                partial.unlink(missing_ok=True)
        yield
    finally:
        lock.release()
