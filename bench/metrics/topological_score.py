"""How many places of a mask would have to be repaired to make its topology right."""

from __future__ import annotations

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.mask_pair import MaskPair

METRIC = Metric(
    name="topological_score",
    unit="1/µm",
    better="lower",
    meaning="places a micrometre of line at which the topology of a mask is wrong, by persistence of 15 filtrations",
    good=0.0,
    bad=10.0,
    empty="null without a pixel size; an empty mask counts as one constant image",
    of=("masks",),
)


def score(pair: MaskPair) -> float | None:
    """Fitted distance of the persistence diagrams of both masks, see `bench.topology.score`."""
    from veristem.bench.topology.score import Topology, topological_score

    if pair.pixel_nm is None:
        return None
    return topological_score(*(Topology.of(mask, pair.pixel_nm) for mask in (pair.found_mask, pair.truth_mask)))
