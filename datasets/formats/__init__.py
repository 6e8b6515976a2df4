"""Readers and writers, one file a format: each says in its ``FORMAT`` which suffix it has and what its files hold."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.formats.base import Format
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.reconstruction import CurveSet, PointSet
from veristem.datasets.truth import LineTruth, ParticleTruth
from veristem.datasets.volume import Volume

__all__ = ["read", "read_curves", "read_network", "read_particles", "read_points", "suffixes", "write"]

_WORDS = {
    DislocationNetwork: "a network",
    CurveSet: "curves",
    ParticleDispersion: "particles",
    PointSet: "points",
    Volume: "a volume",
    Acquisition: "images",
    LineTruth: "a truth",
    ParticleTruth: "a truth",
}
_FOUND = _WORDS | {CurveSet: "curves without Burgers vectors"}


@cache
def formats() -> tuple[Format, ...]:
    """All formats."""
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    return tuple(module.FORMAT for module in modules if hasattr(module, "FORMAT"))


def suffixes(*wanted: type, to: str = "read") -> list[str]:
    """Suffixes of the files that may hold one of some types, or anything, or ``to`` "write" it."""
    found = [f.suffix for f in formats() if getattr(f, to) and _fits(getattr(f, to + "s"), wanted)]
    return list(dict.fromkeys(found))


def read(path: str | Path, *wanted: type, **options) -> Any:
    """What a file holds; its suffix tells the format.

    Parameters
    ----------
    path : str or Path
        The file.
    wanted : types
        What it may hold; anything that can be read, if none is given.
    options
        As of the format's reader, ``burgers_magnitude_nm`` of a .data file, say; those it does not know are left out.

    Raises
    ------
    InputError
        For another suffix, a file that holds something else, or whatever the format's reader finds.
    """
    path = Path(path)
    able = [f for f in formats() if f.read and f.suffix == path.suffix.lower() and _fits(f.reads, wanted)]
    if not able:
        raise InputError(f"{path}: suffix {path.suffix!r} found, {_told(wanted, 'read')} allowed")
    if not wanted and len(able) > 1 and (sure := [f for f in able if f.holds and f.holds(path)]):
        able = sure
    errors = []
    for one in able:
        try:
            found = one.read(path, **_known(one, options))  # type: ignore[misc]
        except InputError as error:
            errors.append(error)
            continue
        if wanted and not isinstance(found, wanted):
            allowed = " or ".join(dict.fromkeys(_WORDS[t] for t in wanted))
            raise InputError(f"{path}: {_FOUND[type(found)]} found, {allowed} allowed")
        return found
    raise errors[0]


def write(path: str | Path, thing: Any, **options) -> None:
    """Write a thing in the format of the suffix; the file appears whole or not at all.

    Raises
    ------
    InputError
        For a suffix whose format does not hold such things, or a file that cannot be written.
    """
    path = Path(path)
    for one in formats():
        if one.write and one.suffix == path.suffix.lower() and isinstance(thing, one.writes):
            one.write(path, thing, **_known(one, options))
            return
    raise InputError(f"{path}: suffix {path.suffix!r} found, {_told((type(thing),), 'write')} allowed")


def read_network(path: str | Path, burgers_magnitude_nm: float | None = None) -> DislocationNetwork:
    """A network; ``burgers_magnitude_nm`` is the unit of length of a .data file, see `read`."""
    return read(path, DislocationNetwork, burgers_magnitude_nm=burgers_magnitude_nm)


def read_curves(path: str | Path) -> CurveSet:
    """Reconstructed curves, see `read`."""
    return read(path, CurveSet)


def read_particles(path: str | Path, box_nm=None, radius_nm: float | None = None) -> ParticleDispersion:
    """Particles; what the file does not say of the box (3,) [nm] and the radii may be given, see `read`."""
    return read(path, ParticleDispersion, box_nm=box_nm, radius_nm=radius_nm)


def read_points(path: str | Path) -> PointSet:
    """Reconstructed points, see `read`."""
    return read(path, PointSet)


def _fits(held: tuple[type, ...], wanted: tuple[type, ...]) -> bool:
    return bool(held) and (not wanted or any(t in held for t in wanted))


def _known(one: Format, options: dict) -> dict:
    return {name: value for name, value in options.items() if name in one.options}


def _told(wanted: tuple[type, ...], to: str) -> str:
    """Things and the suffixes of their files: "a network as .ca, .data or .vtp"."""
    told: dict[str, dict[str, None]] = {}
    for thing in wanted or tuple(_WORDS):
        told.setdefault(_WORDS.get(thing, thing.__name__), {}).update(dict.fromkeys(suffixes(thing, to=to)))
    return "; ".join(f"{words} as {_either(list(names))}" for words, names in told.items() if names)


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
