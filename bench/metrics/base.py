"""What a metric tells about itself, and the averages that all metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Metric:
    """A score against the truth. Each file of this folder with a ``METRIC`` also has ``score(pair)``.

    Parameters
    ----------
    name : str
        Key in the results, and name of the file.
    unit : str
        Unit, "" for a pure number.
    better : "lower", "higher" or "closer"
        Which way is better; "closer" means nearer to ``good`` from either side.
    meaning : str
        One sentence.
    good, bad : float
        Value of a perfect reconstruction, and one at which it is of little use (the ends of a colour scale).
    empty : str
        What empty inputs give.
    of : tuple of "curves", "points", "masks", "disparity"
        What it scores; ``score`` then takes a `Pair`, a `PointPair`, a `MaskPair` or a `DisparityPair`.
    """

    name: str
    unit: str
    better: Literal["lower", "higher", "closer"]
    meaning: str
    good: float
    bad: float
    empty: str
    of: tuple[Literal["curves", "points", "masks", "disparity"], ...] = ("curves",)

    def loss(self, value: float) -> float:
        """Distance from the value of a perfect reconstruction: less is better for every metric."""
        return abs(value - self.good)


def mean(values: np.ndarray, weights: np.ndarray) -> float | None:
    """Weighted mean; None for no values, or where one is infinite because the other side is empty."""
    if not len(values) or not np.isfinite(values).all():
        return None
    return float((values * weights).sum() / weights.sum())  # not a dot product: ones must give exactly 1


def rms(values: np.ndarray, weights: np.ndarray) -> float | None:
    """Weighted root mean square, None as in `mean`."""
    square = mean(values**2, weights)
    return None if square is None else float(np.sqrt(square))


def over_limit(errors: np.ndarray, limits: np.ndarray | None, weights: np.ndarray, largest: float) -> float | None:
    """Root mean square of errors over that of their limits, of those whose limit is known and not beyond the largest.

    None without any.
    """
    if limits is None:
        return None
    known = limits <= largest
    error, limit = rms(errors[known], weights[known]), rms(limits[known], weights[known])
    return error / limit if error is not None and limit else None


def percentile(values: np.ndarray, weights: np.ndarray, share: float) -> float | None:
    """Least value that at least ``share`` of the weight does not exceed, None as in `mean`."""
    if not len(values) or not np.isfinite(values).all():
        return None
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, share * below[-1] * (1 - 1e-12))])
