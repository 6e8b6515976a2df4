"""The largest distance, less the worst twentieth."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, percentile
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="hausdorff95_nm",
    unit="nm",
    better="lower",
    meaning="the larger of the two 95th percentiles of distance, from either side to the other",
    good=0.0,
    bad=30.0,
    empty="null when either side is empty",
    order=50,
)


def score(pair: Pair) -> float | None:
    """The larger of the 95th percentiles of both sides' distances, by length [nm]."""
    there, back = (percentile(side.distance_nm, side.weight_nm, 0.95) for side in (pair.found, pair.truth))
    return None if there is None or back is None else max(there, back)
