"""How far two persistence diagrams are apart: Wasserstein-1, Wasserstein-2 and bottleneck, all exact.

The ground norm is the maximum norm, in which the distance of a point to the diagonal is half its life. For Wasserstein
distances a pair of points is of use only if it is cheaper than both points' ways to the diagonal; useful pairs fall
apart into small groups, each of which GUDHI and POT solve by itself. What is left out can be exchanged for ways to the
diagonal at no cost, so nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from veristem.datasets.errors import InputError

DISTANCES = ("wasserstein-1", "wasserstein-2", "bottleneck")


def distance(first: np.ndarray, second: np.ndarray, kind: str = "wasserstein-1") -> float:
    """Distance of two diagrams, in the unit of the filtration.

    Parameters
    ----------
    first, second : (N, 2), (M, 2) float
        Finite births and deaths; no points at all is a diagram too.
    kind : str
        One of `DISTANCES`. Wasserstein-q is the q-th root of the least sum of q-th powers of the ways, the bottleneck
        the least longest way.

    Raises
    ------
    InputError
        For another kind or points that are not finite.
    """
    if kind not in DISTANCES:
        raise InputError(f"distance: {kind} found, {', '.join(DISTANCES)} allowed")
    first, second = (np.asarray(d, float).reshape(-1, 2) for d in (first, second))
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError("diagram: births and deaths that are not finite found; cap them first")
    if kind == "bottleneck":
        return _bottleneck(first, second)
    if kind == "wasserstein-1":
        return _wasserstein(*_without_common(first, second), 1)
    return _wasserstein(first, second, 2)


def _wasserstein(first: np.ndarray, second: np.ndarray, order: int) -> float:
    from gudhi.wasserstein import wasserstein_distance

    total = 0.0
    for a, b in _groups(first, second, order):
        to_a, to_b = _to_diagonal(a) ** order, _to_diagonal(b) ** order
        if min(len(a), len(b)) <= 1:  # at most one pair: the one that saves most
            saved = to_a[:, None] + to_b - _ways(a, b) ** order
            total += to_a.sum() + to_b.sum() - saved.max(initial=0)
        else:
            a, b = (a, b) if len(a) >= len(b) else (b, a)  # POT is many times faster from the longer to the shorter
            total += float(wasserstein_distance(a, b, order=order, internal_p=np.inf)) ** order  # type: ignore[arg-type]
    return float(total ** (1 / order))


def _bottleneck(first: np.ndarray, second: np.ndarray) -> float:
    """The least way with which all points that have a longer one to the diagonal find a partner, by bisection.

    Both sides can be asked by themselves: a matching that serves those of the first and one that serves those of the
    second give one that serves both (Mendelsohn & Dulmage 1958).
    """
    ways, to_first, to_second = _ways(first, second), _to_diagonal(first), _to_diagonal(second)

    def fits(way: float) -> bool:
        return _all_find(ways[to_first > way] <= way) and _all_find(ways.T[to_second > way] <= way)

    farthest = max(to_first.max(initial=0), to_second.max(initial=0))
    possible = np.unique(np.concatenate([[0.0], to_first, to_second, ways[ways <= farthest]]))
    low, high = 0, len(possible) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(possible[middle]) else (middle + 1, high)
    return float(possible[low])


def _all_find(allowed: np.ndarray) -> bool:
    """Whether each row can have a column of its own."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    if len(allowed) > allowed.shape[1] or not allowed.any(axis=1).all():
        return False
    return not len(allowed) or bool((maximum_bipartite_matching(csr_array(allowed), "column") >= 0).all())


def _groups(first: np.ndarray, second: np.ndarray, order: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Points that useful pairs tie together; then those of either side that no useful pair has."""
    from scipy.sparse import bmat, csr_array
    from scipy.sparse.csgraph import connected_components

    useful = _ways(first, second) ** order < _to_diagonal(first)[:, None] ** order + _to_diagonal(second) ** order
    paired_first, paired_second = np.flatnonzero(useful.any(axis=1)), np.flatnonzero(useful.any(axis=0))
    yield np.delete(first, paired_first, axis=0), second[:0]
    yield first[:0], np.delete(second, paired_second, axis=0)
    if not len(paired_first):
        return
    links = csr_array(useful[np.ix_(paired_first, paired_second)])
    count, label = connected_components(bmat([[None, links], [links.T, None]]), directed=False)
    split = len(paired_first)
    yield from zip(
        _by_label(first[paired_first], label[:split], count),
        _by_label(second[paired_second], label[split:], count),
        strict=True,
    )


def _by_label(points: np.ndarray, label: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(label, kind="stable")
    return np.split(points[order], np.searchsorted(label[order], np.arange(1, count)))


def _without_common(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both without the points they share, as often as they share them.

    This leaves Wasserstein-1 as it is: with the diagonal as one more point its ground distance obeys the triangle
    inequality, so by duality (Kantorovich & Rubinstein) the cost depends on the difference of both alone.
    """
    points, index = np.unique(np.concatenate([first, second]), axis=0, return_inverse=True)
    index = index.ravel()
    more = np.bincount(index[: len(first)], minlength=len(points))
    more = more - np.bincount(index[len(first) :], minlength=len(points))
    return np.repeat(points, np.maximum(more, 0), axis=0), np.repeat(points, np.maximum(-more, 0), axis=0)


def _ways(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, M) distances from point to point."""
    from scipy.spatial.distance import cdist

    return cdist(first, second, "chebyshev")


def _to_diagonal(diagram: np.ndarray) -> np.ndarray:
    return (diagram[:, 1] - diagram[:, 0]) / 2
