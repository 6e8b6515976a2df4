"""How well curves that are off are brought back, on foils that were not trained on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from veristem.bench.training.bands.batches import TARGETS, moved, seen
from veristem.bench.training.foils import TrainingFoil
from veristem.recon.stereo.bands import OUTPUTS, THERE

TOLERANCE_PX = 0.5  # of the distance between both views: a depth of 7 nm at 8 degrees and pixels of 2 nm
_CURVES = 24  # of a pair of views


def outcome(foil: TrainingFoil, answer: Callable[[np.ndarray], np.ndarray], seed: int):
    """Vertices of curves that are off, at the foil's own dose, pair after pair: which have a line in both views, which
    are said to, the error of how far apart the views are said to be, and its expected standard deviation [px]."""
    rng = np.random.default_rng([seed, 1])
    rows = [np.zeros((0, 4))]
    for first in range(0, len(foil.views), 2):
        pair = seen(foil, first, 1.0, rng)
        for _ in range(_CURVES if pair.lines else 0):
            bands, target = moved(pair, rng)
            told, true = dict(zip(OUTPUTS, answer(bands.astype(np.float32)))), dict(zip(TARGETS, target))
            error, sigma = np.abs(told["apart"] - true["apart"]), np.exp(told["log_variance"] / 2)
            rows.append(np.column_stack([true["there"], expit(told["there"]) > THERE, error, sigma])[true["known"] > 0])
    return np.concatenate(rows).T
