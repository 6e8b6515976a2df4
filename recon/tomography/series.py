"""What the methods of tomography share: from an acquisition to a volume, and from that to curves or points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.polyline import resample
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.volume import Volume
from veristem.recon import registration
from veristem.recon.contours import find_contours
from veristem.recon.contours.ridge import default_scale_nm, line_disturbance
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.stereo.all_views import AllViews
from veristem.recon.stereo.pairs import FREE, middle_nm, on_focus_plane
from veristem.recon.tomography.alignment import FEWEST, Progress, Series, align_series
from veristem.recon.tomography.lines import lines_in
from veristem.recon.tomography.maps import Maps
from veristem.recon.tomography.projector import Projector

Solve = Callable[[Projector, Maps], np.ndarray]

_LEAST, _SHARE = 0.25, 0.75  # contrast that shows a line, in that of a clear one, and part of the views that must
_FOUND = 0.65  # share of the views in which the contour of a line must be found
_CLEAR = 4.0  # contrast of a clear line by `line_disturbance`
_REACH = 2.0  # half widths of a line from where it is expected in a view to where it is looked for
_last: dict[bytes, Series] = {}
_LONGEST = 6.0  # elongation: with fewer views nothing is gained by a wider filter


def reconstruct(
    acquisition: Acquisition,
    solve: Solve,
    *,
    alignment: Alignment | None,
    contours: Contours | str | None,
    volume: bool,
    depth_margin_nm: float,
    depth_range_nm: float,
    scale_nm: float | None,
    voxel_nm: float | None,
    fitted: bool = False,
) -> CurveSet | Volume:
    """The volume that ``solve`` makes from maps of contrast, or the centrelines of the lines in it.

    Parameters
    ----------
    acquisition : Acquisition
        Views about one axis, two or more.
    solve : function of Projector and Maps
        Returns slices (R, Z, C).
    alignment : Alignment, optional
        Where the views lie, as in `stereo.classical.reconstruct`.
    contours : Contours or str, optional
        Lines of each view, or a way to find them, ``ridge`` or ``learned``, which are then projected back; without
        them it is the contrast of the images.
    volume : bool
        Return the volume itself.
    depth_margin_nm : float
        How far beyond the foil the volume reaches [nm].
    depth_range_nm : float
        Depths when the thickness is not known, about the focus [nm].
    scale_nm : float, optional
        Half the width of a line's image [nm].
    voxel_nm : float, optional
        Side of a voxel [nm]; a pixel if not given.
    fitted : bool
        Move the lines to where the contours of all views show them; these are ``learned`` if not given.

    Raises
    ------
    InputError
        For fewer than two views, views about more than one axis, or a bad parameter.
    """
    a = acquisition
    scale, voxel = _lengths_nm(a, scale_nm, voxel_nm, depth_range_nm)
    if len(a.views) < 2:
        raise InputError(f"views: {len(a.views)} found, at least 2 allowed for tomography, many of a tilt series")
    if fitted and not isinstance(contours, Contours):
        contours = find_contours(contours or "learned", a.views, a.pixel_nm, scale)
    images = contrast(a, contours, scale)
    free = alignment is None and registration.sequential(a)
    depths = depths_nm(a, depth_margin_nm, depth_range_nm, free)
    if alignment is None:
        alignment = registered(a, images, depths, scale)
    maps = Maps.of(images, a.pixel_nm, alignment, depths, voxel)
    projector = Projector(maps.slopes, maps.grey.shape[2], maps.depths_nm / voxel, voxel)
    made = maps.volume(solve(projector, maps), a.focus_nm, a.field_nm)
    deep = a.thickness_nm
    if volume and not (free and deep):
        return made
    found = lines_of(made, maps, scale, a.focus_nm)
    if fitted:
        assert isinstance(contours, Contours)
        found = _fitted(found, contours, alignment, a.focus_nm, scale)
    if free and deep:
        down = np.array([0.0, 0.0, deep / 2 - middle_nm(found.curves_nm, deep, depth_margin_nm)])
        made = replace(made, origin_nm=made.origin_nm + down)
        found = replace(found, curves_nm=tuple(curve + down for curve in found.curves_nm))
    if volume:
        return made
    if deep:
        found = within(found, (-depth_margin_nm, deep + depth_margin_nm))
    return replace(found, crystal_from_specimen=crystal_from_specimen(a))


def _fitted(curves: CurveSet, contours: Contours, alignment: Alignment, focus_nm: float, scale_nm: float) -> CurveSet:
    """Pieces of curves that the contours of the views show, moved to where they do."""
    on_plane = on_focus_plane(contours, alignment.to_image)
    all_views = AllViews(on_plane, alignment.directions_rad, focus_nm, scale_nm)
    moved = [
        all_views.moved(piece, sigma)
        for curve in zip(curves.curves_nm, curves.sigma_nm)
        for piece, sigma in all_views.pieces(*curve, range(len(alignment.directions_rad)), _FOUND)
    ]
    return CurveSet(tuple(curve for curve, _ in moved), tuple(sigma for _, sigma in moved))


def _lengths_nm(a: Acquisition, scale_nm, voxel_nm, depth_range_nm) -> tuple[float, float]:
    """Half the width of a line and side of a voxel, those not given by what is usual; InputError for bad ones."""
    scale = default_scale_nm(a.field_nm, a.pixel_nm) if scale_nm is None else scale_nm
    voxel = a.pixel_nm if voxel_nm is None else voxel_nm
    for name, value in (("scale_nm", scale), ("voxel_nm", voxel), ("depth_range_nm", depth_range_nm)):
        if not 0 < value < np.inf or (name != "depth_range_nm" and value >= min(a.field_nm)):
            raise InputError(f"{name}: {value:g} found, above 0 and below the field's {min(a.field_nm):g} nm allowed")
    return scale, voxel


def lines_of(volume: Volume, maps: Maps, scale_nm: float, focus_nm: float) -> CurveSet:
    """Lines in a volume that most of the views it was made from show."""
    longer = min(elongation(maps.slopes), _LONGEST)
    clear = 1 / (np.sqrt(2 * np.pi) * scale_nm * longer)  # per nm: along the beam it adds up to 1
    return lines_in(volume, scale_nm, longer, clear, lambda points: maps.shown(points, focus_nm, _LEAST, _SHARE))


def registered(a: Acquisition, images: np.ndarray, depths: tuple[float, float], scale_nm: float) -> Alignment:
    """Where the views lie: of a series by all of them together, of fewer by pairs, of one scan as they are said to."""
    return _aligned(a, images, depths, scale_nm).alignment if of_series(a) else registration.align(a)[0]


def of_series(acquisition: Acquisition) -> bool:
    """Whether there are enough tilts, each with a scan of its own, to find by all views together how they lie."""
    a = acquisition
    return a.tilts_rad is not None and registration.sequential(a) and len(np.unique(a.tilts_rad)) >= FEWEST


def align(
    acquisition: Acquisition,
    *,
    contours: Contours | str | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    progress: Progress = lambda steps, _: steps,
) -> Series:
    """How the views of a series lie, and what was followed through them, as `reconstruct` finds it.

    Parameters
    ----------
    acquisition : Acquisition
        A series, by `of_series`.
    contours, depth_margin_nm, depth_range_nm, scale_nm
        As of `reconstruct`.
    progress : callable
        Wraps the loop over (steps, their number).
    """
    a = acquisition
    scale, _ = _lengths_nm(a, scale_nm, None, depth_range_nm)
    depths = depths_nm(a, depth_margin_nm, depth_range_nm, free=True)
    return _aligned(a, contrast(a, contours, scale), depths, scale, progress)


def told(acquisition: Acquisition, **parameters) -> list[str]:
    """What the methods of tomography find of how views lie, in lines for people; warnings begin as such.

    Empty for views of one scan. Parameters are those of `align`; others are ignored.
    """
    a = acquisition
    if not of_series(a):
        return registration.told(a)
    known = ("contours", "depth_margin_nm", "depth_range_nm", "scale_nm")
    found = align(a, **{name: value for name, value in parameters.items() if name in known})
    return told_of(a, found, "lines", "points of lines", " across the lines")


def told_of(a: Acquisition, found: Series, things: str, features: str, where: str = "") -> list[str]:
    """What was found of how the views of a series lie, in lines for people, by what was followed through them."""
    lines, views = [], found.views
    if len(unlike := np.flatnonzero(~found.told)):
        lines.append(
            f"warning: {len(unlike)} of {len(a.views)} views ({', '.join(map(str, unlike[:5]))}"
            f"{', …' * (len(unlike) > 5)}) show too little that the ones tilted a little less show too (no overlap, no "
            "texture, noise?); nothing sure tells how they lie, and depths cannot be trusted"
        )
    if not len(found.off_nm):
        lines.append(
            f"warning: too few {things} can be followed through the series to tell how views lie; they are laid on "
            "each other by correlation alone, tilted as they are said to be, and depths cannot be trusted"
        )
        return lines
    axis, off = np.degrees([a.tilt_axis_rad + views.turn_rad, np.abs(views.tilts_rad).max()])
    far, left = np.linalg.norm(views.shifts_nm, axis=1).max() / a.pixel_nm, np.sqrt(np.mean(found.off_nm**2))
    shown = len(np.unique(np.stack([found.seen.view, found.seen.feature]), axis=1).T)
    lines.append(
        f"registered: {len(a.views)} views by {len(np.unique(found.seen.feature))} {features}, of which a view "
        f"shows {shown / len(a.views):.0f}, {left / a.pixel_nm:.1f} pixels (rms) off{where}; "
        f"views are moved by up to {far:.1f} pixels and tilted by up to {off:.2f} deg more or less, tilt axis at "
        f"{axis:.1f} deg. The images hold no zero of depth"
    )
    return lines


def _aligned(
    a: Acquisition,
    images: np.ndarray,
    depths: tuple[float, float],
    scale_nm: float,
    progress: Progress = lambda steps, _: steps,
) -> Series:
    """By points along the lines that all views show."""

    def features(maps: Maps, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = lines_of(maps.volume(slices, a.focus_nm, a.field_nm), maps, scale_nm, a.focus_nm)
        curves = [resample(curve, np.zeros(len(curve)), scale_nm)[0] for curve in found.curves_nm]
        along = [np.gradient(curve, axis=0) for curve in curves]
        return np.concatenate([np.zeros((0, 3)), *curves]), np.concatenate([np.zeros((0, 3)), *along])

    return aligned_once(a, images, depths, features, _REACH * scale_nm, max(a.pixel_nm, scale_nm / 2), progress)


def aligned_once(
    a: Acquisition,
    images: np.ndarray,
    depths: tuple[float, float],
    features,
    reach_nm: float,
    voxel_nm: float,
    progress: Progress = lambda steps, _: steps,
) -> Series:
    """`align_series`, found once for the same images: a command tells of it, then a method uses it."""
    assert a.tilts_rad is not None
    numbers = (images, a.tilts_rad, [a.tilt_axis_rad, a.pixel_nm, a.focus_nm, *depths, reach_nm, voxel_nm])
    key = sha256(b"".join(np.ascontiguousarray(part, float).tobytes() for part in numbers)).digest()
    if key not in _last:
        found = align_series(a, images, depths, features, reach_nm, voxel_nm, progress)
        _last.clear()
        _last[key] = found
    return _last[key]


def depths_nm(acquisition: Acquisition, margin_nm: float, range_nm: float, free: bool) -> tuple[float, float]:
    """Depths below the focus plane where things may be [nm]; wider where the views have no zero of depth."""
    deep = acquisition.thickness_nm
    if deep is None:
        return -range_nm / 2, range_nm / 2
    margin = margin_nm + FREE * deep * free
    return -acquisition.focus_nm - margin, deep - acquisition.focus_nm + margin


def contrast(acquisition: Acquisition, contours: Contours | str | None, scale_nm: float) -> np.ndarray:
    """Images (V, Y, X) of how much each pixel shows of a line: about 1 on a clear one, 0 on the foil beside it.

    What a dislocation does to a pixel, dark or bright, counts: back projection asks for something that adds up along
    rays whatever the view, and the lobes of an inclined line do not.
    """
    a = acquisition
    if contours is None:
        images = np.stack([line_disturbance(view, scale_nm / a.pixel_nm)[0] for view in a.views])
        return (images - np.median(images, axis=(1, 2), keepdims=True)) / _CLEAR
    if isinstance(contours, str):
        contours = find_contours(contours, a.views, a.pixel_nm, scale_nm)
    return np.stack([drawn(curves, a.views.shape[1:], a.pixel_nm, scale_nm) for curves in contours.curves_nm])


def drawn(curves_nm: Any, shape: tuple[int, int], pixel_nm: float, scale_nm: float) -> np.ndarray:
    """Image (Y, X) of curves (K, 2) [nm], Gaussian across with half the width of a line; 1 along the middle of each."""
    image = np.zeros(shape)
    for curve in curves_nm:
        points, _ = resample(curve, np.zeros(len(curve)), pixel_nm / 2)
        at = points / pixel_nm - 0.5
        low = np.floor(at).astype(int)
        for right in (0, 1):
            for down in (0, 1):
                column, row = (low + np.array([right, down])).T
                part = (1 - np.abs(at - low - [right, down])).prod(axis=1)
                there = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
                np.add.at(image, (row[there], column[there]), part[there] / 2)
    width = scale_nm / pixel_nm
    return gaussian_filter(image, width, truncate=3.0) * (np.sqrt(2 * np.pi) * width)


def elongation(slopes: np.ndarray) -> float:
    """How much longer along the beam than across a point comes out that was imaged from these slopes (V,).

    Radermacher, in Electron Tomography (1992), of tilts up to an angle to both sides.
    """
    a = float(np.ptp(np.arctan(slopes))) / 2
    return float(np.sqrt((a + np.sin(a) * np.cos(a)) / max(a - np.sin(a) * np.cos(a), 1e-9)))


def within(curves: CurveSet, depths: tuple[float, float]) -> CurveSet:
    """Curves whose middle lies between two depths [nm]: what is beyond the faces is no line of the foil."""
    kept = [depths[0] <= np.median(curve[:, 2]) <= depths[1] for curve in curves.curves_nm]
    return replace(
        curves,
        curves_nm=tuple(c for c, k in zip(curves.curves_nm, kept) if k),
        sigma_nm=tuple(s for s, k in zip(curves.sigma_nm, kept) if k),
    )
