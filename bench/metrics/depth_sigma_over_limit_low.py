"""The lower end of the interval of `depth_sigma_over_limit`."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="depth_sigma_over_limit_low",
    unit="",
    better="neither",
    meaning="lower end of the interval of 95 % of depth_sigma_over_limit",
    good=1.0,
    bad=3.0,
    empty="null without 100 pieces of 20 nm that were found and whose limit is known",
    order=123,
)


def score(pair: Pair) -> float | None:
    """Lower end of the interval of 95 %, for errors that do not depend on each other from piece to piece."""
    scale = None if pair.depth_errors is None else pair.depth_errors.scale
    return None if scale is None else scale.low
