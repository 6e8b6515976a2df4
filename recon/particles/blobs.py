"""Blobs of a view: how much darker than the background each pixel is, and where the centres of what stands out lie.

What the simple detectors of particles share.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections
from veristem.recon.particles.background import background, check_views

SIGNIFICANT = 6.0  # standard deviations of what a particle takes away
_BLUR = 0.15  # of a diameter
_BLUR_PX = 1.5  # where the diameter is not known


class Blobs(NamedTuple):
    """What was found in a view.

    Parameters
    ----------
    points : (N, 2) float
        Centres (x, y) [px], origin at the corner of the image.
    covariance : (N, 2, 2) float
        Covariance of each centre [px²].
    radii : (N,) float
        Radii [px].
    """

    points: np.ndarray
    covariance: np.ndarray
    radii: np.ndarray

    def where(self, mask: np.ndarray) -> Blobs:
        """Some of them."""
        return Blobs(*(values[mask] for values in self))


def sizes_px(acquisition: Acquisition, diameter_nm: float | None, blur_nm: float | None) -> tuple[float | None, float]:
    """Radius of a particle, None where it is not given, and standard deviation of the blur [px].

    Raises
    ------
    InputError
        For a diameter below two pixels or a blur below 0.
    """
    pixel = acquisition.pixel_nm
    if diameter_nm is not None and not 2 * pixel <= diameter_nm < np.inf:
        raise InputError(f"diameter_nm: {diameter_nm} found, at least two pixels, {2 * pixel:g} nm, allowed")
    if blur_nm is not None and not 0 <= blur_nm < np.inf:
        raise InputError(f"blur_nm: {blur_nm} found, 0 or more allowed")
    if blur_nm is None:
        blur_nm = _BLUR_PX * pixel if diameter_nm is None else _BLUR * diameter_nm
    return diameter_nm and diameter_nm / 2 / pixel, blur_nm / pixel


def shades(acquisition: Acquisition) -> tuple[np.ndarray, np.ndarray]:
    """Share of the background's counts that each pixel lacks, (V, Y, X), and its variance by counting.

    Raises
    ------
    InputError
        For an empty or saturated view.
    """
    check_views(acquisition.views)
    expected = background(acquisition.views)
    share = acquisition.views / expected
    return 1 - share, np.maximum(share, 1 / expected) / expected


def blurred(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """An image (Y, X) after a Gaussian, with the edges held on."""
    import cv2

    return cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE) if sigma_px > 0.1 else image


def spread_of(values: np.ndarray) -> float:
    """Standard deviation of the background: particles are too few to move a median."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def centroids(
    shade: np.ndarray, variance: np.ndarray, owner: np.ndarray, rows: np.ndarray, columns: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres of mass of the shade of some pixels, with their counting noise.

    Parameters
    ----------
    shade, variance : (Y, X) float
        Of one view.
    owner, rows, columns : (K,) int
        Whose each pixel is, from 0 to ``count``, and where it is.
    count : int
        Number of owners, N.

    Returns
    -------
    points : (N, 2) float
        Centres (x, y) [px].
    covariance : (N, 2, 2) float
        sum (r - c)(r - c)^T var(s) / (sum s)², over pixels at r, with the centre c and the shade s [px²]; along each
        axis at least what the width of a pixel leaves.
    significance : (N,) float
        Shade in all, over its standard deviation.
    """
    mass, noise = shade[rows, columns].astype(float), variance[rows, columns].astype(float)
    places = np.stack([columns, rows]) + 0.5

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(owner, values, minlength=count)

    whole = np.maximum(total(mass), 1e-9)
    points = np.stack([total(mass * axis) / whole for axis in places])
    off = places - points[:, owner]
    covariance = np.array([[total(noise * a * b) / whole**2 for a in off] for b in off])
    for axis in (0, 1):  # across a single line of pixels, whose counts lie somewhere in them
        covariance[axis, axis] = np.maximum(covariance[axis, axis], total(noise) / 12 / whole**2)
    return points.T, np.moveaxis(covariance, 2, 0), whole / np.sqrt(np.maximum(total(noise), 1e-12))


def in_nm(found: list[Blobs], pixel_nm: float) -> Detections:
    """What was found in all views."""
    return Detections(
        tuple(blobs.points * pixel_nm for blobs in found),
        tuple(blobs.covariance * pixel_nm**2 for blobs in found),
        tuple(blobs.radii * pixel_nm for blobs in found),
    )
