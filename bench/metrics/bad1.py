"""How often the disparity is off by more than 1 px."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.disparity_pair import DisparityPair

METRIC = Metric(
    name="bad1",
    unit="",
    better="lower",
    meaning="share of the pixels of true lines whose disparity is off by more than 1 px or not given",
    good=0.0,
    bad=1.0,
    empty="null when the truth is empty, 1 when only what was found is",
    of=("disparity",),
)


def score(pair: DisparityPair) -> float | None:
    """Share of the pixels of the truth."""
    return pair.share_above(1)
