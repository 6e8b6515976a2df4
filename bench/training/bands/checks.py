"""How well curves that are off are brought back, on foils that were not trained on."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from veristem.bench.training.agreement import Agreement
from veristem.bench.training.bands.batches import TARGETS, moved, seen
from veristem.bench.training.foils import TrainingFoil
from veristem.bench.training.stage import Answer
from veristem.recon.stereo.bands import OUTPUTS, THERE

TOLERANCE_PX = 0.5  # of the distance between both views: a depth of 7 nm at 8 degrees and pixels of 2 nm
_CURVES = 8  # of a pair of views
_LOST_PX = 3.0  # an error beyond is another line's


def checked(foil: TrainingFoil, answer: Answer, seed: int) -> Agreement:
    """Agreement along curves that are off, at the foil's own dose; lengths are numbers of vertices."""
    rng = np.random.default_rng([seed, 1])
    rows = [np.zeros((0, 4))]
    for first in range(0, len(foil.views), 2):
        pair = seen(foil, first, 1.0, rng)
        for _ in range(_CURVES if pair.lines else 0):
            bands, target = moved(pair, rng)
            told, true = dict(zip(OUTPUTS, answer(bands.astype(np.float32)))), dict(zip(TARGETS, target))
            error, sigma = np.abs(told["apart"] - true["apart"]), np.exp(np.clip(told["log_variance"], -8, 8) / 2)
            known = true["known"] > 0
            rows.append(np.column_stack([true["there"] > 0, expit(told["there"]) > THERE, error, sigma])[known])
    there, claimed, error, sigma = np.concatenate(rows).T
    good, told = (there > 0) & (error <= TOLERANCE_PX), claimed > 0
    line = (there > 0) & told & (error < _LOST_PX)
    return Agreement(
        found=float((good & told).sum()),
        wanted=float((there > 0).sum()),
        true=float((good & told).sum()),
        claimed=float(told.sum()),
        at_boundary=None,
        surprise=(error[line] / sigma[line])[:, None] ** 2,
    )
