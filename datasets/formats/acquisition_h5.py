"""Acquisitions as HDF5 (docs/files.md). The file holds nothing of the truth."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from veristem.datasets.acquisition import Acquisition, SpecimenKind
from veristem.datasets.errors import InputError
from veristem.datasets.formats import hdf5
from veristem.datasets.formats.base import Format
from veristem.datasets.geometry import Region
from veristem.datasets.shapes import as_array

SCHEMA, VERSION = "veristem-acquisition", 1

_NUMBERS = ("thickness_nm", "energy_keV", "convergence_rad", "g_azimuth_rad")  # optional ones
_VECTORS = ("zone_axis", "g")


def write_acquisition(path: str | Path, acquisition: Acquisition) -> None:
    """Write an acquisition; the same data give the same bytes.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    with hdf5.create(path, SCHEMA, VERSION) as file:
        file.attrs["id"] = acquisition.id
        hdf5.put(file, "views", acquisition.views)
        hdf5.put(file, "directions_rad", acquisition.directions_rad)
        if acquisition.electrons_per_pixel is not None:
            hdf5.put(file, "electrons_per_pixel", acquisition.electrons_per_pixel)
        if acquisition.regions is not None:
            hdf5.put(file, "regions", np.array([_row(region) for region in acquisition.regions]).reshape(-1, 6))
        if acquisition.tilts_rad is not None:
            hdf5.put(file, "tilts_rad", acquisition.tilts_rad)
            file.attrs["tilt_axis_rad"] = float(acquisition.tilt_axis_rad)
        file.attrs["kind"] = acquisition.kind
        for name in ("pixel_nm", "focus_nm", "tilt_off_bragg_rad", *_NUMBERS):
            if (value := getattr(acquisition, name)) is not None:
                file.attrs[name] = float(value)
        for name in (*_VECTORS, "material"):
            if (value := getattr(acquisition, name)) is not None:
                file.attrs[name] = value


def read_acquisition(path: str | Path) -> Acquisition:
    """Read an acquisition.

    Raises
    ------
    InputError
        Naming what is missing or wrong in the file.
    """
    with hdf5.opened(path, SCHEMA, VERSION) as reader:
        convergence = reader.number("convergence_rad", optional=True)
        found = Acquisition(
            views=reader.array("views"),
            directions_rad=reader.array("directions_rad"),
            pixel_nm=reader.number("pixel_nm"),
            focus_nm=reader.number("focus_nm"),
            electrons_per_pixel=reader.array("electrons_per_pixel", optional=True),
            material=reader.words("material"),
            tilt_off_bragg_rad=reader.number("tilt_off_bragg_rad", optional=True) or 0.0,
            regions=_regions(reader.array("regions", optional=True), convergence),
            tilts_rad=reader.array("tilts_rad", optional=True),
            tilt_axis_rad=reader.number("tilt_axis_rad", optional=True) or 0.0,
            kind=cast(SpecimenKind, reader.words("kind") or "dislocations"),  # files of lines had none at first
            **{name: reader.number(name, optional=True) for name in _NUMBERS},
            **{name: reader.number(name, (3,), optional=True) for name in _VECTORS},
        )
        if (
            len(found.views) > 1
            and not np.ptp(found.directions_rad, axis=0).any()
            and len(set(found.regions or ())) < 2
        ):
            raise reader.error(
                f"directions_rad: {len(found.views)} times the same direction found, different ones allowed; the views "
                "tell no depth"
            )
        return found


def _row(region: Region) -> tuple[float, ...]:
    return (*region.center_rad, region.outer_rad, region.inner_rad, region.start_rad, region.width_rad)


def _regions(values, convergence_rad: float | None) -> tuple[Region, ...] | None:
    """Regions of the rows of a file, each with a part within the cone if that is known.

    Raises
    ------
    InputError
        For a row that is no region.
    """
    if values is None:
        return None
    regions = []
    for k, row in enumerate(as_array("regions", values, (None, 6)).tolist()):
        x, y, outer, inner, start, width = row
        # as for the directions: beyond 1 rad it is another unit
        if not (0 <= inner < outer <= 1 and width > 0 and max(abs(x), abs(y)) <= 1):
            found = " ".join(f"{value:g}" for value in row)
            raise InputError(
                f"regions: {found} found in row {k}, 0 <= inner < outer <= 1 rad, a centre within 1 rad and a positive "
                "width allowed"
            )
        regions.append(Region((x, y), outer, inner, start, width))
        if convergence_rad is not None and convergence_rad > 0:
            regions[-1].mean_direction_rad(convergence_rad)
    return tuple(regions)


FORMAT = Format(".h5", (Acquisition,), (Acquisition,), read_acquisition, write_acquisition)
