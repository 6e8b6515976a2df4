"""A truth and a reconstruction prepared once for all metrics, and the parts of them that the variants count."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from veristem.bench.metrics.depth_errors import DepthErrors
from veristem.bench.metrics.graph import LineGraph
from veristem.bench.metrics.lines import Lines

if TYPE_CHECKING:
    from veristem.bench.limits.lines import LineLimits

PSI_DEG = 25.0


@dataclass(frozen=True, eq=False)
class Samples:
    """Points of one side against the lines of the other.

    Parameters
    ----------
    weight_nm : (N,) float
        Length that each point stands for [nm]; 1 for vertices.
    distance_nm : (N,) float
        Distance to the nearest line of the other side [nm]; infinite when that side is empty.
    offset_nm : (N, 3) float
        Point less its nearest point on that line [nm]; NaN when that side is empty.
    nearest : (N,) int
        Segment of the other side; -1 when that side is empty.
    sigma_nm : (N,) float
        Reported standard deviation of z [nm], NaN where there is none.
    piece_nm : (N, 2, 3) float or None
        Ends of the piece of line whose middle each point is [nm]; None of vertices and particles.
    limit_nm, parallax_limit_nm : (N, 2) float or None
        Smallest standard deviation of the offset that physics allows there, across the beam and in depth [nm], NaN
        where it is not known; the second where depth shows by parallax alone.
    """

    weight_nm: np.ndarray
    distance_nm: np.ndarray
    offset_nm: np.ndarray
    nearest: np.ndarray
    sigma_nm: np.ndarray
    piece_nm: np.ndarray | None = None
    limit_nm: np.ndarray | None = None
    parallax_limit_nm: np.ndarray | None = None

    @staticmethod
    def along(lines: Lines, other: Lines) -> Samples:
        """Uniform samples of some lines, measured to those of the other side."""
        piece, weight, _ = lines.pieces
        middle = piece.mean(axis=1)
        distance, foot, nearest = other.nearest(middle)
        return Samples(weight, distance, middle - foot, nearest, np.full(len(middle), np.nan), piece)

    @staticmethod
    def at_ends(lines: Lines, other: Lines) -> Samples:
        """The vertices of some lines, each once, measured to the lines of the other side."""
        ends, sigma = np.concatenate([lines.start_nm, lines.stop_nm]), lines.sigma_nm.T.ravel()
        _, first = np.unique(np.column_stack([ends, np.nan_to_num(sigma, nan=-1.0)]), axis=0, return_index=True)
        distance, foot, nearest = other.nearest(ends[first])
        return Samples(np.ones(len(first)), distance, ends[first] - foot, nearest, sigma[first])

    def limited(self, limits: LineLimits | None, places_nm: np.ndarray) -> Samples:
        """The same with the limits at places (N, 3) on the true lines."""
        if limits is None:
            return self
        parallax, full = limits.at(places_nm)
        return replace(self, limit_nm=full, parallax_limit_nm=parallax)

    def where(self, mask: np.ndarray) -> Samples:
        """Some of the samples."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(self, **{name: part[mask] for name, part in parts.items() if part is not None})


