"""How much of what is there was found."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.mask_pair import MaskPair
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="recall",
    unit="",
    better="higher",
    meaning="share of the truth (its length, number, pixels) within the tolerance of the reconstruction",
    good=1.0,
    bad=0.0,
    empty="null when the truth is empty, 0 when only the reconstruction is",
    of=("curves", "points", "masks"),
    order=70,
)


def score(pair: Pair | PointPair | MaskPair) -> float | None:
    """Share of the truth's length within the tolerance of the reconstruction."""
    return mean(pair.within(pair.truth).astype(float), pair.truth.weight_nm)
