"""The pattern of a film on a pixelated detector: rays of the cone that are drawn, and what each pixel receives of them.

Rays stand on a square grid over the cone, as far apart as those of an image. A pixel lies between four of them and
receives of each by linear interpolation, so that it has the parallax of its own direction. What particles scatter is
smooth over the cone and is interpolated with it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from veristem.datasets.detectors.pixelated import Detector
from veristem.datasets.scattering import GOLD, ICE, Matter, angular_density
from veristem.sim.contrast.mass_thickness import Rays, shade_image

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from veristem.datasets.dispersion import ParticleDispersion
    from veristem.datasets.microscope import Microscope

_SIDE = 4  # directions along a pixel, as of the patterns of a foil


class Grid(NamedTuple):
    """Rays over the cone, and what they hold.

    theta_rad: (K, 2) directions [rad]. weight: (K,) share of the cone's electrons about each. matrix: (pixels, K) share
    of the cone's electrons that each pixel receives, of what ray k shows.
    """

    theta_rad: np.ndarray
    weight: np.ndarray
    matrix: csr_array


@lru_cache(maxsize=4)
def grid_of(detector: Detector, cone_rad: float, step_rad: float) -> Grid:
    """The rays of a cone, at most ``step_rad`` apart, and what pixels receive of them."""
    from scipy.sparse import coo_array

    corner, pixel, (rows, columns) = np.array(detector.corner_rad), detector.pixel_rad, detector.shape
    fine = pixel / _SIDE
    low = np.floor((-cone_rad - corner) / fine)
    count = int(np.ceil(2 * cone_rad / fine)) + 2
    x, y = (corner + (low + np.arange(count)[:, None] + 0.5) * fine).T
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    points = points[np.hypot(points[:, 0], points[:, 1]) <= cone_rad]

    cells = max(2, int(np.ceil(2 * cone_rad / step_rad)))
    at = (points / cone_rad + 1) * cells / 2  # rays lie at whole numbers
    first = np.minimum(at.astype(int), cells - 1)
    part = at - first
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    ray = np.concatenate([(first + to) @ [1, cells + 1] for to in corners])
    weight = np.concatenate([np.abs(1 - to - part).prod(axis=1) for to in corners])
    used, ray = np.unique(ray, return_inverse=True)
    theta = np.stack([used % (cells + 1), used // (cells + 1)], axis=1) * 2 * cone_rad / cells - cone_rad
    weight = weight / len(points)

    place = np.floor((points - corner) / pixel).astype(int)
    on = np.tile((place >= 0).all(axis=1) & (place < [columns, rows]).all(axis=1), 4)
    row = np.tile(place @ [1, columns], 4)
    matrix = coo_array((weight[on], (row[on], ray[on])), shape=(rows * columns, len(used))).tocsr()
    matrix.sum_duplicates()
    return Grid(theta, np.bincount(ray, weight), matrix)


def gained(grid: Grid, matter: Matter, energy_keV: float, cone_rad: float, depth: float) -> np.ndarray:
    """(K, K) what a direction of the cone receives of each ray, over its own share, if all of it is scattered."""
    turned = np.linalg.norm(grid.theta_rad[:, None] - grid.theta_rad[None], axis=2)
    return angular_density(matter, energy_keV, turned, depth) * grid.weight * np.pi * cone_rad**2


class FilmRays:
    """A film seen by all rays of the cone.

    Parameters
    ----------
    particles : ParticleDispersion
        What is imaged, without a tilt.
    focus_nm : float
        Depth of the focus plane [nm].
    rescattering : bool
        As of `Film`.
    microscope : Microscope
        Its detector is a pixelated one; its aberrations are left out.
    pixel_nm : float
        Scan step [nm].
    step_rad : float
        Farthest that neighbouring rays may be apart [rad].
    depth : float
        Optical depth of a particle, as of `scattering.sphere_depth`.
    """

    def __init__(
        self,
        particles: ParticleDispersion,
        focus_nm: float,
        rescattering: bool,
        microscope: Microscope,
        pixel_nm: float,
        step_rad: float,
        depth: float,
    ):
        assert isinstance(microscope.detector, Detector)
        cone, energy = 1e-3 * microscope.convergence_mrad, microscope.energy_keV
        self.particles, self.focus_nm = particles, focus_nm
        self.detector, self.pixel_nm = microscope.detector, pixel_nm
        self.grid = grid_of(microscope.detector, cone, step_rad)  # type: ignore[reportArgumentType]  # frozen, so hashable
        of_gold = gained(self.grid, GOLD, energy, cone, depth)
        of_ice = gained(self.grid, ICE, energy, cone, 0.0)
        # what a direction shows: its own ray, less what the rays from which it gains lose
        self.shown = np.eye(len(of_gold)) - (of_gold if rescattering else 0.0)
        self.kept = {
            GOLD: 0.0 if rescattering else float(self.grid.weight @ of_gold.sum(axis=1)),
            ICE: float(self.grid.weight @ of_ice.sum(axis=1)),
        }

    def shares(self, regions) -> np.ndarray:
        """(V, K) what regions of whole pixels receive of each ray, before anything is scattered."""
        directions = self.detector.directions_rad()
        inside = np.array([region.contains(directions).ravel() for region in regions], float)
        return inside @ self.grid.matrix

    def intensities(self, per_nm: float, through: np.ndarray, rows: slice) -> np.ndarray:
        """(K, rows, columns) float32: what each direction shows of some rows of the scan, over what the beam has there.

        Parameters
        ----------
        per_nm : float
            Excess of absorption in particles [1/nm].
        through : (columns,) float
            What the film alone lets through.
        rows : slice
            Those wanted.
        """
        size = (rows.stop - rows.start, len(through))
        shade = np.empty((len(self.grid.weight), *size))
        for ray, theta in enumerate(self.grid.theta_rad):
            one = Rays(theta[None], np.ones(1), 1.0, per_nm)
            at = (
                self.particles.centers_nm,
                self.particles.radii_nm,
                one,
                self.focus_nm,
                self.pixel_nm,
                size,
                rows.start,
            )
            shade[ray] = shade_image(*at)
        shown = (self.shown @ shade.reshape(len(shade), -1)).reshape(shade.shape)
        return (through * (1 + shown)).astype(np.float32)
