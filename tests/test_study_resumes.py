"""What is finished is never run again, however a study was stopped, and what is damaged is made again."""

from __future__ import annotations

import errno
import json
import os
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from studies import RECIPE, STUDY, timeless
from veristem.bench.study import cell as bench_cell
from veristem.bench.study import runner as bench_study
from veristem.bench.study.runner import run_study
from veristem.bench.study.store import Store, read_table
from veristem.datasets import InputError
from veristem.recon import apart


def test_a_second_run_starts_nothing(two_doses, monkeypatch):
    """What is finished stays finished, failures too, and the table is the same to the last byte."""
    folder, table = two_doses
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (folder / "parts").iterdir()}
    monkeypatch.setattr(bench_cell, "simulate_recipe", lambda *_: pytest.fail("simulated again"))
    again = run_study(STUDY, RECIPE, folder, lambda *_: pytest.fail("something was run"))
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (folder / "parts").iterdir()}
    pd.testing.assert_frame_equal(again, table)


def test_a_stopped_study_goes_on(two_doses, tmp_path):
    """Stopped after three cells, it runs five more, and ends with the same table."""
    _, table = two_doses

    def stopping(cells, total):
        for done, cell in enumerate(cells, 1):
            if done == 3:
                raise KeyboardInterrupt
            yield cell

    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY, RECIPE, tmp_path, stopping)
    assert len(list((tmp_path / "parts").glob("*.json"))) == 3
    asked = []
    again = run_study(STUDY, RECIPE, tmp_path, lambda cells, total: asked.append(total) or cells)
    assert asked == [5]
    pd.testing.assert_frame_equal(timeless(again), timeless(table))


def test_a_report_need_not_wait_for_the_end(two_doses, tmp_path, monkeypatch):
    """The table is written from time to time: what is finished can be looked at while the study runs."""
    monkeypatch.setattr(bench_study, "_COMPACT_S", 0.0)
    seen = []

    def looking(cells, total):
        for cell in cells:
            seen.append(len(read_table(tmp_path)))
            yield cell

    run_study(STUDY, RECIPE, tmp_path, looking)
    assert seen == list(range(1, 9))


