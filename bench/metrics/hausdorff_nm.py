"""The largest distance from either side to the other."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.lines import Lines
from veristem.bench.metrics.pair import Pair, Samples

METRIC = Metric(
    name="hausdorff_nm",
    unit="nm",
    better="lower",
    meaning="the largest distance from any point of either side to the other side",
    good=0.0,
    bad=60.0,
    empty="null when either side is empty",
    order=40,
)

_EXACT_NM = 1e-7


def score(pair: Pair) -> float | None:
    """The larger of the largest distances from either side's lines to the other, exact between the samples [nm]."""
    there, back = _farthest(pair.found, pair.truth_lines), _farthest(pair.truth, pair.found_graph.lines)
    return None if there is None or back is None else max(there, back)


def _farthest(samples: Samples, other: Lines) -> float | None:
    """Largest distance from the pieces to the other side; None as in `base.mean`.

    The distance to one segment is convex along a piece, so that it is nowhere larger than at one of the piece's ends:
    pieces that cannot hold more than the largest distance known are dropped, and the others halved.
    """
    if not len(samples.distance_nm) or not np.isfinite(samples.distance_nm).all():
        return None
    assert samples.piece_nm is not None
    farthest = float(samples.distance_nm.max())
    a, b = samples.piece_nm[samples.distance_nm + samples.weight_nm / 2 > farthest].transpose(1, 0, 2)
    (at_a, _, near_a), (at_b, _, near_b) = other.nearest(a), other.nearest(b)
    while len(a):
        farthest = max(farthest, float(at_a.max()), float(at_b.max()))
        of_a, of_b = (np.maximum(other.to_segments(a, near), other.to_segments(b, near)) for near in (near_a, near_b))
        kept = np.minimum(of_a, of_b) > farthest * (1 + 1e-9) + _EXACT_NM
        a, b, at_a, at_b, near_a, near_b = (part[kept] for part in (a, b, at_a, at_b, near_a, near_b))
        middle = (a + b) / 2
        at, _, near = other.nearest(middle)
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
        at_a, at_b = np.concatenate([at_a, at]), np.concatenate([at, at_b])
        near_a, near_b = np.concatenate([near_a, near]), np.concatenate([near, near_b])
    return farthest
