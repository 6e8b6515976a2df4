"""Whether the lines make as many loops as in truth."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="betti1_error",
    unit="",
    better="lower",
    meaning="difference in the number of independent loops, ends within the tolerance joined",
    good=0.0,
    bad=10.0,
    empty="an empty side has none",
    order=260,
)


def score(pair: Pair) -> float | None:
    """Absolute difference in independent loops; LineGraph states what is joined. None for lines chosen by angle."""
    if pair.counted_graph is None:
        return None
    return float(abs(pair.found_graph.loops - pair.counted_graph.loops))
