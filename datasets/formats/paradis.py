"""ParaDiS nodal data (.data, versions 4 and 5) with its control file.

Lengths and Burgers vectors stand in units of burgMag. Where the control file says useLabFrame, everything in the .data
file is in laboratory axes, which are the rows of rotationMatrix in crystal coordinates: ParaDiS takes Burgers vectors
and planes to the crystal by its inverse (Initialize.cc of ParaDiS 4; labFrameXDir and labFrameYDir before).

Each node lists its arms: the neighbour and the Burgers vector of the line that runs from the node to it, so that every
segment stands twice, the second time with the opposite vector. That is the sense of DislocationNetwork too.
The cell is taken as periodic. Source: Arsenlis et al., MSMSE 15 (2007) 553, and the comments in the files themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import Lines, named
from veristem.datasets.network import DislocationNetwork, half_the_cell
from veristem.datasets.shapes import as_rotation

_SHORTEST_NM, _LONGEST_NM = 0.1, 1.0  # of a unit that is a Burgers vector
_ROOM = 10.0  # edge of a cell made for a network, in units of its largest extent
_KEYS = ("burgmag", "uselabframe", "rotationmatrix", "labframexdir", "labframeydir")
_TOLERANCE = 1e-4  # of the largest Burgers vector: files hold seven digits or more


class _Arm(NamedTuple):
    node: int
    neighbour: tuple[int, int]
    burgers: list[float]
    normal: list[float]
    line: int


class _Nodes(NamedTuple):
    tags: dict[tuple[int, int], int]
    positions: list[list[float]]
    pinned: list[bool]
    lines: list[int]
    arms: list[_Arm]


class _Control(NamedTuple):
    """What a control file says: the unit of length [nm] and the rotation from its axes to the crystal's."""

    unit_nm: float | None = None
    crystal_from_lab: np.ndarray | None = None


def control_file(path: str | Path) -> Path | None:
    """The control file beside ``path``: the same name with .ctrl or, as ParaDiS writes restarts, with no suffix."""
    control = Path(path).with_suffix(".ctrl")
    if control.exists():
        return control
    restart = Path(path).with_suffix("")
    return restart if restart.is_file() and restart != Path(path) else None


def burgers_unit_nm(path: str | Path) -> float | None:
    """burgMag [nm] of the control file beside ``path``; None without such a file or entry.

    Raises
    ------
    InputError
        When burgMag is not the length of a Burgers vector in m.
    """
    return _control(path).unit_nm


def _control(path: str | Path) -> _Control:
    control = control_file(path)
    if control is None:
        return _Control()
    try:
        lines = Lines(control, comment="#")
    except InputError:
        if control.suffix == ".ctrl":
            raise
        return _Control()  # whatever has this name is no control file
    found: dict[str, tuple[str, int]] = {}
    while (line := lines.next_or_none()) is not None:
        key, equals, value = line.partition("=")
        key = key.strip().lower()  # as ParaDiS reads it
        if equals and key in _KEYS:
            start, wanted = lines.number, 1 if key in ("burgmag", "uselabframe") else 2
            while "]" not in value and wanted == 2:  # the bracket may begin a line of its own
                value += " " + lines.next(f"']' after {key}")
            found[key] = value.replace("[", " ").replace("]", " ").replace(";", " ").strip(), start

    def numbers(key: str, count: int, what: str) -> list[float]:
        value, lines.number = found[key]
        return lines.numbers(value, count, what)

    unit = None
    if "burgmag" in found:
        metres = numbers("burgmag", 1, "burgMag in m")[0]
        unit = 1e9 * metres
        if not _SHORTEST_NM <= unit <= _LONGEST_NM:
            raise lines.error(
                f"burgMag = {metres:g} found, the length of a Burgers vector in m, 1e-10 to 1e-9, allowed"
            )
    if "uselabframe" not in found or not numbers("uselabframe", 1, "useLabFrame, 0 or 1")[0]:
        return _Control(unit)
    if "rotationmatrix" in found:
        rows = np.reshape(numbers("rotationmatrix", 9, "rotationMatrix"), (3, 3))
    else:  # ParaDiS up to version 2
        rows = np.eye(3)
        for row, key in enumerate(("labframexdir", "labframeydir")):
            if key in found:
                rows[row] = numbers(key, 3, key)
        rows[2] = np.cross(rows[0], rows[1])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)  # lab axes in crystal coordinates, of any length
    try:
        lab_from_crystal = as_rotation("rotationMatrix", rows / np.where(lengths > 0, lengths, 1.0))
    except InputError as error:
        raise lines.error(str(error)) from None
    return _Control(unit, lab_from_crystal.T)


