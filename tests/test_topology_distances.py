"""Distances of diagrams: by hand, against GUDHI without any shortcut, and the laws they must obey."""

from __future__ import annotations

import gudhi
import numpy as np
import pytest
from gudhi.wasserstein import wasserstein_distance
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.topology.diagrams import diagrams
from veristem.bench.topology.distances import DISTANCES, distance
from veristem.datasets.errors import InputError

NONE = np.zeros((0, 2))


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Up to 25 classes, short-lived or long-lived, on a coarse grid or not."""
    birth = rng.uniform(0, 1, rng.integers(0, 26))
    points = np.stack([birth, birth + rng.exponential(rng.choice([0.02, 0.2, 1.0]), len(birth))], axis=1)
    return points.round(1) if rng.uniform() < 0.3 else points


def three(seed: int) -> list[np.ndarray]:
    """Three diagrams, of which the first two share some points."""
    rng = np.random.default_rng(seed)
    a, b, c = drawn(rng), drawn(rng), drawn(rng)
    shared = min(len(a), len(b)) // 2
    b[:shared] = a[:shared]
    return [a, b, c]


def test_by_hand():
    """(0, 4) goes to (1, 4), 1 nm; (0, 2) has no partner: 1 nm to the diagonal."""
    first, second = np.array([[0.0, 4], [0, 2]]), np.array([[1.0, 4]])
    assert distance(first, second) == pytest.approx(2)
    assert distance(first, second, "wasserstein-2") == pytest.approx(np.sqrt(2))
    assert distance(first, second, "bottleneck") == 1
    assert distance(first, NONE) == pytest.approx(3)
    assert distance(first, NONE, "wasserstein-2") == pytest.approx(np.sqrt(5))
    assert distance(first, NONE, "bottleneck") == 2
    for kind in DISTANCES:
        assert distance(NONE, NONE, kind) == 0


def test_shared_points_may_part():
    """For squares it can pay to move a point that both have: the shortcut of Wasserstein-1 must not be taken there."""
    first, second = np.array([[0.0, 10], [1, 11]]), np.array([[1.0, 11], [2, 12]])
    assert distance(first, second, "wasserstein-2") == pytest.approx(np.sqrt(2))
    assert distance(first, second, "bottleneck") == 1
    assert distance(first, second) == pytest.approx(2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_equals_gudhi(seed):
    """All shortcuts are exact."""
    a, b, _ = three(seed)
    for order in (1, 2):
        expected = wasserstein_distance(a, b, order=order, internal_p=np.inf)
        assert distance(a, b, f"wasserstein-{order}") == pytest.approx(expected, abs=1e-9)
    assert distance(a, b, "bottleneck") == pytest.approx(gudhi.bottleneck_distance(a, b), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_laws_of_a_distance(seed):
    """No distance to itself, the same both ways, and no detour is shorter."""
    a, b, c = three(seed)
    for kind in DISTANCES:
        assert distance(a, a[::-1], kind) == pytest.approx(0, abs=1e-9)
        assert distance(a, b, kind) == pytest.approx(distance(b, a, kind), abs=1e-9)
        assert distance(a, c, kind) <= distance(a, b, kind) + distance(b, c, kind) + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_stability(seed):
    """Diagrams of values that differ by at most d are at most d apart (Cohen-Steiner et al. 2007), caps included."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 9, (8, 9)).astype(float)
    other = values + rng.uniform(-1, 1, values.shape) * rng.choice([0.1, 1, 5])
    for a, b in zip(diagrams(values), diagrams(other), strict=True):
        assert distance(a, b, "bottleneck") <= np.abs(values - other).max() + 1e-9


def test_bad_input_is_told():
    with pytest.raises(InputError, match="distance: wasserstein-3 found, wasserstein-1, wasserstein-2, bottleneck"):
        distance(NONE, NONE, "wasserstein-3")
    with pytest.raises(InputError, match="not finite"):
        distance(np.array([[0, np.inf]]), NONE)
