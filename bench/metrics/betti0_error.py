"""Whether the lines make as many pieces as in truth."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="betti0_error",
    unit="",
    better="lower",
    meaning="difference in the number of connected components, ends within the tolerance joined",
    good=0.0,
    bad=10.0,
    empty="an empty side has none",
    order=250,
)


def score(pair: Pair) -> float | None:
    """Absolute difference in connected components; LineGraph states what is joined. None for lines chosen by angle."""
    if pair.counted_graph is None:
        return None
    return float(abs(pair.found_graph.components - pair.counted_graph.components))
