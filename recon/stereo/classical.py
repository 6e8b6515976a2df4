"""stereo-classical: ridges, sub-pixel contours, dynamic programming along epipolar rows, smoothing, triangulation."""

from __future__ import annotations

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import widest_pair
from veristem.datasets.intermediate import Alignment, Contours, Matches
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo.pairs import in_the_middle, middle_nm, ready
from veristem.recon.stereo.triangulate import triangulate


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
    bands: bool = False,
    band_weights: str | None = None,
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
    bands : bool
        Correct matched curves by a network that looks at both images along them, and seek those that only one view has.
    band_weights : path, optional
        Its .onnx file, of `veristem train bands`; that of the package if not given.

    Raises
    ------
    InputError
        With fewer than two views, views without parallax, or a bad parameter.
    """
    views = ready(acquisition, alignment, scale_nm, depth_margin_nm, depth_range_nm, register)
    deep, directions, focus = acquisition.thickness_nm, views.alignment.directions_rad, acquisition.focus_nm
    pair = widest_pair(directions)
    if matches is None:
        found = views.contours(contours)
        if deep is not None and views.free:
            depths, _ = triangulate(views.wider().matched(found, pair), directions, focus)
            views = views.about(middle_nm(depths, deep, depth_margin_nm))
        matches = views.matched(found, pair, bands, band_weights)
    else:
        matches = views.on_focus_plane(matches)
    curves, sigma = triangulate(matches, directions, focus)
    if deep is not None and views.free:
        curves = in_the_middle(curves, deep, depth_margin_nm)
    return CurveSet(tuple(curves), tuple(sigma), crystal_from_specimen(acquisition))
