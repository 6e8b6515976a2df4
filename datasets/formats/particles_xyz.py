"""Particles as extended XYZ, what ASE and OVITO open: https://github.com/libAtoms/extxyz. Lengths are in Angstrom.

Only decimal points move between nm and Angstrom, so that values come back exactly.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import Lines, named
from veristem.datasets.formats.particles_csv import around

_PLAIN = "species:S:1:pos:R:3"
# possessive and from the start of a word only: linear in comments without any "="
_PAIR = re.compile(r'(?<!\w)(\w++)\s*+=\s*+(?:"([^"]*)"|(\S++))')


def write_particles(path: str | Path, particles: ParticleDispersion) -> None:
    """Write centres, radii and box, so that they come back exactly; every particle is gold.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    rows = np.column_stack([particles.centers_nm, particles.radii_nm])
    lines = [
        str(len(rows)),
        f'Lattice="{_row(np.diag(particles.box_nm).ravel())}" Properties={_PLAIN}:radius:R:1 pbc="F F F"',
        *(f"Au {_row(row)}" for row in rows),
    ]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_particles(path: str | Path, box_nm=None, radius_nm: float | None = None) -> ParticleDispersion:
    """Particles from a file of one frame; other properties than pos and radius are passed over.

    Parameters
    ----------
    path : str or Path
        The file.
    box_nm : (3,) float, optional
        Width, height and thickness of the foil [nm]; by default Lattice or, without it, where the farthest spheres end.
    radius_nm : float, optional
        Radius of all particles of a file without such a property [nm].

    Raises
    ------
    InputError
        For a file that is no such table, naming the line.
    """
    lines = Lines(path)
    count = lines.whole(lines.next("the number of particles"), "number of particles")
    second = lines.number + 1
    rows = []
    while (line := lines.next_or_none()) is not None:
        rows.append((lines.number, line))
    pairs = {}
    if rows and rows[0][0] == second:  # an empty comment is allowed
        pairs = {key.lower(): quoted or bare for key, quoted, bare in _PAIR.findall(rows.pop(0)[1])}
    if len(rows) != count:
        raise lines.error(f"{len(rows)} lines of particles found, {count} as in the first line allowed")
    lines.number = second
    if "properties" not in pairs and radius_nm is None:
        raise lines.error(
            f"no Properties found: a plain .xyz has no radii; Properties={_PLAIN}:radius:R:1 in the second line and a "
            "radius [Angstrom] after each x, y and z allowed, or in Python read_particles(path, radius_nm=...)"
        )
    width, at, has_radius = _columns(lines, pairs.get("properties", _PLAIN), radius_nm is None)
    if box_nm is None and "lattice" in pairs:
        box_nm = _box_nm(lines, pairs["lattice"])
    values = []
    for lines.number, line in rows:
        words = line.split()
        if len(words) != width:
            told = "as in Properties" if "properties" in pairs else "(element, x, y, z)"
            raise lines.error(f"{len(words)} values found, {width} {told} allowed")
        values.append(_numbers_nm(lines, [words[k] for k in at], "pos and radius"))
        if has_radius and values[-1][-1] <= 0:
            raise lines.error(f"radius {words[at[-1]]} found, a positive number allowed")
    if not values and box_nm is None:
        raise lines.error("no particle and no Lattice found, one of them allowed")
    table = np.array(values).reshape(-1, len(at))
    centers, radii = table[:, :3], table[:, 3] if has_radius else np.full(len(table), radius_nm)
    with named(path):
        return ParticleDispersion(centers, radii, around(centers, radii) if box_nm is None else box_nm)


def _columns(lines: Lines, properties: str, radius_needed: bool) -> tuple[int, list[int], bool]:
    """Number of columns, where pos and radius are among them, and whether there is a radius."""
    words = properties.split(":")
    names, kinds, counts = words[::3], words[1::3], words[2::3]
    if len(words) % 3 or not all(re.fullmatch(r"[1-9]\d{0,3}", c) for c in counts):
        raise lines.error(f"Properties={properties[:60]} found, name:type:count for each allowed")
    start = np.cumsum([0, *map(int, counts)]).tolist()
    at = []
    for name, size in (("pos", "3"), ("radius", "1")):
        found = [k for k, known in enumerate(names) if known == name]
        if name == "radius" and not found and not radius_needed:
            continue
        if len(found) != 1 or kinds[found[0]] not in ("R", "I") or counts[found[0]] != size:
            raise lines.error(f"Properties={properties[:60]} found, once {name}:R:{size} allowed")
        at += range(start[found[0]], start[found[0] + 1])
    return start[-1], at, len(at) == 4


def _box_nm(lines: Lines, lattice: str) -> np.ndarray:
    """Width, height and thickness of a cell whose edges lie along x, y and z."""
    cell = np.reshape(_numbers_nm(lines, lattice.split(), "Lattice", 9), (3, 3))
    box = np.diag(cell)
    if (cell != np.diag(box)).any() or (box <= 0).any():
        raise lines.error(f'Lattice="{lattice[:60]}" found, positive lengths along x, y and z allowed')
    return box


def _numbers_nm(lines: Lines, words: list[str], wanted: str, count: int | None = None) -> list[float]:
    """Lengths in Angstrom as nm."""
    checked = lines.numbers(" ".join(words), len(words) if count is None else count, wanted)
    return [float(Decimal(word).scaleb(-1)) if value else value for word, value in zip(words, checked)]


def _row(values_nm: np.ndarray) -> str:
    """Lengths in nm as Angstrom."""
    return " ".join(str(Decimal(repr(value)).scaleb(1)) for value in values_nm.tolist())


FORMAT = Format(
    ".xyz",
    (ParticleDispersion,),
    (ParticleDispersion,),
    read_particles,
    write_particles,
    options=("box_nm", "radius_nm"),
)
