"""Microscopes as they are in the laboratory: what can be chosen on them. One file each in ``microscopes``."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from veristem.datasets.errors import InputError
from veristem.datasets.reading import validated
from veristem.datasets.specimens import NotNegative, Positive, Table

Several = Annotated[tuple[Positive, ...], Field(min_length=1)]


class Counter(Table):
    """A pixelated detector, whose discs are chosen after the scan."""

    shape: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = Field(description="rows, columns")
    bits: Annotated[int, Field(ge=1, le=32)] = Field(description="depth of a pixel")
    frames_per_s: Positive


class Segments(Table):
    """A segmented detector."""

    count: Literal[4, 16]
    inner_mrad: dict[str, NotNegative] = Field(description="inner angle by camera length [mm]")


class BrightField(Table):
    """A disc about the axis, for tilted pairs."""

    camera_length_mm: Several


class TiltStage(Table):
    """How far the specimen can be tilted to both sides."""

    tilt_deg: Positive


class Aperture(Table):
    """An objective aperture that is moved between two scans."""

    radius_mrad: Several


class Instrument(Table):
    """One microscope: what its knobs allow, each number with its source."""

    title: str
    energies_keV: Several
    convergence_mrad: Several = Field(description="half angles of the cones that its apertures make, ascending")
    aberrations: Literal["none", "uncorrected", "corrected", "unbalanced"] = "corrected"
    current_nA: tuple[Positive, Positive] = Field(description="smallest and largest")
    counter: Counter | None = None
    segments: Segments | None = None
    bright_field: BrightField | None = None
    stage: TiltStage | None = None
    aperture: Aperture | None = None
    source: dict[str, str] = Field(default={}, description="where each number is from")


def instrument_names() -> list[str]:
    """Names of the microscopes that ship."""
    folder = resources.files("veristem.datasets").joinpath("microscopes")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_instrument(name_or_path: str) -> Instrument:
    """A microscope by name or from a file of one's own.

    Raises
    ------
    InputError
        When there is no such one, or naming the file and the key.
    """
    path = Path(name_or_path)
    try:
        if path.suffix == ".toml" or path.is_file():
            text = path.read_text(encoding="utf-8")
        elif name_or_path in instrument_names():
            place = resources.files("veristem.datasets").joinpath("microscopes", f"{name_or_path}.toml")
            text = place.read_text(encoding="utf-8")
        else:
            names = ", ".join(instrument_names())
            raise InputError(f"microscope: {name_or_path[:60]!r} found, allowed are {names}, or a .toml file")
        table = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a file or a name of a microscope") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name_or_path}: {error}; TOML allowed") from None
    return validated(Instrument, table, name_or_path)