def read_data(path: str | Path, burgers_magnitude_nm: float | None = None) -> DislocationNetwork:
    """The network in a .data file; nodes in the order of the file, each segment from the node that lists it first.

    Parameters
    ----------
    path : str or Path
        The file.
    burgers_magnitude_nm : float or None
        Its unit of length [nm]; burgMag of the control file beside it if not given.

    Raises
    ------
    InputError
        Naming the line, or the node's tag, of the first fault; or when the unit of length is not known.
    """
    control = _control(path)
    unit = control.unit_nm if burgers_magnitude_nm is None else burgers_magnitude_nm
    if unit is not None:
        _check_unit(unit)
    lines = Lines(path, comment="#")
    box, count = _header(lines)
    if unit is None:
        raise InputError(
            f"{path}: no unit of length found (no {Path(path).stem}.ctrl or {Path(path).stem} with burgMag beside it); "
            "give `burgers_magnitude_nm` or the `material`"
        )
    nodes = _nodes(lines, count)
    kept = _segments(lines, nodes)
    segments = np.array([(arm.node, nodes.tags[arm.neighbour]) for arm in kept], int).reshape(-1, 2)
    positions = np.array(nodes.positions).reshape(-1, 3)
    for m in half_the_cell(positions, segments, box)[:1]:
        raise lines.error(
            f"node {_name(list(nodes.tags)[kept[m].node])}: arm to node {_name(kept[m].neighbour)} of half the cell "
            "found, so that two images of it are equally near; shorter arms allowed: put a node between",
            kept[m].line,
        )
    with named(path):
        network = DislocationNetwork(
            unit * positions,
            segments,
            unit * np.array([arm.burgers for arm in kept]).reshape(-1, 3),
            np.array(nodes.pinned, bool),
            unit * box,
            np.array([arm.normal for arm in kept]).reshape(-1, 3),
            control.crystal_from_lab,
        )
    _check_conservation(lines, nodes, network)
    return network


def _check_unit(unit_nm: float) -> None:
    if not _SHORTEST_NM <= unit_nm <= _LONGEST_NM:
        raise InputError(
            f"`burgers_magnitude_nm`: {unit_nm} found, the length of a Burgers vector, {_SHORTEST_NM:g} to "
            f"{_LONGEST_NM:g} nm, allowed"
        )


def _header(lines: Lines) -> tuple[np.ndarray, int]:
    """Box (2, 3) in units of b, and the number of nodes promised; the lines then stand before the first node."""
    found: dict[str, tuple[str, int]] = {}
    while True:
        key, equals, value = lines.next("nodalData and a list of nodes").partition("=")
        key, start = key.strip(), lines.number
        if equals and key == "nodalData":
            break
        if equals:
            while value.count("[") > value.count("]"):
                value += " " + lines.next(f"']' after {key}")
            found[key] = value.replace("[", " ").replace("]", " ").strip(), start

    end = lines.number

    def text(key: str) -> str:
        lines.number = end
        if key not in found:
            raise lines.error(f"no {key} found before nodalData, a ParaDiS header allowed")
        value, lines.number = found[key]
        return value

    version = lines.whole(text("dataFileVersion"), "dataFileVersion")
    if version not in (4, 5):
        raise lines.error(f"dataFileVersion = {version} found, 4 or 5 allowed; convert the file with ParaDiS")
    if "numFileSegments" in found and (files := lines.whole(text("numFileSegments"), "numFileSegments")) != 1:
        raise lines.error(f"numFileSegments = {files} found, 1 allowed; write the network into one file")
    box = np.array([lines.numbers(text(key), 3, key) for key in ("minCoordinates", "maxCoordinates")])
    if not (box[1] > box[0]).all():
        raise lines.error("maxCoordinates not above minCoordinates found, a cell with a volume allowed")
    count = lines.whole(text("nodeCount"), "nodeCount")
    lines.number = end
    return box, count


