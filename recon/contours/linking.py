"""Pieces of contours joined across crossings and gaps by good continuation."""

from __future__ import annotations

import itertools

import numpy as np

_TURN = np.radians(35.0)  # largest turn at a join


def link(pieces: list[np.ndarray], gap: float, reach: float, dimensions: int = 2) -> list[np.ndarray]:
    """Join ends that face each other, the best pair first.

    Parameters
    ----------
    pieces : list of (K, C) float
        Curves; the first columns are x, y and, in three dimensions, z; the others go along.
    gap : float
        Largest gap that is bridged, in the unit of the curves.
    reach : float
        Length over which the direction of an end is taken.
    dimensions : int
        2 or 3.

    Returns
    -------
    list of (K, C) float
        Each end is joined to at most one other.
    """
    ends = []
    for n, piece in enumerate(pieces):
        for last in (False, True):
            points = piece[::-1, :dimensions] if last else piece[:, :dimensions]
            far = np.flatnonzero(np.linalg.norm(points - points[0], axis=1) >= reach)
            outwards = points[0] - points[far[0] if len(far) else -1]
            ends.append((n, last, points[0], outwards / max(np.linalg.norm(outwards), 1e-12)))
    pairs = []
    for (a, end_a), (b, end_b) in itertools.combinations(enumerate(ends), 2):
        if end_a[0] == end_b[0]:
            continue
        step = end_b[2] - end_a[2]
        distance = np.linalg.norm(step)
        if distance > gap:
            continue
        turn = np.arccos(np.clip(-end_a[3] @ end_b[3], -1, 1))
        if distance > 0.2 * gap:
            turn = max(turn, np.arccos(np.clip(end_a[3] @ step / distance, -1, 1)))
        if turn < _TURN:
            pairs.append((turn + distance / gap * _TURN, a, b))
    joined: dict[int, int] = {}
    for _, a, b in sorted(pairs):
        if a not in joined and b not in joined:
            joined[a], joined[b] = b, a
    return _chains(pieces, joined)


def _chains(pieces: list[np.ndarray], joined: dict[int, int]) -> list[np.ndarray]:
    """Follow the joins; end 2n is the first vertex of piece n, end 2n + 1 its last."""
    seen: set[int] = set()
    chains = []
    starts = [e for e in range(2 * len(pieces)) if e not in joined]
    for end in [*starts, *range(2 * len(pieces))]:  # what is left after the open ones are rings
        if end // 2 in seen:
            continue
        chain = []
        while end // 2 not in seen:
            seen.add(end // 2)
            chain.append(pieces[end // 2] if end % 2 == 0 else pieces[end // 2][::-1])
            other = end ^ 1
            if other not in joined:
                break
            end = joined[other]
        chains.append(np.concatenate(chain))
    return chains
