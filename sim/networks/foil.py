"""Cutting: a network to a box, a foil from a bulk network, and the continuation of what was cut."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork

_FAR_NM = 1.0e4  # how far a line that leaves the foil is continued
_MOST_COPIES = 10**5  # of a periodic cell in a foil
_MOST_POINTS = 10**7  # along all lines of a network
_MOST_SEGMENTS, _MOST_LOOKED_AT = 10**6, 10**9  # of a periodic network in a foil: memory, and minutes
_TRIES = 100  # of random places for a foil


def clip(network: DislocationNetwork, low_nm, high_nm) -> DislocationNetwork:
    """The part of a network inside a box; lines end, pinned, on its faces.

    Parameters
    ----------
    network : DislocationNetwork
        Not periodic.
    low_nm, high_nm : (3,) float
        Corners of the box [nm].
    """
    low, high = np.asarray(low_nm, float), np.asarray(high_nm, float)
    first, second = network.ends_nm()
    d = second - first
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (low - first) / d, (high - first) / d
    within = (first >= low) & (first <= high)
    enter = np.where(d == 0, np.where(within, -np.inf, np.inf), np.minimum(a, b)).max(axis=1, initial=-np.inf)
    leave = np.where(d == 0, np.where(within, np.inf, -np.inf), np.maximum(a, b)).min(axis=1, initial=np.inf)
    s0, s1 = np.maximum(enter, 0), np.minimum(leave, 1)
    keep = np.flatnonzero(s1 - s0 > 1e-9)
    s0, s1 = s0[keep], s1[keep]
    ends = network.segments[keep].copy()
    nodes, pinned = [network.nodes_nm], [network.pinned]
    count = len(network.nodes_nm)
    for column, s, cut in ((0, s0, s0 > 0), (1, s1, s1 < 1)):
        new = np.flatnonzero(cut)
        points = first[keep[new]] + s[new, None] * d[keep[new]]
        nodes.append(np.clip(points, low, high))
        pinned.append(np.ones(len(new), bool))
        ends[new, column] = count + np.arange(len(new))
        count += len(new)
    used, renumbered = np.unique(ends, return_inverse=True)
    return DislocationNetwork(
        np.concatenate(nodes)[used],
        renumbered.reshape(-1, 2),
        network.burgers_nm[keep],
        np.concatenate(pinned)[used],
        plane_normals=None if network.plane_normals is None else network.plane_normals[keep],
    )


def between_faces(network: DislocationNetwork, size_nm, side: float = 0.5) -> DislocationNetwork:
    """The part between the faces of a foil of that size (3,) [nm], up to ``side`` times it beyond the field's sides."""
    size = np.asarray(size_nm, float)
    return clip(network, np.array([-side, -side, 0.0]) * size, np.array([1 + side, 1 + side, 1.0]) * size)


def crossing(through, along, size_nm, reach: float = 3.0) -> np.ndarray:
    """Ends (..., 2, 3) [nm] of straight lines on the faces of a foil, or beyond the sides if nearly parallel to them.

    Parameters
    ----------
    through, along : (..., 3) float
        A point of each line [nm] and its direction, a unit vector.
    size_nm : (3,) float
        Field width, field height and thickness [nm].
    reach : float
        Farthest end from the point, over the largest of those sizes.
    """
    far = reach * np.max(size_nm)
    with np.errstate(divide="ignore"):
        to_faces = np.sort((np.array([0.0, size_nm[2]]) - through[..., 2:]) / along[..., 2:], axis=-1)
    return through[..., None, :] + np.clip(to_faces, -far, far)[..., None] * along[..., None, :]


def forward(direction) -> np.ndarray:
    """A unit vector (3,) or its opposite: the one along +z, else +y, else +x. The sign of a line is then that of b."""
    toward = direction[::-1][np.abs(direction[::-1]) > 1e-9][0]
    return direction * np.copysign(1.0, toward)


