"""The error across the beam that a shift of the whole does not mend."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, mean, rms
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="lateral_spread_nm",
    unit="nm",
    better="lower",
    meaning="root mean square distance in x and y at matched points with the mean of both removed",
    good=0.0,
    bad=10.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=180,
)


def score(pair: Pair | PointPair) -> float | None:
    """Root mean square of the (x, y) part of the offset less its mean, over the matched length [nm]."""
    (x, y), weight = pair.matched.offset_nm[:, :2].T, pair.matched.weight_nm
    bias_x, bias_y = mean(x, weight), mean(y, weight)
    return None if bias_x is None or bias_y is None else rms(np.hypot(x - bias_x, y - bias_y), weight)
