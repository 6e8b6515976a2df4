"""The pattern on a pixelated detector: which rays make it, and how much each pixel receives of each.

What the foil does depends on a ray's shear, in which it changes slowly, and on its excitation error, in which it
changes with every thickness fringe: the two are sampled apart. Between shears across g the intensity is interpolated,
so that every pixel has the parallax of its own direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from veristem.datasets.detectors.pixelated import Detector
from veristem.datasets.geometry import Region
from veristem.sim.rays import Bundle, Illumination, excitation, transfers

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SIDE = 4  # rays along a pixel
_PER_FRINGE = 4.0  # samples of s for each thickness fringe, period 1/t
_ALONG_NM, _ACROSS_NM = 0.5, 2.0  # shear between the faces from one sample to the next, along g and across it


class Pattern(NamedTuple):
    """Rays, and what pixels receive of their beams.

    parts: the rays that share a shear and a reflection. first (parts + 1,): where the excitation errors of each begin
    in the list of all, N of them. matrix (pixels, beams N): share of the electrons of the cone that each pixel could
    receive, of beam b of ray n in column b N + n.
    """

    parts: list[Bundle]
    first: np.ndarray
    matrix: csr_array

    @property
    def steepest_rad(self) -> float:
        """Largest angle to z of the rays [rad]."""
        return max(float(np.hypot(*part.theta_rad)) for part in self.parts)

    @property
    def columns(self) -> int:
        """Of the matrix: beams of all rays."""
        _, beams, _ = self.parts[0].weight.shape
        return beams * int(self.first[-1])

    def seen_by(self, regions: Sequence[Region], detector: Detector) -> list[Bundle]:
        """The rays with the shares that regions of whole pixels receive of them."""
        directions = detector.directions_rad()
        inside = np.array([region.contains(directions).ravel() for region in regions], float)
        shares = (inside @ self.matrix).reshape(len(regions), -1, self.first[-1])
        found = []
        for part, low, high in zip(self.parts, self.first[:-1], self.first[1:]):
            weight = shares[..., low:high]
            if (used := weight.any(axis=(0, 1))).any():
                found.append(part._replace(s=part.s[used], weight=weight[..., used]))
        return found


def pattern_of(detector: Detector, light: Illumination) -> Pattern:
    """The rays of a cone as a detector sees them.

    Each pixel is the mean of 4 x 4 directions; discs that overlap add up. With two beams every direction is one of a
    two-beam case, see `rays.bundles`.
    """
    from scipy.sparse import coo_array

    g, thickness_nm, convergence_rad = np.asarray(light.g_xy_per_nm, float), light.thickness_nm, light.convergence_rad
    beams = light.beams
    along, pixel = g / np.hypot(*g), detector.pixel_rad
    corner, (rows, columns) = np.array(detector.corner_rad), detector.shape
    step = pixel / _SIDE
    low = np.floor((-convergence_rad - corner) / step)
    count = int(np.ceil(2 * convergence_rad / step)) + 2
    x, y = (corner + (low + np.arange(count)[:, None] + 0.5) * step).T
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    points = points[np.hypot(points[:, 0], points[:, 1]) <= convergence_rad]
    found = [
        (incidence, detected, sign, np.full(len(sign), beam))
        for incidence, detected, sign, beam in transfers(points, light)
    ]
    theta, detected, sign, beam = (np.concatenate(part) for part in zip(*found))
    s = excitation(theta, sign, light)
    s_step = min(1 / (_PER_FRINGE * thickness_nm), 2 * convergence_rad * np.hypot(*g) / 64)
    s_cell = np.rint(s / s_step).astype(int)
    run = np.floor_divide(s_cell, max(1, int(_ALONG_NM / thickness_nm * np.hypot(*g) / s_step)))
    strips = max(1, int(np.ceil(2 * convergence_rad * thickness_nm / _ACROSS_NM)))
    height = (theta @ [-along[1], along[0]] / convergence_rad + 1) * strips / 2  # of which strips lie at whole numbers
    lower = np.clip(np.floor(height).astype(int), 0, strips - 1)
    # every ray stands between two strips
    twice = np.concatenate([lower, lower + 1])
    weight = np.concatenate([lower + 1 - height, height - lower])
    cell = np.column_stack([np.tile(sign, 2), np.tile(run, 2), twice, np.tile(s_cell, 2)])
    cell -= cell.min(axis=0)
    size = cell.max(axis=0) + 1
    cells, ray = np.unique(np.ravel_multi_index(tuple(cell.T), tuple(size)), return_inverse=True)
    held = np.bincount(ray, weight)
    s_mean = np.bincount(ray, weight * np.tile(s, 2)) / held
    strip = cells // size[3] % size[2] + lower.min()
    _, first, bundle = np.unique(cells // size[3], return_index=True, return_inverse=True)
    first = np.append(first, len(cells))
    forward = np.bincount(bundle[ray], weight * np.tile(theta @ along, 2)) / np.bincount(bundle, held)
    sideways = (strip[first[:-1]] * 2 / strips - 1) * convergence_rad
    rays = np.outer(forward, along) + np.outer(sideways, [-along[1], along[0]])
    signs = np.rint(np.bincount(bundle[ray], weight * np.tile(sign, 2)) / np.bincount(bundle, held)).astype(int)

    at = np.floor((detected - corner) / pixel).astype(int)
    on = (at >= 0).all(axis=1) & (at < [columns, rows]).all(axis=1)
    row = np.tile(np.where(on, at[:, 1] * columns + at[:, 0], -1), 2)
    places = row[row >= 0], (np.tile(beam, 2) * len(cells) + ray)[row >= 0]
    shape = (rows * columns, beams * len(cells))
    matrix = coo_array(((weight / len(points))[row >= 0], places), shape=shape).tocsr()
    matrix.sum_duplicates()
    empty = np.zeros((0, beams, 0))
    parts = [Bundle(rays[i], int(signs[i]), s_mean[first[i] : first[i + 1]], empty, ()) for i in range(len(rays))]
    return Pattern(parts, first, matrix)
