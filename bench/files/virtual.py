"""Views from files of 4D scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.acquisition_h5 import write_acquisition
from veristem.datasets.formats.scans import read_scan
from veristem.recon.virtual import calibrate, report_lines, virtual_acquisition

_SAME = 0.01  # relative difference up to which two values say the same


def write_views(
    scan: Path,
    vacuum: Path | None,
    out: Path,
    progress: Callable[[Iterable, int], Iterable],
    *,
    pair_angle_deg: float | None = None,
    radius_mrad: float | None = None,
    views: int = 2,
    offset_mrad: float = 0.0,
    azimuth_deg: float | None = None,
    rotation_deg: float = 0.0,
    convergence_mrad: float | None = None,
    mrad_per_pixel: float | None = None,
    center_px: tuple[float, float] | None = None,
    pixel_nm: float | None = None,
    energy_keV: float | None = None,
    thickness_nm: float | None = None,
    scan_shape: tuple[int, int] | None = None,
    dataset: str | None = None,
    skip_first: int = 0,
    skip_last: int = 0,
    skip_per_row: int = 0,
) -> list[str]:
    """Write the acquisition of a scan, and say what was found in its patterns.

    Parameters and errors as of `recon.virtual`, in the units of their names.
    """
    positive = {
        "--pair-angle-deg": pair_angle_deg,
        "--radius-mrad": radius_mrad,
        "--convergence-mrad": convergence_mrad,
        "--mrad-per-pixel": mrad_per_pixel,
        "--pixel-nm": pixel_nm,
        "--energy-keV": energy_keV,
        "--thickness-nm": thickness_nm,
    }
    for name, value in positive.items():
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"{name}: {value} found, a positive number allowed")
    for name, value in (
        ("--offset-mrad", offset_mrad),
        ("--azimuth-deg", azimuth_deg),
        ("--rotation-deg", rotation_deg),
    ):
        if value is not None and not np.isfinite(value):
            raise InputError(f"{name}: {value} found, a finite number allowed")
    if not out.parent.is_dir():  # told before a long scan is read
        raise InputError(f"{out}: no such folder; choose a folder that exists, can be written and has space")
    loaded = read_scan(
        scan, scan_shape, dataset=dataset, skip_first=skip_first, skip_last=skip_last, skip_per_row=skip_per_row
    )
    found = calibrate(
        loaded,
        None if vacuum is None else read_scan(vacuum),
        convergence_rad=_milli(convergence_mrad),
        rad_per_px=_milli(mrad_per_pixel),
        center_px=center_px,
        azimuth_rad=_radians(azimuth_deg),
    )
    made = virtual_acquisition(
        loaded,
        found,
        pair_angle_rad=_radians(pair_angle_deg),
        radius_rad=_milli(radius_mrad),
        views=views,
        offset_rad=1e-3 * offset_mrad,
        rotation_rad=float(np.radians(rotation_deg)),
        pixel_nm=pixel_nm,
        energy_keV=energy_keV,
        thickness_nm=thickness_nm,
        progress=progress,
    )
    write_acquisition(out, made)
    given = (
        ("--pixel-nm", pixel_nm, loaded.pixel_nm),
        ("--energy-keV", energy_keV, loaded.energy_keV),
        ("--convergence-mrad", convergence_mrad, loaded.convergence_rad and 1e3 * loaded.convergence_rad),
    )
    contradicted = [
        f"warning: {name}: {value:g} found and taken, but {scan} says {said:g}"
        for name, value, said in given
        if value is not None and said is not None and abs(value - said) > _SAME * said
    ]
    return [*loaded.notes, *contradicted, *report_lines(found, made)]


def _radians(degrees: float | None) -> float | None:
    return None if degrees is None else float(np.radians(degrees))


def _milli(value: float | None) -> float | None:
    return None if value is None else 1e-3 * value
