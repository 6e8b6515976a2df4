"""Views from files of 4D scans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from veristem.datasets import formats
from veristem.datasets.errors import InputError
from veristem.datasets.formats.scans import read_scan
from veristem.datasets.shapes import check_positive
from veristem.recon.virtual import calibrate, report_lines, virtual_acquisition

_SAME = 0.01  # relative difference up to which two values say the same


@dataclass(frozen=True)
class ViewOptions:
    """Which views to make of a 4D scan, and what its file does not tell.

    Parameters
    ----------
    pair_angle_deg, radius_mrad : float, optional
        Angle between the outermost discs, and radius of each; what the file says, or 1.2 and a fifth of the convergence
        semi-angle, if not given.
    views : int
        Discs at equal distances along the Kikuchi line.
    ring : bool
        Whether they stand on a ring about the axis instead, the first of them in that direction.
    offset_mrad, azimuth_deg, rotation_deg : float
        Of the discs from the axis, across the Kikuchi line; direction of the pair on the detector instead of that line;
        azimuth of the detector's x axis in the image.
    convergence_mrad, mrad_per_pixel, center_px
        Convergence semi-angle, angle of a pixel, pixel X Y that the axis meets, instead of what the disc's rim gives.
    pixel_nm, energy_keV, thickness_nm : float, optional
        Scan step, beam energy, thickness of the foil.
    scan_shape, dataset, skip_first, skip_last, skip_per_row
        How the frames of the file lie, as of `formats.scans.read_scan`.

    Raises
    ------
    InputError
        For a number that is not allowed.
    """

    pair_angle_deg: float | None = None
    radius_mrad: float | None = None
    views: int = 2
    ring: bool = False
    offset_mrad: float = 0.0
    azimuth_deg: float | None = None
    rotation_deg: float = 0.0
    convergence_mrad: float | None = None
    mrad_per_pixel: float | None = None
    center_px: tuple[float, float] | None = None
    pixel_nm: float | None = None
    energy_keV: float | None = None
    thickness_nm: float | None = None
    scan_shape: tuple[int, int] | None = None
    dataset: str | None = None
    skip_first: int = 0
    skip_last: int = 0
    skip_per_row: int = 0

    def __post_init__(self):
        for name in _POSITIVE:
            if getattr(self, name) is not None:
                check_positive(f"`{name}`", getattr(self, name))
        for name in ("offset_mrad", "azimuth_deg", "rotation_deg"):
            if (value := getattr(self, name)) is not None and not np.isfinite(value):
                raise InputError(f"`{name}`: {value} found, a finite number allowed")


_POSITIVE = (
    "pair_angle_deg", "radius_mrad", "convergence_mrad", "mrad_per_pixel", "pixel_nm", "energy_keV", "thickness_nm"
)  # fmt: skip


def disc_options(x_mrad: float, y_mrad: float, radius_mrad: float) -> dict[str, float]:
    """What a disc about a direction on the detector, and its like on the other side of the axis, are as options."""
    angle = 2 * np.hypot(x_mrad, y_mrad)
    return {
        "pair_angle_deg": float(np.degrees(1e-3 * angle)),
        "radius_mrad": float(radius_mrad),
        "azimuth_deg": float(np.degrees(np.arctan2(y_mrad, x_mrad))),
    }


def write_views(
    scan: Path,
    vacuum: Path | None,
    out: Path,
    asked: ViewOptions,
    progress: Callable[[Iterable, int], Iterable] = lambda rows, _: rows,
) -> list[str]:
    """Write the acquisition of a scan, and say what was found in its patterns.

    Parameters
    ----------
    scan, vacuum : Path
        4D scans; that of the vacuum may be None.
    out : Path
        File to write, .h5.
    asked : ViewOptions
        Which views.
    progress : callable
        Wraps the loop over (rows of the scan, number of rows).

    Raises
    ------
    InputError
        As of `recon.virtual`, or for a folder that does not exist.
    """
    if not out.parent.is_dir():  # told before a long scan is read
        raise InputError(f"{out}: no such folder; choose a folder that exists, can be written and has space")
    loaded = read_scan(
        scan, asked.scan_shape, dataset=asked.dataset, skip_first=asked.skip_first, skip_last=asked.skip_last,
        skip_per_row=asked.skip_per_row,
    )  # fmt: skip
    found = calibrate(
        loaded,
        None if vacuum is None else read_scan(vacuum),
        convergence_rad=_milli(asked.convergence_mrad),
        rad_per_px=_milli(asked.mrad_per_pixel),
        center_px=asked.center_px,
        azimuth_rad=_radians(asked.azimuth_deg),
    )
    made = virtual_acquisition(
        loaded,
        found,
        pair_angle_rad=_radians(asked.pair_angle_deg),
        radius_rad=_milli(asked.radius_mrad),
        views=asked.views,
        ring=asked.ring,
        offset_rad=1e-3 * asked.offset_mrad,
        rotation_rad=float(np.radians(asked.rotation_deg)),
        pixel_nm=asked.pixel_nm,
        energy_keV=asked.energy_keV,
        thickness_nm=asked.thickness_nm,
        progress=progress,
    )
    formats.write(out, made)
    said = {
        "pixel_nm": loaded.pixel_nm,
        "energy_keV": loaded.energy_keV,
        "convergence_mrad": loaded.convergence_rad and 1e3 * loaded.convergence_rad,
    }
    contradicted = [
        f"warning: `{name}`: {given:g} found and taken, but {scan} says {value:g}"
        for name, value in said.items()
        if (given := getattr(asked, name)) is not None and value is not None and abs(given - value) > _SAME * value
    ]
    return [*loaded.notes, *contradicted, *report_lines(found, made)]


def _radians(degrees: float | None) -> float | None:
    return None if degrees is None else float(np.radians(degrees))


def _milli(value: float | None) -> float | None:
    return None if value is None else 1e-3 * value
