"""stereo-classical: ridges, sub-pixel contours, dynamic programming along epipolar rows, smoothing, triangulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import inverse, mapped, widest_pair
from veristem.datasets.intermediate import Alignment, Contours, Matches
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.contours import find_contours
from veristem.recon.contours.ridge import default_scale_nm
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.registration import align
from veristem.recon.stereo.matching import epipolar_axes, match_contours
from veristem.recon.stereo.triangulate import refine, triangulate

_FREE = 0.3  # of the thickness by which depths may seem off in views that were registered
_ENDS = (2.0, 98.0)  # per cent of the vertices that lie above the highest depth, and above the deepest


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    matches: Matches | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    register: bool = False,
) -> CurveSet:
    """Curves in 3D from the pair of views with the largest angle between them.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views.
    alignment, contours, matches : optional
        Replace the stage from outside. The alignment is the nominal one if not given; views of a tilted specimen are
        registered, which leaves their depths without a zero: what is found is put into the middle of a foil whose
        thickness is known, and about the focus plane otherwise. Contours may be named, ``ridge`` or ``learned``.
    depth_margin_nm : float
        How far beyond the foil a vertex may lie [nm].
    depth_range_nm : float
        Depths searched when the thickness is not known, centred on the focus [nm].
    scale_nm : float, optional
        Half the width of a line's image [nm], on which contours, matching and smoothing are set.
    register : bool
        Register the views also of a specimen that was not tilted: of an aperture that was moved between scans.

    Raises
    ------
    InputError
        With fewer than two views, views without parallax, or a bad parameter.
    """
    deep, free = acquisition.thickness_nm, False
    if alignment is None:
        alignment, free = align(acquisition, register)
    pair = widest_pair(alignment.directions_rad)
    epipolar, parallax = epipolar_axes(alignment.directions_rad, pair)
    if scale_nm is None:
        scale_nm = default_scale_nm(acquisition.field_nm, acquisition.pixel_nm)
    if not 0 < scale_nm < (most := min(acquisition.field_nm)):
        raise InputError(f"scale_nm: {scale_nm:g} found, above 0 and below the field's {most:g} nm allowed")
    if matches is None:
        if contours is None or isinstance(contours, str):
            contours = find_contours(contours or "ridge", acquisition.views, acquisition.pixel_nm, scale_nm)
        curves = tuple(_on_focus_plane(view, alignment, v) for v, view in enumerate(contours.curves_nm))
        if deep is None:
            low, high = -depth_range_nm / 2, depth_range_nm / 2
        else:
            low, high = -acquisition.focus_nm - depth_margin_nm, deep - acquisition.focus_nm + depth_margin_nm
        slack = 0.5 * acquisition.pixel_nm
        limits = (low * parallax - slack, high * parallax + slack)
        contours = replace(contours, curves_nm=curves)
        if deep is not None and free:
            wide = limits[0] - _FREE * deep * parallax, limits[1] + _FREE * deep * parallax
            matches = match_contours(contours, pair, epipolar, wide, acquisition.pixel_nm, scale_nm)
            depths, _ = triangulate(matches, alignment.directions_rad, acquisition.focus_nm)
            off = (middle_nm(depths, deep, depth_margin_nm) - deep / 2) * parallax
            limits = limits[0] + off, limits[1] + off
        matches = match_contours(contours, pair, epipolar, limits, acquisition.pixel_nm, scale_nm)
        matches = refine(matches, epipolar, scale_nm)
    else:
        by_view = (_on_focus_plane(curves, alignment, v) for v, curves in zip(matches.views, zip(*matches.places_nm)))
        matches = replace(matches, places_nm=tuple(np.stack(places) for places in zip(*by_view)))
    curves, sigma = triangulate(matches, alignment.directions_rad, acquisition.focus_nm)
    if deep is not None and free:
        down = np.array([0.0, 0.0, deep / 2 - middle_nm(curves, deep, depth_margin_nm)])
        curves = [curve + down for curve in curves]
    return CurveSet(tuple(curves), tuple(sigma), crystal_from_specimen(acquisition))


def middle_nm(curves, deep: float, margin_nm: float) -> float:
    """Depth of the middle of a foil that holds most of the curves, which end on its faces, and seem to lie near it."""
    if not curves:
        return deep / 2
    depths = np.concatenate([curve[:, 2] for curve in curves])
    middles = deep * np.linspace(0.5 - _FREE, 0.5 + _FREE, 61)
    held = np.abs(depths - middles[:, None]) < deep / 2 + margin_nm
    best = held[(held.sum(axis=1) * np.exp(-((middles / deep - 0.5) ** 2))).argmax()]
    return float(np.percentile(depths[best], _ENDS).mean()) if best.any() else deep / 2


def _on_focus_plane(curves, alignment: Alignment, view: int) -> tuple:
    """Curves of a view with the foreshortening and the shift of its image taken out; their errors stay the image's."""
    if alignment.to_image is None:
        return tuple(curves)
    back = inverse(alignment.to_image[view])
    return tuple(mapped(curve, back) for curve in curves)
