"""How a benchmark is timed: beside obvious code for the same result, in the same run, on one thread.

`pytest tests/benchmarks --benchmark-only` shows them, `make bench` publishes them. Each test asserts that both give the
same; time is told and never asserted, and only a ratio can be compared between machines. Times are of the process's
own clock, which stands while others have the core: on one thread that is the wall time of an idle machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numba
import pytest
import scipy.linalg  # noqa: F401  its BLAS must be loaded to be limited
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread(request) -> Iterator[None]:
    """Else a ratio would depend on the number of cores and on which side has the parallel library."""
    request.node.add_marker(pytest.mark.benchmark(timer=time.process_time))
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    with threadpool_limits(1):
        yield
    numba.set_num_threads(before)


@pytest.fixture
def alone(benchmark, request) -> Callable[..., Any]:
    """Time a function that has no reference: alone(what, size, function, rounds=5), which returns its result."""

    def run(what: str, size: str, function: Callable[[], Any], *, rounds: int = 5, warmup_rounds: int = 1):
        subject = request.path.stem.removeprefix("test_").replace("_", " ")
        benchmark.extra_info.update(subject=subject, what=what, size=size)
        return benchmark.pedantic(function, rounds=rounds, warmup_rounds=warmup_rounds)

    return run


@pytest.fixture
def compare(benchmark, alone) -> Callable[..., tuple[Any, Any]]:
    """Time a function and its reference, and tell how many times as long the reference takes.

    compare(what, size, function, reference, by) returns what both found. ``by`` names the reference; ``share`` is the
    part of the work that it did, when all would take too long; ``floor`` are seconds below which the work cannot be
    done, and the words for why.
    """

    def run(
        what: str,
        size: str,
        function: Callable[[], Any],
        reference: Callable[[], Any],
        by: str,
        *,
        rounds: int = 5,
        reference_rounds: int = 3,
        share: float = 1.0,
        floor: tuple[float, str] | None = None,
    ) -> tuple[Any, Any]:
        seconds = []

        def timed():
            start = time.process_time()
            result = reference()
            seconds.append((time.process_time() - start) / share)
            return result

        expected = timed()
        found = alone(what, size, function, rounds=rounds)
        if benchmark.stats is not None:
            for _ in range(reference_rounds - 1):  # after it too: the machine may have become slower meanwhile
                timed()
            reference_s = statistics.median(seconds)
            benchmark.extra_info.update(
                reference=by, reference_s=reference_s, ratio=reference_s / benchmark.stats.stats.median
            )
            if floor is not None:
                benchmark.extra_info.update(floor_s=floor[0], floor=floor[1])
        return found, expected

    return run
