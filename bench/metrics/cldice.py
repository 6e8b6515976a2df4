"""Whether the middle lines of each mask run within the other: topology, whatever the width of the lines.

S. Shit et al., "clDice: a novel topology-preserving loss function for tubular structure segmentation", CVPR 2021,
arXiv:2003.07311.
"""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric
from veristem.bench.metrics.mask_pair import MaskPair

METRIC = Metric(
    name="cldice",
    unit="",
    better="higher",
    meaning="harmonic mean of the shares of either skeleton that lie within the other mask",
    good=1.0,
    bad=0.0,
    empty="1 when both masks are empty, 0 when one is",
    of=("masks",),
)


def score(pair: MaskPair) -> float:
    """2 Tp Ts / (Tp + Ts), Tp the share of the skeleton found within the true mask, Ts that of the true one."""
    if not pair.truth_mask.any() and not pair.found_mask.any():
        return 1.0
    there, back = _share(pair.found_mask, pair.truth_mask), _share(pair.truth_mask, pair.found_mask)
    return 2 * there * back / (there + back) if there + back else 0.0


def _share(mask: np.ndarray, other: np.ndarray) -> float:
    from skimage.morphology import skeletonize

    skeleton = skeletonize(mask)
    return float(other[skeleton].mean()) if skeleton.any() else 0.0
