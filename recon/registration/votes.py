"""Shift, turn and axis to a fraction of a pixel: every patch of one picture votes for where the other shows it.

Parallax may have moved a patch by any amount along the epipolar direction, and a line looks the same wherever along it
the patch lies. Neither matters here: a patch votes for those geometries in which it is found *somewhere* on its
epipolar line. Ends, kinks and crossings of lines, single particles and texture decide.

A geometry is an array (4,): shift across the epipolar direction [px], turn [rad], relative change of scale across it,
and turn of the epipolar direction [rad]. A patch at (u, v) from the middle of the left picture is looked for in the
right one on the line through (u, v + shift + turn u + stretch v).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import spline_filter1d
from scipy.optimize import minimize

from veristem.recon.registration.pictures import Picture

SHIFT, TURN, STRETCH, AXIS = range(4)
_HALF_PX = 8  # of a patch
_STEP_PX = 8  # from one to the next
_MOST = 400  # patches, those with the strongest contrast
_CLEAR = 0.9  # of its correlation that a patch may have three pixels beside its line and still be a point
_FINE = 2  # parts of a pixel along the epipolar direction in which correlations are interpolated
_POWER = 16  # of a correlation, which is its vote: what is only alike counts for nothing
_HEARD = 1e-3  # of the strongest vote
_FIRST_STEPS = np.array([0.5, np.radians(0.3), 0.003, np.radians(1.0)])  # of a fit
_GROUPS = 8  # of neighbouring patches, left out in turn
_TILE_PX = 24  # patches closer than that see the same
_RIM_PX = 3  # to both sides of where a patch is expected that the right picture must show
_NEAR_PX = 2.0  # shifts that are no other


class Votes:
    """Correlations of patches of the left picture with the right one around them.

    Parameters
    ----------
    left, right : Picture
        Of one shape.
    reach_px : (int, int)
        How far patches may have moved along x and along y.

    Attributes
    ----------
    at : (N, 2) float
        Middles of the patches from that of the picture [px].
    strength : (N,) float
        Mean square of the contrast of each patch.
    heard : (K,) int
        Patches whose vote can count.
    """

    def __init__(self, left: Picture, right: Picture, reach_px: tuple[int, int]):
        import cv2

        self.reach = along, across = reach_px
        side = 2 * _HALF_PX + 1
        whole = [cv2.erode(p.inside.astype(np.uint8), np.ones((side, side)), borderValue=0) > 0 for p in (left, right)]
        strength = cv2.blur(left.grey**2, (side, side)) * whole[0]
        ys, xs = (np.arange(_HALF_PX, n - _HALF_PX, _STEP_PX) for n in left.grey.shape)
        grid = np.array([(x, y) for y in ys for x in xs], int).reshape(-1, 2)
        weight = strength[grid[:, 1], grid[:, 0]]
        grid = grid[np.argsort(-weight, kind="stable")[: min(_MOST, np.count_nonzero(weight > 0))]]
        pad = ((across + _HALF_PX,) * 2, (along + _HALF_PX,) * 2)
        other, there = np.pad(right.grey, pad), np.pad(whole[1], ((across,) * 2, (along,) * 2))
        maps = np.zeros((len(grid), 2 * across + 1, 2 * along + 1), np.float32)
        inside = np.zeros(maps.shape, bool)
        for found, known, (x, y) in zip(maps, inside, grid):
            patch = left.grey[y - _HALF_PX : y + _HALF_PX + 1, x - _HALF_PX : x + _HALF_PX + 1]
            window = other[y : y + 2 * across + side, x : x + 2 * along + side]
            found[:] = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
            known[:] = there[y : y + 2 * across + 1, x : x + 2 * along + 1]
        # the edge of what the right picture shows must not pull
        seen = inside[:, across - _RIM_PX : across + _RIM_PX + 1, along].all(axis=1)
        maps, self.inside = maps[seen], np.repeat(inside[seen], _FINE, axis=2)[:, :, : 2 * _FINE * along + 1]
        self.strength = strength[grid[seen, 1], grid[seen, 0]]
        self.at = grid[seen] - (np.array(left.grey.shape[::-1]) - 1) / 2
        self.along = np.arange(2 * _FINE * along + 1) / _FINE - along
        fine = CubicSpline(np.arange(-along, along + 1), maps, axis=2)(self.along)
        self.maps = spline_filter1d(fine, axis=1).astype(np.float32) if len(fine) else fine
        most = np.clip(maps.max(axis=(1, 2), initial=0), 0, 1) ** _POWER
        self.heard = np.flatnonzero(most > _HEARD * most.max(initial=0))

    def alike(self, geometry, patches: Any = slice(None), off: float = 0.0) -> np.ndarray:
        """Correlations (N, K) along the epipolar lines of patches, or ``off`` pixels beside them."""
        shift, turn, stretch, axis = geometry
        row = (shift + self.at[patches] @ [turn, stretch] + off)[:, None] + np.tan(axis) * self.along + self.reach[1]
        n, k, last = np.arange(len(self.maps))[patches, None], np.arange(len(self.along)), 2 * self.reach[1]
        low = np.clip(np.floor(row).astype(int), 0, last - 1)
        found = np.zeros(row.shape)
        for tap, weight in enumerate(_spline_weights(row - low), -1):
            found += weight * self.maps[n, np.abs(last - np.abs(last - (low + tap))), k]  # mirrored at the ends
        there = self.inside[n, np.clip(np.rint(row).astype(int), 0, last), k]
        return np.where((row >= 0) & (row <= last) & there, found, 0.0)

    def of(self, geometry, patches: Any = slice(None)) -> np.ndarray:
        """Votes (N,) of patches for a geometry."""
        return np.clip(self.alike(geometry, patches).max(axis=1, initial=0), 0.0, 1.0) ** _POWER

    def moved_px(self, geometry) -> np.ndarray:
        """How far along its epipolar line each patch is found (N,)."""
        return self.along[self.alike(geometry).argmax(axis=1)]

    def fit(self, start, free, patches=None, tolerance: float = 0.01) -> np.ndarray:
        """The geometry near ``start`` for which most is voted, with the numbers ``free`` of it changed."""
        start, free = np.array(start, float), list(free)
        patches = self.heard if patches is None else patches
        step = _FIRST_STEPS[free]

        def geometry(part) -> np.ndarray:
            found = start.copy()
            found[free] += part * step
            return found

        simplex = np.vstack([np.zeros(len(free)), np.eye(len(free))])
        most = self.of(start, patches).sum()
        options = {"initial_simplex": simplex, "xatol": tolerance, "fatol": tolerance * 1e-2 * max(most, 1e-12)}
        found = minimize(
            lambda part: -self.of(geometry(part), patches).sum(), simplex[0], method="Nelder-Mead", options=options
        )
        return geometry(found.x)

    def searched(self, turn_rad: float) -> np.ndarray:
        """The best geometry of a grid of shifts and of turns up to ``turn_rad``, as a start."""
        shifts = np.arange(3 - self.reach[1], self.reach[1] - 2.5, 0.5)
        grid = [(shift, turn, 0.0, 0.0) for shift in shifts for turn in np.linspace(-turn_rad, turn_rad, 11)]
        return np.array(max(grid, key=lambda geometry: self.of(geometry, self.heard).sum()))

    def errors(self, geometry, free) -> np.ndarray:
        """Standard errors (4,) of a fit, with groups of neighbouring patches left out in turn."""
        tile = np.floor(self.at / _TILE_PX).astype(int)
        group = ((3 * tile[:, 0] + 5 * tile[:, 1]) % _GROUPS)[self.heard]
        without = [self.fit(geometry, free, self.heard[group != g], 0.05) for g in range(_GROUPS) if (group == g).any()]
        return np.std(without, axis=0) * (len(without) - 1) ** 0.5

    def significance(self, geometry) -> float:
        """By how many standard deviations more is voted for a geometry than for others; places vote, not patches."""
        shifts = np.arange(-self.reach[1] + 1, self.reach[1])
        others = [s for s in shifts if abs(s - geometry[SHIFT]) > _NEAR_PX]
        elsewhere = np.mean([self.of([s, *geometry[1:]]) for s in others], axis=0)
        tile = np.unique(np.floor(self.at / _TILE_PX).astype(int), axis=0, return_inverse=True)[1].ravel()
        more = np.bincount(tile, self.of(geometry) - elsewhere)
        return float(more.sum() / max(np.sqrt((more**2).sum()), 1e-300))

    def tracked(self, geometry) -> Tracked:
        """Where patches are found, and which of them would be found nowhere beside their epipolar line."""
        offsets = np.arange(-3.0, 3.01, 0.25)
        beside = np.stack([self.alike(geometry, off=off).max(axis=1, initial=0) for off in offsets], axis=1)
        at_best = beside.max(axis=1, initial=0)
        clear = np.maximum(beside[:, 0], beside[:, -1]) < _CLEAR * at_best
        off = offsets[beside.argmax(axis=1)] if len(beside) else np.zeros(0)
        return Tracked(self.moved_px(geometry), off, at_best, clear)


class Tracked(NamedTuple):
    """Patches in the other picture.

    along, off (N,): how far along its epipolar line each is found, and how far off that line it would be more alike
    [px]. alike (N,): correlation there. clear (N,): whether it is a point, not a piece of line that is alike all along.
    """

    along: np.ndarray
    off: np.ndarray
    alike: np.ndarray
    clear: np.ndarray


def _spline_weights(part: np.ndarray) -> tuple[np.ndarray, ...]:
    """Cubic B-spline at the four places around a fraction."""
    rest = 1 - part
    return rest**3 / 6, (4 - 6 * part**2 + 3 * part**3) / 6, (4 - 6 * rest**2 + 3 * rest**3) / 6, part**3 / 6
