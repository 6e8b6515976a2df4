"""Beams through a foil. A slice-step is one slice of one pixel at one excitation error.

Floors, counted:

- Two beams: the phase of beta is one complex product (6 flops), the crystal four products and two sums of complex
  numbers (28): 34 flops. Memory: beta is read once for all k excitation errors and two intensities are written per nz
  slices, in float32 4/k + 8/nz bytes, 0.14 at k = 64 and nz = 100, so arithmetic is the floor.
- N beams: 8 N² - 2 N for the crystal, 12 (N - 1) for the phases and their powers: 90, 238 and 450 flops for 3, 5 and 7.

`peak_flops` measures what a core does in products and sums that wait for no memory and, as in the kernels, are not
fused.
"""

from __future__ import annotations

import time

import numba
import numpy as np
import pytest
from scipy.linalg import expm

from veristem.datasets import load_material
from veristem.sim.contrast import Extinction, Row, systematic_row, two_beam
from veristem.sim.contrast.howie_whelan import crystal_step

SLICES, DZ_NM = 100, 2.0
S = np.linspace(-0.02, 0.02, 64)
EXTINCTION = Extinction(66.8, 1193.0, 490.0)
WIDTH = 1024  # floats that stay in the first cache
BY = "NumPy, slice by slice"


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
    """Flops per second of a thread, by its own clock, which stands while others have the core."""
    rounds, factors = 10_000, np.full(8, 0.125, np.float32)
    _products(1, factors)
    times = []
    for _ in range(20):
        start = time.thread_time()
        _products(rounds, factors)
        times.append(time.thread_time() - start)
    return rounds * WIDTH * 15 / min(times)


def strain(side: int) -> np.ndarray:
    """(SLICES, side, side) float32 of random strain [1/nm]."""
    return np.random.default_rng(0).normal(0, 1e-3, (SLICES, side, side)).astype(np.float32)


def size(side: int) -> str:
    """Of the problem, in words."""
    return f"{side}² pixels, {SLICES} slices, {len(S)} excitation errors"


def floor(side: int, flops: int, peak: float) -> tuple[float, str]:
    """Time that the arithmetic takes."""
    return side**2 * SLICES * len(S) * flops / peak, f"{flops} flops a slice-step, at {peak:.2g} flops/s measured"


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


def plain_row(beta: np.ndarray, s: np.ndarray, row: Row) -> np.ndarray:
    """A row of beams the same way: half of the phases, the matrix of the crystal, the other half."""
    flat = beta.reshape(len(beta), -1)
    turns = np.exp(1j * np.pi * DZ_NM * np.multiply.outer(row.orders, flat)).astype(np.complex64)
    found = []
    for step in expm(row.generator(DZ_NM, s)).astype(np.complex64):
        beams = np.zeros(turns[:, 0].shape, np.complex64)
        beams[row.orders.index(0)] = 1
        for z in range(len(beta)):
            beams = turns[:, z] * (step @ (turns[:, z] * beams))
        found.append(np.abs(beams) ** 2)
    mean = np.exp(-2 * np.pi * DZ_NM * len(beta) / row.xi_0_abs)
    return mean * np.moveaxis(found, 1, 0).reshape(len(row.orders), len(s), *beta.shape[1:])


def test_two_beams(compare, peak_flops):
    """Strain that differs from pixel to pixel, as in an image."""
    side = 128
    beta = strain(side)
    given = (size(side), lambda: two_beam(beta, DZ_NM, S, EXTINCTION), lambda: plain_two_beam(beta, S), BY)
    found, expected = compare("two beams", *given, floor=floor(side, 34, peak_flops))
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("beams", [3, 5, 7])
def test_row(compare, peak_flops, beams):
    """The 002 row of gamma-TiAl."""
    side, low = 64, -(beams - 1) // 2
    row = Row.of_material(load_material("gamma-TiAl"), (0, 0, 2), 200.0, range(low, low + beams))
    beta = strain(side)
    flops = 8 * beams**2 - 2 * beams + 12 * (beams - 1)
    given = (size(side), lambda: systematic_row(beta, DZ_NM, S, row), lambda: plain_row(beta, S, row), BY)
    found, expected = compare(f"row of {beams} beams", *given, floor=floor(side, flops, peak_flops))
    np.testing.assert_allclose(found, expected, atol=1e-4)
