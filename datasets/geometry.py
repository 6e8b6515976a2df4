"""Frames, view directions and detector regions (conventions: docs/conventions.md).

Specimen frame: x along the fast scan, y along the slow scan, z along the beam, entrance face z = 0. Angles are (N, 2)
arrays (theta_x, theta_y) [rad] of the *incident* rays; a ray has direction (tan theta_x, tan theta_y, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from veristem.datasets.errors import InputError

_BORDER_RAD = 1e-9  # of azimuth: so that rounding gives what lies on a border to one of the sectors beside it


def project(points_nm, direction_rad, focus_nm: float, to_image=None) -> np.ndarray:
    """Image position (N, 2) [nm] of specimen points (N, 3) [nm] for incidence ``direction_rad`` (2,).

    r = (x, y) - (z - z_f) tan(theta), with the scan focused on the plane z_f = ``focus_nm``; in the image of a tilted
    or moved specimen A r + b, with ``to_image`` (2, 3) = [A b].
    """
    points = np.asarray(points_nm, float)
    place = points[..., :2] - (points[..., 2:] - focus_nm) * np.tan(np.asarray(direction_rad, float))
    return place if to_image is None else mapped(place, to_image)


def mapped(places_nm, affine) -> np.ndarray:
    """Places (..., 2) after the map [A b] (2, 3): A r + b."""
    affine = np.asarray(affine, float)
    return places_nm @ affine[:, :2].T + affine[:, 2]


def inverse(affine) -> np.ndarray:
    """The map (2, 3) that takes back what [A b] does."""
    back = np.linalg.inv(np.asarray(affine, float)[:, :2])
    return np.column_stack([back, -back @ affine[:, 2]])


def composed(after, before) -> np.ndarray:
    """The map (2, 3) that does ``before`` and then ``after``."""
    after, before = np.asarray(after, float), np.asarray(before, float)
    return np.column_stack([after[:, :2] @ before[:, :2], after[:, :2] @ before[:, 2] + after[:, 2]])


@dataclass(frozen=True)
class Tilt:
    """A turn of the specimen about an axis in the image plane, through the middle of the field on the focus plane.

    Parameters
    ----------
    angle_rad : float
        Right-handed about the axis [rad].
    axis_rad : float
        Azimuth of the axis, from x towards y [rad].
    """

    angle_rad: float = 0.0
    axis_rad: float = 0.0

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3) from the specimen frame to that of the beam."""
        return rotation_about([np.cos(self.axis_rad), np.sin(self.axis_rad), 0.0], self.angle_rad)

    def into_specimen(self, theta_rad) -> np.ndarray:
        """Directions (..., 2) in the specimen frame of rays (..., 2) in the frame of the beam [rad]."""
        theta = np.asarray(theta_rad, float)
        if not self.angle_rad:
            return theta
        ray = np.concatenate([np.tan(theta), np.ones((*theta.shape[:-1], 1))], axis=-1) @ self.rotation
        return np.arctan(ray[..., :2] / ray[..., 2:])

    @property
    def direction_rad(self) -> np.ndarray:
        """Direction (2,) of the beam in the specimen frame [rad]."""
        return self.into_specimen(np.zeros(2))

    def to_image(self, field_nm, turn_rad: float = 0.0, shift_nm=(0.0, 0.0)) -> np.ndarray:
        """Map (2, 3) from the focus plane to the image, which is foreshortened across the axis.

        The scan follows the tilted focus plane (dynamic focus). ``turn_rad`` turns the image about its middle and
        ``shift_nm`` (2,) moves it.
        """
        across = np.array([np.sin(self.axis_rad), -np.cos(self.axis_rad)])
        c, s = np.cos(turn_rad), np.sin(turn_rad)
        linear = np.array([[c, -s], [s, c]]) @ (np.eye(2) - (1 - np.cos(self.angle_rad)) * np.outer(across, across))
        middle = np.asarray(field_nm, float) / 2
        return np.column_stack([linear, middle - linear @ middle + shift_nm])


def rotation_about(axis, angle_rad: float) -> np.ndarray:
    """(3, 3) matrix of the right-handed rotation about ``axis``."""
    from scipy.spatial.transform import Rotation

    axis = np.asarray(axis, float)
    return Rotation.from_rotvec(angle_rad * axis / np.linalg.norm(axis)).as_matrix()


