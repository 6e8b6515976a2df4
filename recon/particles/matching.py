"""Which detections of several views are one particle, and where it is.

A particle at (x, y) and h below the focus plane shows at (x, y) - h tan(theta) in every view, so V views hold 2V
numbers for three unknowns: what is left over decides. The best set of matches that use no detection twice is found
exactly.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections, PointMatches

_MISSED = 6.0  # log-odds against a detection that belongs to no particle
_PARTICLE = 6.0  # and against one particle more: else two pairs would always explain four detections better
_FEW = 4  # views of which any may be left out of a match to let another have them; of more (16 have 65 000 parts) one
_GATE = 5.0  # farthest that a detection may be from where it is expected, in standard deviations


def match_points(
    detections: Detections,
    directions_rad: np.ndarray,
    depths_nm: tuple[float, float],
    fewest_views: int,
    slack_nm: float,
) -> PointMatches:
    """Match detections over all views.

    Parameters
    ----------
    detections : Detections
        In V views.
    directions_rad : (V, 2) float
        Mean direction of each view [rad].
    depths_nm : (float, float)
        Allowed depths below the focus plane [nm].
    fewest_views : int
        Views in which a particle must have been found, from 2 to V: less than V brings back particles that some views
        missed, at the price of chance matches.
    slack_nm : float
        Standard deviation that is added to that of each detection: errors of overlap and of blur [nm].

    Returns
    -------
    PointMatches

    Raises
    ------
    InputError
        When ``fewest_views`` is not between 2 and V.
    """
    views = len(detections.points_nm)
    if not 2 <= fewest_views <= views:
        raise InputError(f"fewest_views: {fewest_views} found, 2 to {views}, the number of views, allowed")
    tangents = np.tan(directions_rad)
    whole = _complete(detections, tangents, depths_nm, slack_nm)
    whole = _sound(whole, detections, tangents, depths_nm, fewest_views, slack_nm)[0]
    parts = [whole]
    for kept in range(fewest_views if views <= _FEW else max(fewest_views, views - 1), views):
        for chosen in combinations(range(views), kept):
            part = np.full_like(whole, -1)
            part[:, chosen] = whole[:, chosen]
            parts.append(part)
    index, value = _sound(
        np.unique(np.concatenate(parts), axis=0), detections, tangents, depths_nm, fewest_views, slack_nm
    )
    return _best(detections, index, value)


def triangulate_points(
    detections: Detections, index: np.ndarray, directions_rad: np.ndarray, slack_nm: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares over the views.

    Parameters
    ----------
    detections : Detections
        In V views.
    index : (M, V) int
        Detection of each particle in each view, -1 for none.
    directions_rad : (V, 2) float
        Mean direction of each view [rad].
    slack_nm : float
        Added to the standard deviation of each detection [nm].

    Returns
    -------
    places_nm : (M, 3) float
        x, y and depth below the focus plane [nm].
    covariance_nm2 : (M, 3, 3) float
    chi2 : (M,) float
        Sum of squares of what is left over, in standard deviations.
    """
    count = len(index)
    information, vector, square = np.zeros((count, 3, 3)), np.zeros((count, 3)), np.zeros(count)
    for view, tangent in enumerate(np.tan(directions_rad)):
        seen = np.flatnonzero(index[:, view] >= 0)
        at = detections.points_nm[view][index[seen, view]]
        spread = detections.covariance_nm2[view][index[seen, view]] + slack_nm**2 * np.eye(2)
        project = np.column_stack([np.eye(2), -tangent])
        weighted = np.linalg.solve(spread, np.broadcast_to(project, (len(seen), 2, 3)))
        information[seen] += np.swapaxes(weighted, 1, 2) @ project
        vector[seen] += np.einsum("nij,ni->nj", weighted, at)
        square[seen] += np.einsum("ni,ni->n", at, np.linalg.solve(spread, at[..., None])[..., 0])
    covariance = np.linalg.inv(information) if count else np.zeros((0, 3, 3))
    places = np.einsum("nij,nj->ni", covariance, vector)
    return places, covariance, np.maximum(square - np.einsum("ni,ni->n", places, vector), 0.0)


