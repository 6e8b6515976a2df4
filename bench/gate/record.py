"""The scores of a study, seed by seed: what a baseline keeps, and what is held against it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from veristem.bench.metrics.base import Metric
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe, Study

SCHEMA = 1
_DIGITS = 5  # what is kept of a value: far below any loss that matters, and a diff that can be read


class CellScores(BaseModel):
    """The scores of one method in one condition.

    Parameters
    ----------
    method : str
        Name and parameters.
    conditions : dict
        What was changed, by dotted path into the recipe.
    failed : list of int
        Seeds whose run ended in an error.
    values : dict of lists
        By metric one value a seed, in the order of the record's seeds; None for no value.
    missing : list of int
        Seeds without a row; none in a baseline.
    """

    model_config = ConfigDict(extra="forbid")
    method: str
    conditions: dict[str, Any]
    failed: list[int]
    values: dict[str, list[Annotated[float, Field(allow_inf_nan=False)] | None]]
    missing: list[int] = Field(default=[], exclude=True)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.method, json.dumps(self.conditions, sort_keys=True)

    @property
    def title(self) -> str:
        """The cell in words."""
        conditions = ", ".join(f"{path} = {value}" for path, value in self.conditions.items())
        return f"{self.method} at {conditions}" if conditions else self.method


class Record(BaseModel):
    """All cells of a study.

    Parameters
    ----------
    schema_version : int
        Of this layout.
    study, veristem : str
        Name of the study, version that ran it.
    tolerance_nm, full_limits
        As the study sets them.
    metrics_outside : list of str
        Metrics from outside, as module:function.
    recipe : dict
        What the conditions change, without its seed.
    seeds : list of int
        What the values are in the order of.
    cells : list of CellScores
        Conditions x methods.
    """

    model_config = ConfigDict(extra="forbid")
    schema_version: int = SCHEMA
    study: str
    veristem: str
    tolerance_nm: float | None
    full_limits: bool
    metrics_outside: list[str] = []
    recipe: dict[str, Any]
    seeds: Annotated[list[int], Field(min_length=1)]
    cells: Annotated[list[CellScores], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_sound(self):
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one of them twice found, each once allowed")
        if len({cell.key for cell in self.cells}) < len(self.cells):
            raise ValueError("cells: one of them twice found, each once allowed")
        for cell in self.cells:
            for name, values in cell.values.items():
                if len(values) != len(self.seeds):
                    found = f"{len(values)} values for {len(self.seeds)} seeds"
                    raise ValueError(f"{name} of {cell.title}: {found} found, one a seed allowed")
        return self

    @property
    def metrics(self) -> dict[str, tuple[str, ...]]:
        """Names of the metrics of each method."""
        names: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            names.setdefault(cell.method, {}).update(dict.fromkeys(cell.values))
        return {method: tuple(found) for method, found in names.items()}

    def values(self, method: str, metric: str, keys: list[tuple[str, str]], seeds: list[int]) -> np.ndarray:
        """(seeds, conditions) float: values of a metric of the cells with these keys, NaN for none."""
        rows = [self.seeds.index(seed) for seed in seeds]
        cells = {cell.key: cell for cell in self.cells}
        none = [None] * len(self.seeds)
        columns = [cells[key].values.get(metric, none) if key in cells else none for key in keys if key[0] == method]
        return np.array(columns, float).T[rows]

    def failures(self, method: str, keys: list[tuple[str, str]], seeds: list[int]) -> np.ndarray:
        """(seeds, conditions) bool: which runs of the cells with these keys ended in an error."""
        cells = {cell.key: cell for cell in self.cells}
        wanted = [cells[key].failed if key in cells else [] for key in keys if key[0] == method]
        return np.array([[seed in failed for failed in wanted] for seed in seeds], bool)

    @property
    def missing(self) -> list[str]:
        """The runs that have no row, in words."""
        return [f"{cell.title}, seed {seed}" for cell in self.cells for seed in cell.missing]

    def subset(self, seeds: list[int]) -> Record:
        """The record of some of its seeds, in this order."""
        at = [self.seeds.index(seed) for seed in seeds]
        cells = [
            cell.model_copy(
                update={
                    "failed": [seed for seed in seeds if seed in cell.failed],
                    "missing": [seed for seed in seeds if seed in cell.missing],
                    "values": {name: [values[i] for i in at] for name, values in cell.values.items()},
                }
            )
            for cell in self.cells
        ]
        return self.model_copy(update={"seeds": list(seeds), "cells": cells})


def gated(kind: str | None = None, extra: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics that are held against a baseline, by name, in their order: all that say something of quality.

    Those of "dislocations" or of "particles", if a kind of specimen is given; ``extra`` as of `metrics.scorers`.
    """
    from veristem.bench.metrics import metrics

    of = {"dislocations": {"curves"}, "particles": {"points"}, None: {"curves", "points"}}[kind]
    return {m.name: m for m in metrics(extra) if m.better != "neither" and of & set(m.of)}


