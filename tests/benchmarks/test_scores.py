"""How fast scores of lines are: `pytest tests/benchmarks/test_scores.py --benchmark-enable`. Told, not asserted."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.degradations.scene import network
from veristem.bench.metrics.lines import Lines
from veristem.bench.metrics.nearest import nearest_segments
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
PAIR = np.array([[0.07, 0.0], [-0.07, 0.0]])
COPIES = 8  # of a network of 7 µm in 512 x 512 x 200 nm: denser than any image can show line by line


def scene(copies: int) -> tuple[DislocationNetwork, CurveSet]:
    """Truth of a field of 512 nm, and the same with vertices 1 nm off; copies are shifted over each other."""
    rng = np.random.default_rng(0)
    one = network()
    moves = rng.uniform(-100, 100, (copies, 3)) * [1, 1, 0.2]
    truth = DislocationNetwork.union([one.rotated(np.eye(3), to_nm=move) for move in moves])
    return truth, CurveSet(tuple(c + rng.normal(0, 1, c.shape) for c in truth.chains()))


@pytest.mark.parametrize("copies", [1, COPIES])
def test_curves(benchmark, copies):
    """All scores of curves, with their variants, of a dense scene and of one too dense."""
    truth, found = scene(copies)
    scores = benchmark.pedantic(
        score_curves, (truth, found), {"field_nm": (512.0, 512.0), "directions_rad": PAIR}, rounds=3, warmup_rounds=1
    )
    assert scores["f_score"] == pytest.approx(1, abs=0.02)
    assert scores["hausdorff95_nm"] < 10
    if benchmark.stats is not None:
        benchmark.extra_info["micrometres of line"] = truth.lengths_nm.sum() / 1e3


def all_pairs(points: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest segment, every pair worked out."""
    nearest = []
    for part in np.array_split(points, len(points) // 200 + 1):
        p, d = part[:, None], stop - start
        at = np.clip(((p - start) * d).sum(axis=-1) / (d**2).sum(axis=-1), 0, 1)
        nearest.append(np.linalg.norm(p - start - at[..., None] * d, axis=-1).min(axis=1))
    return np.concatenate(nearest)


@pytest.mark.parametrize("way", ["kernel", "all pairs"])
def test_nearest(benchmark, way):
    """The search that all distances rest on, and the same by all pairs of points and segments."""
    truth, found = scene(1)
    lines, points = Lines.of(truth, 10.0), np.ascontiguousarray(Lines.of(found, 10.0).samples[0])
    run = all_pairs if way == "all pairs" else lambda *given: nearest_segments(*given)[2]
    distance = benchmark.pedantic(run, (points, lines.start_nm, lines.stop_nm), rounds=3, warmup_rounds=1)
    np.testing.assert_allclose(distance[:500], all_pairs(points[:500], lines.start_nm, lines.stop_nm), atol=1e-8)
