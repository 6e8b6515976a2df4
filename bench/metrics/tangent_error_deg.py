"""Whether the lines run in the right direction."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, mean
from veristem.bench.metrics.pair import Pair

METRIC = Metric(
    name="tangent_error_deg",
    unit="deg",
    better="lower",
    meaning="mean angle between the reconstruction and the nearest truth line at matched points, from 0 to 90",
    good=0.0,
    bad=45.0,
    empty="null without matched points",
    order=200,
)


def score(pair: Pair) -> float | None:
    """Mean over the matched length of the angle of the segment found to the nearest true one [deg].

    Lines have no sense of direction. Segments count as they are: vertices that jitter from one to the next cost more
    here the closer they stand.
    """
    matched, truth = pair.matched, pair.truth_lines
    if not len(matched.weight_nm):
        return None
    assert matched.piece_nm is not None
    along = matched.piece_nm[:, 1] - matched.piece_nm[:, 0]
    true = (truth.stop_nm - truth.start_nm)[matched.nearest]
    across = np.linalg.norm(np.cross(along, true), axis=1)  # an arc cosine would lose small angles
    return mean(np.degrees(np.arctan2(across, np.abs((along * true).sum(axis=1)))), matched.weight_nm)
