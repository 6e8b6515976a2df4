"""What a view shows of a particle: its own rays, and those that the particle scatters into it from all of the cone.

A particle takes away electrons of a region's own rays, and scatters into the region what comes from elsewhere in the
cone, the middle above all. So it shows farther from the axis than the mean direction says, and the less so the deeper
it is: what is scattered in then lies too far off to move what the eye, or a detector, takes for the particle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import around_one_centre, project
from veristem.datasets.scattering import GOLD, gains, sphere_depth

_FINE, _CELLS = 16, 4  # of the cone's diameter: what is scattered is summed over the former, and kept in the latter
_RAYS = 12  # of the cone's diameter, where only places are asked for
_WIDTH = 0.74  # of a radius: so centroids of circles and of what a level cuts out are right within 3 %
_LEAST = 0.05
_DEPTHS = 40


def view_rays(
    acquisition: Acquisition, radius_nm: float, step_rad: float, rescattering: bool = True
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Tangents (M, 2) of the rays of each view and their weights (M,), what a thin particle takes of its electrons.

    Weights add up to 1 in the mean over the views. Views without regions, cone or energy have what they tell: their
    mean direction, or their own rays.

    Parameters
    ----------
    acquisition : Acquisition
        Its energy, cone and regions.
    radius_nm : float
        Of the particles [nm]; larger ones scatter more often.
    step_rad : float
        Farthest that neighbouring own rays may be apart [rad].
    rescattering : bool
        Whether particles scatter into the views; what they scatter has weights below 0.
    """
    regions, cone, energy = acquisition.regions, acquisition.convergence_rad, acquisition.energy_keV
    rays = [] if regions is None or cone is None else [region.rays(cone, step_rad) for region in regions]
    if regions is None or cone is None or not all(len(theta) for theta, _ in rays):
        tangents = tuple(np.tan(acquisition.directions_rad)[:, None])
        return tangents, tuple(np.ones((len(tangents), 1)))
    tangents, weights = [np.tan(theta) for theta, _ in rays], [share / share.sum() for _, share in rays]
    if rescattering and energy is not None:
        depth = sphere_depth(np.array([radius_nm]), energy)
        for group in around_one_centre(regions):
            whole, gained = gains(energy, tuple(regions[v] for v in group), cone, 2 * cone / _FINE, depth)
            for view, gain in zip(group, gained[GOLD]):
                theta, kept = _gathered(whole, gain / rays[view][1].sum(), 2 * cone / _CELLS)
                tangents[view] = np.concatenate([tangents[view], np.tan(theta)])
                weights[view] = np.concatenate([weights[view], -kept])
    mean = np.mean([w.sum() for w in weights])
    return tuple(tangents), tuple(w / mean for w in weights)


def _gathered(theta: np.ndarray, weight: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Directions with weights as fewer, each the centroid of those in a square cell."""
    _, cell = np.unique(np.floor(theta / step), axis=0, return_inverse=True)
    total = np.bincount(cell.ravel(), weight)
    return np.column_stack([np.bincount(cell.ravel(), weight * axis) / total for axis in theta.T]), total


@dataclass(frozen=True, eq=False)
class Shown:
    """Where particles show in the views: at (x, y) - apparent depth below the focus plane * tan(direction).

    Parameters
    ----------
    directions_rad : (V, 2) float
        Under which those near the focus plane show [rad].
    depths_nm, apparent_nm : (K,) float
        Depths below the focus plane, and those at which particles seem to be by these directions [nm]; both increase.
    """

    directions_rad: np.ndarray
    depths_nm: np.ndarray
    apparent_nm: np.ndarray

    def apparent(self, depth_nm) -> np.ndarray:
        """Apparent depths of true ones, (...)."""
        return _line(depth_nm, self.depths_nm, self.apparent_nm)

    def depth(self, apparent_nm) -> np.ndarray:
        """True depths of apparent ones, (...)."""
        return _line(apparent_nm, self.apparent_nm, self.depths_nm)

    def places(self, points_nm: np.ndarray, view: int, focus_nm: float, to_image=None) -> np.ndarray:
        """Where points (N, 3) of the specimen show in a view, (N, 2) [nm]; arguments as of `geometry.project`."""
        depth = focus_nm + self.apparent(points_nm[:, 2] - focus_nm)
        return project(np.column_stack([points_nm[:, :2], depth]), self.directions_rad[view], focus_nm, to_image)

    def stretch(self, apparent_nm: np.ndarray) -> np.ndarray:
        """Rise of the true depth with the apparent one."""
        return self.depth(apparent_nm + 0.5) - self.depth(apparent_nm - 0.5)


def shown(
    acquisition: Acquisition, radius_nm: float, depths_nm: tuple[float, float], rescattering: bool = True
) -> Shown:
    """Where particles of a radius show in views, at depths from one below the focus plane to another [nm].

    The place of a particle is the mean of where its rays put it, weighted by a Gaussian about that place: what is
    scattered in from far off counts less.
    """
    ends = np.array(depths_nm, float)
    if not rescattering or acquisition.tilts_rad is not None or not radius_nm > 0:
        return Shown(acquisition.directions_rad, ends, ends)
    widest = max((region.outer_rad for region in acquisition.regions or ()), default=1.0)
    step = 2 * max(acquisition.convergence_rad or 1.0, widest / 10) / _RAYS
    tangents, weights = view_rays(acquisition, radius_nm, step)
    if all((w >= 0).all() for w in weights):
        return Shown(acquisition.directions_rad, ends, ends)
    near = np.array([w @ t / w.sum() for t, w in zip(tangents, weights)])
    apart = near - near.mean(axis=0)
    depths = np.linspace(ends[0], ends[1], _DEPTHS)
    widths = np.minimum(np.abs(depths) / (_WIDTH * radius_nm), 1 / step)  # else single rays would be seen apart
    places = np.array([_places(*view, widths) for view in zip(tangents, weights)])
    share = np.einsum("vka,va->k", places - places.mean(axis=0), apart) / (apart**2).sum()
    return Shown(np.arctan(near), depths, np.maximum.accumulate(depths * share) + 1e-6 * depths)


def _places(tangents: np.ndarray, weights: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Tangents (K, 2) at which particles show that lie so many (K,) of their widths below the focus plane."""
    at = np.tile(weights @ tangents / weights.sum(), (len(widths), 1))
    for _ in range(10):
        off = ((tangents - at[:, None]) ** 2).sum(axis=2)
        near = weights * np.exp(-0.5 * widths[:, None] ** 2 * off)
        total = near.sum(axis=1, keepdims=True)
        seen = total > _LEAST * weights.sum()  # else all is far from the middle, as of a ring
        at = np.where(seen, near @ tangents / np.where(seen, total, 1.0), at)
    return at


def _line(at, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Linear between points, and on beyond the last ones."""
    at = np.asarray(at, float)
    low = (at < x[0]) * (at - x[0]) * (y[1] - y[0]) / (x[1] - x[0])
    high = (at > x[-1]) * (at - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
    return np.interp(at, x, y) + low + high
