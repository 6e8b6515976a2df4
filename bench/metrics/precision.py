"""How much of what was found is there."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.mask_pair import MaskPair
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="precision",
    unit="",
    better="higher",
    meaning="share of what was found (length, number, pixels) within the tolerance of the truth: the matched fraction",
    good=1.0,
    bad=0.0,
    empty="null when the reconstruction is empty, 0 when only the truth is",
    of=("curves", "points", "masks"),
    order=60,
)


def score(pair: Pair | PointPair | MaskPair) -> float | None:
    """Share of the reconstruction's length within the tolerance of any truth line."""
    return mean(pair.within(pair.found).astype(float), pair.found.weight_nm)
