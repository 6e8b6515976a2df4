"""One side of a comparison: straight segments, their uniform samples and the way to the nearest of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from veristem.datasets import CurveSet, DislocationNetwork, InputError, LineTruth

_FARTHEST_NM = 1e9  # a metre: beyond, squares of coordinates lose the nanometres
_MOST_SAMPLES = 200_000  # about half a millimetre of line at 10 nm; only a diverged method draws more


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight segments, each of some length.

    Parameters
    ----------
    start_nm, stop_nm : (M, 3) float
        Ends of the segments [nm].
    sigma_nm : (M, 2) float
        Reported standard deviation of z at both ends [nm], NaN where there is none.
    visible : (M,) bool or None
        Whether each segment can be seen; None where that is not known.
    tolerance_nm : float
        Distance within which a point counts as found [nm]; a quarter of it is the step of the samples.
    burgers_nm : (M, 3) float or None
        Burgers vectors of a network [nm]; None for curves, which have none.
    """

    start_nm: np.ndarray
    stop_nm: np.ndarray
    sigma_nm: np.ndarray
    visible: np.ndarray | None
    tolerance_nm: float
    burgers_nm: np.ndarray | None = None

    @staticmethod
    def of(obj: LineTruth | DislocationNetwork | CurveSet, tolerance_nm: float, field_nm=None) -> Lines:
        """The segments of a truth or a reconstruction, cut laterally to the field [0, W] x [0, H] if one is given.

        All curves are visible; of a network without a reflection it is not known. Segments of no length are left out.

        Raises
        ------
        InputError
            For a coordinate beyond a metre.
        """
        if isinstance(obj, CurveSet):
            start = np.concatenate([np.zeros((0, 3)), *(c[:-1] for c in obj.curves_nm)])
            stop = np.concatenate([np.zeros((0, 3)), *(c[1:] for c in obj.curves_nm)])
            ends = [np.stack([s[:-1], s[1:]], axis=1) for s in obj.sigma_nm]
            sigma, visible = np.concatenate([np.zeros((0, 2)), *ends]), np.ones(len(start), bool)
            burgers = None
        else:
            network, visible = (obj.network, np.asarray(obj.visible)) if isinstance(obj, LineTruth) else (obj, None)
            start, stop = network.ends_nm()
            sigma, burgers = np.full((len(start), 2), np.nan), network.burgers_nm
        farthest = max(np.abs(start).max(initial=0), np.abs(stop).max(initial=0))
        if farthest > _FARTHEST_NM:
            raise InputError(f"lines: coordinate {farthest:.3g} nm found, at most {_FARTHEST_NM:.0e} nm allowed")
        lines = Lines(start, stop, sigma, visible, tolerance_nm, burgers)
        if field_nm is not None:
            lines = lines._cut(np.asarray(field_nm, float))
        return lines.where(lines.lengths_nm > 0)

    def where(self, keep: np.ndarray) -> Lines:
        """Some of the segments, by mask or index."""
        visible, burgers = (None if part is None else part[keep] for part in (self.visible, self.burgers_nm))
        return Lines(self.start_nm[keep], self.stop_nm[keep], self.sigma_nm[keep], visible, self.tolerance_nm, burgers)

    def _cut(self, field: np.ndarray) -> Lines:
        # Liang & Barsky 1984: the share of each segment that lies within both slabs
        d = (self.stop_nm - self.start_nm)[:, :2]
        p = self.start_nm[:, :2]
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = -p / d, (field - p) / d
        within = (p >= 0) & (p <= field)
        enter = np.where(d == 0, np.where(within, 0, 2), np.minimum(a, b)).max(axis=1, initial=0)
        leave = np.where(d == 0, np.where(within, 1, -1), np.maximum(a, b)).min(axis=1, initial=1)
        kept = self.where(keep := np.flatnonzero(enter < leave))
        ends = []
        for at in (enter[keep, None], leave[keep, None]):
            # exact at 0 and 1, so that neighbours still share their node
            point = np.where(at < 1, kept.start_nm + at * (kept.stop_nm - kept.start_nm), kept.stop_nm)
            ends.append((point, kept.sigma_nm[:, 0] + at[:, 0] * (kept.sigma_nm[:, 1] - kept.sigma_nm[:, 0])))
        (start, first), (stop, last) = ends
        return replace(kept, start_nm=start, stop_nm=stop, sigma_nm=np.stack([first, last], axis=1))

    @cached_property
    def lengths_nm(self) -> np.ndarray:
        """(M,) lengths [nm]."""
        return np.linalg.norm(self.stop_nm - self.start_nm, axis=1)

    @cached_property
    def pieces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pieces (N, 2, 3) by their ends [nm], their lengths (N,) [nm] and the segment of each (N,).

        Every segment is divided into equal pieces of at most a quarter of the tolerance.
        """
        step = max(self.tolerance_nm / 4, self.lengths_nm.sum() / _MOST_SAMPLES)
        counts = np.maximum(1, np.ceil(self.lengths_nm / step - 1e-9)).astype(int)
        segment = np.repeat(np.arange(len(counts)), counts)
        rank = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
        at = np.stack([rank, rank + 1], axis=1) / counts[segment, None]
        along = (self.stop_nm - self.start_nm)[segment]
        pieces = self.start_nm[segment, None] + at[..., None] * along[:, None]
        return pieces, (self.lengths_nm / counts)[segment], segment

    @property
    def samples(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same with the middle (N, 3) of each piece [nm], which stands for it."""
        pieces, length, segment = self.pieces
        return pieces.mean(axis=1), length, segment

    def feet(self, point_nm: np.ndarray, segment: np.ndarray, without_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nearest point (K, 3) of each of some segments (K,) to a point (3,), and its distance (K,) [nm].

        Each segment counts without a length at its start and at its stop, `without_nm` (K, 2) [nm]; where nothing is
        left the distance is infinite.
        """
        a, d = self.start_nm[segment], (self.stop_nm - self.start_nm)[segment]
        low, high = (without_nm / self.lengths_nm[segment, None] * [1, -1] + [0, 1]).T
        at = ((point_nm - a) * d).sum(axis=1) / (d**2).sum(axis=1)
        foot = a + np.maximum(np.minimum(at, high), low)[:, None] * d
        return foot, np.where(low <= high, np.linalg.norm(point_nm - foot, axis=1), np.inf)

    def to_segments(self, points_nm: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Distance (N,) of each point (N, 3) to the segment (N,) that is named for it [nm]."""
        a, d = self.start_nm[segment], (self.stop_nm - self.start_nm)[segment]
        at = np.clip(((points_nm - a) * d).sum(axis=1) / (d**2).sum(axis=1), 0, 1)
        return np.linalg.norm(points_nm - a - at[:, None] * d, axis=1)

    def near(self, point_nm: np.ndarray, radius_nm: float) -> np.ndarray:
        """Indices of the segments that may come closer to a point (3,) than a radius; no other one does."""
        return np.flatnonzero(
            np.linalg.norm(point_nm - (self.start_nm + self.stop_nm) / 2, axis=1) <= radius_nm + self.lengths_nm / 2
        )

    def nearest(self, points_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distance (N,) to the nearest segment, nearest point (N, 3) of it [nm] and its index (N,).

        Without any segment: infinity, NaN and -1.
        """
        points = np.ascontiguousarray(points_nm, float)
        if not len(self.lengths_nm):
            return np.full(len(points), np.inf), np.full((len(points), 3), np.nan), np.full(len(points), -1)
        from veristem.bench.metrics.nearest import nearest_segments

        index, at, distance = nearest_segments(points, self.start_nm, self.stop_nm)
        return distance, self.start_nm[index] + at[:, None] * (self.stop_nm - self.start_nm)[index], index