def _nodes(lines: Lines, count: int) -> _Nodes:
    """Exactly ``count`` nodes. Nothing is set aside for a promised count: a false one meets the end of the file."""
    nodes = _Nodes({}, [], [], [], [])
    for index in range(count):
        text = lines.next(f"node {index + 1} of nodeCount = {count}").replace(",", " ")
        values = lines.numbers(text, 7, "tag, x, y, z, number of arms, constraint of a node")
        words = text.split()
        tag = lines.whole(words[0], "node tag"), lines.whole(words[1], "node tag")
        if tag in nodes.tags:
            raise lines.error(f"node {tag[0]},{tag[1]} found again, each tag once allowed")
        nodes.tags[tag] = index
        nodes.positions.append(values[2:5])
        nodes.lines.append(lines.number)
        nodes.pinned.append(lines.whole(words[6], "constraint") != 0)
        arms = lines.whole(words[5], "number of arms")
        for arm in range(arms):
            which = f"arm {arm + 1} of {arms} of node {tag[0]},{tag[1]}"
            text = lines.next(which).replace(",", " ")
            burgers = lines.numbers(text, 5, f"{which}: tag, Burgers vector")[2:]
            first, second = (lines.whole(word, "arm tag") for word in text.split()[:2])
            line = lines.number
            normal = lines.numbers(lines.next(f"plane normal of {which}"), 3, f"plane normal of {which}")
            nodes.arms.append(_Arm(index, (first, second), burgers, normal, line))
    if lines.next_or_none() is not None:
        raise lines.error(f"more nodes found, nodeCount = {count} allowed; correct nodeCount")
    return nodes


def _segments(lines: Lines, nodes: _Nodes) -> list[_Arm]:
    """One of each arm and its mirror arm: that which comes first."""
    tags = list(nodes.tags)
    largest = max((float(np.linalg.norm(arm.burgers)) for arm in nodes.arms), default=0.0)
    waiting: dict[tuple[int, int], list[_Arm]] = {}  # arms whose mirror has not come yet
    kept: list[_Arm] = []
    for arm in nodes.arms:
        other = nodes.tags.get(arm.neighbour)
        if other is None:
            raise lines.error(f"arm to node {_name(arm.neighbour)} found, no such node in the file", arm.line)
        if other == arm.node:
            raise lines.error(f"node {_name(arm.neighbour)}: arm to itself found, to another node allowed", arm.line)
        mirrors = waiting.get((other, arm.node), [])
        for i, mirror in enumerate(mirrors):
            if np.abs(np.add(arm.burgers, mirror.burgers)).max() <= _TOLERANCE * largest:
                if not lines.ended and arm is nodes.arms[-1] and not _parallel(arm.normal, mirror.normal):
                    raise lines.error("a last line without line end found; the file is cut short within a number")
                del mirrors[i]
                break
        else:
            waiting.setdefault((arm.node, other), []).append(arm)
            kept.append(arm)
    open_arms = [arm for pairs in waiting.values() for arm in pairs]
    if open_arms:
        arm = min(open_arms, key=lambda a: a.line)
        here, there = _name(tags[arm.node]), _name(arm.neighbour)
        answered = any(a.node == nodes.tags[arm.neighbour] and a.neighbour == tags[arm.node] for a in nodes.arms)
        what = "whose mirror arm has another Burgers vector" if answered else "that is not listed back"
        raise lines.error(
            f"node {here}: arm to node {there} {what} found; {there} must list an arm back with the opposite one",
            arm.line,
        )
    return kept


def _parallel(a: list[float], b: list[float]) -> bool:
    return bool(np.allclose(a, b, rtol=1e-6) or np.allclose(a, np.negative(b), rtol=1e-6))


def _name(tag: tuple[int, int]) -> str:
    return f"{tag[0]},{tag[1]}"


def _check_conservation(lines: Lines, nodes: _Nodes, network: DislocationNetwork) -> None:
    if not len(network.segments):
        return
    largest = np.linalg.norm(network.burgers_nm, axis=1).max()
    size = np.linalg.norm(network.burgers_residual_nm(), axis=1)
    bad = np.flatnonzero((size > _TOLERANCE * largest) & ~network.pinned)
    if len(bad):
        raise lines.error(
            f"node {_name(list(nodes.tags)[bad[0]])}: Burgers vectors of its arms sum to {size[bad[0]]:.4g} nm, "
            f"0 allowed at a free node ({len(bad)} such nodes); pin it (constraint 7) or correct its arms",
            nodes.lines[bad[0]],
        )


