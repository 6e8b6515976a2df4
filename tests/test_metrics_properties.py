"""What must hold for any lines: perfect when identical, blind to how curves are written, monotonic in damage."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from veristem.bench.metrics import metrics
from veristem.bench.scoring import score_curves, vertex_errors_nm
from veristem.datasets import CurveSet

PAIR = np.array([[0.07, 0.0], [-0.07, 0.0]])
METRICS = [m for m in metrics() if "curves" in m.of]
quick = settings(deadline=None, max_examples=15)


def wandering(seed: int, count: int = 6) -> list[np.ndarray]:
    """Smooth random curves of a few 100 nm."""
    rng = np.random.default_rng(seed)
    curves = []
    for _ in range(count):
        direction = rng.normal(size=3) + np.cumsum(rng.normal(0, 0.2, (rng.integers(3, 20), 3)), axis=0)
        steps = rng.uniform(8, 25) * direction / np.linalg.norm(direction, axis=1)[:, None]
        curves.append(rng.uniform(0, 400, 3) * [1, 1, 0.4] + np.cumsum(steps, axis=0))
    return curves


def resampled(curve: np.ndarray, rng) -> np.ndarray:
    """The same curve with further vertices on its segments."""
    parts = [curve[:1]]
    for a, b in pairwise(curve):
        t = np.append(np.sort(rng.uniform(0, 1, rng.integers(0, 4))), 1.0)
        parts.append(a + t[:, None] * (b - a))
    return np.concatenate(parts)


def rewritten(curves, seed: int) -> list[np.ndarray]:
    """The same lines in another order, other directions, other vertices."""
    rng = np.random.default_rng(seed)
    return [resampled(curves[i][:: rng.choice([-1, 1])], rng) for i in rng.permutation(len(curves))]


@quick
@given(st.integers(0, 10_000))
def test_identical_lines_score_perfect(seed):
    """However they are written."""
    lines = wandering(seed)
    result = score_curves(CurveSet(tuple(lines)), CurveSet(tuple(rewritten(lines, seed))), directions_rad=PAIR)
    for m in METRICS:
        for suffix in ("", "_visible", "_psi_above_25"):
            value = result[m.name + suffix]
            assert value is None or value == pytest.approx(m.good, abs=1e-9), m.name


@quick
@given(st.integers(0, 10_000))
def test_reversing_and_reordering_change_nothing(seed):
    rng = np.random.default_rng(seed)
    truth = wandering(seed)
    found = [c + rng.normal(0, 3, c.shape) for c in truth[1:]] + wandering(seed + 1, 1)
    sigma = [rng.uniform(1, 5, len(c)) for c in found]
    a = score_curves(CurveSet(tuple(truth)), CurveSet(tuple(found), tuple(sigma)), directions_rad=PAIR)
    b = score_curves(
        CurveSet(tuple(c[::-1] for c in truth[::-1])),
        CurveSet(tuple(c[::-1] for c in found[::-1]), tuple(s[::-1] for s in sigma[::-1])),
        directions_rad=PAIR,
    )
    assert a == pytest.approx(b, abs=1e-7)


@quick
@example(223)  # an end that bends back to its own line
@given(st.integers(0, 10_000))
def test_resampling_changes_little(seed):
    """Another choice of samples moves averages by less than the samples are apart."""
    rng = np.random.default_rng(seed)
    truth = wandering(seed)
    found = [c + rng.normal(0, 3, c.shape) for c in truth[1:]]
    a = score_curves(CurveSet(tuple(truth)), CurveSet(tuple(found)))
    b = score_curves(CurveSet(tuple(rewritten(truth, seed))), CurveSet(tuple(rewritten(found, seed))))
    for name in ("accuracy_nm", "depth_bias_nm", "depth_rmse_nm", "lateral_rmse_nm"):
        assert a[name] == pytest.approx(b[name], abs=0.1)
    for name in ("precision", "recall", "f_score"):
        assert a[name] == pytest.approx(b[name], abs=0.02)
    assert a["length_ratio"] == pytest.approx(b["length_ratio"], rel=1e-9)
    for name in ("betti0_error", "betti1_error"):
        assert a[name] == b[name]


@quick
@given(st.integers(0, 10_000), st.sampled_from([0, 1, 2]))
def test_a_growing_shift_makes_a_line_worse(seed, axis):
    """A straight line across the axis of the shift: every score moves one way."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=3)
    direction[axis] = 0
    line = rng.uniform(0, 300, 3) + np.linspace(0, 200, 9)[:, None] * direction / np.linalg.norm(direction)
    results = [score_curves(CurveSet((line,)), CurveSet((line + s * np.eye(3)[axis],))) for s in (0, 2, 5, 9, 15, 40)]
    for m in METRICS:
        values = [m.loss(r[m.name]) for r in results if r[m.name] is not None]
        assert np.all(np.diff(values) > -1e-9), m.name


