"""How well contours are found on foils that were not trained on, in the plane of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from veristem.bench.training.foils import TrainingFoil
from veristem.datasets.polyline import resample

TOLERANCE_PX = 2.0
_STEP_PX = 0.5  # of points along what was found
_RIM_PX = 3.0


class Agreement(NamedTuple):
    """What of some lines was found, and of what was found is a line; lengths in pixels.

    found, length: of the visible lines. true, claimed: of the contours; what lies at a line that the reflection does
    not show is not counted. at_boundary: of the claimed length that is no line, what lies at a boundary. surprise:
    squared errors over their expected squares, one a vertex.
    """

    found: float
    length: float
    true: float
    claimed: float
    at_boundary: float
    surprise: np.ndarray

    @property
    def precision(self) -> float:
        """Share of what was claimed that is a line; 1 of nothing."""
        return self.true / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        """Share of the lines that was found; 1 of nothing."""
        return self.found / self.length if self.length else 1.0

    @property
    def f_score(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


def agreement(curves: Iterable[np.ndarray], foil: TrainingFoil, view: int) -> Agreement:
    """Of curves (K, 3) in a view of a foil, with their standard deviations [px]."""
    shape = foil.boundary[view].shape
    truth, hidden = _inside(foil.visible_px[view], shape), foil.invisible_px[view]
    found = [np.column_stack(resample(c[:, :2], c[:, 2], _STEP_PX)) for c in curves]
    claimed = _inside(np.concatenate([np.zeros((0, 3)), *found]), shape)
    distance, to_hidden = _distance(claimed[:, :2], truth), _distance(claimed[:, :2], hidden)
    near = distance <= TOLERANCE_PX
    counted = near | (to_hidden > 2 * TOLERANCE_PX)
    j, i = claimed[~near & counted, 1::-1].astype(int).T
    recalled = _distance(truth, claimed[:, :2]) <= TOLERANCE_PX
    step = 0.25  # of the points of a foil
    return Agreement(
        step * float(recalled.sum()),
        step * len(truth),
        _STEP_PX * float(near.sum()),
        _STEP_PX * float(counted.sum()),
        _STEP_PX * float(foil.boundary[view][j, i].sum()),
        (distance[near] / np.maximum(claimed[near, 2], 1e-6)) ** 2,
    )


def together(parts: Iterable[Agreement]) -> Agreement:
    """The sum of several."""
    listed = list(parts)
    return Agreement(
        found=sum(part.found for part in listed),
        length=sum(part.length for part in listed),
        true=sum(part.true for part in listed),
        claimed=sum(part.claimed for part in listed),
        at_boundary=sum(part.at_boundary for part in listed),
        surprise=np.concatenate([np.zeros(0), *(part.surprise for part in listed)]),
    )


def checked(
    foil: TrainingFoil, find: Callable[[np.ndarray], list[np.ndarray]], views: Iterable[int], seed: int
) -> Agreement:
    """Agreement in some views, counted at the foil's own dose; ``find`` makes curves (K, 3) of a view."""
    rng = np.random.default_rng([seed, 1])
    counts = [rng.poisson(foil.electrons[v] * np.maximum(foil.views[v], 0.0)).astype(np.float32) for v in views]
    return together(agreement(find(image), foil, v) for image, v in zip(counts, views))


def _inside(points: np.ndarray, shape) -> np.ndarray:
    at = points[:, :2]
    return points[((at > _RIM_PX) & (at < np.array(shape[::-1]) - _RIM_PX)).all(axis=1)]


def _distance(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return KDTree(others).query(points)[0] if len(points) and len(others) else np.full(len(points), np.inf)