def continued(network: DislocationNetwork, low_nm, high_nm) -> DislocationNetwork:
    """The network with every line that ends on the box continued far outside, along the normal of that face.

    A line that stopped at a face would be a source of strain of its own; continued along its tangent it would run on
    just above the face, and its strain would draw a line where there is none. Ends within the box (pinned sources) stay
    as they are. Corners may be given for each node, (N, 3), where a face is not flat.
    """
    low, high = np.asarray(low_nm, float), np.asarray(high_nm, float)
    nodes = network.nodes_nm
    degree = np.bincount(network.segments.ravel(), minlength=len(nodes))
    normal = np.isclose(nodes, high, atol=1e-6).astype(float) - np.isclose(nodes, low, atol=1e-6)
    normal[np.abs(normal[:, 2]) > 0, :2] = 0.0  # on an edge of the box the foil's face counts
    points, burgers = [], []
    for m, column in itertools.product(range(len(network.segments)), (0, 1)):
        node = network.segments[m, column]
        if degree[node] == 1 and normal[node].any():
            far = nodes[node] + _FAR_NM * normal[node]
            points.append((nodes[node], far) if column else (far, nodes[node]))
            burgers.append(network.burgers_nm[m])
    if not points:
        return network
    segments = np.arange(2 * len(points)).reshape(-1, 2)
    extra = DislocationNetwork(np.reshape(points, (-1, 3)), segments, np.array(burgers), np.ones(2 * len(points), bool))
    return DislocationNetwork.union([network, extra])


def cut_below(network: DislocationNetwork, exit_nm: Callable) -> DislocationNetwork:
    """The part of a network above an exit face ``exit_nm(x, y)`` that is not flat; lines end, pinned, on it.

    Segments are short against what changes the face, so that they cross it at most once, and where it is straight.
    """
    inside = exit_nm(*network.nodes_nm[:, :2].T) - network.nodes_nm[:, 2]
    ends = inside[network.segments]
    crossing = np.flatnonzero((ends > 0).any(axis=1) & (ends < 0).any(axis=1))
    t = ends[crossing, 0] / (ends[crossing, 0] - ends[crossing, 1])
    first, second = (x[crossing] for x in network.ends_nm())
    nodes = first + t[:, None] * (second - first)
    nodes[:, 2] = exit_nm(*nodes[:, :2].T)
    segments = network.segments.copy()
    segments[crossing, np.where(ends[crossing, 0] < 0, 0, 1)] = len(inside) + np.arange(len(crossing))
    keep = (ends > 0).any(axis=1)
    used, renumbered = np.unique(segments[keep], return_inverse=True)
    pinned = np.concatenate([network.pinned, np.ones(len(crossing), bool)])
    pinned[: len(inside)] |= inside <= 0
    return DislocationNetwork(
        np.concatenate([network.nodes_nm, nodes])[used],
        renumbered.reshape(-1, 2),
        network.burgers_nm[keep],
        pinned[used],
    )


def tiled(network: DislocationNetwork, low_nm, high_nm) -> DislocationNetwork:
    """A periodic network repeated so that it fills a box of its own frame; no longer periodic.

    Raises
    ------
    InputError
        When its cell is so small that this takes over 100 000 copies.
    """
    assert network.box_nm is not None
    size = network.box_nm[1] - network.box_nm[0]
    # wherever its copy stood in the file: a node far out would only make the search long
    home = network.nodes_nm - size * np.floor((network.nodes_nm - network.box_nm[0]) / size)
    network = replace(network, nodes_nm=home)
    first, second = network.ends_nm()
    jump = np.rint((second - network.nodes_nm[network.segments[:, 1]]) / size).astype(int)
    reach = [np.minimum(first, second).min(axis=0), np.maximum(first, second).max(axis=0)]
    steps = [
        range(int(np.floor((lo - b) / s)), int(np.ceil((hi - a) / s)) + 1)
        for lo, hi, a, b, s in zip(low_nm, high_nm, *reach, size)
    ]
    copies = math.prod(map(len, steps))
    if copies > _MOST_COPIES:
        raise InputError(
            f"network: a periodic cell of {' x '.join(f'{s:.3g}' for s in size)} nm found, of which {copies:.3g} would "
            f"be in the foil, at most {_MOST_COPIES} allowed; write it with a larger cell, or take a smaller field"
        )
    keys, burgers, held = [], [], 0
    zero = np.zeros(len(first), int)
    for done, shift in enumerate(itertools.product(*steps), 1):
        if held > _MOST_SEGMENTS or done * len(first) > _MOST_LOOKED_AT:
            raise InputError(
                f"network: {len(first)} segments in a cell of {' x '.join(f'{s:.3g}' for s in size)} nm found, "
                f"{copies} copies of which would be in the foil, at most {_MOST_SEGMENTS} segments allowed; take a "
                "smaller field"
            )
        offset = np.array(shift) * size
        top, bottom = np.maximum(first, second) + offset, np.minimum(first, second) + offset
        own = ((top >= low_nm) & (bottom <= high_nm)).all(axis=1)
        start = np.column_stack([network.segments[:, 0], *(zero + s for s in shift)])
        stop = np.column_stack([network.segments[:, 1], jump + np.array(shift)])
        keys.append(np.stack([start, stop], axis=1)[own])
        burgers.append(network.burgers_nm[own])
        held += len(burgers[-1])
    nodes, index = np.unique(np.concatenate(keys).reshape(-1, 4), axis=0, return_inverse=True)
    return DislocationNetwork(
        network.nodes_nm[nodes[:, 0]] + nodes[:, 1:] * size,
        index.reshape(-1, 2),
        np.concatenate(burgers),
        network.pinned[nodes[:, 0]],
    )


