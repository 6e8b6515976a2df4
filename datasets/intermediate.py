"""What passes between the stages of a method; each can be handed in from outside, by its name in `STAGES`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALIGNMENT = "alignment"  # says what is known of the views, whatever the stages
STAGES = {  # names of stages in the order of a method, and what each does; one handed in replaces all before it
    ALIGNMENT: "geometry",
    "contours": "contours",
    "detections": "detection",
    "matches": "matching",
}


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the views look from and where their images lie, in place of what is nominal.

    Parameters
    ----------
    directions_rad : (V, 2) float
        Mean direction of the rays of each view [rad].
    to_image : (V, 2, 3) float or None
        Map [A b] from the focus plane to each image, see `geometry.project`; None where they are the same.
    """

    directions_rad: np.ndarray
    to_image: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Contours:
    """Centrelines of the dislocations in each view.

    Parameters
    ----------
    curves_nm : sequence (view) of sequences of (K, 2) float
        Polylines (x, y) in the image plane of each view [nm], origin at the corner of the image.
    sigma_nm : sequence (view) of sequences of (K,) float
        Standard deviation of each vertex normal to its curve [nm].
    """

    curves_nm: tuple[tuple[np.ndarray, ...], ...]
    sigma_nm: tuple[tuple[np.ndarray, ...], ...]


@dataclass(frozen=True, eq=False)
class Matches:
    """Curves seen in W views, two or more: each vertex with its place in every one.

    Parameters
    ----------
    views : (W,) int
        The views.
    places_nm : sequence (curve) of (W, K, 2) float
        The same curve in the image plane of each of these views [nm].
    sigma_nm : sequence (curve) of (K,) float
        Standard deviation of the disparity between the two views that are farthest apart, along the epipolar direction
        [nm].
    """

    views: tuple[int, ...]
    places_nm: tuple[np.ndarray, ...]
    sigma_nm: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Detections:
    """Particles found in each view.

    Parameters
    ----------
    points_nm : sequence (view) of (K, 2) float
        Centres (x, y) in the image plane of each view [nm], origin at the corner of the image.
    covariance_nm2 : sequence (view) of (K, 2, 2) float
        Covariance of each centre [nm²].
    radii_nm : sequence (view) of (K,) float
        Radii [nm].
    """

    points_nm: tuple[np.ndarray, ...]
    covariance_nm2: tuple[np.ndarray, ...]
    radii_nm: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class PointMatches:
    """Which detections are one particle.

    Parameters
    ----------
    detections : Detections
        In every view.
    index : (M, V) int
        Detection of each particle in each view, -1 where it was not found.
    ambiguity : (M,) float
        Probability that another match of the same detections is the right one.
    """

    detections: Detections
    index: np.ndarray
    ambiguity: np.ndarray
