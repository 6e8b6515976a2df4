"""Ways in which curves are made worse: from lines, a strength and a generator; a stronger one includes a weaker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from scene import FIELD_NM, THICKNESS_NM

Curves = list[np.ndarray]
_GAP_NM = 15.0  # above the tolerance: smaller gaps count for nothing by definition
_RING_GAP_NM = 30.0
_SPURIOUS_NM = 80.0
_TWIN_NM = 5.0


class Degradation(NamedTuple):
    """One way of making things worse.

    Parameters
    ----------
    what : str
        What is done, in a few words.
    strengths : sequence of float
        Four, rising.
    unit : str
        Of the strengths.
    apply : function
        (what is good, strength, numpy Generator) to what is worse.
    """

    what: str
    strengths: Sequence[float]
    unit: str
    apply: Callable


def shifted(axis: int) -> Callable[[Curves, float, np.random.Generator], Curves]:
    """Every line moved along an axis [nm]."""
    return lambda lines, strength, rng: [line + strength * np.eye(3)[axis] for line in lines]


def stretched(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """Depth stretched about the middle of the foil [%], as by a wrong angle between the views."""
    about = np.array([0, 0, THICKNESS_NM / 2])
    return [about + (line - about) * [1, 1, 1 + strength / 100] for line in lines]


def jittered(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """Every vertex moved at random [nm, rms in each of x, y, z]."""
    return [line + strength * rng.normal(size=line.shape) for line in lines]


def coarse(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """A vertex every so many nm of the line."""
    return [_between(line, at := _arc(line), np.linspace(0, at[-1], _parts(at[-1], strength) + 1)) for line in lines]


def removed(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """Whole lines left out, up to a share of the length."""
    order = rng.permutation(len(lines))
    lengths = np.array([_arc(lines[i])[-1] for i in order])
    return [lines[i] for i in order[np.cumsum(lengths) > strength * lengths.sum()]]


def broken(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """Gaps of 15 nm, so many a micrometre."""
    pieces = []
    for line in lines:
        at = _arc(line)
        middles = np.sort(_GAP_NM + rng.uniform(0, 1, 400)[: round(strength * at[-1] / 1e3)] * (at[-1] - 2 * _GAP_NM))
        ends = np.concatenate([[0], np.stack([middles - _GAP_NM / 2, middles + _GAP_NM / 2], axis=1).ravel(), [at[-1]]])
        pieces += [_part(line, at, a, b) for a, b in ends.reshape(-1, 2) if b > a]
    return pieces


def spurious(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """Straight lines of 80 nm anywhere in the foil, of a share of the true length."""
    count = round(strength * sum(_arc(line)[-1] for line in lines) / _SPURIOUS_NM)
    added = []
    for _ in range(count):
        along = rng.normal(size=3)
        middle = rng.uniform(0, 1, 3) * [FIELD_NM, FIELD_NM, THICKNESS_NM]
        added.append(middle + np.outer([-0.5, 0.5], _SPURIOUS_NM * along / np.linalg.norm(along)))
    return [*lines, *added]


def doubled(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """A share of the lines found a second time, 5 nm beside."""
    order = rng.permutation(len(lines))[: round(strength * len(lines))]
    return [*lines, *(lines[i] + [_TWIN_NM, 0, 0] for i in order)]


def bridged(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """The nearest pairs of lines that are farther apart than 15 nm joined by a straight one, so many of them."""
    from scipy.spatial.distance import cdist

    links = []
    for a, b in combinations(lines, 2):
        distance = cdist(a, b)
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        links.append((distance[i, j], np.array([a[i], b[j]])))
    links = sorted((link for link in links if link[0] > _GAP_NM), key=lambda link: link[0])
    return [*lines, *(link for _, link in links[: int(strength)])]


def unjoined(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """The arms of a share of the junctions end 15 nm before them."""
    ends = np.round([end for line in lines for end in line[[0, -1]]], 6)
    _, index, count = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    order = rng.permutation(np.flatnonzero(count >= 3))
    hit = np.isin(index.reshape(-1, 2), order[: round(strength * len(order))])
    pieces = []
    for line, (first, last) in zip(lines, hit):
        at = _arc(line)
        low, high = _GAP_NM * first, at[-1] - _GAP_NM * last
        pieces += [_part(line, at, low, high)] if high > low else []
    return pieces


def opened(lines: Curves, strength: float, rng: np.random.Generator) -> Curves:
    """A gap of 30 nm in a share of the rings."""
    rings = rng.permutation([i for i, line in enumerate(lines) if np.allclose(line[0], line[-1])])
    hit = set(rings[: round(strength * len(rings))].tolist())
    return [
        _part(line, at := _arc(line), 0, at[-1] - _RING_GAP_NM) if i in hit else line for i, line in enumerate(lines)
    ]


CURVES = {
    "shift x": Degradation("all lines moved along x", (2, 5, 8, 15), "nm", shifted(0)),
    "shift y": Degradation("all lines moved along y", (2, 5, 8, 15), "nm", shifted(1)),
    "shift z": Degradation("all lines moved in depth", (2, 5, 8, 15), "nm", shifted(2)),
    "stretch": Degradation("depth stretched about mid-foil", (2, 5, 10, 20), "%", stretched),
    "jitter": Degradation("every vertex moved at random, rms", (0.5, 1, 2, 4), "nm", jittered),
    "coarse": Degradation("a vertex every so many nm", (20, 40, 80, 160), "nm", coarse),
    "removed": Degradation("whole lines left out, share of length", (0.1, 0.2, 0.4, 0.8), "", removed),
    "broken": Degradation("gaps of 15 nm, a micrometre of line", (1, 2, 5, 10), "µm⁻¹", broken),
    "spurious": Degradation("straight lines of 80 nm added, share of length", (0.1, 0.2, 0.5, 1), "", spurious),
    "doubled": Degradation("share of lines found twice, 5 nm apart", (0.1, 0.2, 0.5, 1), "", doubled),
    "bridges": Degradation("false links between neighbouring lines", (2, 5, 10, 20), "", bridged),
    "unjoined": Degradation("share of junctions whose arms end 15 nm before", (0.25, 0.5, 0.75, 1), "", unjoined),
    "opened": Degradation("share of rings with a gap of 30 nm", (0.25, 0.5, 0.75, 1), "", opened),
}


def _arc(line: np.ndarray) -> np.ndarray:
    """Arc length of every vertex [nm]."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])


def _parts(length: float, step: float) -> int:
    return max(2, round(length / step))  # a ring keeps an area, so to say


def _between(line: np.ndarray, at: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.column_stack([np.interp(where, at, c) for c in line.T])


def _part(line: np.ndarray, at: np.ndarray, low: float, high: float) -> np.ndarray:
    """The line from one arc length to another, with the vertices between."""
    return _between(line, at, np.concatenate([[low], at[(at > low) & (at < high)], [high]]))