def specimen_from_crystal(zone_axis, g, g_azimuth_rad: float, tilt_rad: float) -> np.ndarray:
    """Rotation (3, 3) that takes crystal Cartesian vectors to the specimen frame.

    Parameters
    ----------
    zone_axis, g : (3,) float
        Crystal Cartesian vectors (any length): the zone axis, along +z before the tilt, and the reflection in
        the image.
    g_azimuth_rad : float
        Direction of g in the image, from x towards y [rad].
    tilt_rad : float
        Tilt from the zone axis that raises the excitation error [rad]: the Bragg angle brings the reflection to s = 0.

    Raises
    ------
    InputError
        When g is not perpendicular to the zone axis.
    """
    z = np.asarray(zone_axis, float) / np.linalg.norm(zone_axis)
    along = np.asarray(g, float) / np.linalg.norm(g)
    if abs(z @ along) > 1e-6:
        angle = np.degrees(np.arccos(np.clip(z @ along, -1, 1)))
        raise InputError(f"g: {angle:.2f} deg from the zone axis found, 90 allowed; choose a reflection of that zone")
    crystal = np.stack([along, np.cross(z, along), z])  # rows: g, z x g, z
    c, s = np.cos(g_azimuth_rad), np.sin(g_azimuth_rad)
    specimen = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    # s grows as g turns towards the source: s = -g_z - lambda g^2 / 2 at theta = 0
    return rotation_about(np.cross([0.0, 0.0, 1.0], specimen[0]), tilt_rad) @ specimen.T @ crystal


