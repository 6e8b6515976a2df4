"""How fast the kernels are: `pytest tests/benchmarks --benchmark-enable`. Rates are told, none is asserted.

Each case first checks that what it times gives the right answer; time is for comparing two versions on one machine.
"""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork, load_material
from veristem.recon.contours.ridge import ridge_contours
from veristem.recon.stereo.matching import match_contours
from veristem.sim.contrast.howie_whelan import Extinction, two_beam
from veristem.sim.elasticity.grid import voxel_distortion
from veristem.sim.elasticity.segment import segment_distortion

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
SIDE = 256


def told(benchmark, what: str, count: int) -> None:
    """Put a rate beside the times; nothing when benchmarks are disabled."""
    if benchmark.stats is not None:
        benchmark.extra_info[what] = count / benchmark.stats.stats.median


@pytest.fixture(scope="module")
def line() -> DislocationNetwork:
    """An inclined screw of 200 segments through a foil of 512 x 512 x 200 nm."""
    points = np.linspace([-500.0, 200.0, -100.0], [1000.0, 300.0, 300.0], 201)
    return DislocationNetwork.from_polyline(points, [0.18, 0.0, 0.18])


def views() -> np.ndarray:
    """Two noisy images with ten dark lines."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    image = np.full((2, SIDE, SIDE), 1000.0)
    for view, shift in enumerate((-4, 4)):
        for k in range(10):
            image[view] *= 1 - 0.4 * np.exp(-0.5 * ((x - 0.3 * y - 24 * k - shift) / 3.0) ** 2)
    return np.random.default_rng(0).poisson(image).astype(np.float32)


def test_two_beam(benchmark):
    """Slices per second of the two-beam equations."""
    slices = 60
    beta = np.random.default_rng(0).normal(0, 1e-3, (slices, SIDE, SIDE)).astype(np.float32)
    s = np.zeros(1)
    beams = benchmark(two_beam, beta, 3.0, s, Extinction(60.0, 900.0, 600.0))
    assert np.isfinite(beams).all()
    told(benchmark, "slice-steps per second", slices * SIDE * SIDE)


ORIGIN, STEP, SHAPE = (0.0, 0.0, 0.0), (3.0, 4.0, 4.0), (40, 96, 96)
G = np.array([0.0, 4.9, 0.0])
POISSON = load_material("Al").poisson_ratio


def test_voxel_distortion(benchmark, line):
    """Voxels per second of the strain of a foil on its grid."""
    volume = benchmark(voxel_distortion, line, G, ORIGIN, STEP, SHAPE, POISSON, 0.3)
    assert np.isfinite(volume).all()
    told(benchmark, "voxels per second", int(np.prod(SHAPE)))


def test_direct_sum(benchmark, line):
    """Voxels per second of the same by summing all segments at every point: what the grid must beat."""
    index = np.random.default_rng(0).integers(0, SHAPE, (500, 3))
    points = ((index + 0.5) * STEP)[:, ::-1]
    direct = benchmark(segment_distortion, line, points, POISSON, 0.3)
    volume = voxel_distortion(line, G, ORIGIN, STEP, SHAPE, POISSON, 0.3)
    gridded = volume[:, index[:, 0], index[:, 1], index[:, 2]].T
    off = np.abs(gridded - np.einsum("i,nij->nj", G, direct))
    assert np.quantile(off, 0.99) < 0.01 * np.abs(gridded).max()  # voxels on the line itself are averaged
    told(benchmark, "voxels per second", len(points))


def test_ridges(benchmark):
    """Pixels per second of finding lines."""
    images = views()
    contours = benchmark(ridge_contours, images, 2.0)
    assert len(contours.curves_nm[0]) >= 10
    told(benchmark, "pixels per second", images.size)


def test_match(benchmark):
    """Vertices per second of matching ten lines with ten."""
    contours = ridge_contours(views(), 2.0)
    matches = benchmark(match_contours, contours, (0, 1), np.array([1.0, 0.0]), (-30.0, 30.0), 2.0, 6.0)
    assert len(matches.first_nm) >= 10
    told(benchmark, "vertices per second", sum(map(len, matches.first_nm)))


def test_score(benchmark):
    """Micrometres of line per second scored."""
    rng = np.random.default_rng(0)
    ends = rng.uniform(0, [500, 500, 200], (2, 20, 3))
    truth = CurveSet(tuple(np.linspace(a, b, 60) for a, b in zip(*ends, strict=True)))
    found = CurveSet(tuple(c + rng.normal(0, 2, c.shape) for c in truth.curves_nm))
    scores = benchmark(score_curves, truth, found)
    assert scores["f_score"] == pytest.approx(1, abs=0.01)
    told(benchmark, "micrometres of line per second", truth.length_nm / 1e3)
