"""Junctions of lines: where they are, which Burgers vectors meet there, which of them were found."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.graph import LineGraph

Label = tuple[tuple[float, ...], ...]  # Burgers vectors of the arms [nm], in order; empty where they are not known

_SAME = 1e-3  # of the largest |b|: files hold about seven digits, and a foil is turned


def junctions(graph: LineGraph) -> tuple[np.ndarray, list[np.ndarray]]:
    """Middle (J, 3) of every junction [nm], and the segments of its arms.

    At a junction three arms or more meet, each longer than the tolerance. Nodes joined by a chain no longer than that
    are one junction: a tolerance does not tell them apart, and loose arms that are linked one by one make several.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = graph.node_count
    if not count:
        return np.zeros((0, 3)), []
    branching = np.bincount(graph.chains.ravel(), minlength=count) >= 3
    short = graph.lengths_nm <= graph.lines.tolerance_nm * (1 + 1e-9)
    first, last = graph.chains[short & branching[graph.chains].all(axis=1)].T
    joined = coo_array((np.ones(len(first)), (first, last)), shape=(count, count))
    group = connected_components(joined, directed=False)[1]
    end_at, segment = group[graph.chains[~short]].ravel(), graph.end_segments[~short].ravel()
    places, meeting = [], []
    for number in np.unique(group[branching]):
        arms = segment[end_at == number]
        if len(arms) >= 3:
            places.append(graph.nodes_nm[branching & (group == number)].mean(axis=0))
            meeting.append(arms)
    return np.reshape(places, (-1, 3)), meeting


def found_of(wanted_nm: np.ndarray, found_nm: np.ndarray, tolerance_nm: float) -> np.ndarray:
    """(J,) whether each wanted junction (J, 3) has one of those found (K, 3) within the tolerance, one to one."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    distance = np.linalg.norm(wanted_nm[:, None] - found_nm[None], axis=2)
    if not distance.size:
        return np.zeros(len(wanted_nm), bool)
    return maximum_bipartite_matching(csr_array(distance <= tolerance_nm * (1 + 1e-9)), perm_type="column") >= 0


def labels(graph: LineGraph, meeting: list[np.ndarray]) -> list[Label]:
    """For each junction the Burgers vectors of its arms, up to their sign, in order; empty for lines without them.

    Vectors that differ by less than a thousandth are one, that of the first segment to have it.
    """
    burgers = graph.lines.burgers_nm
    if burgers is None:
        return [()] * len(meeting)
    near = _SAME * np.linalg.norm(burgers, axis=1).max(initial=0.0)
    kinds: list[np.ndarray] = []

    def kind(b: np.ndarray) -> int:
        for number, known in enumerate(kinds):
            if min(np.abs(b - known).max(), np.abs(b + known).max()) <= near:
                return number
        first = b[np.abs(b) > near][:1]
        kinds.append((-b if len(first) and first[0] < 0 else b) + 0.0)
        return len(kinds) - 1

    numbers = [sorted(kind(burgers[s]) for s in arms if s >= 0) for arms in meeting]
    return [tuple(sorted(tuple(map(float, kinds[n])) for n in arms)) for arms in numbers]


def table(wanted: LineGraph, found: LineGraph) -> dict[Label, tuple[int, int]]:
    """For each kind of junction how many there are, and how many of these were found within the tolerance."""
    places, meeting = junctions(wanted)
    got = found_of(places, junctions(found)[0], wanted.lines.tolerance_nm)
    counts: dict[Label, tuple[int, int]] = {}
    for label, there in zip(labels(wanted, meeting), got.tolist()):
        known, hits = counts.get(label, (0, 0))
        counts[label] = (known + 1, hits + there)
    return counts
