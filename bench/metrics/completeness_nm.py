"""How far the truth lies from what was found."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="completeness_nm",
    unit="nm",
    better="lower",
    meaning="mean distance from the truth to the nearest reconstructed line",
    good=0.0,
    bad=10.0,
    empty="null when either side is empty",
    order=20,
)


def score(pair: Pair) -> float | None:
    """Mean over the truth's length of the distance to the reconstruction [nm]."""
    return mean(pair.truth.distance_nm, pair.truth.weight_nm)
