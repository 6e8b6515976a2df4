"""Both mean distances in one number."""

from __future__ import annotations

from veristem.bench.metrics import accuracy_nm, completeness_nm
from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="chamfer_nm",
    unit="nm",
    better="lower",
    meaning="accuracy plus completeness",
    good=0.0,
    bad=20.0,
    empty="null when either side is empty",
    order=30,
)


def score(pair: Pair) -> float | None:
    """Accuracy plus completeness [nm]."""
    there, back = accuracy_nm.score(pair), completeness_nm.score(pair)
    return None if there is None or back is None else there + back
