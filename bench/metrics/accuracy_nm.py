"""How far what was found lies from the truth."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="accuracy_nm",
    unit="nm",
    better="lower",
    meaning="mean distance from the reconstruction to the nearest truth line",
    good=0.0,
    bad=10.0,
    empty="null when either side is empty",
    order=10,
)


def score(pair: Pair) -> float | None:
    """Mean over the reconstruction's length of the distance to all truth [nm]."""
    return mean(pair.found.distance_nm, pair.found.weight_nm)
