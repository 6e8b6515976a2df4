"""How the views of a tilt series lie: shifts, tilt axis and tilts, from what all of them show.

Neighbours are laid on each other by correlation, stretched as their tilts say, and each view then on the projection of
what all of them make (projection matching). The lines or particles in that volume are followed through all views, and
where they are, and how the views lie, is found together from where they show (bundle adjustment).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates, uniform_filter1d
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import Tilt, project
from veristem.datasets.intermediate import Alignment
from veristem.recon.registration.coarse import correlation
from veristem.recon.registration.pictures import Picture, binned, rotation
from veristem.recon.tomography.maps import Maps
from veristem.recon.tomography.projector import Projector
from veristem.recon.tomography.wbp import wbp

FEWEST = 5  # views
_SMALL_PX = 96  # side of what is correlated
_MATCHED = 6  # rounds of projection matching
_NEAR_PX = 4  # by which it may move a view in a round
_ROUNDS = 3  # of following and adjusting
_TILT = np.radians(0.3)  # how far off a read-out is expected
_AXIS = np.radians(2.0)
_OFF = 0.5  # standard deviation of where a feature shows [pixels]
_SHIFT_NM, _FREE_NM = 20.0, 20.0  # by which a view and a feature may move in a round
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


class Series(NamedTuple):
    """What was found. told (V,): whether a view's own images tell where it lies."""

    views: Views
    alignment: Alignment
    told: np.ndarray


def align_series(
    acquisition: Acquisition,
    images: np.ndarray,
    depths_nm: tuple[float, float],
    features: Callable[[Maps, np.ndarray], tuple[np.ndarray, np.ndarray]],
    reach_nm: float,
    voxel_nm: float,
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
    """
    a = acquisition
    assert a.tilts_rad is not None
    first = int(np.abs(a.tilts_rad).argmin())
    views = Views(np.zeros(len(images)), 0.0, np.zeros((len(images), 2)))
    views, told = _chained(a, images, views, first, depths_nm)
    for _ in range(_MATCHED):
        views = _matched(a, images, views, first, depths_nm)
    for _ in range(_ROUNDS):
        maps = Maps.of(images, a.pixel_nm, views.alignment(a), depths_nm, voxel_nm)
        places, along = features(maps, _volume(maps))
        if not len(places):
            break
        views = _adjusted(a, images, views, first, places, along, reach_nm)
    return Series(views, views.alignment(a), told)


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
    projector = Projector(maps.slopes, maps.grey.shape[2], maps.depths_nm / maps.frame.pixel_nm, maps.frame.pixel_nm)
    slices = np.maximum(wbp(projector, maps.grey, maps.inside, maps.slopes), 0)
    rows = len(slices)
    expected = np.moveaxis((projector.forth @ slices.reshape(rows, -1).T).reshape(len(images), -1, rows), 2, 1)
    middle, steps = np.array(maps.frame.shape[::-1]) - 1, np.zeros((len(images), 2))
    for view in range(len(images)):
        inside = maps.inside[view]
        given = Picture(np.where(inside, expected[view], 0.0), inside)
        alike = correlation(given, Picture(np.where(inside, maps.grey[view], 0.0), inside))
        x, y = middle
        near = alike[y - _NEAR_PX : y + _NEAR_PX + 1, x - _NEAR_PX : x + _NEAR_PX + 1]
        row, column = np.unravel_index(near.argmax(), near.shape)
        steps[view] = _peak(near, row, column) - _NEAR_PX
    return _moved(a, views, maps, steps - steps[first])


def _peak(values: np.ndarray, row: int, column: int) -> np.ndarray:
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


def _adjusted(a: Acquisition, images, views: Views, first: int, places, along, reach_nm: float) -> Views:
    """Views and features moved so that features show where they were seen, by least squares that bear outliers."""
    count, pixel = len(images), a.pixel_nm
    now = views.alignment(a)
    assert now.to_image is not None
    seen_view, seen_feature, seen_at, seen_normal = [], [], [], []
    for view in range(count):
        at = project(places, now.directions_rad[view], a.focus_nm, now.to_image[view])
        ahead = project(places + along, now.directions_rad[view], a.focus_nm, now.to_image[view]) - at
        for normal in _normals(ahead):
            off, clear = _followed(images[view], at / pixel, normal, reach_nm / pixel)
            seen_view.append(np.full(clear.sum(), view))
            seen_feature.append(np.flatnonzero(clear))
            seen_at.append((at + off[:, None] * pixel * normal)[clear])
            seen_normal.append(normal[clear])
    view, feature = np.concatenate(seen_view), np.concatenate(seen_feature)
    at, normal = np.concatenate(seen_at), np.concatenate(seen_normal)
    if len(view) < 10 * count:
        return views
    scale = np.concatenate(
        [np.full(count, _TILT), [_AXIS], np.full(2 * count, _SHIFT_NM), np.full(3 * len(places), _FREE_NM)]
    )
    scale[count + 1 + 2 * first : count + 3 + 2 * first] = 1e-3  # it stays where it is

    def with_(part: np.ndarray) -> tuple[Views, np.ndarray]:
        change = part * scale
        tilts, turn = views.tilts_rad + change[:count], views.turn_rad + change[count]
        shifts = views.shifts_nm + change[count + 1 : 3 * count + 1].reshape(-1, 2)
        return Views(tilts, float(turn), shifts), places + change[3 * count + 1 :].reshape(-1, 3)

    prior = np.concatenate([views.tilts_rad / _TILT, [views.turn_rad / _AXIS], np.zeros(2 * count + 3 * len(places))])

    def left(part: np.ndarray) -> np.ndarray:
        there, points = with_(part)
        lie = there.alignment(a)
        assert lie.to_image is not None
        tangents = np.tan(lie.directions_rad)[view]
        points = points[feature]
        on_plane = points[:, :2] - (points[:, 2:] - a.focus_nm) * tangents
        shown = np.einsum("nij,nj->ni", lie.to_image[view][:, :, :2], on_plane) + lie.to_image[view][:, :, 2]
        return np.concatenate([((shown - at) * normal).sum(axis=1) / (_OFF * pixel), part + prior])

    rows = np.arange(len(view))
    own = [view, np.full(len(view), count), count + 1 + 2 * view, count + 2 + 2 * view]
    own += [3 * count + 1 + 3 * feature + axis for axis in range(3)]
    size = len(scale)
    at_row = np.concatenate([*[rows] * len(own), len(view) + np.arange(size)])
    at_column = np.concatenate([*own, np.arange(size)])
    pattern = csr_matrix((np.ones(len(at_row)), (at_row, at_column)), (len(view) + size, size))
    found = least_squares(left, np.zeros(size), jac_sparsity=pattern, loss="soft_l1", max_nfev=20)
    print(found.cost, found.nfev, found.status, 2 * found.cost / len(view), len(view), len(places))
    return with_(found.x)[0]


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
