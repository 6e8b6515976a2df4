"""The error in depth that a shift of the whole does not mend."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean, rms
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="depth_spread_nm",
    unit="nm",
    better="lower",
    meaning="root mean square depth error at matched points with its mean removed",
    good=0.0,
    bad=20.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=140,
)


def score(pair: Pair | PointPair) -> float | None:
    """Standard deviation of the depth error over the matched length [nm]."""
    z, weight = pair.matched.offset_nm[:, 2], pair.matched.weight_nm
    bias = mean(z, weight)
    return None if bias is None else rms(z - bias, weight)