@dataclass(frozen=True, eq=False)
class Pair:
    """Truth and reconstruction, sampled at a quarter of the tolerance.

    Parameters
    ----------
    truth_lines : Lines
        All truth.
    truth_graph, found_graph : LineGraph
        All truth and all of the reconstruction.
    counted_graph : LineGraph or None
        The truth that has to be found; None where only samples count: lines chosen by direction are no graph any more.
    truth, found : Samples
        Uniform samples that count, each against the whole other side.
    vertices : Samples
        Ends of the segments of the reconstruction that count, where it reports its uncertainty; of equal weight,
        because errors from vertex to vertex lengthen the segments between them.
    tolerance_nm : float
        Distance within which a point counts as found [nm].
    depth_errors : DepthErrors or None
        Of the pieces of true line that count, matched along the beam; None without limits.
    """

    truth_lines: Lines
    truth_graph: LineGraph
    found_graph: LineGraph
    counted_graph: LineGraph | None
    truth: Samples
    found: Samples
    vertices: Samples
    tolerance_nm: float
    depth_errors: DepthErrors | None = None

    @staticmethod
    def of(truth: Lines, found: Lines, limits: LineLimits | None = None) -> Pair:
        """All truth against all of the reconstruction, with the limits of the true lines where they are known."""
        graph = LineGraph(truth)
        true, got = Samples.along(truth, found), Samples.along(found, truth)
        return Pair(
            truth,
            graph,
            LineGraph(found),
            graph,
            true.limited(limits, truth.samples[0]),
            got.limited(limits, found.samples[0] - got.offset_nm),
            Samples.at_ends(found, truth),
            truth.tolerance_nm,
            None if limits is None else DepthErrors.of(found, limits),
        )

    def visible(self) -> Pair | None:
        """The visible truth has to be found; what is found still counts against all truth.

        A line that is really there is not wrong for being called invisible, so precision, accuracy and the errors in
        depth stay as they are. None where it is not known what is visible.
        """
        visible = self.truth_lines.visible
        if visible is None:
            return None
        return replace(
            self,
            truth=self.truth.where(visible[self.truth_lines.pieces[2]]),
            counted_graph=self.truth_graph if visible.all() else LineGraph(self.truth_lines.where(visible)),
        )

    def steep(self, epipolar: np.ndarray | None, wanted: bool = True) -> Pair | None:
        """Only lines steeper than 25 degrees to the epipolar direction (2,), in the image, or only the others.

        The others carry little depth. Of the truth the visible samples there, of the reconstruction those matched to
        such a line of all truth, and of what is false that which is so itself (all is steep, when there is no truth).
        A line along the beam moves along the epipolar direction: its angle is 0. None where it is not known what is
        visible, or without two different views.
        """
        truth = self.truth_lines
        if truth.visible is None or epipolar is None:
            return None

        def steep_are(vectors: np.ndarray) -> np.ndarray:
            across = np.abs(vectors[:, 0] * epipolar[1] - vectors[:, 1] * epipolar[0])
            return np.arctan2(across, np.abs(vectors[:, :2] @ epipolar)) > np.radians(PSI_DEG)

        steep = np.append(steep_are(truth.stop_nm - truth.start_nm), True)  # -1: no truth
        assert self.found.piece_nm is not None
        own = steep_are(self.found.piece_nm[:, 1] - self.found.piece_nm[:, 0]) | (self.found.nearest < 0)
        return replace(
            self,
            truth=self.truth.where(((steep[:-1] == wanted) & truth.visible)[truth.pieces[2]]),
            found=self.found.where(np.where(self.within(self.found), steep[self.found.nearest], own) == wanted),
            vertices=self.vertices.where(steep[self.vertices.nearest] == wanted),
            counted_graph=None,
            depth_errors=None if self.depth_errors is None else self.depth_errors.steep(PSI_DEG, wanted),
        )

    @property
    def largest_limit_nm(self) -> float:
        """Limits beyond it are not compared with errors, which are known up to the tolerance only [nm]."""
        return self.tolerance_nm

    @cached_property
    def matched(self) -> Samples:
        """Samples of the reconstruction within the tolerance of the truth."""
        return self.found.where(self.within(self.found))

    def depth_share(self, samples: Samples) -> np.ndarray:
        """(N,) share of a shift in depth that shows as offset in depth from the nearest true line: 1 - t_z squared.

        The rest moves an inclined line along itself and across the beam.
        """
        along = self.truth_lines.stop_nm - self.truth_lines.start_nm
        level = np.append((along[:, :2] ** 2).sum(axis=1) / (along**2).sum(axis=1), np.nan)  # -1: no truth
        return level[samples.nearest]

    def within(self, samples: Samples) -> np.ndarray:
        """(N,) whether each sample lies within the tolerance (and rounding) of the other side."""
        return samples.distance_nm <= self.tolerance_nm * (1 + 1e-9)
