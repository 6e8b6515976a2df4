"""The diffuse part of an image: electrons that phonons take from all rays of the cone, where they land.

What a ray loses at a pixel is seen through the ray's own parallax and aberration. Its image is coarse, since the sum
over the cone smears it; it is made once for a foil, and every detector draws from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.geometry import Region
from veristem.datasets.microscope import Microscope
from veristem.datasets.structure import Site, phonon_density
from veristem.sim.contrast.diffuse import PhononKernel
from veristem.sim.optics import AberratedImage
from veristem.sim.rays import Illumination, cone

PIXEL_NM = 4.0  # largest that pixels are put together to
SHEAR_NM = (6.0, 10.0)  # between the faces from one direction to the next, along g and across it
PER_FRINGE = 1.6  # samples of s, by all strips: the fringes of a whole cone are many
_COARSE_RAD = 4e-3  # from one direction to the next where a pattern is sampled
_LEAST = 1e-4  # of the strongest pattern, below which others do not count


class PhononLosses(NamedTuple):
    """What phonons take from the parts of the cone.

    theta_rad: the incidences (N, 2) of each part. share (B, rows, columns): of the cone's electrons that each part
    loses to phonons and the detector could count, on ``pixels`` of the image at once, from ``rim`` of these before
    the field.
    """

    theta_rad: tuple[np.ndarray, ...]
    share: np.ndarray
    pixels: int
    rim: int

    def received(self, kernel: PhononKernel, regions: Sequence[Region]) -> np.ndarray:
        """Share (V, B) of what each part loses that lands in regions about one centre.

        It changes slowly with the incidence, so that it is sampled on a square over the cone.
        """
        from scipy.interpolate import RectBivariateSpline

        far = max(float(np.abs(theta).max()) for theta in self.theta_rad)
        axis = np.linspace(-far, far, max(8, int(2 * far / _COARSE_RAD)))
        grid = kernel.arriving(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), regions)
        found = []
        for one in grid:
            there = RectBivariateSpline(axis, axis, one.reshape(len(axis), -1))
            found.append([there(theta[:, 1], theta[:, 0], grid=False).mean() for theta in self.theta_rad])
        return np.array(found)

    def received_by_pixels(self, kernel: PhononKernel, regions: Sequence[Region], detector: Pixelated) -> np.ndarray:
        """The same of regions of whole pixels, as the patterns have it."""
        patterns, weights = self.patterns(kernel, detector)
        inside = np.array([region.contains(detector.directions_rad()) for region in regions], float)
        return np.tensordot(inside, patterns, ([1, 2], [1, 2])) @ weights

    def images(self, weights: np.ndarray, shape: tuple[int, int], rim: int, moved_px=(0.0, 0.0)) -> np.ndarray:
        """Sums of the parts with ``weights`` (V, B) on ``shape`` pixels that begin ``rim`` before the field.

        The images are moved by ``moved_px``, x and y, (2,) or (V, 2).
        """
        from scipy.ndimage import map_coordinates

        found = np.empty((len(weights), *shape))
        for image, weight, moved in zip(found, weights, np.broadcast_to(moved_px, (len(weights), 2))):
            y, x = ((np.arange(n) + 0.5 - rim - by) / self.pixels + self.rim - 0.5 for n, by in zip(shape, moved[::-1]))
            total = np.tensordot(weight, self.share, 1)
            map_coordinates(total, np.meshgrid(y, x, indexing="ij"), image, order=3, mode="nearest")
        return found

    def patterns(self, kernel: PhononKernel, detector: Pixelated) -> tuple[np.ndarray, np.ndarray]:
        """Few patterns (P, rows, columns) on a detector that the parts (P, B) are made of: its pixels' shares of each.

        The density is smooth, so that it is sampled coarsely and its singular vectors tell which patterns it takes.
        """
        from scipy.interpolate import RectBivariateSpline

        (left, top), (rows, columns), pixel = detector.corner_rad, detector.shape, detector.pixel_rad
        y, x = (low + (np.arange(n) + 0.5) * pixel for low, n in ((top, rows), (left, columns)))
        coarse = [np.linspace(at[0], at[-1], max(8, int(np.ptp(at) / _COARSE_RAD))) for at in (y, x)]
        places = np.stack(np.meshgrid(coarse[1], coarse[0]), axis=-1)
        density = np.array([self._density(kernel, theta, places) for theta in self.theta_rad])
        part, size, made = np.linalg.svd(density.reshape(len(density), -1), full_matrices=False)
        kept = size > _LEAST * size[0]
        patterns = [
            RectBivariateSpline(coarse[0], coarse[1], one.reshape(places.shape[:2]))(y, x) for one in made[kept]
        ]
        return pixel**2 * np.array(patterns), (part * size)[:, kept].T

    @staticmethod
    def _density(kernel: PhononKernel, theta: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Mean density (...) at places (..., 2) of what incidences (N, 2) of a part lose: 16 squares stand for all."""
        size = np.maximum(np.ptp(theta, axis=0), 1e-12)  # a part may be one incidence
        at = np.floor(3.999 * (theta - theta.min(axis=0)) / size).astype(int) @ [4, 1]
        _, at, held = np.unique(at, return_inverse=True, return_counts=True)
        x, y = (np.bincount(at, theta[:, k]) / held for k in (0, 1))
        each = [kernel.density(np.hypot(places[..., 0] - a, places[..., 1] - b)) for a, b in zip(x, y)]
        return np.average(each, axis=0, weights=held)


def phonon_losses(rays, microscope: Microscope, light: Illumination) -> PhononLosses:
    """What phonons take from all rays of the cone on their way through a foil (`images.FoilRays`)."""
    pixels = max(1, int(PIXEL_NM / rays.pixel_nm))
    coarse = rays.binned(pixels)
    thetas, shares = [], []
    for part in cone(light, SHEAR_NM, PER_FRINGE):
        lost, kept = coarse.lost(part)
        weight = part.weight[0, 0]
        if microscope.aberrations.coefficients_nm():
            landed = AberratedImage(coarse.whole, coarse.pixel_nm)
            for image, share, theta in zip(lost, weight, part.rays[0][0]):
                landed.add(image * kept, microscope.aberrations.displacement_nm(theta), share / len(theta))
            shares.append(landed.image())
        else:
            shares.append(np.tensordot(weight, lost, 1) * kept)
        thetas.append(np.concatenate(part.rays[0][0]))
    return PhononLosses(tuple(thetas), np.array(shares, np.float32), pixels, coarse.rim)


@lru_cache(maxsize=8)
def phonon_kernel(sites: tuple[Site, ...], energy_keV: float, optical_depth: float) -> PhononKernel:
    """Into which directions phonons turn the electrons that they take."""
    return PhononKernel(lambda angle: phonon_density(sites, energy_keV, angle), optical_depth)
