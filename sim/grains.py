"""Lamellae and grains: regions of a foil with their own orientation, and the boundaries between them.

A region is what lies nearer to its seed than to any other, so that boundaries are planes: seeds on a line make
lamellae, seeds anywhere make grains. Regions are turned by small angles about each other: the reflection stays, its
excitation error changes, and with it grey level and fringes at the boundaries. Across one the crystal may be shifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.specimens import Grains as Table
from veristem.sim.contrast import Fault

_SPREAD = 0.35  # of the logarithm of the distance from one lamella to the next
_BEYOND_NM = 250.0  # beyond the field that regions reach
_GRID_NM = 8.0  # of the places that tell which regions are neighbours
_MOST = 2000  # grains: each boundary is sought in every ray
_PARTS = 4  # of a voxel across a boundary, along either axis
_DEPTHS = 24  # at which a ray is asked for its region when boundaries are labelled


@dataclass(frozen=True, eq=False)
class Grains:
    """Lamellae or grains of a foil.

    Parameters
    ----------
    size_nm : (3,) float
        Field width, field height and thickness [nm].
    seeds_nm : (R, 3) float
        In the specimen frame.
    s_per_nm : (R,) float
        Excitation error of each less that of the foil [1/nm].
    turns : (R,) float
        g·R of the shift of each.
    variant : (R,) int
        Which orientation of an ordered crystal.
    """

    size_nm: np.ndarray
    seeds_nm: np.ndarray
    s_per_nm: np.ndarray
    turns: np.ndarray
    variant: np.ndarray

    def of(self, points_nm: np.ndarray) -> np.ndarray:
        """Number (...) of the region of each point (..., 3)."""
        return np.asarray(self._tree.query(points_nm, workers=-1)[1])

    @cached_property
    def _tree(self):
        from scipy.spatial import KDTree

        return KDTree(self.seeds_nm)

    @cached_property
    def neighbours(self) -> np.ndarray:
        """(P, 2) pairs of regions with a common boundary in the field or just beyond."""
        x, y, z = (np.arange(low, n - low + _GRID_NM, _GRID_NM) for n, low in zip(self.size_nm, (-150, -150, 0)))
        index = self.of(np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1))
        steps = [np.stack([a.ravel(), b.ravel()]) for a, b in ((index[1:], index[:-1]), (index[:, 1:], index[:, :-1]))]
        steps.append(np.stack([index[..., 1:].ravel(), index[..., :-1].ravel()]))
        pairs = np.unique(np.sort(np.concatenate(steps, axis=1), axis=0), axis=1).T
        return pairs[pairs[:, 0] != pairs[:, 1]]

    def add_to(self, voxels: np.ndarray, corner_xyz_nm, step_zyx_nm) -> None:
        """Add the excitation errors to g·U (3, nz, ny, nx) [1/nm], in place: the mean over each voxel.

        A voxel that a boundary cuts holds the share of both sides, so that edges are no stairs of pixels.
        """
        corner, step = np.asarray(corner_xyz_nm, float), np.asarray(step_zyx_nm, float)
        x, y, z = (corner[a] + (np.arange(voxels.shape[3 - a]) + 0.5) * step[2 - a] for a in range(3))
        for k, depth in enumerate(z):  # a slice at a time, so that memory stays bounded
            points = np.stack(np.broadcast_arrays(x, y[:, None], depth), axis=-1)
            _, near = self._tree.query(points, k=min(2, len(self.seeds_nm)), workers=-1)
            here, other = np.moveaxis(np.asarray(near).reshape(*points.shape[:-1], -1)[..., [0, -1]], -1, 0)
            s, beyond = self.s_per_nm[here], self.s_per_nm[other]
            voxels[2, k] += s + (beyond - s) * self._beyond(points, here, other, step[::-1])

    def _beyond(self, points_nm: np.ndarray, here: np.ndarray, other: np.ndarray, size_nm: np.ndarray) -> np.ndarray:
        """Share (...) of the box of a size (3,) about each point that lies in the next region, with no third one near.

        Exact along the axis that the boundary cuts most steeply, by the middles of four by four parts across it.
        """
        apart = self.seeds_nm[other] - self.seeds_nm[here]
        length = np.maximum(np.linalg.norm(apart, axis=-1), 1e-9)  # 0 with one region alone
        distance = (((self.seeds_nm[other] + self.seeds_nm[here]) / 2 - points_nm) * apart).sum(axis=-1) / length
        extent = np.sort(np.abs(apart) * size_nm / length[..., None], axis=-1)  # of the box, along the normal
        share = np.zeros(distance.shape)
        cut = distance < extent.sum(axis=-1) / 2
        (small, middle, large), left = extent[cut].T, distance[cut]
        for u, v in product((np.arange(_PARTS) + 0.5) / _PARTS - 0.5, repeat=2):
            share[cut] += np.clip(0.5 - (left - u * small - v * middle) / large, 0, 1)
        return share / _PARTS**2

    def faults(
        self, theta_rad, part: float, focus_nm: float, pixel_nm: float, shape, dz_nm: float, rim: int = 0
    ) -> list[Fault]:
        """The shifts at boundaries as the rays of one direction meet them, for the reflection ``part`` g.

        The image begins ``rim`` pixels before the field.
        """
        y, x = ((np.arange(n) - rim + 0.5) * pixel_nm for n in shape)
        ray = np.array([*np.tan(np.asarray(theta_rad, float)), 1.0])
        start = np.stack(np.broadcast_arrays(x, y[:, None], 0.0), axis=-1) - focus_nm * (ray - [0, 0, 1])
        found = []
        for i, j in self.neighbours:
            jump = part * float(self.turns[j] - self.turns[i])
            normal = self.seeds_nm[j] - self.seeds_nm[i]
            rise = normal @ ray
            if abs(jump - np.rint(jump)) < 1e-6 or abs(rise) < 1e-9 * np.linalg.norm(normal):
                continue
            depth = ((self.seeds_nm[i] + self.seeds_nm[j]) / 2 - start) @ normal / rise
            inside = (depth > 0) & (depth < self.size_nm[2])
            place = start[inside] + depth[inside][:, None] * ray
            nearest = self.of(place)
            depth[~inside] = np.nan
            depth[inside] = np.where((nearest == i) | (nearest == j), depth[inside], np.nan)
            found.append(Fault(depth / dz_nm, float(np.sign(rise) * jump)))
        return found

    def boundaries(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """A point (3,) and the unit normal (3,) of each boundary that passes near the middle between its seeds."""
        found = []
        for i, j in self.neighbours:
            middle, apart = (self.seeds_nm[i] + self.seeds_nm[j]) / 2, self.seeds_nm[j] - self.seeds_nm[i]
            if self.of(middle) in (i, j):
                found.append((middle, apart / np.linalg.norm(apart)))
        return found

    def share(self, wanted) -> float:
        """Part of the field's volume in the regions ``wanted`` (R,) bool."""
        x, y, z = ((np.arange(40) + 0.5) / 40 * n for n in self.size_nm)
        return float(wanted[self.of(np.stack(np.meshgrid(x, y, z), axis=-1))].mean())

    def label(self, direction_rad, focus_nm: float, pixel_nm: float, shape) -> np.ndarray:
        """(rows, columns) bool: pixels whose ray meets a boundary within the foil."""
        rows, columns = shape
        y, x = np.mgrid[: rows + 1, : columns + 1] * pixel_nm  # the corners of pixels
        found = np.zeros(shape, bool)
        above = None
        for z in np.linspace(0, self.size_nm[2], _DEPTHS):
            shift = (z - focus_nm) * np.tan(direction_rad)
            here = self.of(np.stack([x + shift[0], y + shift[1], np.full(x.shape, z)], axis=-1))
            corners = [here[:-1, :-1], here[1:, :-1], here[:-1, 1:], here[1:, 1:]]
            if above is not None:
                corners.append(above[:-1, :-1])
            found |= np.any([c != corners[0] for c in corners[1:]], axis=0)
            above = here
        return found

    def split(self, network: DislocationNetwork) -> DislocationNetwork:
        """The network with a node wherever a segment crosses from one region to another."""
        while True:
            first, second = network.ends_nm()
            a, b = self.of(first + 1e-6 * (second - first)), self.of(second - 1e-6 * (second - first))
            cut = np.flatnonzero(a != b)
            if not len(cut):
                return network
            sa, sb = self.seeds_nm[a[cut]], self.seeds_nm[b[cut]]
            along = (second - first)[cut]
            # the plane half way between both seeds; a third region between them is found by the next round
            t = (((sa + sb) / 2 - first[cut]) * (sb - sa)).sum(axis=1) / (along * (sb - sa)).sum(axis=1)
            nodes = first[cut] + np.clip(t, 1e-5, 1 - 1e-5)[:, None] * along
            new = len(network.nodes_nm) + np.arange(len(cut))
            segments = network.segments.copy()
            tails = np.stack([new, segments[cut, 1]], axis=1)
            segments[cut, 1] = new
            network = DislocationNetwork(
                np.concatenate([network.nodes_nm, nodes]),
                np.concatenate([segments, tails]),
                np.concatenate([network.burgers_nm, network.burgers_nm[cut]]),
                np.concatenate([network.pinned, np.zeros(len(cut), bool)]),
            )

    def within(self, network: DislocationNetwork, wanted=None) -> DislocationNetwork:
        """The part of a line in the region that holds most of it, of those ``wanted`` (R,) bool; it ends at boundaries.

        A boundary takes up the Burgers vector of a line that ends there.
        """
        network = self.split(network)
        first, second = network.ends_nm()
        region = self.of((first + second) / 2)
        held = np.bincount(region, network.lengths_nm, minlength=len(self.seeds_nm))
        if wanted is not None:
            held = np.where(wanted, held, 0.0)
        keep = (region == held.argmax()) & (held.max() > 0)
        used, renumbered = np.unique(network.segments[keep], return_inverse=True)
        lost = np.zeros(len(network.nodes_nm), bool)
        lost[network.segments[~keep].ravel()] = True
        return DislocationNetwork(
            network.nodes_nm[used],
            renumbered.reshape(-1, 2),
            network.burgers_nm[keep],
            (network.pinned | lost)[used],
        )


