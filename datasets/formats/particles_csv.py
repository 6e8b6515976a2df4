"""Particles as a table (.csv) with one sphere a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import named
from veristem.datasets.formats.table import Table, write_table
from veristem.datasets.truth import ParticleTruth

COLUMNS = ("x_nm", "y_nm", "z_nm", "radius_nm")


def write_particles(path: str | Path, particles: ParticleDispersion | ParticleTruth) -> None:
    """Write centres and radii, so that they come back exactly; the box is not in the file.

    Of a truth only those within the field: the file holds none.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    if isinstance(particles, ParticleTruth):
        particles = particles.particles.where(particles.inside)
    write_table(path, dict(zip(COLUMNS, [*particles.centers_nm.T, particles.radii_nm])))


def read_particles(path: str | Path, box_nm=None, radius_nm: float | None = None) -> ParticleDispersion:
    """Particles from a table with a header; columns may stand in any order, others are passed over.

    Parameters
    ----------
    path : str or Path
        The file.
    box_nm : (3,) float, optional
        Width, height and thickness of the foil [nm]; by default it ends where the farthest spheres end.
    radius_nm : float, optional
        Radius of all particles of a file without such a column [nm].

    Raises
    ------
    InputError
        For a file that is no such table, naming the line.
    """
    table = Table(path, COLUMNS if radius_nm is None else COLUMNS[:3], COLUMNS[3:])
    centers = np.column_stack([table.values[name] for name in COLUMNS[:3]])
    if "radius_nm" in table.values:
        radii = table.values["radius_nm"]
        table.check("radius_nm", radii > 0, "a positive number")
    else:
        radii = np.full(len(centers), radius_nm)
    if not len(centers) and box_nm is None:
        raise table.lines.error("no particle found below the header, at least one allowed")
    with named(path):
        return ParticleDispersion(centers, radii, around(centers, radii) if box_nm is None else box_nm)


def around(centers_nm: np.ndarray, radii_nm: np.ndarray) -> np.ndarray:
    """Box (3,) from the origin to where the farthest of at least one sphere end [nm]."""
    # at least one sphere wide, should all lie on the far side of the origin
    return np.maximum((centers_nm + radii_nm[:, None]).max(axis=0), 2 * radii_nm.max())


FORMAT = Format(
    ".csv",
    (ParticleDispersion,),
    (ParticleDispersion, ParticleTruth),
    read_particles,
    write_particles,
    options=("box_nm", "radius_nm"),
)
