"""Contours of two views matched along epipolar rows, by dynamic programming with continuity along each curve.

For every vertex of a contour of the first view the candidates are the places where its epipolar row meets the contours
of the second. Viterbi's algorithm picks one candidate (or none) a vertex, so that along the curve the disparity changes
little and the partner stays the same contour.
"""

from __future__ import annotations

import itertools

import numpy as np

from veristem.datasets.intermediate import Contours, Matches
from veristem.datasets.polyline import arc_length, between, resample
from veristem.recon.stereo.along import Along

_NONE = 1.2  # cost of a vertex without a partner
_SWITCH = 8.0  # cost of going over to another contour, or to none and back
_PARALLEL = 0.1  # |sin| of the angle to the rows below which they do not tell where a contour goes on
_WHOLE = 0.8  # share of a contour that is kept however short it is
_SLOPE = 1.5  # change of disparity per length that costs as much as _NONE


def epipolar_axes(directions_rad: np.ndarray, views: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Unit vector (2,) of the epipolar direction and the disparity per depth, |tan theta_1 - tan theta_2|."""
    d = np.tan(directions_rad[views[0]]) - np.tan(directions_rad[views[1]])
    parallax = float(np.linalg.norm(d))
    return d / parallax, parallax


def match_contours(
    contours: Contours,
    views: tuple[int, int],
    epipolar: np.ndarray,
    disparity_nm: tuple[float, float],
    step_nm: float,
    scale_nm: float,
) -> Matches:
    """Match the contours of the first view to those of the second.

    Parameters
    ----------
    contours : Contours
        Of all views.
    views : (int, int)
        First and second view.
    epipolar : (2,) float
        Unit vector along which disparity is measured.
    disparity_nm : (float, float)
        Allowed range of the disparity, second less first [nm].
    step_nm : float
        Distance of vertices [nm].
    scale_nm : float
        Half the width of a line's image [nm]. A matched curve is divided where more than five times that is without a
        partner, and pieces below 3.5 times that are dropped.

    Returns
    -------
    Matches
    """
    second = _rows(contours.curves_nm[views[1]], contours.sigma_nm[views[1]], epipolar, scale_nm)
    along = Along(contours.curves_nm[views[1]], epipolar, disparity_nm, scale_nm)
    places, sigmas = [], []
    for curve, sigma in zip(contours.curves_nm[views[0]], contours.sigma_nm[views[0]]):
        points, error = resample(curve, sigma, step_nm)
        u, v = points @ epipolar, points @ _normal(epipolar)
        sine = _sine_to_rows(points, epipolar, scale_nm)
        candidates = [_candidates(second, u[k], v[k], error[k] / sine[k], disparity_nm) for k in range(len(points))]
        candidates = [c if sine[k] > _PARALLEL else c[:0] for k, c in enumerate(candidates)]
        found = along.filled(points, _chosen(candidates, _viterbi(candidates, step_nm)))
        matched = np.flatnonzero(found[:, 0] >= 0)
        for run in runs(matched, len(points), step_nm, scale_nm):
            places.append(np.stack([points[run], points[run] + found[run, 1:2] * epipolar]))
            sigmas.append(found[run, 2])
    return Matches(views, tuple(places), tuple(sigmas))


def runs(matched: np.ndarray, count: int, step_nm: float, scale_nm: float) -> list[np.ndarray]:
    """The pieces of a contour of ``count`` vertices that are kept, of the vertices ``matched`` of it (M,)."""
    parts = np.split(matched, np.flatnonzero(np.diff(matched) * step_nm > 5 * scale_nm) + 1)
    least = min(3.5 * scale_nm, _WHOLE * (count - 1) * step_nm)
    return [run for run in parts if len(run) >= 3 and (len(run) - 1) * step_nm >= least]


def _normal(epipolar: np.ndarray) -> np.ndarray:
    return np.array([-epipolar[1], epipolar[0]])


def _sine_to_rows(curve: np.ndarray, epipolar: np.ndarray, reach_nm: float) -> np.ndarray:
    """|sin| of the angle of the curve to the epipolar rows, at least 0.05.

    The angle is that of a chord over ``reach_nm`` to both sides: between neighbouring vertices it would be noise.
    """
    at = arc_length(curve)
    chord = between(curve, at, at + reach_nm) - between(curve, at, at - reach_nm)
    across = np.abs(chord @ _normal(epipolar)) / np.maximum(np.linalg.norm(chord, axis=1), 1e-12)
    return np.maximum(across, 0.05)


def _rows(curves, sigmas, epipolar, reach_nm: float):
    """Segments of all curves in row coordinates: curve, u and v of both ends, standard deviation along the row."""
    table = []
    for n, (curve, sigma) in enumerate(zip(curves, sigmas)):
        u, v = curve @ epipolar, curve @ _normal(epipolar)
        error = sigma / _sine_to_rows(curve, epipolar, reach_nm)
        index, at = np.full(len(u) - 1, n), arc_length(curve)
        table.append(np.column_stack([
            index, u[:-1], u[1:], v[:-1], v[1:], (error[:-1] + error[1:]) / 2, at[:-1], at[1:]
        ]))  # fmt: skip
    return np.concatenate(table) if table else np.zeros((0, 8))


def _candidates(rows, u: float, v: float, error: float, disparity_nm: tuple[float, float]) -> np.ndarray:
    """(C, 4) partner contour, disparity, its standard deviation and place along it where row v meets the contours."""
    hit = rows[(np.minimum(rows[:, 3], rows[:, 4]) <= v) & (v < np.maximum(rows[:, 3], rows[:, 4]))]
    fraction = (v - hit[:, 3]) / (hit[:, 4] - hit[:, 3])
    disparity = hit[:, 1] + fraction * (hit[:, 2] - hit[:, 1]) - u
    inside = (disparity >= disparity_nm[0]) & (disparity <= disparity_nm[1])
    place = hit[:, 6] + fraction * (hit[:, 7] - hit[:, 6])
    return np.column_stack([hit[:, 0], disparity, np.hypot(error, hit[:, 5]), place])[inside]


def _chosen(candidates: list[np.ndarray], choice: np.ndarray) -> np.ndarray:
    """(K, 4) the chosen candidate of every vertex, with partner -1 where there is none."""
    found = np.tile([-1.0, 0.0, 0.0, 0.0], (len(choice), 1))
    for k in np.flatnonzero(choice >= 0):
        found[k] = candidates[k][choice[k]]
    return found


def _viterbi(candidates: list[np.ndarray], step_nm: float) -> np.ndarray:
    """Index of the chosen candidate at each vertex, -1 for none.

    A change of disparity costs by how far it exceeds its own noise: else steep neighbours beat shallow true partners.
    """
    back: list[np.ndarray] = []
    cost = np.zeros(len(candidates[0]) + 1)
    cost[-1] = _NONE  # the last state is none
    for before, now in itertools.pairwise(candidates):
        allowed = (_SLOPE * step_nm) ** 2 + now[:, None, 2] ** 2 + before[None, :, 2] ** 2
        change = (now[:, None, 1] - before[None, :, 1]) ** 2 / allowed
        move = np.full((len(now) + 1, len(before) + 1), _SWITCH / 2)
        move[:-1, :-1] = np.minimum(_NONE * change, _SWITCH) + _SWITCH * (now[:, None, 0] != before[None, :, 0])
        move[-1, -1] = 0.0
        total = move + cost
        back.append(total.argmin(axis=1))
        cost = total.min(axis=1)
        cost[-1] += _NONE
    choice = np.empty(len(candidates), int)
    state = int(cost.argmin())
    for k in range(len(candidates) - 1, -1, -1):
        choice[k] = state if state < len(candidates[k]) else -1
        if k:
            state = int(back[k - 1][state])
    return choice
