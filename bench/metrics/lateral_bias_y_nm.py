"""Whether the reconstruction lies aside, along y."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="lateral_bias_y_nm",
    unit="nm",
    better="closer",
    meaning="mean error along y at matched points; of lines the part of a shift that is normal to them",
    good=0.0,
    bad=10.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=160,
)


def score(pair: Pair | PointPair) -> float | None:
    """Mean y of reconstruction less nearest truth point, over the matched length [nm]."""
    return mean(pair.matched.offset_nm[:, 1], pair.matched.weight_nm)
