"""The error in depth of what was found."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, rms
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="depth_rmse_nm",
    unit="nm",
    better="lower",
    meaning="root mean square depth error at matched points; errors beyond the tolerance are censored",
    good=0.0,
    bad=20.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=110,
)


def score(pair: Pair | PointPair) -> float | None:
    """Root mean square z of reconstruction less nearest truth point, over the matched length [nm]."""
    return rms(pair.matched.offset_nm[:, 2], pair.matched.weight_nm)
