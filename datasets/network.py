"""A dislocation network: the truth of a specimen of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.shapes import as_array, as_lengths, as_rotation

_HALF = 1e-6  # of a cell's edge: nearer to half of it, the minimum image of a segment is anybody's guess


@dataclass(frozen=True, eq=False)
class DislocationNetwork:
    """Straight segments between nodes, each with its Burgers vector.

    A segment runs from its first node to its second (direction t); a right-handed circuit about t closes by +b
    (docs/conventions.md). |b| is never normalised.

    Parameters
    ----------
    nodes_nm : (N, 3) float
        Node positions [nm].
    segments : (M, 2) int
        Node indices of each segment.
    burgers_nm : (M, 3) float
        Burgers vectors [nm], in the frame of the nodes.
    pinned : (N,) bool, optional
        Nodes at which a line may end (pinned, or on a surface); all False by default.
    box_nm : (2, 3) float or None
        Lower and upper corner of the periodic cell [nm]; None for a network that is not periodic.
    plane_normals : (M, 3) float or None
        Glide-plane normals, where a file gives them; (0, 0, 0) for a segment without one.
    crystal_from_network : (3, 3) float or None
        Rotation that takes vectors of this frame to crystal Cartesian vectors; None when the file says nothing of it:
        a specimen is then cut as if the frame were the crystal's.

    Raises
    ------
    InputError
        On a wrong shape, a value that is not finite or longer than a metre, an index without a node, a segment from a
        node to itself, a cell without a volume, or a segment of half the cell, which has two minimum images.
    """

    nodes_nm: np.ndarray
    segments: np.ndarray
    burgers_nm: np.ndarray
    pinned: np.ndarray = field(default=None)  # type: ignore[assignment]
    box_nm: np.ndarray | None = None
    plane_normals: np.ndarray | None = None
    crystal_from_network: np.ndarray | None = None

    def __post_init__(self):
        nodes = as_lengths("nodes_nm", self.nodes_nm, (None, 3))
        segments = as_array("segments", self.segments, (None, 2), dtype=np.int64)
        set_ = object.__setattr__
        set_(self, "nodes_nm", nodes)
        set_(self, "segments", segments)
        set_(self, "burgers_nm", as_lengths("burgers_nm", self.burgers_nm, (len(segments), 3)))
        pinned = np.zeros(len(nodes), bool) if self.pinned is None else self.pinned
        set_(self, "pinned", as_array("pinned", pinned, (len(nodes),), dtype=bool))
        if self.box_nm is not None:
            set_(self, "box_nm", as_lengths("box_nm", self.box_nm, (2, 3)))
            if not (self.box_nm[1] > self.box_nm[0]).all():
                raise InputError(f"box_nm: {self.box_nm.tolist()} found, an upper corner above the lower one allowed")
        if self.plane_normals is not None:
            set_(self, "plane_normals", as_array("plane_normals", self.plane_normals, (len(segments), 3)))
        if self.crystal_from_network is not None:
            set_(self, "crystal_from_network", as_rotation("crystal_from_network", self.crystal_from_network))
        if len(segments) and (segments.min() < 0 or segments.max() >= len(nodes)):
            raise InputError(
                f"segments: node index {segments.min()}..{segments.max()} found, 0..{len(nodes) - 1} allowed"
            )
        for m in np.flatnonzero(segments[:, 0] == segments[:, 1])[:1]:
            raise InputError(f"segments: {m} from node {segments[m, 0]} to itself found, two nodes allowed")
        half = np.zeros(0, int) if self.box_nm is None else half_the_cell(nodes, segments, self.box_nm)
        for m in half[:1]:
            raise InputError(
                f"segments: {m} from node {segments[m, 0]} to node {segments[m, 1]} is half the periodic cell long, so "
                "that two images of it are equally near; put a node between"
            )

    @property
    def vectors_nm(self) -> np.ndarray:
        """(M, 3) vectors from first to second node [nm], by the minimum image when periodic."""
        d = self.nodes_nm[self.segments[:, 1]] - self.nodes_nm[self.segments[:, 0]]
        if self.box_nm is not None:
            size = self.box_nm[1] - self.box_nm[0]
            d -= size * np.rint(d / size)
        return d

    @property
    def lengths_nm(self) -> np.ndarray:
        """(M,) segment lengths [nm]."""
        return np.linalg.norm(self.vectors_nm, axis=1)

    def ends_nm(self) -> tuple[np.ndarray, np.ndarray]:
        """First (M, 3) and second (M, 3) end of every segment [nm], the second by the minimum image."""
        first = self.nodes_nm[self.segments[:, 0]]
        return first, first + self.vectors_nm

    @property
    def places_nm(self) -> np.ndarray:
        """(N, 3) ends of all segments [nm]."""
        return np.concatenate(self.ends_nm())

    def burgers_residual_nm(self) -> np.ndarray:
        """(N, 3) Burgers vectors that leave each node less those that enter it [nm]; zero where conserved."""
        residual = np.zeros_like(self.nodes_nm)
        np.add.at(residual, self.segments[:, 0], self.burgers_nm)
        np.subtract.at(residual, self.segments[:, 1], self.burgers_nm)
        return residual

    def check_conservation(self, relative: float = 1e-4) -> None:
        """Raise InputError at the first free node whose Burgers vectors do not sum to zero.

        The tolerance is ``relative`` times the largest |b| of the network (files hold about seven digits).
        """
        if not len(self.segments):
            return
        scale = np.linalg.norm(self.burgers_nm, axis=1).max()
        size = np.linalg.norm(self.burgers_residual_nm(), axis=1)
        bad = np.flatnonzero((size > relative * scale) & ~self.pinned)
        if len(bad):
            raise InputError(
                f"node {bad[0]}: Burgers vectors sum to {size[bad[0]]:.4g} nm, 0 allowed at a free node "
                f"({len(bad)} such nodes); pin the node or correct its arms"
            )

    def rotated(self, rotation: np.ndarray, about_nm=(0.0, 0.0, 0.0), to_nm=(0.0, 0.0, 0.0)) -> DislocationNetwork:
        """The network turned by ``rotation`` (3, 3) about a point, which is then moved to ``to_nm``.

        Burgers vectors and planes turn along. The result is not periodic: only an axis-aligned cell is kept here.
        """
        return replace(
            self,
            nodes_nm=(self.nodes_nm - np.asarray(about_nm)) @ rotation.T + np.asarray(to_nm),
            burgers_nm=self.burgers_nm @ rotation.T,
            plane_normals=None if self.plane_normals is None else self.plane_normals @ rotation.T,
            box_nm=None,
            crystal_from_network=None
            if self.crystal_from_network is None
            else self.crystal_from_network @ np.transpose(rotation),
        )

    def chains(self, keep: np.ndarray | None = None) -> list[np.ndarray]:
        """The lines between ends and junctions, as polylines (K, 3) [nm]; rings come back to their first point.

        Parameters
        ----------
        keep : (M,) bool, optional
            Which segments count; all by default.
        """
        segments = self.segments if keep is None else self.segments[keep]
        at: dict[int, list[int]] = {}
        for m, (a, b) in enumerate(segments.tolist()):
            at.setdefault(a, []).append(m)
            at.setdefault(b, []).append(m)
        ends = [n for n, own in at.items() if len(own) != 2]
        free = np.ones(len(segments), bool)
        lines = []
        for start in [*ends, *at]:  # what is left after the ends are rings
            for m in at[start]:
                chain, here = [start], start
                while m is not None and free[m]:
                    free[m] = False
                    here = int(segments[m].sum()) - here
                    chain.append(here)
                    m = next((k for k in at[here] if free[k]), None) if len(at[here]) == 2 else None
                if len(chain) > 1:
                    lines.append(self.nodes_nm[chain])
        return lines

    @staticmethod
    def union(networks: Sequence[DislocationNetwork]) -> DislocationNetwork:
        """Several networks side by side as one (not periodic)."""
        shifts = np.cumsum([0, *(len(n.nodes_nm) for n in networks)])
        return DislocationNetwork(
            np.concatenate([np.zeros((0, 3)), *(n.nodes_nm for n in networks)]),
            np.concatenate([np.zeros((0, 2), int), *(n.segments + s for n, s in zip(networks, shifts, strict=False))]),
            np.concatenate([np.zeros((0, 3)), *(n.burgers_nm for n in networks)]),
            np.concatenate([np.zeros(0, bool), *(n.pinned for n in networks)]),
        )

    @staticmethod
    def from_polyline(points_nm: np.ndarray, burgers_nm: np.ndarray, closed: bool = False) -> DislocationNetwork:
        """One line through the points (K, 3), closed into a loop on request; open ends are pinned."""
        count = len(points_nm)
        first = np.arange(count if closed else count - 1)
        segments = np.stack([first, (first + 1) % count], axis=1)
        pinned = np.zeros(count, bool)
        if not closed:
            pinned[[0, -1]] = True
        return DislocationNetwork(points_nm, segments, np.tile(burgers_nm, (len(segments), 1)), pinned)


def half_the_cell(nodes: np.ndarray, segments: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which segments (M, 2) between nodes (N, 3) are half a periodic cell (2, 3) long along one of its edges.

    Both images of such a segment are equally near: what was meant cannot be told.
    """
    part = (nodes[segments[:, 1]] - nodes[segments[:, 0]]) / (box[1] - box[0])
    return np.flatnonzero((np.abs(np.abs(part - np.rint(part)) - 0.5) < _HALF).any(axis=1))
