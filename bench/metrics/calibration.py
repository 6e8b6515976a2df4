"""Whether the reported uncertainty is the true one."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.base import Metric, rms
from veristem.bench.metrics.pair import Pair
from veristem.bench.metrics.point_pair import PointPair

METRIC = Metric(
    name="calibration",
    unit="",
    better="closer",
    meaning="root mean square of depth error over reported sigma at matched vertices; above 1 is overconfident",
    good=1.0,
    bad=3.0,
    empty="null without matched vertices of a finite, positive sigma",
    of=("curves", "points"),
    order=270,
)


_LEAST = 0.1  # of a shift in depth that has to show: nearly along the beam lines have no depth


def score(pair: Pair | PointPair) -> float | None:
    """Root mean square of z error over reported sigma at matched vertices.

    The error is the offset normal to the true line, so sigma counts by the share of a shift in depth that shows there.
    """
    # at vertices: between two of them the errors average and sigma does not
    vertices = pair.vertices.where(pair.within(pair.vertices))
    share = pair.depth_share(vertices)
    counted = np.isfinite(vertices.sigma_nm) & (vertices.sigma_nm > 0) & (share > _LEAST)
    vertices, share = vertices.where(counted), share[counted]
    return rms(vertices.offset_nm[:, 2] / (vertices.sigma_nm * share), vertices.weight_nm)
