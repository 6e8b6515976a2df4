"""Particles as a table (.csv) with one sphere a line: what pandas and any spreadsheet open."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.lines import Lines

COLUMNS = ("x_nm", "y_nm", "z_nm", "radius_nm")
_HEADER = ",".join(COLUMNS)


def write_particles(path: str | Path, particles: ParticleDispersion) -> None:
    """Write centres and radii, so that they come back exactly; the box is not in the file.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    rows = np.column_stack([particles.centers_nm, particles.radii_nm]).tolist()
    lines = [_HEADER, *(",".join(map(repr, row)) for row in rows)]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_particles(path: str | Path, box_nm=None) -> ParticleDispersion:
    """Particles from a table with a header; columns may stand in any order, others are passed over.

    Parameters
    ----------
    path : str or Path
        The file.
    box_nm : (3,) float, optional
        Width, height and thickness of the foil [nm]; by default it ends where the farthest spheres end.

    Raises
    ------
    InputError
        For a file that is no such table, naming the line.
    """
    lines = Lines(path)
    header = _fields(lines.next(f"a header {_HEADER}").removeprefix("\ufeff"))  # spreadsheets write a byte order mark
    for name in COLUMNS:
        if header.count(name) != 1:
            raise lines.error(f"column {name} found {header.count(name)} times, once allowed; the header is {_HEADER}")
    at = [header.index(name) for name in COLUMNS]
    rows = []
    while (line := lines.next_or_none()) is not None:
        fields = _fields(line)
        if len(fields) != len(header):
            raise lines.error(f"{len(fields)} values found, {len(header)} as in the header allowed")
        row = lines.numbers(" ".join(fields[k] for k in at), len(at), _HEADER)
        if row[-1] <= 0:
            raise lines.error(f"radius_nm {row[-1]:g} found, a positive number allowed")
        rows.append(row)
    if not rows and box_nm is None:
        raise lines.error("no particle found below the header, at least one allowed")
    values = np.array(rows).reshape(-1, len(COLUMNS))
    centers, radii = values[:, :3], values[:, 3]
    if box_nm is None:
        # at least one sphere wide, should all lie on the far side of the origin
        box_nm = np.maximum((centers + radii[:, None]).max(axis=0), 2 * radii.max())
    return ParticleDispersion(centers, radii, box_nm)


def _fields(line: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([line], skipinitialspace=True))]
