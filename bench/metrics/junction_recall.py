"""How many of the junctions were found."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.junctions import found_of, junctions
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="junction_recall",
    unit="",
    better="higher",
    meaning="share of the true junctions, of three lines or more, with one of the reconstruction within the tolerance",
    good=1.0,
    bad=0.0,
    empty="null when the truth has no junctions",
    order=220,
)


def score(pair: Pair) -> float | None:
    """Found over all; of the visible truth: junctions of three visible lines. None for lines chosen by angle."""
    if pair.counted_graph is None:
        return None
    there, found = junctions(pair.counted_graph)[0], junctions(pair.found_graph)[0]
    return float(found_of(there, found, pair.tolerance_nm).mean()) if len(there) else None
