"""How well contours are found on foils that were not trained on, in the plane of the image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.spatial import KDTree

from veristem.bench.training.agreement import Agreement, together
from veristem.bench.training.foils import TrainingFoil
from veristem.bench.training.stage import Answer
from veristem.datasets.polyline import resample
from veristem.recon.contours.learned import lines_in, normalised, padded

TOLERANCE_PX = 2.0
_STEP_PX = 0.5  # of points along what was found
_RIM_PX = 3.0
_VIEWS = (0, 3, 4)  # of a foil: of every radius, from both directions


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
        (distance[near] / np.maximum(claimed[near, 2], 1e-6))[:, None] ** 2,
    )


def checked(foil: TrainingFoil, answer: Answer, seed: int) -> Agreement:
    """Agreement in some views, counted at the foil's own dose."""
    rng = np.random.default_rng([seed, 1])
    parts = []
    for view in _VIEWS:
        counts = rng.poisson(foil.electrons[view] * np.maximum(foil.views[view], 0.0)).astype(np.float32)
        rows, columns = counts.shape
        outputs = answer(padded(normalised(counts))[None])[:, :rows, :columns]
        parts.append((lines_in(outputs), view))
    return together(agreement(curves, foil, view) for curves, view in parts)


def _inside(points: np.ndarray, shape) -> np.ndarray:
    at = points[:, :2]
    return points[((at > _RIM_PX) & (at < np.array(shape[::-1]) - _RIM_PX)).all(axis=1)]


def _distance(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return KDTree(others).query(points)[0] if len(points) and len(others) else np.full(len(points), np.inf)
