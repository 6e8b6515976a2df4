"""Precision and recall in one number, with a tolerance that physics sets."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.f_score import harmonic
from veristem.bench.metrics.pair import Pair, Samples

METRIC = Metric(
    name="f_score_at_3_limits",
    unit="",
    better="higher",
    meaning="F with three local limits in depth by parallax for the tolerance, which so grows as the dose falls",
    good=1.0,
    bad=0.0,
    empty="null without limits; else as f_score",
    order=90,
)

_LIMITS = 3.0
_MOST = 3.0  # times the fixed tolerance: lines along the epipolar direction have no limit


def score(pair: Pair) -> float | None:
    """2PR / (P + R); off the visible lines, where no limit is known, the tolerance is the fixed one."""
    if pair.truth.parallax_limit_nm is None or pair.found.parallax_limit_nm is None:
        return None
    return harmonic(*(mean(_within(side, pair).astype(float), side.weight_nm) for side in (pair.found, pair.truth)))


def _within(side: Samples, pair: Pair) -> np.ndarray:
    assert side.parallax_limit_nm is not None
    reach = np.fmin(_LIMITS * side.parallax_limit_nm[:, 1], _MOST * pair.tolerance_nm)
    reach[np.isnan(side.parallax_limit_nm[:, 1])] = pair.tolerance_nm
    return side.distance_nm <= reach * (1 + 1e-9)