@pytest.mark.slow
@quick
@given(st.integers(0, 10_000))
def test_deleting_lines_costs_recall_and_adding_costs_precision(seed):
    truth = CurveSet(tuple(wandering(seed)))
    deleted = [score_curves(truth, CurveSet(truth.curves_nm[:k])) for k in range(6, 0, -1)]
    for name in ("recall", "f_score", "length_ratio"):
        assert np.all(np.diff([r[name] for r in deleted]) < 1e-12)
    far = [c + np.array([5000.0, 0, 0]) for c in wandering(seed + 1)]
    added = [score_curves(truth, CurveSet((*truth.curves_nm, *far[:k]))) for k in range(6)]
    for name in ("precision", "f_score", "apls"):
        assert np.all(np.diff([r[name] for r in added]) < 0)
    assert all(r["recall"] == 1 for r in added)


@quick
@given(st.integers(0, 10_000))
def test_distances_are_metrics(seed):
    """Chamfer and Hausdorff are symmetric; Hausdorff keeps the triangle inequality, being exact between samples."""
    a, b, c = (CurveSet(tuple(wandering(seed + k, 2))) for k in (0, 20_000, 40_000))
    there, back = score_curves(a, b), score_curves(b, a)
    for name in ("chamfer_nm", "hausdorff_nm", "hausdorff95_nm", "f_score", "betti0_error", "betti1_error"):
        assert there[name] == pytest.approx(back[name], abs=1e-6)
    assert (there["accuracy_nm"], there["precision"]) == (back["completeness_nm"], back["recall"])
    ab, bc, ac = (score_curves(*pair)["hausdorff_nm"] for pair in ((a, b), (b, c), (a, c)))
    assert None not in (ab, bc, ac)
    assert ac <= ab + bc + 1e-6
    assert there["hausdorff95_nm"] <= ab


@quick
@given(st.integers(0, 10_000))
def test_hausdorff_is_exact(seed):
    """Against points a thousandth of the largest segment apart."""
    a, b = (CurveSet(tuple(wandering(seed + k, 2))) for k in (0, 20_000))
    dense = [
        np.concatenate([p + np.linspace(0, 1, 1001)[:, None] * (q - p) for c in s.curves_nm for p, q in pairwise(c)])
        for s in (a, b)
    ]
    brute = max(
        np.max(e) for e in (vertex_errors_nm(b, CurveSet((dense[0],))) + vertex_errors_nm(a, CurveSet((dense[1],))))
    )
    exact = score_curves(a, b)["hausdorff_nm"]
    assert brute - 1e-6 <= exact <= brute + 0.03


@quick
@given(st.integers(0, 10_000))
def test_more_jitter_costs_more(seed):
    """Every metric that sees it, on the same draw in three strengths that stay within the tolerance."""
    rng = np.random.default_rng(seed)
    lines = [np.linspace(a, a + d, 12) for a, d in zip(rng.uniform(0, 300, (4, 3)), rng.normal(0, 120, (4, 3)))]
    moves = [np.clip(rng.normal(0, 1, c.shape), -2, 2) for c in lines]
    results = [
        score_curves(CurveSet(tuple(lines)), CurveSet(tuple(c + s * m for c, m in zip(lines, moves))))
        for s in (0, 0.5, 1, 2)
    ]
    for name in ("accuracy_nm", "chamfer_nm", "hausdorff_nm", "depth_rmse_nm", "lateral_rmse_nm", "tangent_error_deg"):
        assert np.all(np.diff([r[name] for r in results]) > 0), name
