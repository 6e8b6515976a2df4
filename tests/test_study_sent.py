"""What a study sends to its workers: not everything at once."""

from __future__ import annotations

from studies import RECIPE, STUDY
from veristem.bench.study import cluster
from veristem.bench.study.cell import base_row
from veristem.bench.study.runner import batches, list_cells
from veristem.bench.study.store import Store


def stored(batch, folder, *_):
    """A row for every cell, in no time."""
    store = Store(folder)
    for cell in batch:
        store.put(cell.key, base_row(cell))


def test_a_few_batches_are_sent_ahead(tmp_path, monkeypatch):
    """Each takes memory here and in the scheduler: 100 000 at once took more than there was."""
    from distributed import Client

    cells = list_cells(STUDY.changed({"methods": ["constant"], "axes": {}, "seeds": 130}), RECIPE)
    monkeypatch.setattr(cluster, "_work", stored)
    here = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with Client(**here, set_as_default=False) as client:
        submit, sent = client.submit, []
        monkeypatch.setattr(client, "submit", lambda *given, **how: sent.append(given) or submit(*given, **how))
        ahead = []
        for told, _ in enumerate(cluster.run_on(client, batches(cells, 1), Store(tmp_path), 1)):
            ahead.append(len(sent) - told)
    assert len(ahead) == len(sent) == len(cells)
    assert max(ahead) <= 101
