"""The error across the beam of what was found."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, rms
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="lateral_rmse_nm",
    unit="nm",
    better="lower",
    meaning="root mean square distance in x and y from nearest truth point at matched points",
    good=0.0,
    bad=10.0,
    empty="null without matched points",
    of=("curves", "points"),
    order=170,
)


def score(pair: Pair | PointPair) -> float | None:
    """Root mean square of the (x, y) part of the offset, over the matched length [nm]."""
    return rms(np.hypot(*pair.matched.offset_nm[:, :2].T), pair.matched.weight_nm)
