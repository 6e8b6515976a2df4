"""How the views of a tilt series lie: shifts, tilt axis and tilts, from what all of them show.

Neighbours are laid on each other by correlation, stretched as their tilts say, and each view then on the projection of
what all of them make (projection matching). The lines or particles in that volume are followed through all views, and
where they are, and how the views lie, is found together from where they show (bundle adjustment).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter1d
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import spsolve

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import Tilt, project
from veristem.datasets.intermediate import Alignment
from veristem.recon.registration.coarse import correlation
from veristem.recon.registration.pictures import Picture, binned, rotation
from veristem.recon.tomography.maps import Maps
from veristem.recon.tomography.projector import Projector
from veristem.recon.tomography.weighted import sharpened, wbp

Progress = Callable[[Iterable, int], Iterable]
FEWEST = 5  # views
_SMALL_PX = 96  # side of what is correlated
_MATCHED = 3  # rounds of projection matching
_NEAR_PX = 4  # by which it may move a view in a round
_TILT = np.radians(0.1)  # how far off a read-out is expected
_AXIS = np.radians(1.0)
# of each round: by which a view may move across the axis and, where straight lines tell little, along it, and how far
# off a feature may show [pixels]
_ROUNDS_PX = ((4.0, 2.0, 1.0), (2.0, 1.0, 0.5), (1.0, 0.3, 0.2))
_FREE_PX = 10.0  # by which a feature may move in a round
_STEPS, _STEP = 6, 1e-4  # of the adjustment: rounds, and by which unknowns are moved for their slopes
_SAME = 0.8  # cosine between where a line is expected to lead and where it does, beyond which it is another
_OBSERVED = 10  # of features a view, on the average, without which nothing is adjusted
_ALIKE = 0.3  # correlation of neighbours below which nothing tells how they lie


class Views(NamedTuple):
    """How views lie against what is nominal: tilts (V,) and turn of all images [rad], and shifts (V, 2) [nm]."""

    tilts_rad: np.ndarray
    turn_rad: float
    shifts_nm: np.ndarray

    def alignment(self, acquisition: Acquisition) -> Alignment:
        """Directions and maps to the images."""
        a = acquisition
        assert a.tilts_rad is not None
        tilts = [
            (Tilt(float(t), a.tilt_axis_rad), Tilt(float(t + off), a.tilt_axis_rad))
            for t, off in zip(a.tilts_rad, self.tilts_rad)
        ]
        change = np.array([now.direction_rad - before.direction_rad for before, now in tilts])
        to_image = [now.to_image(a.field_nm, self.turn_rad, shift) for (_, now), shift in zip(tilts, self.shifts_nm)]
        return Alignment(a.directions_rad + change, np.array(to_image))


class Seen(NamedTuple):
    """Where features were seen.

    view, feature (N,). at (N, 2): place in the image [nm]. normal (N, 2): along which it tells; a line is alike along
    itself.
    """

    view: np.ndarray
    feature: np.ndarray
    at: np.ndarray
    normal: np.ndarray


class Series(NamedTuple):
    """What was found.

    told (V,): whether a view is alike enough to its neighbours to tell where it lies. seen: the features by which it
    was told, none where there are too few. off_nm (N,): how far each shows from where it should, along its normal.
    """

    views: Views
    alignment: Alignment
    told: np.ndarray
    seen: Seen
    off_nm: np.ndarray


def align_series(
    acquisition: Acquisition,
    images: np.ndarray,
    depths_nm: tuple[float, float],
    features: Callable[[Maps, np.ndarray], tuple[np.ndarray, np.ndarray]],
    reach_nm: float,
    voxel_nm: float,
    progress: Progress = lambda steps, _: steps,
) -> Series:
    """Find how the views of a series lie; the least tilted one stays where it is.

    Parameters
    ----------
    acquisition : Acquisition
        `FEWEST` views or more of a tilted specimen.
    images : (V, Y, X) float
        Their contrast: above 0 on what is to be followed, about 0 beside it.
    depths_nm : (float, float)
        Below the focus plane, between which things may be [nm].
    features : function of Maps and slices (R, Z, C)
        Returns places (J, 3) and directions (J, 3) along which each is alike, 0 where along none [nm].
    reach_nm : float
        How far from where it is expected a feature is looked for [nm].
    voxel_nm : float
        Of the volume in which features are found [nm].
    progress : callable
        Wraps the loop over (steps, their number).
    """
    a = acquisition
    assert a.tilts_rad is not None
    first = int(np.abs(a.tilts_rad).argmin())
    views = Views(np.zeros(len(images)), 0.0, np.zeros((len(images), 2)))
    views, told = _chained(a, images, views, first, depths_nm)
    steps = [None] * _MATCHED + [*_ROUNDS_PX]
    followed, off = Seen(*np.zeros((2, 0), int), *np.zeros((2, 0, 2))), np.zeros(0)
    for round_px in progress(steps, len(steps)):
        if round_px is None:
            views = _matched(a, images, views, first, depths_nm)
            continue
        maps = Maps.of(images, a.pixel_nm, views.alignment(a), depths_nm, voxel_nm)
        places, along = features(maps, _volume(maps))
        if not len(places):
            break
        seen = _seen(a, images, views, places, along, reach_nm)
        if len(seen.view) < _OBSERVED * len(images):
            break
        views, places = _adjusted(a, views, first, places, seen, round_px)
        followed, off = seen, _off_nm(a, views.alignment(a), places, seen)
    return Series(views, views.alignment(a), told, followed, off)


def _volume(maps: Maps) -> np.ndarray:
    """Slices (R, Z, C) by weighted back projection."""
    voxel = maps.frame.pixel_nm
    projector = Projector(maps.slopes, maps.grey.shape[2], maps.depths_nm / voxel, voxel)
    return wbp(projector, maps.grey, maps.inside, maps.slopes)


def _small(a: Acquisition, images: np.ndarray, views: Views, depths_nm: tuple[float, float]) -> Maps:
    """Maps of binned images."""
    step = max(1, -(-max(images.shape[1:]) // _SMALL_PX))
    small = np.stack([binned(image, step) for image in images])
    return Maps.of(small, a.pixel_nm * step, views.alignment(a), depths_nm, a.pixel_nm * step)


def _moved(a: Acquisition, views: Views, maps: Maps, steps_px: np.ndarray) -> Views:
    """Views that show on the focus plane by (V, 2) pixels farther on what they should, moved back."""
    to_image = views.alignment(a).to_image
    assert to_image is not None
    on_plane = steps_px * maps.frame.pixel_nm @ rotation(maps.frame.azimuth_rad).T
    shifts = views.shifts_nm + np.einsum("vij,vj->vi", to_image[:, :, :2], on_plane)
    return views._replace(shifts_nm=shifts)


def _chained(a: Acquisition, images: np.ndarray, views: Views, first: int, depths_nm) -> tuple[Views, np.ndarray]:
    """Each view laid on its neighbour in the order of tilts, and which of them can be."""
    maps = _small(a, images, views, depths_nm)
    assert a.tilts_rad is not None
    order = np.argsort(a.tilts_rad, kind="stable")
    middle = np.array(maps.frame.shape[::-1]) - 1
    step, told = np.zeros((len(images), 2)), np.ones(len(images), bool)
    for one, other in itertools.pairwise(order):
        pictures = [Picture(np.where(maps.inside[v], maps.grey[v], 0.0), maps.inside[v]) for v in (one, other)]
        parallax = abs(maps.slopes[one] - maps.slopes[other]) * np.ptp(depths_nm) / maps.frame.pixel_nm
        alike = uniform_filter1d(correlation(*pictures), max(1, round(parallax)), axis=1, mode="constant")
        row, column = np.unravel_index(alike.argmax(), alike.shape)
        step[other] = _peak(alike, row, column) - middle
        told[other] = alike[row, column] > _ALIKE / max(1, round(parallax))
    off = np.zeros_like(step)
    off[order] = np.cumsum(step[order], axis=0)
    return _moved(a, views, maps, off - off[first]), told


def _matched(a: Acquisition, images: np.ndarray, views: Views, first: int, depths_nm) -> Views:
    """Each view laid on the projection of what the others make."""
    maps = _small(a, images, views, depths_nm)
    count, rows, columns = maps.grey.shape
    projector = Projector(maps.slopes, columns, maps.depths_nm / maps.frame.pixel_nm, maps.frame.pixel_nm)
    filtered = np.moveaxis(sharpened(maps.grey * maps.inside, maps.slopes, projector.voxel), 1, 2)
    volume = projector.back @ filtered.reshape(-1, rows)
    steps = np.zeros((count, 2))
    for view in range(count):
        rays = projector.forth[view * columns : (view + 1) * columns]
        expected = (rays @ (volume - rays.T @ filtered[view])).T
        pictures = [
            Picture(np.where(maps.inside[view], grey, 0.0), maps.inside[view]) for grey in (expected, maps.grey[view])
        ]
        alike = correlation(*pictures)
        x, y = np.array(maps.frame.shape[::-1]) - 1
        near = alike[max(y - _NEAR_PX, 0) : y + _NEAR_PX + 1, x - _NEAR_PX : x + _NEAR_PX + 1]
        row, column = np.unravel_index(near.argmax(), near.shape)
        steps[view] = _peak(near, row, column) - [min(x, _NEAR_PX), min(y, _NEAR_PX)]
    return _moved(a, views, maps, steps - steps[first])


def _peak(values: np.ndarray, row: Any, column: Any) -> np.ndarray:
    """Place (x, y) of a peak to a part of a pixel, by parabolas."""
    found = []
    for at, line in ((column, values[row]), (row, values[:, column])):
        if not 0 < at < len(line) - 1:
            found.append(float(at))
            continue
        before, here, after = line[at - 1 : at + 2]
        bend = before - 2 * here + after
        found.append(at + (0.5 * (before - after) / bend if bend < 0 else 0.0))
    return np.array(found)


def _seen(a: Acquisition, images: np.ndarray, views: Views, places, along, reach_nm: float) -> Seen:
    """Features followed in all views."""
    now, pixel, found = views.alignment(a), a.pixel_nm, []
    points = ~along.any(axis=1)
    assert now.to_image is not None
    for view, image in enumerate(images):
        at = project(places, now.directions_rad[view], a.focus_nm, now.to_image[view])
        ahead = project(places + along, now.directions_rad[view], a.focus_nm, now.to_image[view]) - at
        for normal in _normals(ahead):
            off, clear = _followed(image, at / pixel, normal, reach_nm / pixel)
            there = at + off[:, None] * pixel * normal
            if not points.any():
                across = _across(image, there / pixel, reach_nm / pixel / 2)
                clear &= np.abs((across * normal).sum(axis=1)) > _SAME
                normal = across
            found.append(Seen(np.full(clear.sum(), view), np.flatnonzero(clear), there[clear], normal[clear]))
    return Seen(*(np.concatenate(parts) for parts in zip(*found)))


def _adjusted(
    a: Acquisition, views: Views, first: int, places: np.ndarray, seen: Seen, round_px
) -> tuple[Views, np.ndarray]:
    """Views and features moved so that features show where they were seen, by least squares that bear outliers."""
    count, pixel, (view, feature, *_) = len(views.tilts_rad), a.pixel_nm, seen
    # unknowns of views and features in what is expected of them, by group: each residual has one of each
    groups = [view, np.full(len(view), count), count + 1 + view, 2 * count + 1 + view]
    groups += [3 * count + 1 + 3 * feature + axis for axis in range(3)]
    start = 3 * count + 1
    scale = np.full(start + 3 * len(places), _FREE_PX * pixel)
    # places that scatter more than is taken for them tell less of small tilts than their number would say
    left = 1.4826 * np.median(np.abs(_off_nm(a, views.alignment(a), places, seen)))
    tilt = _TILT / max(1.0, left / (round_px[2] * pixel))
    scale[:start] = np.repeat([tilt, _AXIS, round_px[0] * pixel, round_px[1] * pixel], [count, 1, count, count])
    scale[[count + 1 + first, 2 * count + 1 + first]] = 1e-6  # it stays where it is
    prior = np.zeros(len(scale))
    prior[: count + 1] = [*views.tilts_rad / tilt, views.turn_rad / _AXIS]

    def moved(part: np.ndarray) -> tuple[Views, np.ndarray]:
        change = part * scale
        shifts = views.shifts_nm + change[count + 1 : start].reshape(2, -1).T @ rotation(a.tilt_axis_rad - np.pi / 2).T
        there = Views(views.tilts_rad + change[:count], views.turn_rad + float(change[count]), shifts)
        return there, places + change[start:].reshape(-1, 3)

    def off(part: np.ndarray) -> np.ndarray:
        there, points = moved(part)
        return _off_nm(a, there.alignment(a), points, seen) / (round_px[2] * pixel)

    part, rows = np.zeros(len(scale)), np.arange(len(view))
    for _ in range(_STEPS):
        here = off(part)
        slopes = []
        for group in groups:
            stepped = part.copy()
            stepped[np.unique(group)] += _STEP
            slopes.append((off(stepped) - here) / _STEP)
        where = np.concatenate([rows] * len(groups)), np.concatenate(groups)
        jacobian = csr_matrix((np.concatenate(slopes), where), (len(view), len(scale)))
        weight = 1 / (1 + here**2)  # of a loss that hardly grows far out: another line there
        weighted = jacobian.multiply(weight[:, None]).tocsr()
        normal_matrix = (weighted.T @ jacobian + identity(len(scale))).tocsc()
        part = part - spsolve(normal_matrix, weighted.T @ here + part + prior)
    return moved(part)


def _off_nm(a: Acquisition, lie: Alignment, places: np.ndarray, seen: Seen) -> np.ndarray:
    """How far (N,) features should show from where they were seen, along their normals [nm]."""
    assert lie.to_image is not None
    points, maps = places[seen.feature], lie.to_image[seen.view]
    on_plane = points[:, :2] - (points[:, 2:] - a.focus_nm) * np.tan(lie.directions_rad)[seen.view]
    shown = np.einsum("nij,nj->ni", maps[:, :, :2], on_plane) + maps[:, :, 2]
    return ((shown - seen.at) * seen.normal).sum(axis=1)


def _normals(ahead: np.ndarray) -> list[np.ndarray]:
    """Directions (J, 2) in which a feature is told by its image: across a line; along x and along y for a point."""
    length = np.linalg.norm(ahead, axis=1, keepdims=True)
    point = length[:, 0] < 1e-9
    across = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.maximum(length, 1e-9)
    if not point.any():
        return [across]
    across[point] = 1.0, 0.0
    other = np.where(point[:, None], [0.0, 1.0], across)
    return [across, other]


def _across(image: np.ndarray, at_px: np.ndarray, width_px: float) -> np.ndarray:
    """Unit vectors (J, 2) across bright lines at places [px], as the image has them."""
    where = at_px.T[::-1] - 0.5
    xx, xy, yy = (
        map_coordinates(gaussian_filter(image, width_px, order), where, order=1)  # type: ignore
        for order in ((0, 2), (1, 1), (2, 0))
    )
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2  # the second derivative is lowest across
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _followed(
    image: np.ndarray, at_px: np.ndarray, normal: np.ndarray, reach_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far (J,) along normals the brightest place is [px], and where (J,) there is one."""
    steps = np.arange(-np.ceil(reach_px), np.ceil(reach_px) + 1)
    where = at_px[:, None] + steps[:, None] * normal[:, None] - 0.5
    values = map_coordinates(image, [where[..., 1], where[..., 0]], order=1, cval=-1.0)
    inside = (where >= 0).all(axis=(1, 2)) & (where <= np.array(image.shape[::-1]) - 1).all(axis=(1, 2))
    k = values.argmax(axis=1)
    good = inside & (k > 0) & (k < len(steps) - 1) & (values.max(axis=1) > 0.25)
    k = np.clip(k, 1, len(steps) - 2)
    rows = np.arange(len(k))
    before, here, after = (values[rows, k + n] for n in (-1, 0, 1))
    bend = before - 2 * here + after
    good &= bend < 0
    return steps[k] + 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), good
