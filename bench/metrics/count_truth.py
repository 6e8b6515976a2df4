"""How many particles there are."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="count_truth",
    unit="",
    better="neither",
    meaning="number of true particles within the field",
    good=1.0,
    bad=0.0,
    empty="0",
    of=("points",),
    order=280,
)


def score(pair: PointPair) -> float:
    """Number of true particles whose centre lies within the field."""
    return float(len(pair.truth.weight_nm))
