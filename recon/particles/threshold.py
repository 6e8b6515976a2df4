"""points-threshold: a level, the blobs darker than it, and their centroids; one distance transform parts what touches.

Simple on purpose, to compare with. Particles that overlap are one blob, or parts with their centroids pulled together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections, PointMatches
from veristem.datasets.reconstruction import PointSet
from veristem.recon.particles.background import background, check_views
from veristem.recon.particles.chain import fewest_allowed, points_from

SIGNIFICANT = 6.0  # standard deviations of what a particle takes away
_FLOOR = 4.0  # standard deviations of the blurred image that no level goes below
_BLUR = 0.15  # of a diameter
_BLUR_PX = 1.5  # where the diameter is not known
_CUT = 0.9  # of a radius: how far from the centre the level lies
_SMALLEST = 0.5  # of the typical radius
_RIM = 0.35  # of a radius: the noise decides where a level cuts, so centroids look a little beyond
_APART = 0.8  # of a radius: how far apart the maxima of two parts are


def reconstruct(
    acquisition: Acquisition,
    *,
    detections: Detections | None = None,
    matches: PointMatches | None = None,
    fewest_views: int = 3,
    threshold: float | None = None,
    diameter_nm: float | None = None,
    blur_nm: float | None = None,
    split: bool = True,
) -> PointSet:
    """Particles in 3D from two or more views of one scan.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views.
    detections, matches : optional
        Replace the stage from outside; the images are then not looked at again.
    fewest_views : int
        Views in which a particle must have been found; two views need both.
    threshold : float, optional
        Share of the background's counts that a particle's pixels lack, between 0 and 1; Otsu's level of the pixels
        that stand out of the noise if not given. Never below four standard deviations of the noise.
    diameter_nm : float, optional
        Mean diameter of the particles [nm]; the median blob's if not given.
    blur_nm : float, optional
        Standard deviation of the Gaussian before the level [nm]; 0.15 of the diameter if not given, or 1.5
        pixels where that is not known.
    split : bool
        Part blobs at the necks between the maxima of their distance transform.

    Raises
    ------
    InputError
        With fewer than two views or views without parallax, an empty or saturated view, or a bad parameter.
    """
    fewest_allowed(acquisition, fewest_views)
    if detections is None and matches is None:
        detections = detect(acquisition, threshold=threshold, diameter_nm=diameter_nm, blur_nm=blur_nm, split=split)
    return points_from(acquisition, detections, matches, fewest_views)


def detect(
    acquisition: Acquisition,
    *,
    threshold: float | None = None,
    diameter_nm: float | None = None,
    blur_nm: float | None = None,
    split: bool = True,
) -> Detections:
    """Particles in each view by itself: the first stage of `reconstruct`, with its parameters and errors.

    What an edge of a view cuts is left out: its centroid is not the particle's.
    """
    if threshold is not None and not 0 < threshold < 1:
        raise InputError(f"threshold: {threshold} found, a share of the background between 0 and 1 allowed")
    radius, blur = sizes_px(acquisition, diameter_nm, blur_nm)
    shade, variance = shades(acquisition)
    masks = [_mask(view, blur, threshold) for view in shade]
    labels = [_connected(mask) for mask in masks]
    found = [_blobs(*view) for view in zip(labels, shade, variance)]
    radii = np.concatenate([blobs.radii for blobs in found])
    if not len(radii):
        return in_nm(found, acquisition.pixel_nm)
    radius = radius or float(np.median(radii))
    if split:
        labels = [_parted(mask, _APART * radius) for mask in masks]
    found = [_blobs(*view, _RIM * radius) for view in zip(labels, shade, variance)]
    return in_nm([blobs.where(blobs.radii >= _SMALLEST * radius) for blobs in found], acquisition.pixel_nm)


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
        sum (r - c)(r - c)^T var(s) / (sum s)², over pixels at r, with the centre c and the shade s [px²].
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
    return points.T, np.moveaxis(covariance, 2, 0), whole / np.sqrt(np.maximum(total(noise), 1e-12))


def in_nm(found: list[Blobs], pixel_nm: float) -> Detections:
    """What was found in all views."""
    return Detections(
        tuple(blobs.points * pixel_nm for blobs in found),
        tuple(blobs.covariance * pixel_nm**2 for blobs in found),
        tuple(blobs.radii * pixel_nm for blobs in found),
    )


def _mask(shade: np.ndarray, blur_px: float, threshold: float | None) -> np.ndarray:
    """Pixels (Y, X) darker than a level."""
    from skimage.filters import threshold_otsu

    smooth = blurred(shade, blur_px)
    middle = float(np.median(smooth))
    floor = middle + _FLOOR * spread_of(smooth)
    if threshold is None:
        # of all pixels, Otsu's level would halve the noise where particles are few; it lies midway between two means
        above = smooth[smooth > floor]
        particles = above[above >= threshold_otsu(above)] if len(above) > 1 else np.full(1, np.inf)
        threshold = (middle + float(particles.mean())) / 2
    return smooth > max(threshold, floor)


def _connected(mask: np.ndarray) -> np.ndarray:
    """Labels (Y, X) of pixels that touch along a side."""
    import cv2

    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[1]


def _blobs(labels: np.ndarray, shade: np.ndarray, variance: np.ndarray, rim_px: float = 0.0) -> Blobs:
    """What has a label (Y, X) and no part at an edge; a rim is added for the centroid, not for the radius."""
    from skimage.segmentation import expand_labels

    area = np.bincount(labels.ravel())
    if rim_px:
        labels = expand_labels(labels, rim_px)  # pyright: ignore[reportArgumentType]
    whole = np.ones(len(area), bool)
    whole[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1], [0]])] = False
    rows, columns = np.nonzero(labels)
    points, covariance, significance = centroids(shade, variance, labels[rows, columns], rows, columns, len(area))
    return Blobs(points, covariance, np.sqrt(area / np.pi) / _CUT).where(whole & (significance > SIGNIFICANT))


def _parted(mask: np.ndarray, part_px: float) -> np.ndarray:
    """Labels (Y, X) of the basins around the maxima of the distance to the rim."""
    import cv2
    from skimage.segmentation import watershed

    distance = blurred(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), 1.0)
    reach = max(1, round(part_px))
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    tops = mask & (distance >= cv2.dilate(distance, near))
    return watershed(-distance, _connected(tops), mask=mask)
