"""Results on disk: one part a finished cell, compacted to one parquet table."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from veristem.bench.metrics import metrics as all_metrics
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.results import Metric, as_frame, is_axis, metrics_in, schema, with_axes
from veristem.datasets.text import printable

_ROWS = 1000  # parts that are held at once; one as a dictionary takes ten times its place in the table


def make_folder(folder: Path) -> None:
    """Make an output folder and see that it can be written, before long work begins.

    Raises
    ------
    InputError
        When it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}; choose a folder that can be written") from None


class Store:
    """A results folder; several processes may put rows into it at once.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.
    metrics : sequence of str
        From outside, as module:function, whose scores rows hold besides.

    Raises
    ------
    InputError
        When it cannot be made or written.
    """

    def __init__(self, folder: str | Path, metrics: Sequence[str] = ()):
        self.metrics = all_metrics(metrics)
        self.folder = Path(folder).resolve()  # whoever changes directory later
        self.parts = self.folder / "parts"
        self.logs = self.folder / "logs"
        self.table_path = self.folder / "results.parquet"
        self._table: Any = None  # all that was read so far
        for path in (self.folder, self.parts, self.logs):
            make_folder(path)

    @cached_property
    def schema(self):
        """The pyarrow schema of a row."""
        return schema(self.metrics)

    def has(self, cell: str) -> bool:
        """Whether a cell has a part, be it of a failure."""
        return self._part(cell).is_file()

    def drop(self, cell: str) -> None:
        """Forget the part of a cell, so that it is run again."""
        self._part(cell).unlink(missing_ok=True)

    def put(self, cell: str, row: dict, log: str | None = None) -> None:
        """Store one row; it appears whole or not at all. A failure's log is kept beside."""
        import pyarrow as pa

        if log:
            with atomic_path(self.logs / f"{cell}.log", sweep=False) as partial:
                partial.write_text(printable(log), encoding="utf-8")
        row = pa.Table.from_pylist([row], schema=self.schema).to_pylist()[0]  # what does not fit the table shows here
        with atomic_path(self._part(cell), sweep=False) as partial:
            partial.write_text(json.dumps(row), encoding="utf-8")

    def rows(self, cells: Iterable[str]):
        """The rows there are of these cells, in this order, as a pyarrow Table; without those that cannot be read.

        Raises
        ------
        InputError
            For results of another version.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        cells = list(cells)
        if self._table is None and self.table_path.is_file():
            self._table = _read(self.table_path, self.metrics)
        table = self.schema.empty_table() if self._table is None else self._table
        # a failure of the machine may have been made good since: its part is looked at again
        table = table.filter(pc.fill_null(pc.not_equal(table["failure"], "machine"), True))  # type: ignore[attr-defined]
        known = set(table["cell"].to_pylist())
        with os.scandir(self.parts) as entries:
            parts = {entry.name.removesuffix(".json") for entry in entries}
        new, tables = [cell for cell in cells if cell in parts and cell not in known], [table]
        for start in range(0, len(new), _ROWS):
            rows = [row for cell in new[start : start + _ROWS] if (row := self._row(cell))]
            tables.append(pa.Table.from_pylist(rows, schema=self.schema))
        # a run before may have had other metrics
        self._table = table = pa.concat_tables(tables, promote_options="default").combine_chunks()
        at = {cell: i for i, cell in enumerate(table["cell"].to_pylist())}
        return table.take(pa.array([at[cell] for cell in cells if cell in at], pa.int64()))

    def _part(self, cell: str) -> Path:
        return self.parts / f"{cell}.json"

    def _row(self, cell: str) -> dict | None:
        """What a part holds; None when it is damaged."""
        try:
            row = json.loads(self._part(cell).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return row if isinstance(row, dict) and row.keys() == set(self.schema.names) else None

    def finished(self, cells: Iterable[str]) -> set[str]:
        """Those of these cells that need not be run again: all with a row, but those that a machine has failed."""
        rows = self.rows(cells)
        return {c for c, failure in zip(rows["cell"].to_pylist(), rows["failure"].to_pylist()) if failure != "machine"}

    def compact(self, labels: Sequence[dict[str, str]]):
        """Write the rows of some cells as one table, and return it as a DataFrame.

        ``labels`` holds, in the order of the table, "cell" and other columns that take the place of what a row was
        stored with: the same row may serve another study.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = self.rows(label["cell"] for label in labels)
        by_cell = {label["cell"]: label for label in labels}
        mine = [by_cell[cell] for cell in table["cell"].to_pylist()]
        for name in labels[0] if labels else ():
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.field(at), pa.array([label[name] for label in mine], pa.string()))
        table = with_axes(table)
        with atomic_path(self.table_path) as partial:
            pq.write_table(table, partial)
        return as_frame(table)

    def describe(self, facts: dict) -> None:
        """Write study.json: what was asked for last; what ``facts`` does not tell stays as it was."""
        with suppress(OSError, ValueError, TypeError):  # none yet, or damaged: begun anew
            facts = json.loads((self.folder / "study.json").read_text(encoding="utf-8")) | facts
        with atomic_path(self.folder / "study.json") as partial:
            partial.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_table(folder: str | Path):
    """The results of a folder as a DataFrame.

    Raises
    ------
    InputError
        When there are none, or the file is damaged or of another version.
    """
    path = Path(folder, "results.parquet")
    if not path.is_file():
        raise InputError(f"{path}: no such file; `veristem study` writes it")
    table = _read(path, all_metrics())
    if table is None:
        raise InputError(f"{path}: not a readable parquet table; run its `veristem study` again, which rebuilds it")
    _check_rows(path, table)
    return as_frame(with_axes(table))


def _check_rows(path: Path, table) -> None:
    """Refuse a table whose rows are no rows of a study, naming the column."""
    for name in ("study", "cell", "method", "conditions", "seed"):
        if table[name].null_count:
            raise InputError(f"{path}: {name}: a null found, a value in every row allowed; run its study again")
    for cell in table["cell"].unique().to_pylist():
        if not re.fullmatch(r"[\w-]{1,64}", cell, re.ASCII):  # it is the name of a folder as well
            raise InputError(f"{path}: cell: {printable(cell)[:60]!r} found, letters, digits, - and _ allowed")
    for text in table["conditions"].unique().to_pylist():
        try:
            is_table = isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            is_table = False
        if not is_table:
            raise InputError(f"{path}: conditions: {printable(text)[:60]!r} found, a table in JSON allowed")


def _read(path: Path, metrics: Sequence[Metric]):
    """The table in a file, with the columns of some metrics and of those that it tells itself; None when damaged.

    Without those of its axes, which ``conditions`` tells.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError, EOFError):
        return None
    table = table.drop_columns([name for name in table.schema.names if is_axis(name)])
    wanted = schema(metrics)
    for field in wanted:  # a version that had fewer numbers: they are null in its rows
        if field.name not in table.schema.names and field.type == pa.float64():
            table = table.append_column(field, pa.nulls(len(table), field.type))
    more = [table.schema.field(name) for name in metrics_in(table.schema) if name not in wanted.names]
    wanted = pa.schema([*wanted, *more])
    found, allowed = set(table.schema.names), set(wanted.names)
    if missing := [*(allowed - found), *(found - allowed)]:
        how = "without" if missing[0] in allowed else "with"
        raise InputError(
            f"{path}: results {how} the column {min(missing)!r} found, which another version wrote; choose a new folder"
        )
    return table.select(wanted.names).cast(wanted)
