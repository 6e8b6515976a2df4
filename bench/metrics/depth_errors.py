"""Errors in depth, of both sides matched as the beam sees them: a tolerance in depth would cut off the large ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from veristem.bench.metrics.lines import Lines

if TYPE_CHECKING:
    from veristem.bench.limits.lines import LineLimits

_ASIDE_NM = 5.0
_CUT = 5.0  # limits: what is farther off in depth is another line
_LARGEST_NM = 40.0  # limits beyond it: no foil is thick enough to show such errors
_LEAST = 0.1  # of a shift in depth that has to show: nearly along the beam lines have no depth
_LENGTH_NM = 20.0  # of line that limits are given for
_COVERED = 0.5  # of a piece that has to be found
_WITHIN = 0.6827  # of normal errors: one standard deviation
_FEWEST = 100  # pieces


class Scale(NamedTuple):
    """How widely errors scatter, and the ends of its interval of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class DepthErrors:
    """Mean errors of the pieces of line that limits are given for, as far as they were found.

    Parameters
    ----------
    over_limit : (K,) float
        Mean error in depth of a piece over its limit.
    psi_deg : (K,) float
        Angle in the image between each piece and the epipolar direction [deg].
    """

    over_limit: np.ndarray
    psi_deg: np.ndarray

    @staticmethod
    def of(found: Lines, limits: LineLimits) -> DepthErrors:
        """Of the samples of a reconstruction within 5 nm of a true line aside and within five limits of it in depth.

        The error is straight along the beam, and so is the limit: that of the offset normal to the line over the share
        of a shift in depth that shows in it. It is that of the length of each piece, with what contrast tells of depth
        where that is known. A piece counts when half of it is found and its limit is at most 40 nm.
        """
        from scipy.spatial import KDTree

        count = len(limits.length_nm)
        samples, weight, _ = found.samples
        same = limits.piece[1:] == limits.piece[:-1]
        piece = limits.piece[1:][same]
        if not len(piece) or not len(samples):
            return DepthErrors(np.zeros(0), np.zeros(0))
        points = (limits.points_nm[1:] + limits.points_nm[:-1])[same] / 2
        along = np.diff(limits.points_nm, axis=0)[same]
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
        share = np.bincount(piece, 1 - along[:, 2] ** 2, count) / np.maximum(np.bincount(piece, minlength=count), 1)
        limit = (limits.full_nm if np.isfinite(limits.full_nm).any() else limits.parallax_nm)[:, 1]
        known = np.isfinite(limit) & (limit > 0) & (share > _LEAST)
        sigma = np.where(known, limit, np.nan) / np.maximum(share, _LEAST)
        known &= sigma <= _LARGEST_NM
        aside, nearest = KDTree(points[:, :2]).query(samples[:, :2])
        t, away, of = along[nearest], samples - points[nearest], piece[nearest]
        level = np.maximum((t[:, :2] ** 2).sum(axis=1), _LEAST)
        error = (
            away[:, 2] - t[:, 2] * (away[:, :2] * t[:, :2]).sum(axis=1) / level
        )  # less what the line rises till there
        error /= sigma[of]
        matched = known[of] & (aside <= _ASIDE_NM) & (np.abs(error) <= _CUT)
        length = np.bincount(of[matched], weight[matched], count)
        total = np.bincount(of[matched], (weight * error)[matched], count)
        counted = length >= _COVERED * limits.length_nm
        mean = total[counted] / length[counted] * np.sqrt(limits.length_nm[counted] / _LENGTH_NM)
        return DepthErrors(mean, limits.psi_deg[counted])

    def steep(self, psi_deg: float, wanted: bool) -> DepthErrors:
        """Those of pieces at more than an angle to the epipolar direction, or the others."""
        keep = (self.psi_deg > psi_deg) == wanted
        return DepthErrors(self.over_limit[keep], self.psi_deg[keep])

    @property
    def scale(self) -> Scale | None:
        """Standard deviation of normal errors that scatter as widely, a shift of the whole taken off.

        From how far from their median the nearest 68 % lie, which outliers hardly move, as of a normal distribution cut
        off at five limits; 5 stands for anything wider. The interval is that of order statistics, of errors that do not
        depend on each other from piece to piece. None of fewer than 100 pieces.
        """
        count = len(self.over_limit)
        if count < _FEWEST:
            return None
        distance = np.sort(np.abs(self.over_limit - np.median(self.over_limit)))
        at = _WITHIN * count + 1.96 * np.sqrt(_WITHIN * (1 - _WITHIN) * count) * np.array([0, -1, 1])
        return Scale(*map(float, _sigma(np.interp(at - 0.5, np.arange(count), distance))))


def _sigma(distance: np.ndarray) -> np.ndarray:
    """Standard deviations of normal distributions, cut off at `_CUT`, of which 68 % lie within these distances of 0."""
    from scipy.special import erf, erfinv

    sigma = np.linspace(0.01, _CUT, 1000)
    wide = np.sqrt(2) * sigma
    return np.interp(distance, np.append(0.0, wide * erfinv(erf(_CUT / wide) * _WITHIN)), np.append(0.0, sigma))
