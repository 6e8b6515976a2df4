"""What a study of many cells costs beside them: rows that are stored, put into the table, and found again."""

from __future__ import annotations

from itertools import count

import pytest

from veristem.bench.study.store import Store
from veristem.datasets.results import schema


@pytest.mark.parametrize("cells", [500, 2000])
def test_rows(alone, tmp_path, cells):
    """The time a row must not depend on how many there are; it did when each looked through the folder."""
    folders = count()
    empty = dict.fromkeys(schema(Store(tmp_path / "none").metrics).names, 0.5)
    texts = {"study": "many", "recipe": "r", "method": "m", "version": "0", "conditions": "{}", "failure": None}
    names = [f"{n:024x}" for n in range(cells)]

    def through() -> int:
        folder = tmp_path / str(next(folders))
        store = Store(folder)
        for n, cell in enumerate(names):
            row = empty | texts | {"cell": cell, "seed": n, "method_version": None, "error": None}
            store.put(cell, row)
        store.compact([{"cell": cell} for cell in names])
        return len(Store(folder).finished(names))

    assert alone("rows stored, put into the table and found again", f"{cells} rows", through, rounds=3) == cells