def _complete(detections: Detections, tangents, depths_nm, slack_nm: float) -> np.ndarray:
    """(H, V) every pair of detections that fits, with the nearest one to where it is expected in each other view."""
    from scipy.spatial import KDTree

    views = len(tangents)
    trees = [KDTree(points) for points in detections.points_nm]
    typical = [
        np.sqrt(slack_nm**2 + np.median(_variance(c))) if len(c) else slack_nm for c in detections.covariance_nm2
    ]
    found = [np.zeros((0, views), int)]
    middle, half = np.mean(depths_nm), np.ptp(depths_nm) / 2
    for a, b in combinations(range(views), 2):
        apart = tangents[b] - tangents[a]
        distance = float(np.linalg.norm(apart))
        if distance < 1e-6 or not len(trees[a].data) or not len(trees[b].data):
            continue
        gate = _GATE * float(np.hypot(typical[a], typical[b]))
        near = trees[b].query_ball_point(detections.points_nm[a] - middle * apart, half * distance + gate)
        first = np.repeat(np.arange(len(near)), [len(n) for n in near])
        second = np.concatenate([np.array(n, int) for n in near])
        step = detections.points_nm[b][second] - detections.points_nm[a][first]
        depth = -(step @ apart) / distance**2
        beside = np.abs(step @ [-apart[1], apart[0]]) / distance
        fits = (beside < gate) & (depth > depths_nm[0] - gate / distance) & (depth < depths_nm[1] + gate / distance)
        first, second, depth = first[fits], second[fits], depth[fits]
        index = np.full((len(first), views), -1)
        index[:, a], index[:, b] = first, second
        middle_of = (
            detections.points_nm[a][first]
            + detections.points_nm[b][second]
            + depth[:, None] * (tangents[a] + tangents[b])
        ) / 2
        for other in set(range(views)) - {a, b}:
            if len(trees[other].data):
                off, nearest = trees[other].query(middle_of - depth[:, None] * tangents[other])
                index[:, other] = np.where(off < 2 * gate, nearest, -1)
        found.append(index)
    return np.unique(np.concatenate(found), axis=0)


def _variance(covariance: np.ndarray) -> np.ndarray:
    return np.trace(covariance, axis1=1, axis2=2) / 2


def _sound(index: np.ndarray, detections: Detections, tangents, depths_nm, fewest_views: int, slack_nm: float):
    """Matches of enough views at an allowed depth that leave little over, and their log-odds against chance.

    One that leaves too much over loses the view that fits worst, as long as enough are left.
    """
    directions = np.arctan(tangents)
    while True:
        seen = (index >= 0).sum(axis=1)
        index, seen = index[seen >= fewest_views], seen[seen >= fewest_views]
        places, covariance, chi2 = triangulate_points(detections, index, directions, slack_nm)
        free = 2 * seen - 3
        too_much = chi2 > free + _GATE * np.sqrt(2 * free)
        if not too_much.any():
            break
        wrong = index[too_much]
        left = np.full(wrong.shape, np.inf)
        for view in range(wrong.shape[1]):
            rows = np.flatnonzero((wrong[:, view] >= 0) & (seen[too_much] > 2))
            rest = wrong[rows]
            rest[:, view] = -1
            left[rows, view] = triangulate_points(detections, rest, directions, slack_nm)[2]
        wrong[np.arange(len(wrong)), left.argmin(axis=1)] = -1
        wrong[seen[too_much] == 2] = -1
        index = index.copy()
        index[too_much] = wrong
        index = np.unique(index, axis=0)
    margin = _GATE * np.sqrt(covariance[:, 2, 2])
    deep = (places[:, 2] > depths_nm[0] - margin) & (places[:, 2] < depths_nm[1] + margin)
    return index[deep], (_MISSED * seen - _PARTICLE - chi2 / 2)[deep]


def _best(detections: Detections, index: np.ndarray, value: np.ndarray) -> PointMatches:
    """The matches of greatest total value that use no detection twice, by integer programming where they compete."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not len(index):
        return PointMatches(detections, index, np.zeros(0))
    uses = _uses(detections, index)
    limits = LinearConstraint(uses.T.tocsc(), -np.inf, 1)
    found = milp(-value, constraints=limits, integrality=np.ones(len(index)), bounds=Bounds(0, 1))
    chosen = np.flatnonzero(found.x > 0.5)
    return PointMatches(detections, index[chosen], _ambiguity(uses, index, value, chosen))


def _uses(detections: Detections, index: np.ndarray):
    """Sparse (matches, detections of all views): 1 where a match uses a detection."""
    from scipy.sparse import csr_array

    sizes = [len(points) for points in detections.points_nm]
    offset = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    match, view = np.nonzero(index >= 0)
    return csr_array((np.ones(len(match)), (match, (index + offset)[match, view])), shape=(len(index), sum(sizes)))


def _ambiguity(uses, index: np.ndarray, value: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Probability that one of the other matches of a detection is right; parts of the chosen one do not count."""
    rival, own = (uses @ uses[chosen].T).nonzero()
    part = ((index[rival] < 0) | (index[rival] == index[chosen][own])).all(axis=1)
    rival, own = rival[~part], own[~part]
    odds = np.bincount(own, np.exp(np.minimum(value[rival] - value[chosen][own], 50.0)), minlength=len(chosen))
    return odds / (1 + odds)
