"""The probe: where aberrations bring the rays of a region, and what the source and its energies blur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.aberrations import FWHM, Aberrations
from veristem.datasets.geometry import Region, directions_of
from veristem.datasets.microscope import Microscope

_ACROSS = 100  # rays across the blur of a region


class Image(NamedTuple):
    """What a detector region sees of a specimen.

    share (rows, columns): of the cone's electrons that reach it from each pixel. mean_rad (2,): mean direction of what
    it receives; contrast_rad (2,): of what makes the contrast of lines, in the frame of the specimen [rad].
    """

    share: np.ndarray
    mean_rad: np.ndarray
    contrast_rad: np.ndarray


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
            self._sum += _waves(image) * _waves(kernel)

    def image(self) -> np.ndarray:
        """The sum (rows, columns)."""
        return np.fft.irfft2(self._sum, self.shape)


def _waves(image: np.ndarray) -> np.ndarray:
    """Transform in float32, which is what rays are propagated in, and twice as fast."""
    from scipy.fft import rfft2

    return np.asarray(rfft2(image.astype(np.float32, copy=False)))


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


def spread_nm2(microscope: Microscope, region: Region) -> np.ndarray:
    """Covariance (2, 2) [nm²] of the places on which the electrons of one ray of a region land, aberrations apart.

    The source has a size, the same along x and y. Each energy has a defocus f of its own, which moves a ray by f theta:
    the mean of theta theta^T over the region, times the variance of f. A disc off the axis is blurred along its own
    direction.
    """
    found = (microscope.source_size_nm / FWHM) ** 2 * np.eye(2)
    if defocus := microscope.aberrations.defocus_spread_nm(microscope.energy_keV):
        theta = region.directions(1e-3 * microscope.convergence_mrad, 100)
        found += defocus**2 * theta.T @ theta / max(len(theta), 1)
    return found


def blurred(image: np.ndarray, covariance_nm2: np.ndarray, pixel_nm: float) -> np.ndarray:
    """An image after a normal distribution of this covariance (2, 2); what leaves it on one side comes in on the other.

    In Fourier space, where a blur of less than a pixel is as exact as a wide one.
    """
    if not np.any(covariance_nm2):
        return image
    ky, kx = np.fft.fftfreq(image.shape[0], pixel_nm)[:, None], np.fft.rfftfreq(image.shape[1], pixel_nm)
    (xx, xy), (_, yy) = np.asarray(covariance_nm2, float)
    kept = np.exp(-2 * np.pi**2 * (xx * kx**2 + 2 * xy * kx * ky + yy * ky**2))
    return np.fft.irfft2(np.fft.rfft2(image) * kept, image.shape)
