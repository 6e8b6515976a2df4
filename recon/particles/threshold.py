"""points-threshold: a level, the blobs darker than it, and their centroids; one distance transform parts what touches.

Simple on purpose, to compare with. Particles that overlap are one blob, or parts with their centroids pulled together.
"""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections, PointMatches
from veristem.datasets.reconstruction import PointSet
from veristem.recon.particles.blobs import SIGNIFICANT, Blobs, blurred, centroids, in_nm, shades, sizes_px, spread_of
from veristem.recon.particles.triangulate import fewest_allowed, points_from

_FLOOR = 4.0  # standard deviations of the blurred image that no level goes below
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
    rescattering: bool = True,
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
    rescattering : bool
        Whether particles scatter into the views what comes from elsewhere in the cone, as gold does, so that they show
        farther from the axis than the mean of a view.

    Raises
    ------
    InputError
        With fewer than two views or views without parallax, an empty or saturated view, or a bad parameter.
    """
    fewest_allowed(acquisition, fewest_views)
    if detections is None and matches is None:
        detections = detect(acquisition, threshold=threshold, diameter_nm=diameter_nm, blur_nm=blur_nm, split=split)
    return points_from(acquisition, detections, matches, fewest_views, rescattering)


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
