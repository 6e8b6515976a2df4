"""Crystal-analysis files of OVITO (.ca, versions 4 to 6): dislocation lines found in atoms. Read only.

Read are PBC_FLAGS, the cell, CLUSTERS with their orientation, DISLOCATIONS and DISLOCATION_JUNCTIONS; other sections
are skipped. Positions are in Angstrom. A Burgers vector stands in the Cartesian lattice frame of its cluster; the
orientation matrix, which holds the lattice parameter, takes it to space. Two lines a dislocation tell which line end
comes next in the ring of ends around a node: first for its last point, then for its first (1 = last point of the
other, 0 = its first). Source: the OVITO manual, section on the CA file format.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import Lines
from veristem.datasets.network import DislocationNetwork

_COINCIDENT_NM = 0.01  # ends of one node stand at the same point but for rounding
_STRAINED = 0.05  # tolerance of conservation where clusters of different mean strain meet, relative to |b|


class _Line(NamedTuple):
    burgers: np.ndarray
    points: np.ndarray
    number: int


def read_ca(path: str | Path) -> DislocationNetwork:
    """The network in a .ca file: line ends that meet become one node, ends that meet nothing are pinned.

    The cell becomes ``box_nm`` when it is along the axes and periodic in all three directions; lines that meet across
    it are then joined by the minimum image. In another cell, ends that meet only across its boundary are pinned
    there.

    Raises
    ------
    InputError
        Naming the line of the first fault.
    """
    lines = Lines(path)
    version = _start(lines)
    cell, periodic, origin = np.zeros((3, 3)), False, np.zeros(3)
    clusters: dict[int, np.ndarray] = {}
    found: list[_Line] | None = None
    ring: list[tuple[int, int]] = []
    while (line := lines.next_or_none()) is not None:
        key, _, rest = line.partition(" ")
        if key == "SIMULATION_CELL_ORIGIN":
            origin = np.array(lines.numbers(rest, 3, "cell origin"))
        elif key == "SIMULATION_CELL_MATRIX":
            cell = _matrix(lines, "cell matrix")
        elif key == "SIMULATION_CELL":
            cell = np.array(lines.numbers(rest, 9, "cell matrix")).reshape(3, 3)
        elif key == "PBC_FLAGS":
            periodic = all(lines.numbers(rest, 3, "periodicity flags"))
        elif key == "CLUSTERS":
            clusters = _clusters(lines, lines.whole(rest, "number of clusters"), version)
        elif key == "DISLOCATIONS":
            found = _dislocations(lines, lines.whole(rest, "number of dislocations"), clusters, version)
        elif key == "DISLOCATION_JUNCTIONS":
            ring = _junctions(lines, len(found or ()))
            break  # only meshes come after
    if found is None:
        raise lines.error("no section DISLOCATIONS found, one allowed; export it from OVITO with the dislocation lines")
    if len(ring) != 2 * len(found):
        raise lines.error(
            "no section DISLOCATION_JUNCTIONS found, one after DISLOCATIONS allowed; the file is cut short"
        )
    box = None
    if periodic and np.count_nonzero(cell - np.diag(np.diag(cell))) == 0 and (np.diag(cell) > 0).all():
        box = 0.1 * np.array([origin, origin + np.diag(cell)])
    network = _network(lines, found, ring, box)
    try:
        network.check_conservation(1e-4 if len(clusters) == 1 else _STRAINED)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return network


def _start(lines: Lines) -> int:
    key, _, rest = lines.next("CA_FILE_VERSION").partition(" ")
    if key != "CA_FILE_VERSION":
        raise lines.error(f"{key[:40]!r} found, CA_FILE_VERSION allowed; export a Crystal Analysis file from OVITO")
    version = lines.whole(rest, "version")
    if version not in (4, 5, 6):
        raise lines.error(f"CA_FILE_VERSION {version} found, 4, 5 or 6 allowed; export it again from OVITO")
    return version


def _matrix(lines: Lines, what: str) -> np.ndarray:
    return np.array([lines.numbers(lines.next(what), 3, f"row of the {what}") for _ in range(3)])


def _clusters(lines: Lines, count: int, version: int) -> dict[int, np.ndarray]:
    """Orientation matrix [Angstrom] of each cluster by the number that dislocations call it."""
    clusters: dict[int, np.ndarray] = {}
    for index in range(count):
        what = f"cluster {index + 1} of {count}"
        if version == 4:  # keyword; id and processor; pattern; atoms; centre; nine numbers. Called by index.
            for _ in range(5):
                lines.next(what)
            clusters[index] = np.array(lines.numbers(lines.next(what), 9, "orientation")).reshape(3, 3)
            continue
        name, orientation = None, None
        while (line := lines.next(what)) != "END_CLUSTER":
            key, _, rest = line.partition(" ")
            if key == "CLUSTER":
                name = lines.whole(rest, "cluster id", least=1)
            elif key == "CLUSTER_ORIENTATION":
                orientation = _matrix(lines, "cluster orientation")
        if name is None or orientation is None:
            raise lines.error(
                f"{what} without CLUSTER or CLUSTER_ORIENTATION found, both allowed; export the file again"
            )
        clusters[name] = orientation
    return clusters


def _dislocations(lines: Lines, count: int, clusters: dict[int, np.ndarray], version: int) -> list[_Line]:
    found = []
    for index in range(count):
        what = f"dislocation {index + 1} of {count}"
        lines.whole(lines.next(what), f"id of {what}")
        number = lines.number
        local = lines.numbers(lines.next(what), 3, f"Burgers vector of {what}")
        cluster = lines.whole(lines.next(what), f"cluster of {what}")
        if cluster not in clusters:
            raise lines.error(f"cluster {cluster} found, allowed are {', '.join(map(str, clusters)) or 'none'}")
        points = []
        total = lines.whole(lines.next(what), f"number of points of {what}", least=2)
        for point in range(total):
            text = lines.next(f"point {point + 1} of {total} of {what}")
            has_core = version > 4 and len(text.split()) == 4  # a fourth number is the core size
            points.append(lines.numbers(text, 4 if has_core else 3, f"point {point + 1} of {total} of {what}")[:3])
        if version == 4:
            for _ in range(total):
                lines.whole(lines.next(f"core sizes of {what}"), "core size")
        found.append(_Line(0.1 * clusters[cluster] @ np.array(local), 0.1 * np.array(points), number))
    return found


def _junctions(lines: Lines, count: int) -> list[tuple[int, int]]:
    """Next end in the ring of each line end; ends in the order (line 0, last), (line 0, first), (line 1, last) ..."""
    ring = []
    for end in range(2 * count):
        text = lines.next(f"junction {end + 1} of {2 * count}")
        lines.numbers(text, 2, "junction")
        is_last, other = (lines.whole(word, "junction") for word in text.split())
        if is_last > 1 or other >= count:
            raise lines.error(f"{text!r} found, 0 or 1 and a dislocation 0..{count - 1} allowed")
        ring.append((is_last, other))
    return ring


def _network(
    lines: Lines, found: list[_Line], ring: list[tuple[int, int]], box: np.ndarray | None
) -> DislocationNetwork:
    following = [2 * other + 1 - is_last for is_last, other in ring]
    if sorted(following) != list(range(len(following))):
        raise lines.error(
            "line ends that are not closed rings found in DISLOCATION_JUNCTIONS, rings allowed; export again"
        )
    node_of: dict[int, int] = {}  # line end -> node
    nodes: list[np.ndarray] = []
    pinned: list[bool] = []
    for start in range(len(following)):
        if start in node_of:
            continue
        ends = [start]
        while (end := following[ends[-1]]) != start:
            ends.append(end)
        where = [found[end // 2].points[0 if end % 2 else -1] for end in ends]
        apart = box is None and np.ptp(where, axis=0).max() > _COINCIDENT_NM
        for end, point in zip(ends, where, strict=True):
            if end == start or apart:
                nodes.append(point)
                pinned.append(apart or len(ends) == 1)
            node_of[end] = len(nodes) - 1
    segments, burgers = [], []
    for index, line in enumerate(found):
        points = line.points if box is None else _refined(line.points, box[1] - box[0])
        inner = range(len(nodes), len(nodes) + len(points) - 2)
        nodes += list(points[1:-1])
        pinned += [False] * len(inner)
        chain = [node_of[2 * index + 1], *inner, node_of[2 * index]]
        segments += list(pairwise(chain))
        burgers += [line.burgers] * (len(chain) - 1)
    return DislocationNetwork(
        np.array(nodes).reshape(-1, 3),
        np.array(segments, int).reshape(-1, 2),
        np.array(burgers).reshape(-1, 3),
        np.array(pinned, bool),
        box,
    )


def _refined(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The polyline with points put in where a step is so long that the minimum image would fold it back."""
    pieces = [points[:1]]
    for a, b in pairwise(points):
        count = int(np.ceil(np.max(np.abs(b - a) / (0.4 * size))))
        pieces.append(a + (b - a) * (np.arange(1, count + 1) / max(count, 1))[:, None])
    return np.concatenate(pieces)


FORMAT = Format(".ca", (DislocationNetwork,), read=read_ca)
