"""How many particles were found, right or wrong."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="count_found",
    unit="",
    better="neither",
    meaning="number of particles that the reconstruction has within the field, right or wrong",
    good=1.0,
    bad=0.0,
    empty="0",
    of=("points",),
    order=290,
)


def score(pair: PointPair) -> float:
    """Number of reconstructed particles that count: in the field, or matched to one there."""
    return float(len(pair.found.weight_nm))
