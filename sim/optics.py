"""The probe: where aberrations bring the rays of a region, and the size of the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.aberrations import Aberrations
from veristem.datasets.geometry import Region, directions_of
from veristem.datasets.recipe import Recipe

_ACROSS = 100  # rays across the blur of a region
_FWHM = 2 * np.sqrt(2 * np.log(2))  # of a normal distribution, in standard deviations


class Image(NamedTuple):
    """What a detector region sees of a specimen.

    share (rows, columns): of the cone's electrons that reach it from each pixel. mean_rad (2,): mean direction of what
    it receives; contrast_rad (2,): of what makes the contrast of lines, in the frame of the specimen [rad].
    """

    share: np.ndarray
    mean_rad: np.ndarray
    contrast_rad: np.ndarray


def aberration_shift_nm(
    aberrations: Aberrations, region: Region, convergence_rad: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and largest displacement Delta (2,) [nm] of the rays that reach a region directly.

    The mean moves the image of the region by its opposite; the rest blurs it.
    """
    delta = aberrations.displacement_nm(region.directions(convergence_rad))
    if not len(delta):
        return np.zeros(2), np.zeros(2)
    return delta.mean(axis=0), np.abs(delta).max(axis=0)


def finest_rad(aberrations: Aberrations, regions: Sequence[Region], convergence_rad: float, step_nm: float) -> float:
    """Angle between rays that land ``step_nm`` or a hundredth of the whole blur apart, whichever is larger [rad]."""
    if not aberrations.coefficients_nm():
        return np.inf
    theta = directions_of(regions, convergence_rad, 100)
    delta = aberrations.displacement_nm(theta)
    turn = 1e-6
    steepest = max(np.linalg.norm(aberrations.displacement_nm(theta + step) - delta, axis=1).max(initial=0) / turn
                   for step in (np.array([turn, 0]), np.array([0, turn])))  # fmt: skip
    wanted = max(step_nm, float(np.ptp(delta, axis=0).max()) / _ACROSS) if len(delta) else step_nm
    return wanted / steepest if steepest else np.inf


def beyond_nm(recipe: Recipe) -> float:
    """How far beyond the field views reach, through tilts and aberrations [nm].

    0 where that is a twentieth of the field or less: a pair of small tilts shows the same specimen as one without.
    """
    microscope, field = recipe.microscope, max(recipe.specimen.field_nm)
    steep = np.radians(recipe.stage.steepest_deg)
    reach = (
        field / 2 * (1 / np.cos(steep) - 1) + recipe.specimen.thickness_nm / 2 * np.tan(steep) + recipe.stage.shift_nm
    )
    alpha = 1e-3 * microscope.convergence_mrad
    landings = [
        aberration_shift_nm(microscope.aberrations, region, alpha)
        for region in microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    ]
    reach += max(float(far.max() if not recipe.scan.registered else np.abs(far - mean).max()) for mean, far in landings)
    return float(reach) if reach > field / 20 else 0.0


class AberratedImage:
    """Sum of images, each of rays that share one way through the specimen but land on different places.

    A feature that a ray shows at r without aberrations shows at r - Delta. The sum is taken in Fourier space, so that a
    thousand rays cost as much as one; what leaves the array on one side comes in on the other, in the rim.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_nm : float
        Pixel [nm].
    """

    def __init__(self, shape: tuple[int, int], pixel_nm: float):
        self.shape, self.pixel_nm = shape, pixel_nm
        self._sum = np.zeros((shape[0], shape[1] // 2 + 1), complex)

    def add(self, image: np.ndarray, delta_nm: np.ndarray, share: float) -> None:
        """Add ``share`` of the image for each of the displacements (N, 2) [nm]."""
        if len(delta_nm):
            kernel = np.zeros(self.shape)
            _scatter(-delta_nm / self.pixel_nm, share, kernel)
            self._sum += np.fft.rfft2(image) * np.fft.rfft2(kernel)

    def image(self) -> np.ndarray:
        """The sum (rows, columns)."""
        return np.fft.irfft2(self._sum, self.shape)


@numba.njit(cache=True)
def _scatter(at, share, kernel):
    """Add shares at places (N, 2) [pixels, x and y], cubic (Lagrange), around the corners."""
    rows, columns = kernel.shape
    wx, wy = np.empty(4), np.empty(4)
    for n in range(len(at)):
        x, y = int(np.floor(at[n, 0])), int(np.floor(at[n, 1]))
        for w, f in ((wx, at[n, 0] - x), (wy, at[n, 1] - y)):
            w[0] = -f * (f - 1) * (f - 2) / 6
            w[1] = (f + 1) * (f - 1) * (f - 2) / 2
            w[2] = -(f + 1) * f * (f - 2) / 2
            w[3] = (f + 1) * f * (f - 1) / 6
        for v in range(4):
            for u in range(4):
                kernel[(y - 1 + v) % rows, (x - 1 + u) % columns] += share * wy[v] * wx[u]


def source_blurred(image: np.ndarray, source_size_nm: float, pixel_nm: float) -> np.ndarray:
    """An image as a source of this size makes it: a normal distribution with that full width at half maximum."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, source_size_nm / _FWHM / pixel_nm, mode="nearest") if source_size_nm else image
