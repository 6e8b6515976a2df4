"""Results on disk: one parquet part a finished cell, compacted to one table."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile

from veristem.datasets.errors import InputError
from veristem.datasets.results import schema


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
    """A results folder.

    Parameters
    ----------
    folder : Path
        Made when it does not exist.

    Raises
    ------
    InputError
        When it cannot be made or written.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.parts = self.folder / "parts"
        self.logs = self.folder / "logs"
        for folder in (self.folder, self.parts, self.logs):
            make_folder(folder)

    @property
    def table_path(self) -> Path:
        """The compacted table."""
        return self.folder / "results.parquet"

    def has(self, cell: str) -> bool:
        """Whether a cell is finished."""
        return (self.parts / f"{cell}.parquet").is_file()

    def put(self, cell: str, row: dict, log: str | None = None) -> None:
        """Store one finished row; it appears whole or not at all. A failure's log is kept beside."""
        if log:
            (self.logs / f"{cell}.log").write_text(log, encoding="utf-8")
        _write(self.parts / f"{cell}.parquet", [row])

    def compact(self, cells: list[str]):
        """Write the rows of these cells, in this order, as one table, and return it as a DataFrame.

        Raises
        ------
        InputError
            Naming a part that is damaged.
        """
        import pyarrow as pa

        tables = [_read(self.parts / f"{cell}.parquet", "delete it, and its cell is run again") for cell in cells]
        table = pa.concat_tables(tables) if tables else schema().empty_table()
        _write(self.table_path, table)
        return table.to_pandas()


def read_table(folder: str | Path):
    """The results of a folder as a DataFrame.

    Raises
    ------
    InputError
        When there are none, or the file is damaged.
    """
    path = Path(folder, "results.parquet")
    if not path.is_file():
        raise InputError(f"{path}: no such file; `veristem study` writes it")
    return _read(path, "a results table of this version allowed").to_pandas()


def _read(path: Path, hint: str):
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, schema=schema())
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}; {hint}") from None


def _write(path: Path, rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(rows, schema=schema()) if isinstance(rows, list) else rows
    partial = path.with_suffix(".partial")
    try:
        pq.write_table(table, partial)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"{path}: {error.strerror or error}; free space or choose another folder") from None
