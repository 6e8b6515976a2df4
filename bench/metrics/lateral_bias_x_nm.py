"""Whether the reconstruction lies aside, along x."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="lateral_bias_x_nm",
    unit="nm",
    better="closer",
    meaning="mean error along x at matched points; of lines the part of a shift that is normal to them",
    good=0.0,
    bad=10.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=150,
)


def score(pair: Pair | PointPair) -> float | None:
    """Mean x of reconstruction less nearest truth point, over the matched length [nm]."""
    return mean(pair.matched.offset_nm[:, 0], pair.matched.weight_nm)