def record_of(folder: str | Path) -> Record:
    """The record of what a results folder was asked for.

    Raises
    ------
    InputError
        When the folder holds no results of a study, or they are damaged.
    """
    from veristem.bench.study.store import read_table

    table = read_table(folder)
    study, recipe = _asked_for(Path(folder, "study.json"))
    if study.specimens:  # each with its own number of seeds: a record has one
        raise InputError(f"{folder}: study {study.name} of several kinds of specimens found, one of one kind allowed")
    return record_of_rows(table, study, recipe, list(study.seeds_of({}, recipe.recipe.seed)))


def record_of_rows(table, study: Study, recipe: Recipe, seeds: list[int]) -> Record:
    """As `record_of`, from a DataFrame of rows; rows of other seeds, methods and conditions are left out."""
    known = gated(recipe.specimen.kind, study.metrics)
    keys = zip(table["method"], table["conditions"], table["seed"])
    rows = dict(zip(keys, table.to_dict("records")))
    cells = []
    for conditions in study.cells():
        for method in study.methods:
            cell = CellScores(method=method, conditions=conditions, failed=[], values={})
            mine = [rows.get((*cell.key, seed)) for seed in seeds]
            cell.missing = [seed for seed, row in zip(seeds, mine) if row is None]
            cell.failed = [seed for seed, row in zip(seeds, mine) if row is not None and isinstance(row["error"], str)]
            cell.values = {name: [None if row is None else _rounded(row.get(name)) for row in mine] for name in known}
            cells.append(cell)
    version = table["version"].iloc[-1] if len(table) else ""
    return Record(
        study=study.name, veristem=version, tolerance_nm=study.tolerance_nm, full_limits=study.full_limits,
        metrics_outside=study.metrics,
        recipe=_seedless(recipe), seeds=seeds, cells=cells,
    )  # fmt: skip


def read_record(path: str | Path) -> Record:
    """A baseline from its file.

    Raises
    ------
    InputError
        When there is none, it is damaged, or of another schema.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        hint = "; --update writes it" if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"{path}: {error.strerror or error}{hint}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: bytes that are not UTF-8 found, a baseline in JSON allowed") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}: {where}: {error.msg}; it may be cut short; --update writes it anew") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: JSON that cannot be read found; --update writes it anew") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA:
        found = "no schema_version" if version is None else f"schema_version {version!r}"
        raise InputError(f"{path}: {found} found, {SCHEMA} allowed; --update writes a baseline of this version")
    try:
        return Record.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {where + ': ' if where else ''}{message}; --update writes it anew") from None


def write_record(path: str | Path, record: Record) -> None:
    """Write a baseline: one line a metric and cell, so that a diff shows what has changed.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    from veristem.datasets.formats.atomic import atomic_path

    with atomic_path(path) as partial:
        content = record.model_dump(mode="json")
        if not record.metrics_outside:
            del content["metrics_outside"]
        partial.write_text(_text(content) + "\n", encoding="utf-8")


def _text(value, indent: str = "") -> str:
    """JSON whose lists of plain values stand on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(key)}: {_text(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "[\n" + ",\n".join(f"{deeper}{_text(item, deeper)}" for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _rounded(value: float | None) -> float | None:
    if value is None or not np.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}") + 0.0  # no -0.0


def _asked_for(path: Path) -> tuple[Study, Recipe]:
    """What a results folder was asked for last."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        study, recipe = facts["study"], facts["recipe"]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; run `veristem study` again, which writes it") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(
            f"{path}: not what a study writes; run its `veristem study` again, which rebuilds it"
        ) from None
    return Study.from_table(study, f"{path}: study"), Recipe.from_table(recipe, f"{path}: recipe")


def _seedless(recipe: Recipe) -> dict[str, Any]:
    content = recipe.model_dump(mode="json")
    content["recipe"].pop("seed")
    return content
