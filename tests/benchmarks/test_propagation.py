"""How fast beams pass a foil: `pytest tests/benchmarks --benchmark-only`. Rates are told, none is asserted.

A slice-step is one slice of one pixel at one excitation error. Floors, counted:

- Two beams: the phase of beta is one complex product (6 flops), the crystal four products and two sums of complex
  numbers (28): 34 flops. Memory: beta is read once for all k excitation errors and two intensities are written per nz
  slices, in float32 4/k + 8/nz bytes, 0.14 at k = 64 and nz = 100, so arithmetic is the floor.
- N beams: 8 N² - 2 N for the crystal, 12 (N - 1) for the phases and their powers: 90, 238 and 450 flops for 3, 5 and 7.

`peak_flops` measures what the cores do in products and sums that wait for no memory and, as in the kernels, are not
fused. Rates are of the fastest round: cores are often shared. On two cores of an EPYC (Zen 3), 1.9e11 flops per second
at most, two beams reached 2.9e9 slice-steps per second: 54 % of that and 17 times NumPy's rate. Rows of 3, 5 and 7
beams reached 8.2e8, 4.6e8 and 2.4e8: 40, 58 and 58 %. With other work on both cores it is a half to a sixth of that.
"""

from __future__ import annotations

import time

import numba
import numpy as np
import pytest

from veristem.datasets import load_material
from veristem.sim.contrast import Extinction, Row, systematic_row, two_beam
from veristem.sim.contrast.howie_whelan import crystal_step

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
SLICES, DZ_NM = 100, 2.0
S = np.linspace(-0.02, 0.02, 64)
EXTINCTION = Extinction(66.8, 1193.0, 490.0)
WIDTH = 1024  # floats that stay in the first cache


@numba.njit
def _products(rounds, c):
    """15 flops on each of WIDTH floats, ``rounds`` times."""
    x = np.ones(WIDTH, np.float32)
    c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
    for _ in range(rounds):
        for p in range(WIDTH):
            v = x[p]
            x[p] = ((v * c0 + v * c1) + (v * c2 + v * c3)) + ((v * c4 + v * c5) + (v * c6 + v * c7))
    return x.sum()


@pytest.fixture(scope="module")
def peak_flops() -> float:
    """Flops per second of all threads together: one's, by its own clock, which stands while others have the core."""
    rounds, factors = 10_000, np.full(8, 0.125, np.float32)
    _products(1, factors)
    times = []
    for _ in range(20):
        start = time.thread_time()
        _products(rounds, factors)
        times.append(time.thread_time() - start)
    return numba.get_num_threads() * rounds * WIDTH * 15 / min(times)


def seconds(function, *arguments) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def strain(side: int) -> np.ndarray:
    """(SLICES, side, side) float32 of random strain [1/nm]."""
    return np.random.default_rng(0).normal(0, 1e-3, (SLICES, side, side)).astype(np.float32)


def plain_two_beam(beta: np.ndarray, s: np.ndarray) -> np.ndarray:
    """The same steps as they are written down, in NumPy."""
    phase = np.exp(2j * np.pi * DZ_NM * beta).astype(np.complex64)
    step = crystal_step(DZ_NM, s, EXTINCTION).astype(np.complex64)[..., None, None]
    half = np.sqrt(phase)
    direct = np.ones((len(s), *beta.shape[1:]), np.complex64)
    diffracted = np.zeros_like(direct)
    for h in half:
        turned = h * diffracted
        direct, diffracted = (
            step[:, 0, 0] * direct + step[:, 0, 1] * turned,
            h * (step[:, 1, 0] * direct + step[:, 1, 1] * turned),
        )
    mean = np.exp(-2 * np.pi * DZ_NM * len(beta) / EXTINCTION.xi_0_abs)
    return mean * np.abs([direct, diffracted]) ** 2


def told(benchmark, steps: int, flops: int, peak: float) -> float:
    """Put rates beside the times; nothing when benchmarks are disabled. Returns slice-steps per second."""
    if benchmark.stats is None:
        return np.nan
    rate = steps / benchmark.stats.stats.min
    benchmark.extra_info["slice-steps per second"] = rate
    benchmark.extra_info["share of measured peak"] = rate * flops / peak
    return rate


def test_two_beams(benchmark, peak_flops):
    """256² pixels, 100 slices, 64 excitation errors, and how much faster than NumPy a slice-step is."""
    small = strain(32)
    np.testing.assert_allclose(two_beam(small, DZ_NM, S, EXTINCTION), plain_two_beam(small, S), atol=2e-5)
    beta = strain(256)
    benchmark.pedantic(two_beam, (beta, DZ_NM, S, EXTINCTION), rounds=8, warmup_rounds=1)
    rate = told(benchmark, beta.size * len(S), 34, peak_flops)
    plain = small.size * len(S) / min(seconds(plain_two_beam, small, S) for _ in range(3))
    benchmark.extra_info["times NumPy's rate"] = rate / plain


@pytest.mark.parametrize("beams", [3, 5, 7])
def test_row(benchmark, peak_flops, beams):
    """128² pixels, 100 slices, 64 excitation errors of gamma-TiAl 002."""
    low = -(beams - 1) // 2
    row = Row.of_material(load_material("gamma-TiAl"), (0, 0, 2), 200.0, range(low, low + beams))
    beta = strain(128)
    found = benchmark.pedantic(systematic_row, (beta, DZ_NM, S, row), rounds=5, warmup_rounds=1)
    assert found.sum(axis=0).max() < 1
    told(benchmark, beta.size * len(S), 8 * beams**2 - 2 * beams + 12 * (beams - 1), peak_flops)
