"""How far the error across the beam is from the smallest that physics allows."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, rms
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="lateral_rmse_nm_over_limit",
    unit="",
    better="lower",
    meaning="lateral RMSE of matched particles over the root mean square of their limits (Fisher information)",
    good=1.0,
    bad=3.0,
    empty="null without matched particles or limits",
    of=("points",),
)


def score(pair: PointPair) -> float | None:
    """Root mean square of the (x, y) error over that of the limit, both of the matched particles."""
    error = rms(np.hypot(*pair.matched.offset_nm[:, :2].T), pair.matched.weight_nm)
    limit = rms(np.hypot(*pair.limit_nm[:, :2].T), pair.matched.weight_nm)
    return error / limit if error is not None and limit else None