def write_data(path: str | Path, network: DislocationNetwork, burgers_magnitude_nm: float) -> float | None:
    """Write a network as version 4; reading it back with the same unit gives the same numbers to 1e-15.

    Nodes keep their order and get the tags 0,0 0,1 ...; pinned nodes get constraint 7. The format knows periodic cells
    only: a network that is not periodic gets a cube ten times as wide as it is. The orientation of a crystal that is
    turned goes into a control file beside it, with burgMag.

    Returns
    -------
    float or None
        Edge of the cube that was made [nm]; None for a periodic network.

    Raises
    ------
    InputError
        For a unit that is not the length of a Burgers vector, a file that cannot be written, or a control file there
        already by which the file would be read otherwise.
    """
    _check_unit(burgers_magnitude_nm)
    box, edge = network.box_nm, None
    if box is None:
        points = network.nodes_nm if len(network.nodes_nm) else np.zeros((1, 3))
        low, high = points.min(axis=0), points.max(axis=0)
        edge = _ROOM * max(float((high - low).max()), burgers_magnitude_nm)
        box = (low + high) / 2 + np.array([[-edge / 2], [edge / 2]])
    turn = np.eye(3) if network.crystal_from_network is None else network.crystal_from_network
    beside, told = control_file(path), _control(path)
    told_turn = np.eye(3) if told.crystal_from_lab is None else told.crystal_from_lab
    same_unit = told.unit_nm is None or bool(np.isclose(told.unit_nm, burgers_magnitude_nm, rtol=1e-6))
    if beside is not None and not (same_unit and np.allclose(told_turn, turn, atol=1e-6)):
        raise InputError(
            f"{beside}: another burgMag or orientation found than {Path(path).name} is to have, by which it would be "
            "read; choose another name"
        )
    low, high = box / burgers_magnitude_nm
    normals = network.plane_normals if network.plane_normals is not None else np.zeros((len(network.segments), 3))
    arms: list[list[str]] = [[] for _ in network.nodes_nm]
    for ends, b, normal in zip(network.segments, network.burgers_nm / burgers_magnitude_nm, normals, strict=True):
        for (node, other), sign in ((ends, 1.0), (ends[::-1], -1.0)):
            arms[node] += [f"   0,{other} {_text(sign * b)}\n", f"       {_text(normal)}\n"]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("dataFileVersion =   4\nnumFileSegments =   1\n")
        for key, corner in (("minCoordinates", low), ("maxCoordinates", high)):
            file.write(f"{key} = [\n" + "".join(f"  {x:.16e}\n" for x in corner) + "  ]\n")
        file.write(f"nodeCount =   {len(arms)}\ndataDecompType =   2\ndataDecompGeometry = [\n  1\n  1\n  1\n  ]\n\n")
        file.write(f"domainDecomposition =\n  0 {_text(low)} {_text(high)}\nnodalData =\n")
        file.write("#  Primary lines: node_tag, x, y, z, num_arms, constraint\n")
        file.write("#  Secondary lines: arm_tag, burgx, burgy, burgz, nx, ny, nz\n")
        for i, (position, mine) in enumerate(zip(network.nodes_nm / burgers_magnitude_nm, arms, strict=True)):
            constraint = 7 if network.pinned[i] else 0
            file.write(f" 0,{i} {_text(position)} {len(mine) // 2} {constraint}\n" + "".join(mine))
        if beside is None and not np.allclose(turn, np.eye(3), atol=1e-9):
            _write_control(Path(path).with_suffix(".ctrl"), turn.T, burgers_magnitude_nm)
    return edge


def _write_control(path: Path, lab_from_crystal: np.ndarray, unit_nm: float) -> None:
    rows = "".join(f"  {_text(row)}\n" for row in lab_from_crystal)
    with atomic_path(path) as temporary:
        temporary.write_text(
            f"burgMag = {1e-9 * unit_nm:.16e}\nuseLabFrame = 1\nrotationMatrix = [\n{rows}  ]\n", encoding="utf-8"
        )


def _text(vector: np.ndarray) -> str:
    return " ".join(f"{x:.16e}" for x in vector)


FORMAT = Format(
    ".data",
    (DislocationNetwork,),
    (DislocationNetwork,),
    read_data,
    write_data,
    options=("burgers_magnitude_nm",),
)
