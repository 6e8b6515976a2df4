"""Crystal-analysis files of OVITO (.ca, versions 4 to 7): dislocation lines found in atoms. Read only.

Read are PBC_FLAGS, the cell, names of STRUCTURE_TYPES, CLUSTERS with their orientation, DISLOCATIONS and
DISLOCATION_JUNCTIONS; other sections are skipped. A header PBCCA_FILE_VERSION, of which no description is known, is
taken for CA_FILE_VERSION: what stands below must hold as it does there. Positions are in Angstrom, in the frame of the
cell. A Burgers vector stands in the Cartesian lattice frame of its cluster, in units of the lattice parameter (hcp: of
the fcc crystal of the same distance of neighbours, a along x, c along z); the orientation matrix, which holds that
parameter, takes it to space. Its rotation is how the crystal lies in the cell. Two lines a dislocation tell which line
end comes next in the ring of ends around a node: first for its last point, then for its first (1 = last point of the
other, 0 = its first). Sources: the OVITO manual, section on the CA file format; what OVITO's own writer and reader do.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import Lines, named
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.shapes import as_lengths

_CUBIC, _HEXAGONAL = ("fcc", "bcc", "diamond", "cubic diamond"), ("hcp", "hex_diamond", "hexagonal diamond")
_SYMMETRY = dict.fromkeys(_CUBIC, "O") | dict.fromkeys(_HEXAGONAL, "D6")  # rotations of each structure
_BENT_DEG = 5.0  # clusters turned less are one crystal, bent
_LATTICE = (1.5, 12.0)  # lattice parameters [Angstrom]
_MOST_CELLS = 100  # between two points of a line
_COINCIDENT_NM = 0.01  # ends of one node stand at the same point but for rounding
_STRAINED = 0.05  # tolerance of conservation where clusters of different mean strain meet, relative to |b|


class _Cluster(NamedTuple):
    structure: str
    orientation: np.ndarray  # (3, 3) [Angstrom]
    number: int


class _Line(NamedTuple):
    burgers: np.ndarray  # (3,) in the lattice frame of its cluster
    cluster: int
    points: np.ndarray  # (K, 3) [nm]
    number: int


def read_ca(path: str | Path) -> DislocationNetwork:
    """The network in a .ca file: line ends that meet become one node, ends that meet nothing are pinned.

    It stays in the frame of the cell; ``crystal_from_network`` takes it to the crystal. The crystal is that of the
    cluster with most line; a cluster of another structure (a stacking fault) is taken as it lies in space.

    The cell becomes ``box_nm`` when it is along the axes and periodic in all three directions; lines that meet across
    it are then joined by the minimum image. In another cell, ends that meet only across its boundary are pinned
    there.

    Raises
    ------
    InputError
        Naming the line of the first fault; also for lines in crystals that are turned against each other.
    """
    lines = Lines(path)
    version = _start(lines)
    cell, periodic, origin = np.zeros((3, 3)), False, np.zeros(3)
    structures: dict[int, str] = {}
    structure = 0
    clusters: dict[int, _Cluster] = {}
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
        elif key in ("STRUCTURE_TYPE", "PATTERN"):
            structure = lines.whole(rest.removeprefix("ID "), "id of a structure")
        elif key == "NAME":
            structures[structure] = rest.strip().lower()
        elif key == "CLUSTERS":
            clusters = _clusters(lines, lines.whole(rest, "number of clusters"), version, structures)
        elif key == "DISLOCATIONS":
            found = _dislocations(lines, lines.whole(rest, "number of dislocations"), clusters, version)
        elif key == "DISLOCATION_JUNCTIONS":
            ring = _junctions(lines, len(found or ()))
            break  # only meshes come after
    while (line := lines.next_or_none()) is not None:
        if line.startswith(("CA_FILE_VERSION ", "PBCCA_FILE_VERSION ")):
            raise lines.error("a second frame found, one allowed; export a single frame from OVITO")
    if found is None:
        raise lines.error("no section DISLOCATIONS found, one allowed; export it from OVITO with the dislocation lines")
    if len(ring) != 2 * len(found):
        raise lines.error(
            "no section DISLOCATION_JUNCTIONS found, one after DISLOCATIONS allowed; the file is cut short"
        )
    box = None
    if periodic and np.count_nonzero(cell - np.diag(np.diag(cell))) == 0 and (np.diag(cell) > 0).all():
        if np.diag(cell).min() < _LATTICE[0]:
            raise lines.error(
                f"a periodic cell of {np.diag(cell).min():g} Angstrom found, at least an atom's {_LATTICE[0]:g} allowed"
            )
        with named(path):
            box = as_lengths("SIMULATION_CELL", 0.1 * np.array([origin, origin + np.diag(cell)]), (2, 3))
    burgers, rotation = _burgers_nm(lines, found, clusters)
    network = _network(lines, found, burgers, ring, box, rotation)
    with named(path):
        network.check_conservation(1e-4 if len(clusters) == 1 else _STRAINED)
    return network


def _burgers_nm(
    lines: Lines, found: list[_Line], clusters: dict[int, _Cluster]
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Burgers vector (3,) of each line in the cell's frame [nm], and the rotation from there to the crystal.

    All are expressed in the lattice of the cluster with most line: mean strains and bends of others do not spoil sums.
    """
    if not found:
        return [], None
    length = dict.fromkeys(clusters, 0.0)
    for line in found:
        length[line.cluster] += np.linalg.norm(np.diff(line.points, axis=0), axis=1).sum()
    main = clusters[max(length, key=lambda name: length[name])]
    turn = _rotation(lines, main)
    to_main: dict[int, np.ndarray] = {}
    for line in found:
        if line.cluster in to_main:
            continue
        other = clusters[line.cluster]
        between = turn.T @ _rotation(lines, other)
        if other.structure != main.structure:
            to_main[line.cluster] = np.linalg.inv(main.orientation) @ other.orientation
            continue
        group = _SYMMETRY.get(main.structure)
        same = Rotation.create_group(group).as_matrix() if group else np.eye(3)[None]
        cosine = (np.einsum("ij,nij->n", between, same) - 1) / 2
        if cosine.max() < np.cos(np.radians(_BENT_DEG)):
            angle = np.degrees(np.arccos(cosine.max()))
            raise lines.error(
                f"a line in cluster {line.cluster} found, whose crystal is turned by {angle:.3g} degrees against that "
                "of most line; lines of one crystal allowed: delete those of others in OVITO",
                line.number,
            )
        to_main[line.cluster] = same[np.argmax(cosine)]
    return [0.1 * main.orientation @ to_main[line.cluster] @ line.burgers for line in found], turn.T


