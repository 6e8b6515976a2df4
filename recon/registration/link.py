"""What two views tell of each other: shift and turn, and along which direction the parallax is.

A shift along that direction is depth, and nothing in two views tells them apart: patches are taken to lie about the
focus plane, half above and half below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import composed, mapped
from veristem.recon.registration.coarse import by_correlation, by_features
from veristem.recon.registration.pictures import Frame, Picture, binned, contrast, rotation
from veristem.recon.registration.votes import AXIS, SHIFT, STRETCH, TURN, Votes

DEPTHS_NM = 500.0  # where patches may lie when the thickness is not known
_LARGEST_PX = 512  # side of what is compared
_MOST_PARALLAX_PX = 24  # to both sides
_WHOLE_PX, _PATCH_PX = 10.0, 5.0  # background is coarser: of whole pictures, of patches
_SLACK_PX, _ACROSS_PX = 6, 8  # how far patches may lie off the coarse shift, along and across
_TURN = np.radians(2.5)  # by which the coarse turn may be wrong
_PASSES = 3
_FEWEST = 8  # patches
_ERROR_PX = 1.0  # of a shift that counts as found
_SURE = 2.8  # standard deviations: unrelated images reach 2.1, related ones have 3.1 or more
_STRETCH, _CLEARLY = 0.004, 3.0  # change of scale that drift may leave, if it is so many standard errors
_ALIKE = 0.7  # correlation of a patch that was found


@dataclass(frozen=True, eq=False)
class Link:
    """What two views tell of each other.

    Parameters
    ----------
    views : (int, int)
        First and second.
    map_nm : (2, 3) float
        From the focus plane as the first view shows it to that as the second does [nm]; the identity when not found.
    found : bool
        Whether the images tell.
    axis_rad, axis_error_rad : float
        Turn of the epipolar direction from where it is said to be, and its standard error [rad].
    places_nm : (N, 2) float
        Patches of the first view, on the focus plane [nm].
    moves_nm : (N, 2) float
        How far from there the second view shows them, where both are taken to lie as is said [nm].
    off_nm : (N,) float
        How far across the epipolar direction that is from where it should be once registered [nm].
    point, lost : (N,) bool
        Whether a patch is a point that tells of all that, and whether one of as much contrast was found nowhere.
    """

    views: tuple[int, int]
    map_nm: np.ndarray
    found: bool
    axis_rad: float
    axis_error_rad: float
    places_nm: np.ndarray
    moves_nm: np.ndarray
    off_nm: np.ndarray
    point: np.ndarray
    lost: np.ndarray

    def off_px(self, acquisition: Acquisition) -> tuple[float, float]:
        """How far points lie across the epipolar direction before and after, rms in pixels of the views."""
        first, second = np.tan(acquisition.directions_rad[list(self.views)])
        across = np.array([second[1] - first[1], first[0] - second[0]]) / np.linalg.norm(first - second)
        off = (self.moves_nm @ across)[self.point], self.off_nm[self.point]
        before, after = (float(np.sqrt(np.mean(o**2))) if len(o) else np.nan for o in off)
        return before / acquisition.pixel_nm, after / acquisition.pixel_nm


def unmoved(views: tuple[int, int], found: bool) -> Link:
    """Of views that lie where they are said to, because they are of one scan or nothing tells otherwise."""
    nothing, none = np.zeros((0, 2)), np.zeros(0, bool)
    return Link(views, np.eye(2, 3), found, 0.0, np.inf, nothing, nothing, np.zeros(0), none, none)


class Pair:
    """Two views, drawn where their maps (2, 3) from the focus plane put them."""

    def __init__(self, acquisition: Acquisition, views: tuple[int, int], maps: tuple[np.ndarray, np.ndarray]):
        tangents = np.tan(acquisition.directions_rad[list(views)])
        along, pixel = tangents[0] - tangents[1], acquisition.pixel_nm
        parallax_nm = float(np.linalg.norm(along)) * (acquisition.thickness_nm or DEPTHS_NM)
        least = max(max(acquisition.views.shape[1:]) / _LARGEST_PX, parallax_nm / 2 / pixel / _MOST_PARALLAX_PX)
        step = max(1, int(np.ceil(least)))
        self.views, self.maps, self.pixel_nm = views, maps, pixel * step
        self.frame = Frame.of(acquisition.field_nm, float(np.arctan2(along[1], along[0])), self.pixel_nm)
        self.parallax_px = parallax_nm / self.pixel_nm
        self.images = [binned(acquisition.views[v], step) for v in views]
        self.fine = [contrast(image, _PATCH_PX) for image in self.images]
        self.left = self._picture(0, self.fine[0])

    def _picture(self, number: int, image: np.ndarray, map_nm=None) -> Picture:
        to_image = self.maps[number] if map_nm is None else composed(self.maps[number], map_nm)
        return self.frame.picture(image, self.pixel_nm, to_image)

    def coarse(self) -> Move:
        """Turn and shift to a pixel or two."""
        pictures = [self._picture(n, contrast(image, _WHOLE_PX)) for n, image in enumerate(self.images)]
        left, right = pictures
        turn, shift = by_features(left, right) or by_correlation(left, right, self.parallax_px)
        return Move(turn, 0.0, shift)

    def votes(self, move: Move) -> Votes:
        """Of the patches of the first view for where the second shows them, moved back."""
        right = self._picture(1, self.fine[1], self.map_nm(move))
        return Votes(self.left, right, (int(np.ceil(self.parallax_px / 2)) + _SLACK_PX, _ACROSS_PX))

    def map_nm(self, move: Move) -> np.ndarray:
        """(2, 3) of a move, on the focus plane."""
        return self.frame.map_nm(move.linear, move.shift_px)

    def refined(self, move: Move, passes: int = _PASSES, turn_rad: float = _TURN) -> tuple[Move, Votes]:
        """A move for which most patches vote, and their votes about it."""
        votes = self.votes(move)
        for number in range(passes):
            start = votes.searched(turn_rad) if number == 0 and turn_rad else np.zeros(4)
            geometry = votes.fit(start, (SHIFT, TURN))
            if number == passes - 1:
                free = (SHIFT, TURN, STRETCH)
                wider = votes.fit(geometry, free)
                if (
                    abs(wider[STRETCH]) > _STRETCH
                    and abs(wider[STRETCH]) > _CLEARLY * votes.errors(wider, free)[STRETCH]
                ):
                    geometry = wider
            move = move.after(geometry, _median(votes.moved_px(geometry), votes.of(geometry)))
            votes = self.votes(move)
        return move, votes

    def link(self, start: Move | None = None) -> tuple[Link, Move]:
        """What the views tell of each other, near ``start`` if it is given."""
        move = self.coarse() if start is None else start
        votes = self.votes(move)
        if len(votes.heard) < _FEWEST:
            return unmoved(self.views, found=False), move
        move, votes = self.refined(move) if start is None else self.refined(move, 1, 0.0)
        geometry = np.zeros(4)
        if not self._sure(votes, geometry):
            return unmoved(self.views, found=False), move
        free = (SHIFT, TURN, AXIS)
        turned = votes.fit(geometry, free)
        error = votes.errors(turned, free)[AXIS]
        seen = votes.tracked(geometry)
        map_nm = self.map_nm(move)
        places = self.frame.places_nm(votes.at)
        shown = mapped(self.frame.places_nm(votes.at + np.column_stack([seen.along, seen.off])), map_nm)
        found = seen.alike >= _ALIKE
        off, point = seen.off * self.pixel_nm, seen.clear & found
        # what hardly stands out of the noise has not been lost
        lost = ~found & (votes.strength > (np.median(votes.strength[point]) / 2 if point.any() else 0.0))
        return Link(self.views, map_nm, True, turned[AXIS], error, places, shown - places, off, point, lost), move

    def _sure(self, votes: Votes, geometry: np.ndarray) -> bool:
        """Whether this is no chance."""
        if len(votes.heard) < _FEWEST or votes.significance(geometry) < _SURE:
            return False
        return bool(votes.errors(geometry, (SHIFT, TURN))[SHIFT] < _ERROR_PX)


@dataclass(frozen=True, eq=False)
class Move:
    """Where the right picture shows what the left one does, about the middle: stretched across the epipolar direction,
    turned [rad] and shifted (2,) [px]."""

    turn_rad: float
    stretch: float
    shift_px: np.ndarray

    @property
    def linear(self) -> np.ndarray:
        """(2, 2) of the stretch and the turn."""
        return rotation(self.turn_rad) @ np.diag([1.0, 1.0 + self.stretch])

    def after(self, geometry: np.ndarray, along_px: float) -> Move:
        """This move of pictures that differ by a geometry and lie ``along_px`` apart along the epipolar direction."""
        shift = self.shift_px + self.linear @ [along_px, geometry[SHIFT]]
        return Move(self.turn_rad + geometry[TURN], self.stretch + geometry[STRETCH], shift)


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    if not weights.sum() > 0:
        return 0.0
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
