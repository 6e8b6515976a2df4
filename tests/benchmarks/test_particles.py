"""How fast particles are counted: `pytest tests/benchmarks --benchmark-enable`. Rates are told, none is asserted."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.recon.particles import radial_distribution, radial_distribution_bands

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
BOX = np.array([800.0, 800.0, 178.0])
EDGES = np.arange(0.0, 151.0, 2.0)


@pytest.fixture(scope="module")
def centers() -> np.ndarray:
    """20 000 particles without order in a film."""
    return np.random.default_rng(0).uniform(0, 1, (20_000, 3)) * BOX


def told(benchmark, count: int) -> None:
    """Put a rate beside the times; nothing when benchmarks are disabled."""
    if benchmark.stats is not None:
        benchmark.extra_info["particles per second"] = count / benchmark.stats.stats.median


def test_pair_correlation(benchmark, centers):
    """Particles per second of g(r) to 150 nm."""
    g = benchmark(radial_distribution, centers, BOX, EDGES)
    assert g[5:] == pytest.approx(1, abs=0.1)
    told(benchmark, len(centers))


def test_bands(benchmark, centers):
    """Particles per second of its confidence interval."""
    low, high = benchmark(lambda: radial_distribution_bands(centers, BOX, EDGES, np.random.default_rng(0)))
    assert ((low <= 1) & (high >= 1)).mean() > 0.8
    told(benchmark, len(centers))
