"""How many of the junctions found are there."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.junctions import found_of, junctions
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="junction_precision",
    unit="",
    better="higher",
    meaning="share of the junctions of the reconstruction with a true one within the tolerance",
    good=1.0,
    bad=0.0,
    empty="null when the reconstruction has no junctions",
    order=230,
)


def score(pair: Pair) -> float | None:
    """Right over all found, against all truth in every variant. None for lines chosen by angle."""
    if pair.counted_graph is None:
        return None
    there, found = junctions(pair.truth_graph)[0], junctions(pair.found_graph)[0]
    return float(found_of(found, there, pair.tolerance_nm).mean()) if len(found) else None
