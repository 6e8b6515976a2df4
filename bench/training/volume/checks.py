"""How well disparities are told on foils that were not trained on."""

from __future__ import annotations

import numpy as np

from veristem.bench.training.agreement import Agreement
from veristem.bench.training.foils import TrainingFoil
from veristem.bench.training.stage import Answer
from veristem.bench.training.volume.batches import TARGETS, piece
from veristem.recon.stereo.thesis import soft_argmin

TOLERANCE_PX = 1.0
_LOST_PX = 3.0  # an error beyond is another line's
_PIECES = 2  # of a pair of views


def checked(foil: TrainingFoil, answer: Answer, seed: int) -> Agreement:
    """Agreement on the pixels of lines in some pieces, at the foil's own dose; lengths are numbers of pixels."""
    rng = np.random.default_rng([seed, 1])
    rows = [np.zeros((0, 3))]
    for first in range(0, len(foil.views), 2):
        for _ in range(_PIECES):
            views, target = piece(foil, first, rng)
            told, true = soft_argmin(answer(views)), dict(zip(TARGETS, target))
            table = np.stack([np.abs(told.mean_px - true["disparity"]), told.sigma_px, told.beyond], axis=-1)
            rows.append(table[true["known"] > 0])
    error, sigma, beyond = np.concatenate(rows).T
    good = (error <= TOLERANCE_PX) & (beyond == 0)
    near = (error < _LOST_PX) & (beyond == 0)
    return Agreement(
        found=float(good.sum()),
        wanted=float(len(error)),
        true=float(good.sum()),
        claimed=float((beyond == 0).sum()),
        at_boundary=None,
        surprise=(error[near] / np.maximum(sigma[near], 1e-6))[:, None] ** 2,
    )
