"""Whether too much or too little line was found."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="length_ratio",
    unit="",
    better="closer",
    meaning="length of the reconstruction over length of the truth",
    good=1.0,
    bad=0.0,
    empty="null when the truth is empty, 0 when only the reconstruction is",
    order=210,
)


def score(pair: Pair) -> float | None:
    """Reconstructed over true length; of the visible truth: all reconstructed over visible."""
    true = pair.truth.weight_nm.sum()
    return float(pair.found.weight_nm.sum() / true) if true else None
