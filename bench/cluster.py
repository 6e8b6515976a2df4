"""Cells on the workers of a Dask cluster: this machine's, or any whose scheduler is given."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Lock

from veristem.bench.cell import Cell, Made, base_row, cell_key, run_batch
from veristem.bench.store import Store
from veristem.datasets.errors import InputError

_ANSWER_S = 10
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_one_at_a_time = Lock()  # in a worker with several threads: kernels and programs are not made to share a process


@contextmanager
def connect(workers: int, scheduler: str | None) -> Iterator[tuple]:
    """A client and the number of its workers; a cluster of this machine ends with the block.

    Raises
    ------
    InputError
        When the scheduler does not answer.
    """
    from dask import config
    from distributed import Client, LocalCluster

    for name in ("distributed.client", "distributed.core", "distributed.comm", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=_ANSWER_S)
        except (OSError, ValueError, TimeoutError) as error:
            text = (str(error).splitlines() or ["no answer"])[0]
            raise InputError(
                f"--scheduler {scheduler}: no answer ({text}); `dask scheduler` starts one and prints its address"
            ) from None
        with client:
            yield client, max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        return
    settings = {
        "distributed.nanny.pre-spawn-environ": _ONE_THREAD,
        # not before the spawn: numba in this process would see it, and cannot change its mind
        "distributed.nanny.environ": {"NUMBA_NUM_THREADS": "1"},
        "distributed.scheduler.allowed-failures": 1,
        "distributed.worker.daemon": True,
    }
    with config.set(settings):
        try:
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address="", memory_limit=0,
                silence_logs=logging.CRITICAL,
            )  # fmt: skip
        except RuntimeError as error:
            raise InputError(f"--workers {workers}: they did not start ({error}); --workers 1 needs none") from None
        try:
            with Client(cluster) as client:
                yield client, workers
        except BaseException:
            _kill(cluster)
            raise
        finally:
            cluster.close()


def run_on(client, batches: list[list[Cell]], store: Store) -> Iterator[str]:
    """Run batches on the workers of a client, and name each cell that has a row.

    A batch whose worker is lost goes to another one. When that happens again, the cell it was at becomes a row with
    a failure of the machine, and the rest of the batch goes on.

    Raises
    ------
    InputError
        When a worker cannot store a row or runs other code, or the scheduler is lost.
    """
    from distributed import CancelledError, KilledWorker, as_completed

    folder, here = str(store.folder.resolve()), os.getcwd()

    def send(batch: list[Cell]):
        return client.submit(_work, batch, folder, here, pure=False)

    sent = {send(batch): batch for batch in batches}
    ended = as_completed(list(sent))
    for future in ended:
        batch = sent.pop(future)
        try:
            future.result()
        except KilledWorker:
            done = [cell.key for cell in batch if store.has(cell.key)]
            lost, *rest = [cell for cell in batch if not store.has(cell.key)]
            error = "the worker died twice: killed from outside, out of memory, or crashed by the method"
            store.put(lost.key, base_row(lost) | {"failure": "machine", "error": error})
            if rest:
                sent[again := send(rest)] = rest
                ended.add(again)
            yield from (*done, lost.key)
        except (CancelledError, OSError) as error:
            raise InputError(f"scheduler: lost ({error}); what was finished is kept, run it again") from None
        else:
            yield from (cell.key for cell in batch)


def _work(batch: list[Cell], folder: str, here: str) -> None:
    """Run a batch in a worker."""
    with _one_at_a_time, chdir(here):
        if here not in sys.path:
            sys.path.append(here)
        for cell in batch:
            if cell_key(cell.recipe, cell.method, cell.tolerance_nm, cell.method_version) != cell.key:
                raise InputError(
                    f"worker of process {os.getpid()}: runs other code or files than the study was begun with; restart "
                    "the workers and run the study again"
                )
        for _ in run_batch(batch, Store(Path(folder)), _made()):
            pass


@cache
def _made() -> Made:
    """What this worker has made last."""
    return Made()


def _kill(cluster) -> None:
    """End the workers of this machine, and programs they run, at once: they hold nothing that is not stored."""
    from multiprocessing import active_children

    import psutil

    for nanny in cluster.workers.values():
        nanny.auto_restart = False
    for worker in active_children():
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(worker.pid).children(recursive=True):
                child.kill()
        worker.kill()
