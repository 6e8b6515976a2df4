"""Views taken one after the other: each lies somewhere else, and the axis not quite where it is said to be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import Tilt, composed, inverse
from veristem.datasets.intermediate import Alignment
from veristem.recon.registration.link import Link, Pair

_AXIS = np.radians(2.0)  # how far an axis is expected from where it is said to be
_FARTHEST = np.radians(6.0)  # beyond which the images contradict themselves rather than it
_TRIED_DEG = np.arange(15.0, 181.0, 15.0)  # axes from which one is sought
_KNOWN = np.radians(5.0)  # standard error up to which an axis is found


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


def align(acquisition: Acquisition) -> tuple[Alignment, bool]:
    """The stage ``alignment`` of methods, and whether depths have lost their zero by it.

    Nominal for views of one scan, registered for those of several as far as their images tell.
    """
    if sequential(acquisition):
        registered = register(acquisition)
        if any(link.found for link in registered.links):
            return registered.alignment, True
    return Alignment(acquisition.directions_rad, acquisition.to_image), False


@lru_cache(maxsize=1)
def register(acquisition: Acquisition, axis_known: bool = True) -> Registration:
    """Register views that were taken one after the other, each to its neighbour in the order of tilts.

    The frame stays that of the nominal axis: images in which the axis is turned are turned as a whole.

    Parameters
    ----------
    acquisition : Acquisition
        Views of a tilted specimen.
    axis_known : bool
        Whether the axis is expected within some 2 degrees of where it is said to be.
    """
    assert acquisition.tilts_rad is not None
    order = np.argsort(acquisition.tilts_rad, kind="stable").tolist()
    first = int(np.abs(acquisition.tilts_rad).argmin())
    neighbours = [(0, 1)] if len(order) == 2 else list(itertools.pairwise(order))
    links, moves = zip(*(_pair(acquisition, views, 0.0).link() for views in neighbours))
    axis, error = _axis(links, axis_known)
    if axis:
        again = [_pair(acquisition, views, axis) for views in neighbours]
        links = [pair.link(move)[0] if link.found else link for pair, link, move in zip(again, links, moves)]
    on_plane = {first: np.eye(2, 3)}
    while len(on_plane) < len(order):
        for link in links:
            a, b = link.views
            if a in on_plane and b not in on_plane:
                on_plane[b] = composed(link.map_nm, on_plane[a])
            elif b in on_plane and a not in on_plane:
                on_plane[a] = composed(inverse(link.map_nm), on_plane[b])
    nominal = _maps(acquisition, axis)
    to_image = np.array([composed(nominal[v], on_plane[v]) for v in range(len(order))])
    return Registration(Alignment(acquisition.directions_rad, to_image), tuple(links), axis, error)


def _pair(acquisition: Acquisition, views: tuple[int, int], axis: float) -> Pair:
    maps = _maps(acquisition, axis)
    return Pair(acquisition, views, (maps[views[0]], maps[views[1]]))


def _maps(acquisition: Acquisition, turn_rad: float) -> np.ndarray:
    """Nominal maps (V, 2, 3) from the focus plane to the images, if these are turned as a whole."""
    tilts = [Tilt(float(angle), acquisition.tilt_axis_rad) for angle in acquisition.tilts_rad]  # type: ignore[union-attr]
    return np.array([tilt.to_image(acquisition.field_nm, turn_rad) for tilt in tilts])


def _axis(links: tuple[Link, ...], known: bool) -> tuple[float, float]:
    """Turn of the axis and its standard error, what is expected of it counted in."""
    told = [(link.axis_rad, link.axis_error_rad) for link in links if link.found and abs(link.axis_rad) < _FARTHEST]
    weights = np.array([max(error, np.radians(0.05)) ** -2 for _, error in told])
    total = weights.sum() + (_AXIS**-2 if known else 0.0)
    if not total:
        return 0.0, np.inf
    return float(weights @ [turn for turn, _ in told] / total), float(total**-0.5)
