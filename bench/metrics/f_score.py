"""Precision and recall in one number."""

from __future__ import annotations

from veristem.bench.metrics import precision, recall
from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.mask_pair import MaskPair
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="f_score",
    unit="",
    better="higher",
    meaning="harmonic mean of precision and recall",
    good=1.0,
    bad=0.0,
    empty="1 when both sides are empty, 0 when one is; null in a variant when only one is and the other is right",
    of=("curves", "points", "masks"),
    order=80,
)


def score(pair: Pair | PointPair | MaskPair) -> float | None:
    """2PR / (P + R), 0 when both are 0; of the visible truth: P against all truth, R of the visible."""
    return harmonic(precision.score(pair), recall.score(pair))


def harmonic(p: float | None, r: float | None) -> float | None:
    """F of a precision and a recall, either of which may have no value."""
    if p is None and r is None:
        return 1.0  # nothing to find, nothing found
    if p is None or r is None:
        # an invisible line found where nothing is visible is no failure, and no success either
        return None if p or r else 0.0
    return 2 * p * r / (p + r) if p + r else 0.0
