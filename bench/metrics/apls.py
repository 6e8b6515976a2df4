"""Whether the way along the lines from point to point is as long as in truth: breaks and false bridges both cost.

Average path length similarity: A. Van Etten, D. Lindenbaum, T. M. Bacastow, "SpaceNet: a remote sensing dataset and
challenge series", arXiv:1807.01232 (2018), section 5.2; here on graphs in 3D, with loops.
"""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.graph import LineGraph
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="apls",
    unit="",
    better="higher",
    meaning="similarity of path lengths between control points, in both directions",
    good=1.0,
    bad=0.0,
    empty="1 when both sides are empty, 0 when one is",
    order=240,
)

_SPACING = 5  # control points at most so many tolerances apart
_MOST_CONTROLS = 4000  # and farther on a diverged reconstruction of millimetres


def score(pair: Pair) -> float | None:
    """Harmonic mean of both directions; of the visible truth: from there to all found, from found to all truth.

    None for lines chosen by angle.
    """
    wanted, found = pair.counted_graph, pair.found_graph
    if wanted is None:
        return None
    if not wanted.components and not found.components:
        return 1.0
    there = _similarity(wanted, found, pair.tolerance_nm)
    back = _similarity(found, pair.truth_graph, pair.tolerance_nm)
    return 2 * there * back / (there + back) if there + back else 0.0


def _similarity(source: LineGraph, target: LineGraph, tolerance_nm: float) -> float:
    """1 - mean of min(1, |L - L'| / L) over connected pairs of control points of the source; 0 when it is empty.

    L is the shortest path on the source, L' that between the nearest points of the target; it is missing, and costs 1,
    when one of them lies beyond the tolerance or no path joins them.
    """
    if not source.components or not target.components:
        return 0.0
    points, chain, arc = source.controls(max(_SPACING * tolerance_nm, source.lengths_nm.sum() / _MOST_CONTROLS))
    distance, other_chain, other_arc = target.locate(points)
    lost = distance > tolerance_nm * (1 + 1e-9)
    cost, count = 0.0, 0
    for rows in np.array_split(np.arange(len(points)), len(points) // 500 + 1):  # all at once may not fit into memory
        length = source.distances(chain, arc, rows)
        other = target.distances(other_chain, other_arc, rows)
        other[lost[rows]] = other[:, lost] = np.inf
        pairs = np.isfinite(length) & (length > 1e-6)
        cost += float(np.minimum(1, np.abs(length[pairs] - other[pairs]) / length[pairs]).sum())
        count += int(pairs.sum())
    return 1 - cost / count if count else 0.0
