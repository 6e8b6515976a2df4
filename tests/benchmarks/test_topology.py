"""How fast the topological score is: `pytest tests/benchmarks --benchmark-enable`. Ratios are told, none is asserted.

Each case first checks that what it times gives the right answer; time is for comparing two versions on one machine.
"""

from __future__ import annotations

import time

import gudhi
import numpy as np
import pytest
from gudhi.wasserstein import wasserstein_distance

from veristem.bench.topology.diagrams import diagrams
from veristem.bench.topology.distances import DISTANCES, distance
from veristem.bench.topology.filtrations import filtrations
from veristem.bench.topology.score import Topology, distances_nm
from veristem.bench.topology.tubes import draw

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
SHAPE, PIXEL = (512, 512), 1.0


def masks() -> tuple[np.ndarray, np.ndarray]:
    """Thirty lines of 10 nm, and the same with gaps and 300 specks."""
    rng = np.random.default_rng(0)
    start, stop = rng.uniform(0, 512, (2, 30, 2))
    truth = draw(start, stop, 5.0, SHAPE, PIXEL)
    gaps, specks = start + rng.uniform(0.2, 0.8, (30, 1)) * (stop - start), rng.uniform(0, 512, (300, 2))
    return truth, truth & ~draw(gaps, gaps, 10.0, SHAPE, PIXEL) | draw(specks, specks, 3.0, SHAPE, PIXEL)


@pytest.mark.parametrize("kind", DISTANCES)
def test_thirty_distances(benchmark, kind):
    """Two masks of 512² pixels: fifteen filtrations, their diagrams and thirty distances."""
    truth, found = masks()

    def score() -> np.ndarray:
        return distances_nm(Topology.of(found, PIXEL), Topology.of(truth, PIXEL), kind)

    distances = benchmark.pedantic(score, rounds=3, warmup_rounds=1)
    assert (distances[:, 0] > 0).all()


def test_diagrams_against_general_path(benchmark):
    """Fifteen diagrams of a mask, and how much longer GUDHI's CubicalComplex takes for them."""
    values = list(filtrations(masks()[1], PIXEL).values())
    found = benchmark.pedantic(lambda: [diagrams(v) for v in values], rounds=3, warmup_rounds=1)
    start = time.perf_counter()
    general = gudhi.CubicalComplex(top_dimensional_cells=values[0])
    general.compute_persistence(homology_coeff_field=2)
    seconds = len(values) * (time.perf_counter() - start)
    assert len(found[0][1]) == len(general.persistence_intervals_in_dimension(1))
    if benchmark.stats is not None:
        benchmark.extra_info["times as long by CubicalComplex"] = seconds / benchmark.stats.stats.median


@pytest.mark.parametrize("order", [1, 2])
def test_wasserstein_against_whole_problem(benchmark, order):
    """H1 of the dilation, thousands of short-lived classes, and how much longer GUDHI takes for all at once."""
    first, second = (diagrams(filtrations(mask, PIXEL)["dilation"])[1] for mask in masks()[::-1])
    found = benchmark.pedantic(distance, (first, second, f"wasserstein-{order}"), rounds=3, warmup_rounds=1)
    start = time.perf_counter()
    whole = wasserstein_distance(first, second, order=order, internal_p=np.inf)
    seconds = time.perf_counter() - start
    assert found == pytest.approx(whole)
    if benchmark.stats is not None:
        benchmark.extra_info["classes"] = len(first) + len(second)
        benchmark.extra_info["times as long at once"] = seconds / benchmark.stats.stats.median
