"""A table of numbers as .csv, whose every fault names its line: what pandas and any spreadsheet open."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.lines import Lines


def write_table(path: str | Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write columns (N,) of one length, so that they come back exactly; what is not finite is left empty.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    texts = [
        [repr(value) if finite else "" for value, finite in zip(values.tolist(), np.isfinite(values))]
        for values in columns.values()
    ]
    lines = [",".join(columns), *map(",".join, zip(*texts, strict=True))]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Table:
    """A table with a header; its columns may stand in any order, others than those named here are passed over.

    Parameters
    ----------
    path : str or Path
        The file.
    needed : sequence of str
        Columns with a number in every line.
    optional : sequence of str
        Columns that may be absent, and their fields empty: NaN.

    Attributes
    ----------
    lines : Lines
        The file, at its end.
    values : dict of str to (N,) float
        The columns found.
    numbers : list of int
        Line of each row.

    Raises
    ------
    InputError
        For a file that is no such table, naming the line.
    """

    def __init__(self, path: str | Path, needed: Sequence[str], optional: Sequence[str] = ()):
        self.lines = Lines(path)
        wanted = ",".join(needed)
        # spreadsheets write a byte order mark
        header = self._fields(self.lines.next(f"a header {wanted}").removeprefix("\ufeff"))
        for name in (*needed, *optional):
            if (found := header.count(name)) > 1 or (name in needed and not found):
                raise self.lines.error(
                    f"column {name} found {found} times in {','.join(header)[:80]!r}, once allowed; "
                    f"the header is {wanted}{_hint(header)}"
                )
        at = {name: header.index(name) for name in (*needed, *optional) if name in header}
        rows, self.numbers = [], []
        while (line := self.lines.next_or_none()) is not None:
            fields = self._fields(line)
            if len(fields) != len(header):
                doubled = "; decimal commas? write decimal points" if len(fields) == 2 * len(header) else ""
                raise self.lines.error(f"{len(fields)} values found, {len(header)} as in the header allowed{doubled}")
            rows.append([self._number(fields[k], name, name in optional) for name, k in at.items()])
            self.numbers.append(self.lines.number)
        self.values = dict(zip(at, np.array(rows, float).reshape(-1, len(at)).T.copy()))

    def check(self, name: str, good: np.ndarray, wanted: str) -> None:
        """Every row must be ``good`` (N,).

        Raises
        ------
        InputError
            Naming the line and the value of the first that is not.
        """
        for row in np.flatnonzero(~good)[:1]:
            raise self.lines.error(f"{name} {self.values[name][row]:g} found, {wanted} allowed", self.numbers[row])

    def _number(self, text: str, name: str, optional: bool) -> float:
        return np.nan if optional and not text else self.lines.numbers(text, 1, name)[0]

    def _fields(self, line: str) -> list[str]:
        try:
            return [field.strip() for field in next(csv.reader([line], skipinitialspace=True))]
        except csv.Error as error:
            raise self.lines.error(f"{error} found, values between commas allowed") from None


def _hint(header: list[str]) -> str:
    """What a header of another program needs."""
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and separator in header[0]:
            return f". Its columns stand between {word}: save it with commas, and with decimal points in numbers"
    if len(header) == 1 and " " in header[0]:
        return ". Its columns stand between spaces: save it with commas"
    if {"x", "y", "z"} <= set(header):
        return (
            ". Call x, y and z so once they are in nm: those of trackpy are in pixels, to be multiplied by their size"
        )
    return ""
