"""From matched curves to curves in space, with a standard deviation a vertex."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.interpolate import make_smoothing_spline

from veristem.datasets.intermediate import Matches
from veristem.datasets.polyline import steps

SMOOTHING = 3.0  # in scales of the contour filter: wavelengths below 2 pi times this are damped
_MODEL = 0.085  # error of a contour that is not noise but contrast that differs between the views, in scales
_CORRELATION = 2.5  # length over which it stays the same, in scales


def refine(matches: Matches, epipolar: np.ndarray, scale_nm: float) -> Matches:
    """Outliers dropped, disparity smoothed along each curve by a spline weighted with its uncertainty.

    Parameters
    ----------
    matches : Matches
        Of two views, as found.
    epipolar : (2,) float
        Unit vector of the epipolar direction.
    scale_nm : float
        Half the width of a line's image [nm]; the smoothing length is three times that.

    Returns
    -------
    Matches
        The standard deviations are those of the smoothed disparity.
    """
    smoothing = SMOOTHING * scale_nm
    model = (_MODEL * scale_nm) ** 2 * _CORRELATION / SMOOTHING
    places, sigmas = [], []
    for (a, b), sigma in zip(matches.places_nm, matches.sigma_nm):
        disparity = (b - a) @ epipolar
        at = np.concatenate([[0], np.cumsum(np.maximum(steps(a), 1e-6))])
        keep = np.ones(len(at), bool)
        for _ in range(3):
            smooth = smoothing_spline(at[keep], disparity[keep], sigma[keep], smoothing)(at)
            residual = disparity - smooth
            spread = 1.4826 * np.median(np.abs(residual[keep])) + 1e-9
            kept = np.abs(residual) < 4 * np.maximum(max(spread, _MODEL * scale_nm), sigma)
            if kept.sum() < 6 or (kept == keep).all():
                break
            keep = kept
        smooth = smoothing_spline(at[keep], disparity[keep], sigma[keep], smoothing)(at)
        step = at[-1] / (len(at) - 1)
        noise = np.maximum(sigma, spread) ** 2 * min(1.0, step / smoothing)
        places.append(np.stack([a[keep], (a + smooth[:, None] * epipolar)[keep]]))
        sigmas.append(np.sqrt(noise + model)[keep])
    return Matches(matches.views, tuple(places), tuple(sigmas))


def smoothing_spline(at, values, sigma, smoothing):
    """Smoothing spline with weights 1/sigma^2, normalised so that the smoothing length does not depend on the noise."""
    if len(at) < 5:
        line = np.polyfit(at, values, 1)
        return lambda x: np.polyval(line, x)
    weights = 1 / np.maximum(sigma, 1e-3 * sigma.max() + 1e-9) ** 2
    step = (at[-1] - at[0]) / (len(at) - 1)
    return make_smoothing_spline(at, values, w=weights / weights.mean(), lam=smoothing**4 / step)


def triangulate(matches: Matches, directions_rad: np.ndarray, focus_nm: float) -> tuple[list, list]:
    """Points of matched curves in the specimen frame.

    In view v a point at depth z stands at (x, y) - (z - z_f) tan theta_v: z and (x, y) that fit all views best, which
    of two is d = (z - z_f)(tan theta_1 - tan theta_2) and the mean of both places.

    Parameters
    ----------
    matches : Matches
        Curves in two views or more [nm].
    directions_rad : (V, 2) float
        Direction of each view [rad].
    focus_nm : float
        Depth of the focus plane [nm].

    Returns
    -------
    curves_nm : list of (K, 3) float
    sigma_nm : list of (K,) float
        Standard deviation of z [nm].
    """
    tangents = np.tan(directions_rad[list(matches.views)])
    lever = tangents - tangents.mean(axis=0)
    parallax = max(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(tangents, 2))
    curves, sigmas = [], []
    for places, sigma in zip(matches.places_nm, matches.sigma_nm):
        height = -np.einsum("wka,wa->k", places - places.mean(axis=0), lever) / (lever**2).sum()
        xy = places.mean(axis=0) + height[:, None] * tangents.mean(axis=0)
        curves.append(np.column_stack([xy, focus_nm + height]))
        sigmas.append(sigma / parallax)
    return curves, sigmas