def test_a_damaged_table_is_one_line(tmp_path):
    """Whatever lies where the table should be."""
    with pytest.raises(InputError, match=r"results\.parquet: no such file"):
        read_table(tmp_path)
    (tmp_path / "results.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"results\.parquet: "):
        read_table(tmp_path)


def test_a_part_that_cannot_be_read_is_run_again(two_doses, tmp_path):
    """A file the power failure left empty, or cut short, costs its own cell and nothing else."""
    folder, table = two_doses
    shutil.copytree(folder / "parts", tmp_path / "parts")
    for cell, size in zip(table["cell"], (0, 100)):
        part = tmp_path / "parts" / f"{cell}.json"
        part.write_bytes(part.read_bytes()[:size])
    asked = []
    again = run_study(STUDY, RECIPE, tmp_path, lambda cells, total: asked.append(total) or cells)
    assert asked == [2]
    pd.testing.assert_frame_equal(timeless(again), timeless(table))


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", "[" * 100_000, '{"cell": "0"}', "\xff"])
def test_a_part_that_holds_no_row(tmp_path, text):
    """Whatever stands in it, its cell is one that is not finished."""
    store = Store(tmp_path)
    (tmp_path / "parts/0.json").write_text(text, encoding="latin-1")
    assert store.finished(["0"]) == set()


def test_a_row_costs_the_same_however_many_there_are(two_doses, tmp_path, monkeypatch):
    """Each looked through the folder for what killed processes left, and took as much place as a hundred."""
    folder, _ = two_doses
    assert all(part.stat().st_size < 10_000 for part in (folder / "parts").iterdir())
    store, row = Store(tmp_path), json.loads(next((folder / "parts").iterdir()).read_text(encoding="utf-8"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", lambda *_: pytest.fail("looked through the folder"))
        store.put(row["cell"], row, "log")
    assert store.finished([row["cell"]]) == {row["cell"]}


def test_a_table_that_cannot_be_read_is_made_again(two_doses, tmp_path):
    """Everything in it stands in the parts too."""
    folder, table = two_doses
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "results.parquet").write_bytes(b"PAR1")
    pd.testing.assert_frame_equal(run_study(STUDY, RECIPE, tmp_path, lambda *_: pytest.fail("run again")), table)


def test_results_of_another_version(two_doses, tmp_path):
    """Neither read as if they were of this one nor thrown away: one line."""
    folder, _ = two_doses
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    older = pq.read_table(folder / "results.parquet").drop_columns(["failure"])
    pq.write_table(older, tmp_path / "results.parquet")
    before = set(tmp_path.rglob("*"))
    message = r"results\.parquet: results without the column 'failure' found.* choose a new folder"
    with pytest.raises(InputError, match=message):
        run_study(STUDY, RECIPE, tmp_path)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path)
    assert set(tmp_path.rglob("*")) == before


def test_results_of_a_version_that_had_fewer_numbers(two_doses, tmp_path):
    """A score that came later is null in older rows, and all else is as it was."""
    folder, table = two_doses
    later = ["hausdorff_nm", "junction_recall_visible", "line_cnr"]
    pq.write_table(pq.read_table(folder / "results.parquet").drop_columns(later), tmp_path / "results.parquet")
    older = read_table(tmp_path)
    assert older[later].isna().all(axis=None)
    pd.testing.assert_frame_equal(older.drop(columns=later), table.drop(columns=later))


def test_a_row_serves_another_study(two_doses, tmp_path):
    """An axis that is added later finds the finished rows, and they are told under the new name and conditions."""
    folder, table = two_doses
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    axes = {"scan.dwell_us": [10, 500], "microscope.current_nA": [0.1, 0.2]}
    asked = []
    wider = STUDY.changed({"name": "wider", "axes": axes, "methods": ["constant"]})
    again = run_study(wider, RECIPE, tmp_path, lambda cells, total: asked.append(total) or cells)
    assert asked == [4]
    assert set(again["study"]) == {"wider"}
    assert all(set(json.loads(c)) == set(axes) for c in again["conditions"])
    assert set(again["cell"]) > set(table[table["method"] == "constant"]["cell"])


@pytest.mark.parametrize(
    ("error", "whose"),
    [(MemoryError("no room"), "machine"), (OSError(errno.ENOSPC, "full"), "machine"), (OSError("odd"), "method")],
)
def test_only_the_machines_failure_is_tried_again(tmp_path, monkeypatch, error, whose):
    """A full memory or disk is the machine's; all else a method raises is its own."""

    def run(*_):
        raise error

    study = STUDY.changed({"methods": ["constant"], "seeds": 1})
    with monkeypatch.context() as patch:
        patch.setattr(apart, "run_method", run)
        table = run_study(study, RECIPE, tmp_path)
    assert set(table["failure"]) == {whose}
    again = run_study(study, RECIPE, tmp_path)
    assert again["error"].isna().all() == (whose == "machine")
    pd.testing.assert_frame_equal(read_table(tmp_path), again)


def test_files_that_change_meanwhile(tmp_path, monkeypatch):
    """Weights written while the study runs end it with one line: no row may stand under another one's key."""
    (tmp_path / "mine.py").write_text(
        "from veristem.recon.constant import reconstruct\ndef run(a, *, weights):\n    return reconstruct(a)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "w.npz").write_bytes(b"1")
    study = STUDY.changed({"methods": ["mine:run weights=w.npz"]})

    def train(cells, total):
        for done, cell in enumerate(cells, 1):
            if done == 2:
                (tmp_path / "w.npz").write_bytes(b"22")
            yield cell

    with pytest.raises(InputError, match="no longer those the study was begun with"):
        run_study(study, RECIPE, "out", train)
    assert len(list((tmp_path / "out/parts").iterdir())) == 2
