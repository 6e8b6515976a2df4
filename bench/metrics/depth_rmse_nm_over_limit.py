"""How far the error in depth is from the smallest that physics allows."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, rms
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="depth_rmse_nm_over_limit",
    unit="",
    better="lower",
    meaning="depth RMSE of matched particles over the root mean square of their limits (Fisher information)",
    good=1.0,
    bad=3.0,
    empty="null without matched particles or limits",
    of=("points",),
)


def score(pair: PointPair) -> float | None:
    """Root mean square of the depth error over that of the limit, both of the matched particles."""
    error = rms(pair.matched.offset_nm[:, 2], pair.matched.weight_nm)
    limit = rms(pair.limit_nm[:, 2], pair.matched.weight_nm)
    return error / limit if error is not None and limit else None