def _line_points(network: DislocationNetwork, step_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) along all segments and the length that each stands for (N,)."""
    counts = np.maximum(1, np.ceil(network.lengths_nm / step_nm).astype(int))
    if counts.sum() > _MOST_POINTS:
        raise InputError(
            f"network: {network.lengths_nm.sum():.3g} nm of line found, at most {_MOST_POINTS * step_nm:.3g} nm "
            "allowed for a foil of this size; a node may be far off, else take a larger field or a thicker foil"
        )
    segment = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    first, _ = network.ends_nm()
    fraction = (rank + 0.5) / counts[segment]
    points = first[segment] + fraction[:, None] * network.vectors_nm[segment]
    return points, (network.lengths_nm / counts)[segment]


def richest_center(network: DislocationNetwork, rotation, size_nm) -> tuple[np.ndarray, float]:
    """Where a foil of size (x, y, z) [nm] holds most line: its centre (3,), in the network's frame, and that length."""
    half = np.asarray(size_nm, float) / 2
    points, lengths = _line_points(network, min(size_nm) / 8)
    candidates = points[:: max(1, len(points) // 400)]
    best, center = -1.0, points[0]
    for candidate in candidates:
        d = points - candidate
        if network.box_nm is not None:
            cell = network.box_nm[1] - network.box_nm[0]
            d -= cell * np.rint(d / cell)
        held = float(lengths[(np.abs(d @ rotation.T) <= half).all(axis=1)].sum())
        if held > best:
            best, center = held, candidate
    return center, best


def place_of(network: DislocationNetwork, rotation, size_nm, place, rng: np.random.Generator) -> np.ndarray:
    """Centre (3,) of a foil in the frame of a bulk network [nm].

    Parameters
    ----------
    network, rotation, size_nm
        As of `cut_foil`.
    place : "densest", "random" or (3,) float
        Where it holds most line; anywhere in the network's cell, or in the box around it, where it holds any; there.
    rng : numpy.random.Generator
        Of a random place.
    """
    if not isinstance(place, str):
        return np.asarray(place, float)
    if place == "densest" or not len(network.segments):
        return richest_center(network, rotation, np.asarray(size_nm, float))[0]
    low, high = _extent_nm(network)
    for center in rng.spawn(1)[0].uniform(low, high, (_TRIES, 3)):
        try:
            cut_foil(network, rotation, size_nm, 0.0, center)
        except InputError:  # nothing there
            continue
        return center
    raise InputError(f"specimen.network.place: no line in {_TRIES} random foils found; take a larger field, or densest")


def place_note(bulk: DislocationNetwork, foil: DislocationNetwork, size_nm, place, center_nm) -> str:
    """Where a foil was cut, and how much line it holds against the whole network."""
    low, high = _extent_nm(bulk)
    volume = float(np.prod(high - low))
    own = clip(foil, np.zeros(3), np.asarray(size_nm, float)).lengths_nm.sum() / np.prod(size_nm)
    where = "(" + ", ".join(f"{c:.4g}" for c in center_nm) + ") nm"
    how = {"densest": "where it holds most line, about", "random": "at random, about"}.get(str(place), "about")
    text = f"foil cut {how} {where} of the file: {1e18 * own:.3g} of line per m2"
    if volume > 0:
        whole = bulk.lengths_nm.sum() / volume
        text += f", {own / whole:.3g} times the {1e18 * whole:.3g} of the whole file"
    return text + "; specimen.network.place chooses another place"


def _extent_nm(network: DislocationNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Corners (3,) of the cell, or of the box around all nodes."""
    if network.box_nm is not None:
        return network.box_nm[0], network.box_nm[1]
    return network.nodes_nm.min(axis=0), network.nodes_nm.max(axis=0)


def cut_foil(network: DislocationNetwork, rotation, size_nm, side_nm: float, center_nm) -> DislocationNetwork:
    """A foil from a bulk network, in the specimen frame with the corner of its field at the origin.

    Parameters
    ----------
    network : DislocationNetwork
        Bulk network, periodic or not.
    rotation : (3, 3) float
        Takes the network's frame to the specimen frame; Burgers vectors turn along.
    size_nm : (3,) float
        Field width, field height and thickness [nm].
    side_nm : float
        What is kept beyond each side of the field, because its strain reaches in [nm].
    center_nm : (3,) float
        Centre of the foil in the network's frame.

    Raises
    ------
    InputError
        When the foil holds no line, or the network's cell or length is beyond measure.
    """
    if not len(network.segments):
        raise InputError("network: no segments found, at least one allowed")
    size = np.asarray(size_nm, float)
    center = np.asarray(center_nm, float)
    margin = np.array([side_nm, side_nm, 0.0])
    low, high = -margin, size + margin
    if network.box_nm is not None:
        corners = np.array(list(itertools.product(*zip(low - size / 2, high - size / 2)))) @ rotation + center
        network = tiled(network, corners.min(axis=0), corners.max(axis=0))
    foil = clip(network.rotated(rotation, center, size / 2), low, high)
    if not len(clip(foil, np.zeros(3), size).segments):
        where = ", ".join(f"{c:.0f}" for c in center)
        raise InputError(
            f"network: no line found in the foil about ({where}) nm; choose another centre or a larger field"
        )
    return foil


def sparse_note(network: DislocationNetwork, rotation, size_nm) -> list[str]:
    """A sentence, with a field that would do, when the best foil of this size holds less line than half its width."""

    def enough(field_nm: float) -> bool:
        return richest_center(network, rotation, np.array([field_nm, field_nm, size_nm[2]]))[1] >= field_nm / 2

    width = float(min(size_nm[:2]))
    if enough(width):
        return []
    for factor in (1.5, 2.0, 3.0, 4.0, 0.7, 0.5, 0.35, 0.25):
        if enough(factor * width):
            would_do = f"a field of {factor * width:.0f} nm would do"
            break
    else:
        would_do = "no field of 0.25 to 4 times that width would do either"
    return [
        f"the network is too sparse for a field of {width:.0f} nm: its best foil holds less line than half that; "
        + would_do
    ]


def deeper(network: DislocationNetwork, shift_nm: float, thickness_nm: float) -> DislocationNetwork:
    """All lines moved along the beam by less than their own length; those that end on a face still do.

    Parameters
    ----------
    network : DislocationNetwork
        Between the faces 0 and ``thickness_nm``.
    shift_nm : float
        Along z [nm].
    thickness_nm : float
        Of the foil [nm].
    """
    nodes = network.nodes_nm.copy()
    degree = np.bincount(network.segments.ravel(), minlength=len(nodes))
    face = 0.0 if shift_nm > 0 else thickness_nm  # the face that lines would come off
    for m, column in itertools.product(range(len(network.segments)), (0, 1)):
        node = network.segments[m, column]
        if degree[node] == 1 and abs(nodes[node, 2] - face) < 1e-6:
            along = nodes[node] - network.nodes_nm[network.segments[m, 1 - column]]
            if abs(along[2]) > 0.05 * np.linalg.norm(along):  # one that runs along the face leaves it at the side
                nodes[node] += along * (-shift_nm / along[2])
    nodes[:, 2] += shift_nm
    low, high = nodes.min(axis=0) - 1.0, nodes.max(axis=0) + 1.0
    low[2], high[2] = 0.0, thickness_nm
    return clip(replace(network, nodes_nm=nodes), low, high)
