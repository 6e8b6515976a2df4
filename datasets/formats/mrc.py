"""Tilt series as image stacks (.mrc) with their angles beside them (.rawtlt), for ETSpy, IMOD and tomviz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format


def write_tilt_series(path: str | Path, acquisition: Acquisition) -> Path:
    """Write the views as a stack (V, Y, X) of float32 with their pixel, and the nominal tilts [deg], one a line.

    Views are in the order of their tilts. Row 0 comes first: HyperSpy and ImageJ show it on top, IMOD at the bottom.
    The same data give the same bytes. Returns the path of the angles.

    Raises
    ------
    InputError
        For views that are no tilt series of one detector region, or when a file cannot be written.
    """
    import mrcfile

    if acquisition.tilts_rad is None or len(acquisition.tilts_rad) < 2:
        raise InputError(
            "tilts_rad: no tilt series found, one allowed; `veristem simulate` makes one with stage.tilts_deg"
        )
    order = np.argsort(acquisition.tilts_rad, kind="stable")
    tilts = np.degrees(acquisition.tilts_rad[order])
    if np.diff(tilts).min() < 1e-9:
        raise InputError("tilts_rad: several views at one tilt found, one allowed; an annular detector gives one")
    angles = Path(path).with_suffix(".rawtlt")
    with atomic_path(path) as temporary, atomic_path(angles) as text:
        with mrcfile.new(temporary, overwrite=True) as file:
            file.set_data(acquisition.views[order])
            file.set_image_stack()
            file.voxel_size = 10 * acquisition.pixel_nm  # Angstrom
            header: Any = file.header
            header.label[:] = b""  # the first one holds a date
            header.label[0] = f"VeriSTEM {acquisition.id}".encode()
            header.nlabl = 1
        text.write_text("".join(f"{tilt:.2f}\n" for tilt in tilts), encoding="utf-8")
    return angles


FORMAT = Format(".mrc", writes=(Acquisition,), write=write_tilt_series)
