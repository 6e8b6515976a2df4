"""points-hough: Gaussian, Sobel and Hough's circles, then the centroid of each circle.

Simple on purpose, to compare with: the gradient form of the transform [1]_ as OpenCV has it.

.. [1] H. K. Yuen et al., Comparative study of Hough transform methods for circle finding, Image and Vision Computing 8
   (1990) 71-77, https://doi.org/10.1016/0262-8856(90)90059-E
"""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections, PointMatches
from veristem.datasets.reconstruction import PointSet
from veristem.recon.particles import threshold
from veristem.recon.particles.blobs import SIGNIFICANT, Blobs, blurred, centroids, in_nm, shades, sizes_px, spread_of
from veristem.recon.particles.triangulate import fewest_allowed, points_from

_RADIUS_PX = 12.0  # to which the image is enlarged or made smaller: circles of fewer pixels are none
_MOST_ENLARGED = 4.0
_STEEPEST = 0.8  # of a radius: where the blurred shade of a sphere is steepest, so that the circle is found there
_SMALLEST, _LARGEST = 0.6, 1.5  # of the typical circle
_APART = 1.0  # of a radius: how far apart two centres are
_EDGE = 3.0  # standard deviations of the gradient
_WINDOW = 1.35  # of the typical radius: where the centroid is taken
_STEPS = 4


def reconstruct(
    acquisition: Acquisition,
    *,
    detections: Detections | None = None,
    matches: PointMatches | None = None,
    fewest_views: int = 3,
    diameter_nm: float | None = None,
    blur_nm: float | None = None,
    votes: float = 0.15,
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
    diameter_nm : float, optional
        Mean diameter of the particles [nm]; that of the blobs of points-threshold if not given.
    blur_nm : float, optional
        Standard deviation of the Gaussian before the edges [nm]; 0.15 of the diameter if not given.
    votes : float
        Share of a circle's edge that must vote for its centre, between 0 and 1.
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
        detections = detect(acquisition, diameter_nm=diameter_nm, blur_nm=blur_nm, votes=votes)
    return points_from(acquisition, detections, matches, fewest_views, rescattering)


def detect(
    acquisition: Acquisition, *, diameter_nm: float | None = None, blur_nm: float | None = None, votes: float = 0.15
) -> Detections:
    """Particles in each view by itself: the first stage of `reconstruct`, with its parameters and errors.

    What an edge of a view cuts is left out: its centroid is not the particle's.
    """
    if not 0 < votes < 1:
        raise InputError(f"votes: {votes} found, a share of a circle between 0 and 1 allowed")
    sizes_px(acquisition, diameter_nm, blur_nm)
    if diameter_nm is None:
        blobs = threshold.detect(acquisition, split=False)
        radii = np.concatenate(blobs.radii_nm)
        if not len(radii):
            return blobs  # nothing stands out
        diameter_nm = max(2 * float(np.median(radii)), 2 * acquisition.pixel_nm)
    radius, blur = sizes_px(acquisition, diameter_nm, blur_nm)
    assert radius is not None
    shade, variance = shades(acquisition)
    return in_nm([_found(*view, radius, blur, votes) for view in zip(shade, variance)], acquisition.pixel_nm)


def _found(shade: np.ndarray, variance: np.ndarray, radius: float, blur: float, votes: float) -> Blobs:
    """Circles of one view with their centroids, without those that the noise or an edge made."""
    circles = _circles(blurred(shade, blur), radius, votes)
    points = circles[:, :2]
    covariance, significance = np.zeros((len(points), 2, 2)), np.zeros(len(points))
    reach = _WINDOW * radius
    y, x = np.mgrid[-np.ceil(reach) : np.ceil(reach) + 1, -np.ceil(reach) : np.ceil(reach) + 1].astype(int)
    for _ in range(_STEPS):
        columns = np.floor(points[:, 0]).astype(int)[:, None] + x.ravel()
        rows = np.floor(points[:, 1]).astype(int)[:, None] + y.ravel()
        near = np.hypot(columns + 0.5 - points[:, :1], rows + 0.5 - points[:, 1:]) <= reach
        inside = (columns >= 0) & (columns < shade.shape[1]) & (rows >= 0) & (rows < shade.shape[0])
        whole = (inside | ~near).all(axis=1)
        circles, near, rows, columns = circles[whole], near[whole], rows[whole], columns[whole]
        owner = np.nonzero(near)[0]
        points, covariance, significance = centroids(shade, variance, owner, rows[near], columns[near], len(circles))
    return Blobs(points, covariance, circles[:, 2]).where(significance > SIGNIFICANT)


def _circles(image: np.ndarray, radius: float, votes: float) -> np.ndarray:
    """Centres and radii (N, 3) [px] of the circles around what is brighter or darker."""
    import cv2

    scale = min(_RADIUS_PX / radius, _MOST_ENLARGED)
    shape = [max(1, round(scale * n)) for n in image.shape[::-1]]
    large = cv2.resize(image, shape, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    low, high = np.quantile(large, [0.001, 0.9999])
    grey = np.round(255 * np.clip((large - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
    slopes = [cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))]
    edge = max(1.0, _EDGE * float(np.hypot(spread_of(slopes[0]), spread_of(slopes[1]))))  # without noise 0, refused
    found = cv2.HoughCircles(
        grey,
        cv2.HOUGH_GRADIENT,
        dp=1,
        minDist=_APART * radius * scale,
        param1=edge,
        param2=votes * 2 * np.pi * radius * scale,
        minRadius=round(_SMALLEST * _STEEPEST * radius * scale),
        maxRadius=round(_LARGEST * _STEEPEST * radius * scale),
    )
    circles = np.zeros((0, 3)) if found is None else np.asarray(found, float).reshape(-1, 3)
    circles[:, :2] += 0.5
    return circles * np.divide([*image.shape[::-1], 1 / _STEEPEST], [*shape, scale])
