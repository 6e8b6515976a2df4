"""points-tomo: particles as the bright spots of a volume that is made from how much of the beam each view lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Alignment
from veristem.datasets.reconstruction import PointSet
from veristem.datasets.volume import Volume
from veristem.recon import registration
from veristem.recon.particles.background import background, check_views
from veristem.recon.particles.matched import typical_radius
from veristem.recon.stereo.pairs import middle_nm
from veristem.recon.tomography.alignment import Series
from veristem.recon.tomography.maps import Maps
from veristem.recon.tomography.projector import Projector
from veristem.recon.tomography.series import aligned_once, depths_nm, elongation, of_series, told_of
from veristem.recon.tomography.sirt import ITERATIONS, MOST_ITERATIONS, sirt

_VOXEL = 0.5  # of a radius
_WIDTH = 0.5  # standard deviation of the Gaussian that a particle is looked for with, in radii
_SIGNIFICANT = 6.0  # how dark a particle is, in standard deviations of where none is
_CLEAR = 0.5  # of how dark the clearest are, that a particle is at least
_CLEAREST = 10
_SHOWING = 1 / 3  # of the views, that show its place: where fewer do, what lies behind each other is a spot too
_SHADES = {"diameter_nm": None, "voxel_nm": None, "depth_margin_nm": 20.0, "depth_range_nm": 500.0}
_REACH = 2.0  # radii from where a particle is expected in a view to where it is looked for
_OF_MEDIAN = 1.25  # standard deviation of a median over that of a mean
_LEAST = 0.05  # standard deviation of a centre that is more than its noise tells, in radii


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    diameter_nm: float | None = None,
    iterations: int = ITERATIONS,
    volume: bool = False,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    voxel_nm: float | None = None,
) -> PointSet | Volume:
    """Particles in 3D from a tilt series, or the volume itself.

    The volume is that of `sirt`, of minus the logarithm of counts over what they would be without particles, so that
    its values are absorption per nm. A particle is a spot as large as it, longer along the beam by as much as the
    wedge without views draws it out.

    Parameters
    ----------
    acquisition : Acquisition
        Views about one axis, two or more.
    alignment : Alignment, optional
        Where the views lie, as in `stereo.classical.reconstruct`; found from the images if not given.
    diameter_nm : float, optional
        Of the particles [nm]; found from the images if not given.
    iterations : int
        Of `sirt`.
    volume : bool
        Return the volume itself.
    depth_margin_nm, depth_range_nm, voxel_nm
        As of `series.reconstruct`; a voxel is half a radius if not given.

    Raises
    ------
    InputError
        For fewer than two views, views about more than one axis, an empty or saturated view, or a bad parameter.
    """
    if not 1 <= iterations <= MOST_ITERATIONS:
        raise InputError(f"iterations: {iterations} found, 1 to {MOST_ITERATIONS} allowed")
    a = acquisition
    shades = _shades(a, diameter_nm, voxel_nm, depth_margin_nm, depth_range_nm)
    images, radius, voxel, _ = shades
    free = alignment is None and registration.sequential(a)
    depths = depths_nm(a, depth_margin_nm, depth_range_nm, free)
    if alignment is None:
        alignment = _aligned(a, shades).alignment if of_series(a) else registration.align(a)[0]
    maps = Maps.of(images, a.pixel_nm, alignment, depths, voxel)
    projector = Projector(maps.slopes, maps.grey.shape[2], maps.depths_nm / voxel, voxel)
    made = maps.volume(sirt(projector, maps.grey, maps.inside, iterations), a.focus_nm, a.field_nm)
    deep = a.thickness_nm
    if volume and not (free and deep):
        return made
    found = spots(made, maps, radius, a.focus_nm)
    if free and deep:  # nothing tells the zero of depth but that the film holds them
        down = np.array([0.0, 0.0, deep / 2 - middle_nm([found.points_nm], deep, depth_margin_nm)])
        made = replace(made, origin_nm=made.origin_nm + down)
        found = replace(found, points_nm=found.points_nm + down)
    return made if volume else found


def told(acquisition: Acquisition, **parameters) -> list[str]:
    """What the method finds of how views lie, in lines for people; parameters are its own, others are ignored."""
    if not of_series(acquisition):
        return registration.told(acquisition)
    given = {name: parameters.get(name, other) for name, other in _SHADES.items()}
    return told_of(acquisition, _aligned(acquisition, _shades(acquisition, **given)), "particles", "particles")


class Shades(NamedTuple):
    """How much of the beam each view lacks (V, Y, X), radius of a particle, side of a voxel and range of depth [nm]."""

    images: np.ndarray
    radius_nm: float
    voxel_nm: float
    depths_nm: tuple[float, float]


def _shades(
    a: Acquisition,
    diameter_nm: float | None,
    voxel_nm: float | None,
    depth_margin_nm: float,
    depth_range_nm: float,
) -> Shades:
    if len(a.views) < 2:
        raise InputError(f"views: {len(a.views)} found, at least 2 allowed for tomography, many of a tilt series")
    for name, value in (("diameter_nm", diameter_nm), ("voxel_nm", voxel_nm), ("depth_range_nm", depth_range_nm)):
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"{name}: {value:g} found, a positive number allowed")
    check_views(a.views)
    ground = background(a.views)
    radius = typical_radius(a.views, ground) * a.pixel_nm if diameter_nm is None else diameter_nm / 2
    voxel = max(a.pixel_nm, _VOXEL * radius) if voxel_nm is None else voxel_nm
    depths = depths_nm(a, depth_margin_nm, depth_range_nm, free=False)
    return Shades(np.log(ground / np.maximum(a.views, 0.5)), radius, voxel, depths)


def _aligned(a: Acquisition, shades: Shades) -> Series:
    """By the particles that all views show."""

    def features(maps: Maps, slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = spots(maps.volume(slices, a.focus_nm, a.field_nm), maps, shades.radius_nm, a.focus_nm).points_nm
        return found, np.zeros_like(found)

    images, radius, voxel, depths = shades
    return aligned_once(a, images, depths, features, _REACH * radius, voxel)


def spots(volume: Volume, maps: Maps, radius_nm: float, focus_nm: float) -> PointSet:
    """Bright spots of the size of a particle that most views show as dark as most spots.

    Parameters
    ----------
    volume : Volume
        A tomogram.
    maps : Maps
        Of which it was made.
    radius_nm : float
        Of a particle [nm].
    focus_nm : float
        Depth of the focus plane [nm].

    Returns
    -------
    PointSet
        Centres by the parabola through a spot's neighbours along each axis; covariances of what counts let them err,
        and at least `_LEAST` of a radius.
    """
    longer = elongation(maps.slopes)
    widths = _WIDTH * radius_nm / volume.voxel_nm * np.array([longer, 1.0, 1.0])
    smooth = ndimage.gaussian_filter(volume.values, widths, mode="nearest", truncate=3.0)
    apart = 2 * np.ceil(2 * widths).astype(int) + 1
    top = (smooth == ndimage.maximum_filter(smooth, apart, mode="nearest")) & (smooth > smooth.mean())
    top[[0, -1]] = top[:, [0, -1]] = top[:, :, [0, -1]] = False  # no side to tell the middle by
    index = np.argwhere(top)
    place, width = index.astype(float), np.ones_like(index, float)
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        before, at, after = (smooth[tuple((index + by * step).T)] for by in (-1, 0, 1))
        curve = np.maximum(2 * at - before - after, 1e-12)
        place[:, axis] += np.clip((after - before) / (2 * curve), -0.5, 0.5)
        width[:, axis] = np.sqrt(np.maximum(at, 1e-12) / curve)  # standard deviation of the spot as a Gaussian
    points = volume.origin_nm + (place[:, ::-1] + 0.5) * volume.voxel_nm
    dark, noise, views = _darkness(points, maps, radius_nm, focus_nm)
    kept = (dark > _SIGNIFICANT * noise) & (views >= _SHOWING * len(maps.grey))
    if kept.any():
        kept &= dark > _CLEAR * np.median(np.sort(dark)[-_CLEAREST:])
    error = width[kept][:, ::-1] * volume.voxel_nm * (noise / np.maximum(dark, 1e-12))[kept, None]
    error = np.hypot(error, _LEAST * radius_nm * np.array([1.0, 1.0, longer]))
    count = int(kept.sum())
    return PointSet(
        points[kept],
        error[:, :, None] ** 2 * np.eye(3),
        np.full(count, radius_nm),
        views[kept],
        np.zeros(count),
    )


def _darkness(points_nm: np.ndarray, maps: Maps, radius_nm: float, focus_nm: float):
    """Median (K,) over the views that show a place of how dark it is there, its standard deviation (K,) where nothing
    is, and the number of these views (K,)."""
    width = _WIDTH * radius_nm / maps.frame.pixel_nm
    values = np.full((len(maps.grey), len(points_nm)), np.nan)
    noises = np.zeros(len(maps.grey))
    for view, (grey, inside) in enumerate(zip(maps.grey, maps.inside)):
        smooth = ndimage.gaussian_filter(grey, width, truncate=3.0)
        known = smooth[inside]
        middle = np.median(known) if len(known) else 0.0
        noises[view] = 1.4826 * np.median(np.abs(known - middle)) if len(known) else 0.0
        at = maps.places(points_nm, view, focus_nm)
        there = ndimage.map_coordinates(inside.astype(np.uint8), at, order=0, cval=0) > 0
        values[view, there] = ndimage.map_coordinates(smooth, at, order=1)[there] - middle
    views = np.isfinite(values).sum(axis=0)
    dark = np.zeros(len(points_nm))
    dark[views > 0] = np.nanmedian(values[:, views > 0], axis=0)
    return dark, _OF_MEDIAN * np.sqrt(np.mean(noises**2) / np.maximum(views, 1)), views
