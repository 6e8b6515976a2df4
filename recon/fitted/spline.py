"""Cubic B-splines with even, clamped knots: a curve by its control points."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline

from veristem.datasets.polyline import arc_length, between
from veristem.recon.stereo.bands import normals_of

_DEGREE = 3


class Spline:
    """A cubic B-spline along a polyline, at even sites.

    Parameters
    ----------
    curve : (K, 3) float
        The polyline [nm].
    step_nm : float
        Between sites, at most [nm].
    knot_nm : float
        Between knots, about [nm].

    Attributes
    ----------
    at : (S,) float
        Distance of every site from the first along the polyline [nm].
    basis : (S, N) float
        What every control point adds to every site.
    control : (N, 3) float
        Control points [nm]; of least squares.
    bending : (N, N) float
        Quadratic form whose value for the control points is the integral of the squared second derivative [1/nm³].
    """

    def __init__(self, curve: np.ndarray, step_nm: float, knot_nm: float):
        along = arc_length(curve)
        self.at = np.linspace(0, along[-1], max(2 * _DEGREE, round(along[-1] / step_nm) + 1))
        pieces = max(1, round(along[-1] / knot_nm))
        inner = np.linspace(0, along[-1], pieces + 1)
        self.knots = np.concatenate([np.repeat(inner[0], _DEGREE), inner, np.repeat(inner[-1], _DEGREE)])
        self.basis = BSpline.design_matrix(self.at, self.knots, _DEGREE).toarray()
        second = BSpline(self.knots, np.eye(pieces + _DEGREE), _DEGREE).derivative(2)
        # squares of straight pieces: two points of Gauss each are exact
        half = np.diff(inner)[:, None] / 2
        points = ((inner[:-1] + inner[1:])[:, None] / 2 + half * np.array([-1, 1]) / np.sqrt(3)).ravel()
        curved = second(points)
        self.bending = curved.T @ (np.repeat(half, 2)[:, None] * curved)
        ridge = 1e-9 * np.trace(self.basis.T @ self.basis) * np.eye(pieces + _DEGREE)
        self.control = np.linalg.solve(self.basis.T @ self.basis + ridge, self.basis.T @ between(curve, along, self.at))

    @property
    def sites(self) -> np.ndarray:
        """(S, 3) places of the sites [nm]."""
        return self.basis @ self.control

    @property
    def middles(self) -> np.ndarray:
        """(N,) where along the curve each control point counts most, by Greville [nm]."""
        return np.lib.stride_tricks.sliding_window_view(self.knots[1:-1], _DEGREE).mean(axis=1)

    def normals(self, reach_nm: float) -> np.ndarray:
        """(N, 2) unit vectors at the control points, normal to the curve as the beam sees it."""
        along = normals_of(self.sites[None, :, :2], reach_nm)[0]
        found = between(along, self.at, self.middles)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
