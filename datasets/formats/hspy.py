"""Acquisitions as calibrated HyperSpy files (.hspy), for display and further work there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format


def write_hspy(path: str | Path, acquisition: Acquisition) -> None:
    """Write the views with axes view, y, x [nm]; pixel centres are at (i + 1/2) p.

    Directions stand in the metadata, and tilts [deg] as ``Tomography.tilts``.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    from rsciio.hspy import file_writer

    pixel, views = acquisition.pixel_nm, acquisition.views
    axes = [
        {"name": "view", "units": "", "scale": 1.0, "offset": 0.0, "size": views.shape[0], "navigate": True},
        {"name": "y", "units": "nm", "scale": pixel, "offset": pixel / 2, "size": views.shape[1], "navigate": False},
        {"name": "x", "units": "nm", "scale": pixel, "offset": pixel / 2, "size": views.shape[2], "navigate": False},
    ]
    imaging = {"directions_rad": np.asarray(acquisition.directions_rad), "focus_nm": acquisition.focus_nm}
    metadata: dict[str, Any] = {
        "General": {"title": acquisition.id},
        "Signal": {"signal_type": ""},
        "VeriSTEM": imaging,
    }
    if acquisition.tilts_rad is not None:  # where ETSpy looks for them
        metadata["Tomography"] = {"tilts": np.degrees(acquisition.tilts_rad)[:, None]}
    if acquisition.energy_keV is not None:
        metadata["Acquisition_instrument"] = {"TEM": {"beam_energy": acquisition.energy_keV}}
    signal = {
        "data": views,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
        "models": {},
        "package_info": {"package": "", "package_version": ""},
        "tmp_parameters": {},
    }
    with atomic_path(path) as temporary:
        file_writer(str(temporary), signal, show_progressbar=False)


FORMAT = Format(".hspy", writes=(Acquisition,), write=write_hspy)
