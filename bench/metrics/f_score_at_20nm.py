"""Precision and recall in one number, with the wider tolerance that older studies of stereo give."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.f_score import harmonic
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="f_score_at_20nm",
    unit="",
    better="higher",
    meaning="F with 20 nm for the tolerance, whatever that is",
    good=1.0,
    bad=0.0,
    empty="as f_score",
    order=85,
)

_TOLERANCE_NM = 20.0


def score(pair: Pair) -> float | None:
    """2PR / (P + R)."""
    sides = (pair.found, pair.truth)
    return harmonic(*(mean((side.distance_nm <= _TOLERANCE_NM).astype(float), side.weight_nm) for side in sides))
