"""stereo-classical: ridges, sub-pixel contours, dynamic programming along epipolar rows, smoothing, triangulation."""

from __future__ import annotations

from dataclasses import replace

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import inverse, mapped, widest_pair
from veristem.datasets.intermediate import Contours, Matches
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.contours.ridge import default_scale_nm, ridge_contours
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo.matching import epipolar_axes, match_contours
from veristem.recon.stereo.triangulate import refine, triangulate


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment=None,
    contours: Contours | None = None,
    matches: Matches | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
) -> CurveSet:
    """Curves in 3D from the pair of views with the largest angle between them.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views.
    alignment : None
        A tilt-less acquisition needs none; anything else is an error.
    contours, matches : optional
        Replace the stage from outside.
    depth_margin_nm : float
        How far beyond the foil a vertex may lie [nm].
    depth_range_nm : float
        Depths searched when the thickness is not known, centred on the focus [nm].
    scale_nm : float, optional
        Half the width of a line's image [nm], on which contours, matching and smoothing are set.

    Raises
    ------
    InputError
        With fewer than two views, or views without parallax.
    """
    if alignment is not None:
        raise InputError("alignment: given, but the views of one scan are aligned; leave it out")
    pair = widest_pair(acquisition.directions_rad)
    epipolar, parallax = epipolar_axes(acquisition.directions_rad, pair)
    if scale_nm is None:
        scale_nm = default_scale_nm(acquisition.field_nm, acquisition.pixel_nm)
    if matches is None:
        if contours is None:
            contours = ridge_contours(acquisition.views, acquisition.pixel_nm, scale_nm)
        contours = _on_focus_plane(contours, acquisition)
        if acquisition.thickness_nm is None:
            low, high = -depth_range_nm / 2, depth_range_nm / 2
        else:
            low = -acquisition.focus_nm - depth_margin_nm
            high = acquisition.thickness_nm - acquisition.focus_nm + depth_margin_nm
        slack = 0.5 * acquisition.pixel_nm
        limits = (low * parallax - slack, high * parallax + slack)
        matches = match_contours(contours, pair, epipolar, limits, acquisition.pixel_nm, scale_nm)
        matches = refine(matches, epipolar, scale_nm)
    curves, sigma = triangulate(matches, acquisition.directions_rad, acquisition.focus_nm)
    return CurveSet(tuple(curves), tuple(sigma), crystal_from_specimen(acquisition))


def _on_focus_plane(contours: Contours, acquisition: Acquisition) -> Contours:
    """Contours with the foreshortening of tilted views taken out; their errors stay those of the images."""
    if acquisition.to_image is None:
        return contours
    maps = [inverse(to_image) for to_image in acquisition.to_image]
    curves = tuple(tuple(mapped(c, back) for c in view) for view, back in zip(contours.curves_nm, maps))
    return replace(contours, curves_nm=curves)