@dataclass(frozen=True)
class Region:
    """A sector of an annulus in the plane of the rays: a virtual disc is the full annulus with inner radius 0.

    Parameters
    ----------
    center_rad : (float, float)
        Centre of the annulus [rad].
    outer_rad, inner_rad : float
        Radii [rad].
    start_rad, width_rad : float
        Azimuth at which the sector begins, from x towards y, and its opening [rad].
    pixel_rad : float
        Side of the pixels of a pixelated detector, of which the region has those whole whose centres lie in it [rad];
        0 without pixels.
    corner_rad : (float, float)
        A corner of any of these pixels [rad].
    """

    center_rad: tuple[float, float]
    outer_rad: float
    inner_rad: float = 0.0
    start_rad: float = 0.0
    width_rad: float = 2 * np.pi
    pixel_rad: float = 0.0
    corner_rad: tuple[float, float] = (0.0, 0.0)

    @property
    def full(self) -> bool:
        """Whether it is a whole ring or disc, without pixels."""
        return self.width_rad >= 2 * np.pi and not self.pixel_rad

    def contains(self, theta_rad: np.ndarray) -> np.ndarray:
        """Which of the directions (..., 2) lie in the region."""
        d = np.asarray(theta_rad) - self.center_rad
        if self.pixel_rad:
            from_corner = np.asarray(self.corner_rad) - self.center_rad
            d = from_corner + (np.floor((d - from_corner) / self.pixel_rad) + 0.5) * self.pixel_rad
        r = np.hypot(d[..., 0], d[..., 1])
        inside = (r >= self.inner_rad) & (r < self.outer_rad)
        if self.width_rad < 2 * np.pi:
            turned = np.arctan2(d[..., 1], d[..., 0]) - self.start_rad
            inside &= (turned + _BORDER_RAD) % (2 * np.pi) < self.width_rad
        return inside

    def bounds_rad(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper corner (2,) of a square around the region [rad]."""
        center, half = np.asarray(self.center_rad), self.outer_rad + self.pixel_rad
        return center - half, center + half

    def directions(self, convergence_rad: float, count: int = 400) -> np.ndarray:
        """Directions (N, 2) on a fine uniform grid over the region, clipped by the rim of the cone [rad]."""
        return directions_of([self], convergence_rad, count)

    def rays(self, convergence_rad: float, step_rad: float) -> tuple[np.ndarray, np.ndarray]:
        """Directions (K, 2) [rad] in square cells over the clipped region, and each one's share (K,) of the cone.

        Each direction is the centroid of what its cell holds of the region, so that their mean is that of the region.
        """
        theta, share = rays_of([self], convergence_rad, step_rad)
        return theta, share[0]

    def mean_direction_rad(self, convergence_rad: float, tilt: Tilt | None = None) -> np.ndarray:
        """Mean direction (2,) of the uniformly filled region after clipping by the rim [rad].

        In the frame of a tilted specimen it is the direction with the mean tangent.

        Raises
        ------
        InputError
            When no part of the region lies within the cone.
        """
        theta = self.directions(convergence_rad)
        if not len(theta):
            away = 1e3 * (np.hypot(*self.center_rad) or self.inner_rad)
            raise InputError(
                f"detector: region at {away:.1f} mrad found, outside the cone of {1e3 * convergence_rad:.1f} mrad, "
                "where no electrons are; choose a smaller angle or a larger convergence semi-angle"
            )
        if tilt is None or not tilt.angle_rad:
            return theta.mean(axis=0)
        return np.arctan(np.tan(tilt.into_specimen(theta)).mean(axis=0))

    def fraction(self, convergence_rad: float) -> float:
        """Share of the electrons of the uniformly filled cone that the region receives."""
        low, high = self.bounds_rad()
        cell = np.prod(high - low) / 400**2
        return float(len(self.directions(convergence_rad)) * cell / (np.pi * convergence_rad**2))


@dataclass(frozen=True)
class Part(Region):
    """What some regions have in common and others have not, within the circle around all of them."""

    within: tuple[Region, ...] = ()
    without: tuple[Region, ...] = ()

    def contains(self, theta_rad: np.ndarray) -> np.ndarray:
        """Which of the directions (..., 2) lie in it."""
        theta = np.asarray(theta_rad)
        inside = np.ones(theta.shape[:-1], bool)
        for region in self.within:
            inside &= region.contains(theta)
        for region in self.without:
            inside &= ~region.contains(theta)
        return inside


def enclosing(regions: Sequence[Region]) -> Region:
    """The disc about the optic axis that holds all of some regions."""
    return Region((0.0, 0.0), max(float(np.hypot(*region.center_rad)) + region.outer_rad for region in regions))


def disjoint(regions: Sequence[Region], points_rad: np.ndarray) -> tuple[list[Region], np.ndarray]:
    """Parts that share no direction, and which of them each region is made of.

    Regions that overlap count the same electrons twice; the counts of parts are independent.

    Parameters
    ----------
    regions : sequence of Region
        V of them.
    points_rad : (..., 2) float
        Directions that tell where they overlap, of all pixels if the regions are made of whole ones [rad].

    Returns
    -------
    parts : list of Region
        P of them; the regions themselves if none overlap.
    member : (V, P) bool
        Which parts make up each region.
    """
    inside = np.array([region.contains(points_rad).ravel() for region in regions])
    if inside.sum(axis=0).max(initial=0) <= 1:
        return list(regions), np.eye(len(regions), dtype=bool)
    member = np.unique(inside[:, inside.any(axis=0)], axis=1)
    outer, one = enclosing(regions).outer_rad, regions[0]
    parts: list[Region] = [
        Part(
            (0.0, 0.0),
            outer,
            pixel_rad=one.pixel_rad,
            corner_rad=one.corner_rad,
            within=tuple(region for region, has in zip(regions, of) if has),
            without=tuple(region for region, has in zip(regions, of) if not has),
        )
        for of in member.T
    ]
    return parts, member


def directions_of(regions: Sequence[Region], convergence_rad: float, count: int = 400) -> np.ndarray:
    """Directions (N, 2) in any of some regions about one centre, on a uniform grid over the largest [rad].

    However an annulus is divided into regions, all together have the same directions.
    """
    low, high = max(regions, key=lambda region: region.outer_rad).bounds_rad()
    offset = (np.arange(count) + 0.5) / count
    x, y = np.meshgrid(low[0] + offset * (high - low)[0], low[1] + offset * (high - low)[1])
    theta = np.stack([x, y], axis=-1).reshape(-1, 2)
    inside = np.any([region.contains(theta) for region in regions], axis=0)
    return theta[inside & (np.hypot(theta[:, 0], theta[:, 1]) <= convergence_rad)]


def rays_of(regions: Sequence[Region], convergence_rad: float, step_rad: float, *fields) -> tuple[np.ndarray, ...]:
    """Rays for some regions about one centre, so that images of the regions add up to that of all.

    Parameters
    ----------
    regions : sequence of Region
        V of them.
    convergence_rad : float
        Semi-angle of the cone [rad].
    step_rad : float
        Side of the square cells, of one ray each [rad].
    *fields : callable
        Functions of directions (N, 2), to be averaged over the cells.

    Returns
    -------
    theta_rad : (K, 2) float
        Centroids of what each cell holds of the regions [rad].
    share : (V, K) float
        Share of the cone that each region has in each cell.
    *means : (K, 2) float
        Of the fields.
    """
    low, high = max(regions, key=lambda region: region.outer_rad).bounds_rad()
    cells = int(np.ceil((high - low)[0] / step_rad))
    points = max(400, 4 * cells)
    fine = directions_of(regions, convergence_rad, points)
    at = np.minimum(((fine - low) / (high - low) * cells).astype(int), cells - 1)
    _, cell, count = np.unique(at @ [cells, 1], return_inverse=True, return_counts=True)
    theta, *means = (
        np.column_stack([np.bincount(cell, values[:, axis]) / count for axis in (0, 1)])
        for values in (fine, *(field(fine) for field in fields))
    )
    held = np.array([np.bincount(cell, region.contains(fine), len(count)) for region in regions])
    return theta, held * np.prod((high - low) / points) / (np.pi * convergence_rad**2), *means


def around_one_centre(regions: Sequence[Region]) -> list[list[int]]:
    """Numbers of the regions about each centre, in order."""
    found: dict[tuple[float, float], list[int]] = {}
    for number, region in enumerate(regions):
        found.setdefault(region.center_rad, []).append(number)
    return list(found.values())


def ring_rad(regions: Sequence[Region], convergence_rad: float) -> float:
    """Radius of the ring about the optic axis on which some regions lie [rad]; 0 for a disc on the axis.

    Of regions off the axis the distance of their centres, of rings and sectors about it the mean over what lies in the
    cone; the mean over all regions.
    """
    radii = []
    for region in regions:
        radius = float(np.hypot(*region.center_rad))
        if not radius and (region.inner_rad or region.width_rad < 2 * np.pi):
            theta = region.directions(convergence_rad, 100)
            radius = float(np.linalg.norm(theta, axis=1).mean()) if len(theta) else 0.0
        radii.append(radius)
    return float(np.mean(radii))


def pair_angle_rad(first_rad, second_rad) -> float:
    """Angle between two ray directions (2,) [rad]."""
    a, b = (np.append(np.tan(np.asarray(t, float)), 1.0) for t in (first_rad, second_rad))
    return float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


def widest_pair(directions_rad: np.ndarray) -> tuple[int, int]:
    """The two views farthest apart, in the order of the views.

    Parameters
    ----------
    directions_rad : (V, 2) float
        Mean direction of each view [rad].

    Raises
    ------
    InputError
        With fewer than two directions.
    """
    if len(directions_rad) < 2:
        raise InputError(f"views: {len(directions_rad)} found, at least 2 allowed for stereo")
    distance = np.linalg.norm(directions_rad[:, None] - directions_rad[None], axis=2)
    i, j = np.unravel_index(distance.argmax(), distance.shape)
    if distance[i, j] < 1e-6:
        raise InputError("directions_rad: all views share one direction, at least two different ones allowed")
    return int(i), int(j)


def epipolar_direction(directions_rad: np.ndarray) -> np.ndarray | None:
    """Unit direction (2,) in the image along which the widest pair shifts what lies deeper; None without a pair.

    Parameters
    ----------
    directions_rad : (V, 2) float
        Mean direction of each view [rad].
    """
    if not len(directions_rad) or np.ptp(directions_rad, axis=0).max() < 1e-6:
        return None
    first, second = np.tan(np.asarray(directions_rad)[list(widest_pair(directions_rad))])
    return (first - second) / np.linalg.norm(first - second)
