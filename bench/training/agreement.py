"""How well what a network finds agrees with what is there, on examples that were not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Agreement(NamedTuple):
    """What of the truth was found, and of what was found is true: lengths or numbers.

    found, wanted: of the truth. true, claimed: of what was found, without what is neither right nor wrong. at_boundary:
    of the claimed length that is no line, what lies at a boundary; None where there are none. surprise (K, n): squared
    errors of what is true over their expected squares, for each of n standard deviations that the network tells.
    """

    found: float
    wanted: float
    true: float
    claimed: float
    at_boundary: float | None
    surprise: np.ndarray

    @property
    def precision(self) -> float:
        """Share of what was claimed that is true; 1 of nothing."""
        return self.true / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        """Share of the truth that was found; 1 of nothing."""
        return self.found / self.wanted if self.wanted else 1.0

    @property
    def f_score(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)

    @property
    def calibration(self) -> list[float]:
        """By what standard deviations are to be multiplied so that errors fit them; 1 where nothing tells."""
        known = self.surprise[np.isfinite(self.surprise).all(axis=1)]
        return np.sqrt(known.mean(axis=0)).tolist() if len(known) else [1.0] * self.surprise.shape[1]


def together(parts: Iterable[Agreement]) -> Agreement:
    """The sum of several, at least one."""
    listed = list(parts)
    met = [part.at_boundary for part in listed if part.at_boundary is not None]
    return Agreement(
        found=sum(part.found for part in listed),
        wanted=sum(part.wanted for part in listed),
        true=sum(part.true for part in listed),
        claimed=sum(part.claimed for part in listed),
        at_boundary=sum(met) if len(met) == len(listed) else None,
        surprise=np.concatenate([part.surprise for part in listed]),
    )
