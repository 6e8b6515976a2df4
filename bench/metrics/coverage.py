"""How much of the true lines has a disparity at all."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.disparity_pair import DisparityPair

METRIC = Metric(
    name="coverage",
    unit="",
    better="higher",
    meaning="share of the pixels of true lines with a disparity, right or wrong, within reach",
    good=1.0,
    bad=0.0,
    empty="null when the truth is empty, 0 when only what was found is",
    of=("disparity",),
)


def score(pair: DisparityPair) -> float | None:
    """Share of the pixels of the truth."""
    return float(np.isfinite(pair.error_px).mean()) if len(pair.error_px) else None
