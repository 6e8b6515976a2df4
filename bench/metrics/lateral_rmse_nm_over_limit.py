"""How far the error across the beam is from the smallest that physics allows."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, over_limit
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="lateral_rmse_nm_over_limit",
    unit="",
    better="lower",
    meaning="lateral RMSE of what is matched over the RMS of its limits, of 20 nm of line or of a particle",
    good=1.0,
    bad=3.0,
    empty="null without matched points whose limit is known and, of lines, within the tolerance",
    of=("curves", "points"),
    order=190,
)


def score(pair: Pair | PointPair) -> float | None:
    """Root mean square of the (x, y) error over that of the limit.

    Errors beyond the tolerance are not matched, so that an efficient method may fall below 1 where limits come near it.
    """
    matched = pair.matched
    limits = None if matched.limit_nm is None else matched.limit_nm[:, 0]
    errors = np.hypot(*matched.offset_nm[:, :2].T)
    return over_limit(errors, limits, matched.weight_nm, pair.largest_limit_nm)
