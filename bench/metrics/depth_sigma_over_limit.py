"""How widely errors in depth scatter, over the smallest that physics allows: an efficient method scores 1."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="depth_sigma_over_limit",
    unit="",
    better="lower",
    meaning="scale of depth error over limit, of 20 nm of line matched along the beam; a smooth curve may beat 1",
    good=1.0,
    bad=3.0,
    empty="null without 100 pieces of 20 nm that were found and whose limit is known",
    order=122,
)


def score(pair: Pair) -> float | None:
    """Scale of the error over the limit, piece by piece of 20 nm of line; 5 stands for 5 or more.

    Both sides are matched as the beam sees them, within 5 nm aside and five limits in depth, so that hardly an error is
    cut off: truth plus normal errors of the size of the limit scores 1 whatever the limit is. Errors of points matched
    within the tolerance (`depth_rmse_nm_over_limit`) are cut off there, and come out smaller than the limit where that
    is near the tolerance. A shift of the whole, which no real pair shows, is not in it: `depth_bias_nm` tells it. The
    ends `_low` and `_high` of the interval of 95 % are those of errors that differ from piece to piece.
    """
    scale = None if pair.depth_errors is None else pair.depth_errors.scale
    return None if scale is None else scale.value
