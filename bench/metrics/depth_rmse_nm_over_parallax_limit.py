"""How far the error in depth of lines is from the smallest that parallax allows."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, over_limit
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="depth_rmse_nm_over_parallax_limit",
    unit="",
    better="lower",
    meaning="depth RMSE of matched lines over their limits by parallax, of 20 nm of line; a smooth curve may beat them",
    good=1.0,
    bad=3.0,
    empty="null without matched points whose limit is known and within the tolerance",
    order=130,
)


def score(pair: Pair) -> float | None:
    """Root mean square of the depth error over that of the limit, where depth shows by parallax alone.

    Errors beyond the tolerance are not matched, so that an efficient method may fall below 1, see
    `depth_rmse_nm_over_limit`; `depth_sigma_over_limit` does not.
    """
    matched = pair.matched
    limits = None if matched.parallax_limit_nm is None else matched.parallax_limit_nm[:, 1]
    return over_limit(matched.offset_nm[:, 2], limits, matched.weight_nm, pair.largest_limit_nm)
