"""Views taken one after the other: each lies somewhere else, and the axis not quite where it is said to be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import Tilt, composed, inverse, mapped
from veristem.datasets.intermediate import Alignment
from veristem.recon.registration.link import Link, Move, Pair, unmoved
from veristem.recon.registration.votes import AXIS, SHIFT, TURN

_AXIS = np.radians(2.0)  # how far an axis is expected from where it is said to be
_FARTHEST = np.radians(6.0)  # beyond which the images contradict themselves rather than it
_TRIED_DEG = np.arange(22.5, 181.0, 22.5)  # axes from which one is sought
_KNOWN = np.radians(5.0)  # standard error up to which an axis is found
_NO_ZERO = "The images hold no zero of depth"
_last: dict[tuple, Registration] = {}


@dataclass(frozen=True, eq=False)
class Registration:
    """Where the views of an acquisition lie.

    Parameters
    ----------
    alignment : Alignment
        Directions and maps from the focus plane to each image, the first view (of a series, the least tilted) being
        where it is.
    links : tuple of Link
        What neighbours in the order of tilts tell of each other; those not found stay as they are said to be.
    axis_rad, axis_error_rad : float
        Turn of the tilt axis in the images from where it is said to be, and its standard error [rad].
    """

    alignment: Alignment
    links: tuple[Link, ...]
    axis_rad: float
    axis_error_rad: float

    @property
    def found(self) -> bool:
        """Whether all views are registered."""
        return all(link.found for link in self.links)


def sequential(acquisition: Acquisition) -> bool:
    """Whether the specimen was tilted from one view to another, so that each was scanned by itself."""
    return acquisition.tilts_rad is not None and float(np.ptp(acquisition.tilts_rad)) > 0


def align(acquisition: Acquisition, each: bool = False) -> tuple[Alignment, bool]:
    """The stage ``alignment`` of methods, and whether depths have lost their zero by it.

    Nominal for views of one scan, registered for those of several as far as their images tell. With ``each`` also those
    that do not show that they have a scan each, as views of an aperture that was moved.
    """
    if sequential(acquisition) or (each and acquisition.tilts_rad is None and len(acquisition.views) > 1):
        registered = register(acquisition)
        if any(len(link.places_nm) for link in registered.links):
            return registered.alignment, True
    return Alignment(acquisition.directions_rad, acquisition.to_image), False


def register(acquisition: Acquisition, axis_known: bool = True) -> Registration:
    """Register views that were taken one after the other, each to its neighbour in the order of tilts.

    The frame stays that of the nominal axis: images in which the axis is turned are turned as a whole.

    Parameters
    ----------
    acquisition : Acquisition
        Views of a tilted specimen, or of an aperture that was moved: these are registered to the first.
    axis_known : bool
        Whether the axis is expected within some 2 degrees of where it is said to be.
    """
    a = acquisition
    tilts = None if a.tilts_rad is None else a.tilts_rad.tobytes()
    key = a.id, a.directions_rad.tobytes(), tilts, a.tilt_axis_rad, a.pixel_nm, a.thickness_nm, axis_known
    if key not in _last:  # a command tells of it, then a method uses it, on a copy of the images
        found = _registered(acquisition, axis_known)
        _last.clear()
        _last[key] = found
    return _last[key]


def _registered(acquisition: Acquisition, axis_known: bool) -> Registration:
    first, neighbours = _neighbours(acquisition)
    links, moves = zip(*(_link(acquisition, views, 0.0) for views in neighbours))
    axis, error = (0.0, 0.0) if acquisition.tilts_rad is None else _axis(links, axis_known)
    if axis:
        starts = zip(neighbours, links, moves)
        links = [_link(acquisition, views, axis, move)[0] if link.found else link for views, link, move in starts]
    on_plane = {first: np.eye(2, 3)}
    while len(on_plane) < len(acquisition.views):
        for link in links:
            a, b = link.views
            if a in on_plane and b not in on_plane:
                on_plane[b] = composed(link.map_nm, on_plane[a])
            elif b in on_plane and a not in on_plane:
                on_plane[a] = composed(inverse(link.map_nm), on_plane[b])
    nominal = _maps(acquisition, axis)
    to_image = np.array([composed(nominal[v], on_plane[v]) for v in range(len(nominal))])
    return Registration(Alignment(acquisition.directions_rad, to_image), tuple(links), axis, error)


def about(acquisition: Acquisition, axis_rad: float) -> Acquisition:
    """The same views of a specimen in the beam, tilted about another axis [rad]."""
    assert acquisition.tilts_rad is not None
    directions = np.array([Tilt(float(angle), axis_rad).direction_rad for angle in acquisition.tilts_rad])
    return replace(acquisition, directions_rad=directions, tilt_axis_rad=axis_rad)


def find_axis(acquisition: Acquisition) -> tuple[float, float] | None:
    """Azimuth of the axis about which a pair was tilted, more than 0 and up to pi, and its standard error [rad].

    That of the parallax from which most patches are found in the other view. None when the images do not tell.
    """
    best, start = -np.inf, 0.0
    for axis in np.radians(_TRIED_DEG):
        pair = _pair(about(acquisition, axis), (0, 1), 0.0)
        _, votes = pair.refined(pair.coarse(), 1)
        geometry = votes.fit(np.zeros(4), (SHIFT, TURN, AXIS))
        if (voted := votes.of(geometry).sum()) > best:
            best, start = voted, axis + geometry[AXIS]
    registered = register(about(acquisition, start), axis_known=False)
    start += registered.axis_rad
    if not registered.found or registered.axis_error_rad > _KNOWN:
        return None
    return float(np.pi - (np.pi - start) % np.pi), registered.axis_error_rad


def tracked(acquisition: Acquisition) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points that were tracked from a view to its neighbour: view (N,), point (N,), places (N, 2) in the image [nm]."""
    registered = register(acquisition)
    nominal, found, count = _maps(acquisition, registered.axis_rad), [], 0
    for link in registered.links:
        places, moves = link.places_nm[link.point], link.moves_nm[link.point]
        for view, on_plane in zip(link.views, (places, places + moves)):
            points = count + np.arange(len(places))
            found.append((np.full(len(places), view), points, mapped(on_plane, nominal[view])))
        count += len(places)
    view, point, at = (np.concatenate(parts) for parts in zip(*found))
    return view, point, at


