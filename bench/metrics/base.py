"""What a metric tells about itself, and the averages that all metrics share."""

from __future__ import annotations

import numpy as np

from veristem.datasets.results import Metric

__all__ = ["Metric", "mean", "over_limit", "percentile", "rms"]


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
