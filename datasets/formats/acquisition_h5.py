"""Acquisitions as HDF5 (docs/files.md). The file holds nothing of the truth."""

from __future__ import annotations

from pathlib import Path

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.formats import hdf5

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
        material = hdf5.attribute(reader.file, "material")
        if material is not None and not isinstance(material, str):
            raise reader.error(f"attribute material: {str(material)[:40]!r} found, a text allowed")
        return Acquisition(
            views=reader.array("views"),
            directions_rad=reader.array("directions_rad"),
            pixel_nm=reader.number("pixel_nm"),
            focus_nm=reader.number("focus_nm"),
            electrons_per_pixel=reader.array("electrons_per_pixel", optional=True),
            material=material,
            tilt_off_bragg_rad=reader.number("tilt_off_bragg_rad", optional=True) or 0.0,
            **{name: reader.number(name, optional=True) for name in _NUMBERS},
            **{name: reader.number(name, (3,), optional=True) for name in _VECTORS},
        )
