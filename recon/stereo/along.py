"""What epipolar rows do not tell: pieces of contours that run along them, matched by their length between two places.

Such a piece crosses no row, or all of it the same one. Where the contours before and behind it, or its ends, are known
to belong together, what lies between is taken to be stretched evenly.
"""

from __future__ import annotations

import itertools

import numpy as np

from veristem.datasets.polyline import arc_length, between

_APART = 0.5  # distance of the rows of two places that may belong together, in scales
_END = 0.3  # standard deviation of where a contour ends, in scales
_UNEVEN = 0.25  # standard deviation of what is between, over the change of disparity there


class Along:
    """Contours of the second view, as what is matched with them by length.

    Parameters
    ----------
    curves_nm : sequence of (K, 2) float
        Contours of the second view.
    epipolar : (2,) float
        Unit vector along which disparity is measured.
    disparity_nm : (float, float)
        Allowed range [nm].
    scale_nm : float
        Half the width of a line's image [nm].
    """

    def __init__(self, curves_nm, epipolar: np.ndarray, disparity_nm: tuple[float, float], scale_nm: float):
        self.curves, self.at = list(curves_nm), [arc_length(curve) for curve in curves_nm]
        self.frame = np.stack([epipolar, [-epipolar[1], epipolar[0]]], axis=1)
        self.range, self.scale = disparity_nm, scale_nm

    def filled(self, points: np.ndarray, found: np.ndarray) -> np.ndarray:
        """What was found for the vertices of a contour, and what its length tells of the others.

        Parameters
        ----------
        points : (K, 2) float
            Vertices of a contour of the first view [nm].
        found : (K, 4) float
            Of each vertex the partner's number, -1 for none, disparity, its standard deviation and the place along the
            partner [nm].
        """
        found, at = found.copy(), arc_length(points)
        sure = np.flatnonzero(found[:, 0] >= 0)
        if len(sure) < 2:
            return self._whole(points, at, found)
        for first, last in itertools.pairwise(sure):
            if last - first > 1 and found[first, 0] == found[last, 0]:
                piece = self._piece(points, at, found[first, 0], (first, last), (found[first, 3], found[last, 3]))
                _put(found, piece, max(found[first, 2], found[last, 2]))
        for end, near, far in ((0, sure[0], sure[1]), (len(points) - 1, sure[-1], sure[-2])):
            if end == near or found[near, 0] != found[far, 0] or found[near, 3] == found[far, 3]:
                continue
            stop = self.at[int(found[near, 0])][-1] if found[near, 3] > found[far, 3] else 0.0
            piece = self._piece(points, at, found[near, 0], (near, end), (found[near, 3], stop))
            _put(found, piece, max(found[near, 2], _END * self.scale))
        return found

    def _whole(self, points: np.ndarray, at: np.ndarray, found: np.ndarray) -> np.ndarray:
        """A contour without any partner, and that whose ends lie on its rows and whose length is most like its own."""
        best, least = None, np.inf
        for number, along in enumerate(self.at):
            uneven = abs(along[-1] - at[-1])
            for ends in ((0.0, along[-1]), (along[-1], 0.0)) if uneven < least else ():
                piece = self._piece(points, at, number, (0, len(points) - 1), ends)
                if piece is not None and (unlike := uneven + piece[2]) < least:
                    best, least = piece, unlike
        found[:, 0] = -1
        return _put(found, best, _END * self.scale)

    def _piece(self, points, at, number: float, vertices: tuple, ends: tuple[float, float]):
        """The vertices from one to another, matched with a piece of a partner between two places: which, what is found,
        and how far apart their rows are. None if that is too far."""
        first, last = vertices
        if at[last] == at[first]:
            return None
        which = np.arange(min(vertices), max(vertices) + 1)
        place = ends[0] + (at[which] - at[first]) / (at[last] - at[first]) * (ends[1] - ends[0])
        curve = between(self.curves[int(number)], self.at[int(number)], place)
        disparity, apart = ((curve - points[which]) @ self.frame).T
        if np.abs(apart).max() > _APART * self.scale:
            return None
        if disparity.min() < self.range[0] or disparity.max() > self.range[1]:
            return None
        values = np.column_stack([np.full(len(which), number), disparity, np.zeros(len(which)), place])
        return which, values, float(np.abs(apart).max())


def _put(found: np.ndarray, piece, error_nm: float) -> np.ndarray:
    """Write a piece where nothing was found; an uneven stretch may be uneven in itself."""
    if piece is not None:
        which, values, _ = piece
        values[:, 2] = np.hypot(error_nm, _UNEVEN * np.ptp(values[:, 1]))
        fresh = found[which, 0] < 0
        found[which[fresh]] = values[fresh]
    return found
