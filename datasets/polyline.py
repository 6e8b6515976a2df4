"""Arithmetic of polylines: arrays of vertices (K, D), in whatever unit and dimension."""

from __future__ import annotations

import numpy as np


def steps(curve: np.ndarray) -> np.ndarray:
    """Length (K - 1,) of every segment."""
    return np.linalg.norm(np.diff(curve, axis=0), axis=1)


def length(curve: np.ndarray) -> float:
    """Length of the whole."""
    return float(steps(curve).sum())


def arc_length(curve: np.ndarray) -> np.ndarray:
    """Distance (K,) of every vertex from the first, along the polyline."""
    return np.concatenate([[0.0], np.cumsum(steps(curve))])


def between(curve: np.ndarray, at: np.ndarray, where) -> np.ndarray:
    """Points (N, D) at some distances along a polyline whose `arc_length` is ``at``."""
    return np.column_stack([np.interp(where, at, column) for column in curve.T])


def part(curve: np.ndarray, low: float, high: float) -> np.ndarray:
    """The polyline from one distance along it to another, with the vertices between."""
    at = arc_length(curve)
    return between(curve, at, np.concatenate([[low], at[(at > low) & (at < high)], [high]]))


def resample(curve: np.ndarray, values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Points at equal steps, at least two, and what ``values`` (K,) of the vertices are there."""
    at = arc_length(curve)
    even = np.linspace(0, at[-1], max(2, round(at[-1] / step) + 1))
    return between(curve, at, even), np.interp(even, at, values)
