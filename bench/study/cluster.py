"""Cells on the workers of a Dask cluster: this machine's, or any whose scheduler is given."""

from __future__ import annotations

import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock
from uuid import uuid4

from veristem.bench.study.cell import Cell, Made, base_row, run_batch
from veristem.bench.study.store import Store
from veristem.datasets.errors import InputError

_ANSWER_S = 10
_AHEAD = 4  # batches a worker that are sent at once: each takes memory here and in the scheduler
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

    # what happens to workers is told by rows and by our own errors
    for name in [n for n in logging.root.manager.loggerDict if n.startswith("distributed")] + ["tornado.application"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        try:
            # never the default: a client that fails would stay it, and break all of Dask in this process
            client = Client(scheduler, timeout=_ANSWER_S, set_as_default=False)
        except Exception as error:  # each kind of address fails in its own way
            text = (str(error).splitlines() or ["no answer"])[0]
            raise InputError(
                f"`scheduler` {scheduler}: no answer ({text}); `dask scheduler` starts one and prints its address"
            ) from None
        with client:
            count = len(client.scheduler_info(n_workers=-1)["workers"])
            if not count:
                print(f"no workers at {scheduler} yet; waiting for them", file=sys.stderr, flush=True)
            yield client, max(1, count)
        return
    settings = {
        "distributed.nanny.pre-spawn-environ": _ONE_THREAD,
        # not before the spawn: numba in this process would see it, and cannot change its mind
        "distributed.nanny.environ": {"NUMBA_NUM_THREADS": "1"},
        "distributed.scheduler.allowed-failures": 1,
        "distributed.worker.daemon": True,
    }
    with config.set(settings), _interrupt_held():
        try:
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=0,
                host="127.0.0.1",  # a scheduler has no password: nobody else is to reach it
                dashboard_address=None,  # type: ignore[reportArgumentType]
                silence_logs=logging.CRITICAL,
            )  # fmt: skip
        except RuntimeError as error:
            raise InputError(f"`workers` {workers}: they did not start ({error}); `workers` 1 needs none") from None
    try:
        with Client(cluster, set_as_default=False) as client:
            yield client, workers
    except BaseException:
        _kill(cluster)
        raise
    finally:
        cluster.close()


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Keep Ctrl-C until the block has ended; processes started in it never get it, and are ended by us."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # when first needed it lets Ctrl-C through again
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def run_on(client, batches: list[list[Cell]], store: Store, workers: int) -> Iterator[str]:
    """Run batches on the workers of a client, some sent ahead, and name each cell that has a row.

    A batch whose worker dies goes to another one. When it dies every time, the cell it was at becomes a row with a
    failure of the machine, and the rest of the batch goes on.

    Raises
    ------
    InputError
        When a worker cannot store a row, runs other code or sees other files, or the scheduler is lost.
    """
    from distributed import CancelledError, KilledWorker, as_completed
    from distributed.comm.core import CommClosedError

    run, here = uuid4().hex, os.getcwd()
    token = store.folder / ".run"

    def send(batch: list[Cell]):
        return client.submit(_work, batch, str(store.folder), here, run, pure=False)

    token.write_text(run, encoding="utf-8")
    waiting, ahead = iter(batches), max(_AHEAD * workers, 100)  # more workers may join
    try:
        sent = {send(batch): batch for batch in islice(waiting, ahead)}
        ended = as_completed(list(sent), loop=client.loop)
        for future in ended:
            batch = sent.pop(future)
            for more in islice(waiting, 1):
                sent[new := send(more)] = more
                ended.add(new)
            left: list[Cell] = []
            try:
                future.result()
            except KilledWorker:
                left = [cell for cell in batch if not store.has(cell.key)]
            except (CancelledError, CommClosedError) as error:
                raise InputError(f"scheduler: lost ({error}); what was finished is kept, run it again") from None
            if left:
                error = "the worker died every time: killed from outside, out of memory, or crashed by the method"
                store.put(left[0].key, base_row(left[0]) | {"failure": "machine", "error": error})
            if rest := left[1:]:
                sent[again := send(rest)] = rest
                ended.add(again)
            undone = {cell.key for cell in rest}
            done = [cell for cell in batch if cell.key not in undone]
            if not _seen(store, done):
                raise InputError(f"{store.folder}: the workers do not write here; choose a folder that they see too")
            yield from (cell.key for cell in done)
    finally:
        token.unlink(missing_ok=True)  # workers of other machines stop after the cell they are at


def _seen(store: Store, cells: list[Cell]) -> bool:
    """Whether rows that a worker has stored are here; a network file system may take a moment."""
    for wait in (0, 1, 4, 10):
        time.sleep(wait)
        if all(store.has(cell.key) for cell in cells):
            return True
    return False


def _work(batch: list[Cell], folder: str, here: str, run: str) -> None:
    """Run a batch in a worker, as long as its run goes on."""
    token = Path(folder, ".run")
    for path in (folder, here):
        if not Path(path).is_dir():
            raise InputError(f"{path}: a worker on {platform.node()} does not see this folder; choose one it sees")
    with _one_at_a_time, chdir(here):
        if here not in sys.path:
            sys.path.append(here)
        try:
            for _ in run_batch(batch, Store(folder), _made(run)):
                if not token.is_file() or token.read_text(encoding="utf-8") != run:
                    return
        except OSError as error:
            raise InputError(f"a worker on {platform.node()}: {error}") from None


@lru_cache(maxsize=1)
def _made(run: str) -> Made:
    """What this worker has made last, of one run: files may change between two."""
    return Made()


def _kill(cluster) -> None:
    """End the workers of this machine, and programs they run, at once: they hold nothing that is not stored."""
    import psutil

    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        with suppress(psutil.Error, ValueError):  # it may have ended by itself
            worker = psutil.Process(nanny.pid or -1)
            for process in (*worker.children(recursive=True), worker):
                process.kill()