def make_grains(table: Table, rotation, material, g_per_nm, size_nm, rng: np.random.Generator) -> Grains:
    """Lamellae or grains of a recipe.

    Parameters
    ----------
    table : datasets.specimens.Grains
        What is wanted.
    rotation : (3, 3) float
        From crystal to specimen coordinates.
    material : Material
        The crystal.
    g_per_nm, size_nm : (3,) float
        Reflection [1/nm] and field width, field height and thickness [nm], in the specimen frame.
    rng : numpy.random.Generator
        Of everything random.

    Raises
    ------
    InputError
        For variants of a crystal that has none, and for more grains than can be imaged.
    """
    size = np.asarray(size_nm, float)
    low, high = -_BEYOND_NM * np.array([1, 1, 1]), size + _BEYOND_NM
    if table.kind == "lamellae":
        normal = rotation @ material.reciprocal_per_nm(table.plane)
        normal /= np.linalg.norm(normal)
        half = np.abs(normal) @ (high - low) / 2
        steps = table.size_nm * rng.lognormal(-(_SPREAD**2) / 2, _SPREAD, int(4 * half / table.size_nm) + 8)
        at = np.cumsum(steps) - half - rng.uniform(0, 2) * table.size_nm
        seeds = size / 2 + at[at < half + 2 * table.size_nm][:, None] * normal
    else:
        if (wanted := np.prod(high - low) / table.size_nm**3) > _MOST:
            least = table.size_nm * (wanted / _MOST) ** (1 / 3)
            raise InputError(
                f"specimen.regions.size_nm: {table.size_nm:g} found, grains of {least:.3g} nm or more allowed"
            )
        seeds = rng.uniform(low, high, (max(2, rng.poisson(wanted)), 3))
    if table.variants and material.structure != "L1_0":
        raise InputError(
            f"specimen.regions.variants: true found, for an L1_0 crystal allowed, {material.name} is "
            f"{material.structure}"
        )
    numbers = np.arange(len(seeds))
    shift = rotation @ material.direction_nm(table.shift)
    tilts = np.radians(table.tilt_spread_deg) * rng.normal(size=len(seeds))
    # neighbours along the line differ: a lamella is turned and shifted against both beside it
    variant = (numbers + rng.integers(3)) % 3 if table.variants else np.zeros(len(seeds), int)
    turns = (g_per_nm @ shift) * (numbers % 2 if table.kind == "lamellae" else rng.integers(-1, 2, len(seeds)))
    return Grains(size, seeds, float(np.linalg.norm(g_per_nm)) * tilts, turns, variant)