def _rotation(lines: Lines, cluster: _Cluster) -> np.ndarray:
    """The rotation in an orientation matrix, which is a lattice parameter, a small strain and a rotation."""
    u, sizes, v = np.linalg.svd(cluster.orientation)
    if np.linalg.det(cluster.orientation) <= 0 or sizes[0] > _LATTICE[1] or sizes[-1] < _LATTICE[0]:
        raise lines.error(
            f"CLUSTER_ORIENTATION with axes of {', '.join(f'{x:.3g}' for x in sizes)} Angstrom found, a right-handed "
            f"lattice of {_LATTICE[0]:g} to {_LATTICE[1]:g} Angstrom allowed; export the file again",
            cluster.number,
        )
    return u @ v


def _start(lines: Lines) -> int:
    key, _, rest = lines.next("CA_FILE_VERSION").partition(" ")
    if key not in ("CA_FILE_VERSION", "PBCCA_FILE_VERSION"):
        raise lines.error(f"{key[:40]!r} found, CA_FILE_VERSION allowed; export a Crystal Analysis file from OVITO")
    version = lines.whole(rest, "version")
    if version not in (4, 5, 6, 7):  # 7 differs in meshes only
        raise lines.error(f"{key} {version} found, 4 to 7 allowed; export it again from OVITO")
    return version


def _matrix(lines: Lines, what: str) -> np.ndarray:
    return np.array([lines.numbers(lines.next(what), 3, f"row of the {what}") for _ in range(3)])


def _clusters(lines: Lines, count: int, version: int, structures: dict[int, str]) -> dict[int, _Cluster]:
    """Each cluster by the number that dislocations call it."""
    clusters: dict[int, _Cluster] = {}
    for index in range(count):
        what = f"cluster {index + 1} of {count}"
        if version == 4:  # keyword; id and processor; pattern; atoms; centre; nine numbers. Called by index.
            told = [lines.next(what) for _ in range(5)]
            structure = structures.get(lines.whole(told[2], "pattern of a cluster"), "")
            orientation = np.array(lines.numbers(lines.next(what), 9, "orientation")).reshape(3, 3)
            clusters[index] = _Cluster(structure, orientation, lines.number)
            continue
        name, orientation, structure = None, None, ""
        while (line := lines.next(what)) != "END_CLUSTER":
            key, _, rest = line.partition(" ")
            if key == "CLUSTER":
                name = lines.whole(rest, "cluster id", least=1)
            elif key == "CLUSTER_STRUCTURE":
                structure = structures.get(lines.whole(rest, "structure of a cluster"), "")
            elif key == "CLUSTER_ORIENTATION":
                orientation = _matrix(lines, "cluster orientation")
        if name is None or orientation is None:
            raise lines.error(
                f"{what} without CLUSTER or CLUSTER_ORIENTATION found, both allowed; export the file again"
            )
        clusters[name] = _Cluster(structure, orientation, lines.number)
    return clusters


def _dislocations(lines: Lines, count: int, clusters: dict[int, _Cluster], version: int) -> list[_Line]:
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
        found.append(_Line(np.array(local), cluster, 0.1 * np.array(points), number))
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
    lines: Lines,
    found: list[_Line],
    burgers_nm: list[np.ndarray],
    ring: list[tuple[int, int]],
    box: np.ndarray | None,
    rotation: np.ndarray | None,
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
        points = line.points if box is None else _refined(lines, line, box[1] - box[0])
        inner = range(len(nodes), len(nodes) + len(points) - 2)
        nodes += list(points[1:-1])
        pinned += [False] * len(inner)
        chain = [node_of[2 * index + 1], *inner, node_of[2 * index]]
        segments += list(pairwise(chain))
        burgers += [burgers_nm[index]] * (len(chain) - 1)
    with named(lines.path):
        return DislocationNetwork(
            np.array(nodes).reshape(-1, 3),
            np.array(segments, int).reshape(-1, 2),
            np.array(burgers).reshape(-1, 3),
            np.array(pinned, bool),
            box,
            crystal_from_network=rotation,
        )


def _refined(lines: Lines, line: _Line, size: np.ndarray) -> np.ndarray:
    """The polyline with points put in where a step is so long that the minimum image would fold it back."""
    pieces = [line.points[:1]]
    for a, b in pairwise(line.points):
        cells = float(np.max(np.abs(b - a) / size))
        if cells > _MOST_CELLS:
            raise lines.error(
                f"two points of a dislocation {cells:.3g} cells apart found, at most {_MOST_CELLS} allowed", line.number
            )
        count = int(np.ceil(cells / 0.4))
        pieces.append(a + (b - a) * (np.arange(1, count + 1) / max(count, 1))[:, None])
    return np.concatenate(pieces)


FORMAT = Format(".ca", (DislocationNetwork,), read=read_ca)
