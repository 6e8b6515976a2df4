"""True and reconstructed particles, each matched to at most one of the other side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.bench.metrics.pair import Samples
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.reconstruction import PointSet

_SIGMAS = 3.0  # of the limit: a depth so near is right however large the particle is


@dataclass(frozen=True, eq=False)
class PointPair:
    """Particles of both sides that count; the interface is that of `Pair`, with a weight of 1 a particle.

    A match is right within a distance across the beam, and in depth within the larger of that distance and three
    standard deviations of the limit. Particles beyond the field may be matched but count for nothing.

    Parameters
    ----------
    truth, found : Samples
        Particles within the field: of the truth, and of the reconstruction.
    vertices : Samples
        The matched ones of the reconstruction again: the uncertainty is reported where the error is.
    partner : (N,) int
        True particle of each reconstructed one, -1 for none; of all, those beyond the field included.
    counts : (N,) bool
        Which reconstructed particles are in ``found``.
    """

    truth: Samples
    found: Samples
    vertices: Samples
    partner: np.ndarray
    counts: np.ndarray

    @staticmethod
    def of(
        truth: ParticleDispersion, found: PointSet, tolerance_nm: float | None, covariance_nm2: np.ndarray | None
    ) -> PointPair:
        """Match all of both sides; ``tolerance_nm`` is the particle's radius if not given."""
        count = len(truth.radii_nm)
        limit = np.full((count, 3), np.nan)
        if covariance_nm2 is not None:
            limit = np.sqrt(np.diagonal(covariance_nm2, axis1=1, axis2=2))
        lateral = np.full(count, tolerance_nm) if tolerance_nm is not None else truth.radii_nm
        deep = np.fmax(lateral, _SIGMAS * limit[:, 2])
        partner = _matched(truth.centers_nm, found.points_nm, lateral, deep)
        inside = truth.inside_field
        here = ((found.points_nm[:, :2] >= 0) & (found.points_nm[:, :2] <= truth.box_nm[:2])).all(axis=1)
        right = partner >= 0
        counts = np.where(right, inside[partner] if count else False, here)
        was_found = np.zeros(count, bool)
        was_found[partner[right]] = True
        of_truth = np.full((len(partner), 3), np.nan)
        of_truth[right] = found.points_nm[right] - truth.centers_nm[partner[right]]
        distance = np.where(right, np.linalg.norm(of_truth, axis=1), np.inf)
        at = np.full((len(partner), 2), np.nan)
        at[right] = np.stack([np.hypot(limit[:, 0], limit[:, 1]), limit[:, 2]], axis=1)[partner[right]]
        samples = Samples(np.ones(len(partner)), distance, of_truth, partner, found.sigma_nm[:, 2], limit_nm=at)
        reached = np.where(was_found, 0.0, np.inf)
        true_side = Samples(
            np.ones(count), reached, np.zeros((count, 3)), np.where(was_found, 0, -1), np.full(count, np.nan)
        )
        matched = counts & right
        return PointPair(
            true_side.where(inside),
            samples.where(counts),
            samples.where(matched),
            partner,
            counts,
        )

    @property
    def largest_limit_nm(self) -> float:
        """Any: the tolerance in depth grows with the limit."""
        return np.inf

    @property
    def matched(self) -> Samples:
        """The matched particles of the reconstruction."""
        return self.vertices

    def depth_share(self, samples: Samples) -> np.ndarray:
        """(N,) ones: the offset of a particle is all of its shift."""
        return np.ones(len(samples.weight_nm))

    def within(self, samples: Samples) -> np.ndarray:
        """(N,) whether each is matched."""
        return np.isfinite(samples.distance_nm)


def _matched(centers_nm: np.ndarray, points_nm: np.ndarray, lateral_nm: np.ndarray, deep_nm: np.ndarray) -> np.ndarray:
    """True particle of each point, -1 for none: as many matches as there can be, and then the nearest."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    partner = np.full(len(points_nm), -1)
    if not len(centers_nm) or not len(points_nm):
        return partner
    near = KDTree(points_nm[:, :2]).query_ball_point(centers_nm[:, :2], lateral_nm)
    true = np.repeat(np.arange(len(near)), [len(n) for n in near])
    point = np.concatenate([np.array(n, int) for n in near])
    off = points_nm[point] - centers_nm[true]
    close = np.abs(off[:, 2]) <= deep_nm[true]
    true, point, off = true[close], point[close], off[close]
    cost = (off[:, :2] ** 2).sum(axis=1) / lateral_nm[true] ** 2 + (off[:, 2] / deep_nm[true]) ** 2
    nodes = len(centers_nm) + len(points_nm)
    graph = coo_array((np.ones(len(true)), (true, len(centers_nm) + point)), shape=(nodes, nodes))
    label = connected_components(graph, directed=False)[1][true]
    order = np.argsort(label, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        rows, row = np.unique(true[group], return_inverse=True)
        columns, column = np.unique(point[group], return_inverse=True)
        table = np.full((len(rows), len(columns)), 1e3)  # no candidate: dearer than any match is good
        table[row, column] = cost[group]
        for i, j in zip(*linear_sum_assignment(table)):
            if table[i, j] < 1e3:
                partner[columns[j]] = rows[i]
    return partner