def told(acquisition: Acquisition) -> list[str]:
    """What registration found, in lines for people; warnings begin as such. Empty for views of one scan."""
    if not sequential(acquisition):
        return []
    registered, pixel = register(acquisition), acquisition.pixel_nm
    middle = np.asarray(acquisition.field_nm) / 2
    axis, error = np.degrees([acquisition.tilt_axis_rad + registered.axis_rad, registered.axis_error_rad])
    lines = []
    for link in registered.links:
        first, second = link.views
        if not link.found:
            lines.append(
                f"warning: views {first} and {second} cannot be registered: too little is alike in them to tell how "
                "they lie (no overlap, no texture, noise, another tilt axis?); they are taken as they are, and depths "
                "cannot be trusted"
            )
        elif len(registered.links) == 1:
            turn = np.degrees(np.arctan2(link.map_nm[1, 0], link.map_nm[0, 0]))
            x, y = (mapped(middle, link.map_nm) - middle) / pixel
            before, after = link.off_px(acquisition)
            lines.append(
                f"registered: view {second} is turned by {turn:+.2f} deg and moved by {x:+.1f} {y:+.1f} pixels against "
                f"view {first}; tilt axis at {axis:.1f} ± {error:.1f} deg; {int(link.point.sum())} points lie "
                f"{after:.1f} pixels (rms) across the epipolar direction, {before:.1f} before. {_NO_ZERO}"
            )
    if len(registered.links) > 1:
        count = sum(link.found for link in registered.links)
        lines.append(
            f"registered: {count} of {len(registered.links)} neighbours in the order of tilts; tilt axis at "
            f"{axis:.1f} ± {error:.1f} deg. {_NO_ZERO}"
        )
    return lines


def _neighbours(acquisition: Acquisition) -> tuple[int, list[tuple[int, int]]]:
    """The view that stays where it is, and the pairs of views that are registered with each other."""
    tilts, count = acquisition.tilts_rad, len(acquisition.views)
    if tilts is None or count == 2:
        return 0, [(0, view) for view in range(1, count)]
    return int(np.abs(tilts).argmin()), list(itertools.pairwise(np.argsort(tilts, kind="stable").tolist()))


def _link(
    acquisition: Acquisition, views: tuple[int, int], axis: float, start: Move | None = None
) -> tuple[Link, Move | None]:
    tilts = acquisition.tilts_rad
    if tilts is not None and tilts[views[0]] == tilts[views[1]]:
        return unmoved(views, found=True), None
    return _pair(acquisition, views, axis).link(start)


def _pair(acquisition: Acquisition, views: tuple[int, int], axis: float) -> Pair:
    maps = _maps(acquisition, axis)
    return Pair(acquisition, views, (maps[views[0]], maps[views[1]]))


def _maps(acquisition: Acquisition, turn_rad: float) -> np.ndarray:
    """Nominal maps (V, 2, 3) from the focus plane to the images, if these are turned as a whole."""
    if acquisition.tilts_rad is None:
        return np.tile(np.eye(2, 3), (len(acquisition.views), 1, 1))
    tilts = [Tilt(float(angle), acquisition.tilt_axis_rad) for angle in acquisition.tilts_rad]
    return np.array([tilt.to_image(acquisition.field_nm, turn_rad) for tilt in tilts])


def _axis(links: tuple[Link, ...], known: bool) -> tuple[float, float]:
    """Turn of the axis and its standard error, what is expected of it counted in."""
    told = [(link.axis_rad, link.axis_error_rad) for link in links if link.found and abs(link.axis_rad) < _FARTHEST]
    weights = np.array([max(error, np.radians(0.05)) ** -2 for _, error in told])
    total = weights.sum() + (_AXIS**-2 if known else 0.0)
    if not total:
        return 0.0, np.inf
    return float(weights @ [turn for turn, _ in told] / total), float(total**-0.5)
