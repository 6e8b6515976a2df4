"""How far the disparity is off: end-point error."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.disparity_pair import DisparityPair

METRIC = Metric(
    name="epe_px",
    unit="px",
    better="lower",
    meaning="mean absolute error of the disparity, over the pixels of true lines that have one",
    good=0.0,
    bad=5.0,
    empty="null when either side is empty",
    of=("disparity",),
)


def score(pair: DisparityPair) -> float | None:
    """Mean absolute error [px]; ``coverage`` says of which share of the truth."""
    error = pair.error_px[np.isfinite(pair.error_px)]
    return float(error.mean()) if len(error) else None
