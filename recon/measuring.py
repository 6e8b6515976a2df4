"""Lengths, angles and depths of what a user points at in an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from veristem.datasets import Acquisition, CurveSet, InputError, PointSet, load_material
from veristem.recon.frames import crystal_from_specimen


@dataclass(frozen=True)
class Place:
    """A place of an image.

    Parameters
    ----------
    at_nm : (2,) float
        Where, in the image [nm].
    point_nm : (3,) float or None
        The nearest place of the reconstruction there [nm]; None where there is none.
    """

    at_nm: np.ndarray
    point_nm: np.ndarray | None


def place(
    found: CurveSet | PointSet | None,
    project: Callable[[np.ndarray, int], np.ndarray],
    view: int,
    at_nm,
    within_nm: float,
) -> Place:
    """What of a reconstruction lies at a place of an image.

    Parameters
    ----------
    found : CurveSet, PointSet or None
        The reconstruction.
    project : function of points (..., 3) and a view
        Where they are in that view, (..., 2) [nm].
    view : int
        Of the acquisition.
    at_nm : (2,) float
        The place [nm].
    within_nm : float
        How far from it a curve or point may be [nm].
    """
    at = np.asarray(at_nm, float)
    best, nearest = within_nm, None
    if isinstance(found, CurveSet):
        for curve in found.curves_nm:
            seen = project(curve, view)
            start, step = seen[:-1], np.diff(seen, axis=0)
            share = np.einsum("ij,ij->i", at - start, step) / np.maximum(np.einsum("ij,ij->i", step, step), 1e-12)
            share = np.clip(share, 0, 1)
            off = np.hypot(*(start + share[:, None] * step - at).T)
            if off.min() <= best:
                k = int(off.argmin())
                best, nearest = float(off[k]), curve[k] + share[k] * (curve[k + 1] - curve[k])
    elif found is not None and len(found.points_nm):
        off = np.hypot(*(project(found.points_nm, view) - at).T)
        if off.min() <= best:
            nearest = found.points_nm[int(off.argmin())]
    return Place(at, nearest)


def vector_nm(first: Place, second: Place) -> np.ndarray:
    """From one place to another: in the specimen (3,) where both are on the reconstruction, else in the image (2,)."""
    if first.point_nm is not None and second.point_nm is not None:
        return second.point_nm - first.point_nm
    return second.at_nm - first.at_nm


def angle_to_direction_deg(vector: np.ndarray, acquisition: Acquisition, uvw) -> float:
    """Angle between a line in the specimen (3,) and a direction [uvw] of its crystal, from 0 to 90 [degrees].

    Raises
    ------
    InputError
        When the orientation of the crystal is not known, for [0 0 0], or a line without length.
    """
    rotation = crystal_from_specimen(acquisition)
    if rotation is None or acquisition.material is None:
        raise InputError(
            "the crystal's orientation is not known; material, zone axis, g, its azimuth and energy tell it"
        )
    wanted = np.asarray(uvw, float)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or not wanted.any():
        raise InputError("direction: three whole numbers u v w that are not all 0 allowed")
    if not np.any(vector):
        raise InputError("two places at a distance allowed")
    direction = load_material(acquisition.material).direction_nm(wanted)
    along = rotation @ np.asarray(vector, float)
    cosine = abs(along @ direction) / (np.linalg.norm(along) * np.linalg.norm(direction))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))
