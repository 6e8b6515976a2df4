"""Whether the reconstruction lies too deep or too high."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="depth_bias_nm",
    unit="nm",
    better="closer",
    meaning="mean depth error at matched points, positive when found too deep",
    good=0.0,
    bad=20.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=100,
)


def score(pair: Pair | PointPair) -> float | None:
    """Mean z of reconstruction less nearest truth point, over the matched length [nm]."""
    return mean(pair.matched.offset_nm[:, 2], pair.matched.weight_nm)
