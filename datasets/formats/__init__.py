"""Readers and writers, one file a format."""

from __future__ import annotations

from pathlib import Path

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.formats import particles_csv, particles_xyz
from veristem.datasets.formats.ovito_ca import read_ca
from veristem.datasets.formats.paradis import read_data
from veristem.datasets.formats.points_csv import read_points, write_points
from veristem.datasets.formats.vtp import read_vtp
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.reconstruction import CurveSet

__all__ = ["read_curves", "read_network", "read_particles", "read_points", "write_particles", "write_points"]


def read_network(path: str | Path, burgers_magnitude_nm: float | None = None) -> DislocationNetwork:
    """A network from a .data, .ca or .vtp file.

    Parameters
    ----------
    path : str or Path
        The file; its suffix tells the format.
    burgers_magnitude_nm : float or None
        Unit of length of a .data file [nm]; the other formats carry theirs.

    Raises
    ------
    InputError
        For another suffix, a .vtp that holds curves, or whatever the format's reader finds.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".data":
        return read_data(path, burgers_magnitude_nm)
    if suffix == ".ca":
        return read_ca(path)
    if suffix != ".vtp":
        raise InputError(f"{path}: suffix {suffix!r} found, a network as .data, .ca or .vtp allowed")
    network = read_vtp(path)
    if not isinstance(network, DislocationNetwork):
        raise InputError(f"{path}: curves without Burgers vectors found, a network allowed")
    return network


def read_curves(path: str | Path) -> CurveSet:
    """Reconstructed curves from a .vtp file.

    Raises
    ------
    InputError
        For another suffix, a .vtp that holds a network, or whatever the reader finds.
    """
    suffix = Path(path).suffix.lower()
    if suffix != ".vtp":
        raise InputError(f"{path}: suffix {suffix!r} found, curves as .vtp allowed")
    curves = read_vtp(path)
    if not isinstance(curves, CurveSet):
        raise InputError(f"{path}: a network found, reconstructed curves allowed")
    return curves


def read_particles(path: str | Path, box_nm=None, radius_nm: float | None = None) -> ParticleDispersion:
    """Particles from a .csv or .xyz file.

    Parameters
    ----------
    path : str or Path
        The file; its suffix tells the format.
    box_nm : (3,) float, optional
        Width, height and thickness of the foil [nm]; by default what the file says, or where the farthest spheres end.
    radius_nm : float, optional
        Radius of all particles of a file that has no radii [nm].

    Raises
    ------
    InputError
        For another suffix, or whatever the format's reader finds.
    """
    return _of_particles(path).read_particles(path, box_nm, radius_nm)


def write_particles(path: str | Path, particles: ParticleDispersion) -> None:
    """Write particles as .csv or .xyz, by suffix.

    Raises
    ------
    InputError
        For another suffix, or a file that cannot be written.
    """
    _of_particles(path).write_particles(path, particles)


def _of_particles(path: str | Path):
    """The file of the format that a suffix stands for."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".xyz"):
        raise InputError(f"{path}: suffix {suffix!r} found, particles as .csv or .xyz allowed")
    return particles_csv if suffix == ".csv" else particles_xyz
