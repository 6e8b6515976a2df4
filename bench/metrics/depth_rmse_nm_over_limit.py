"""How far the error in depth is from the smallest that physics allows."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, over_limit
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="depth_rmse_nm_over_limit",
    unit="",
    better="lower",
    meaning="depth RMSE of what is matched over the RMS of its limits, of 20 nm of line or of a particle",
    good=1.0,
    bad=3.0,
    empty="null without matched points whose limit is known and, of lines, within the tolerance",
    of=("curves", "points"),
    order=120,
)


def score(pair: Pair | PointPair) -> float | None:
    """Root mean square of the depth error over that of the limit, where contrast of lines tells of depth as well.

    Of lines, errors beyond the tolerance are not matched: where the limit comes near it, as at small angles, an
    efficient method falls below 1, which `depth_sigma_over_limit` does not.
    """
    matched = pair.matched
    limits = None if matched.limit_nm is None else matched.limit_nm[:, 1]
    return over_limit(matched.offset_nm[:, 2], limits, matched.weight_nm, pair.largest_limit_nm)
