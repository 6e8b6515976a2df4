"""Real images and what is known of them, as an acquisition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import load_material
from veristem.datasets.errors import InputError
from veristem.datasets.formats.images import read_pair, read_tilt_series
from veristem.datasets.shapes import check_positive
from veristem.recon.frames import crystal_from_specimen
from veristem.recon.rectify import registration_warning
from veristem.recon.registration import about, find_axis, told

_FIND = "find"


@dataclass(frozen=True)
class Known:
    """What the images do not tell; None where it is not known.

    Parameters
    ----------
    tilt_axis_deg : str or float, optional
        Azimuth of the axis about which the specimen was tilted from x towards y [degrees]; or "find".
    thickness_nm : float, optional
        Of the foil [nm].
    material : str, optional
        Name of the material.
    zone_axis, g : (3,) float, optional
        Zone axis [uvw] along the beam half way between the views, and reflection (hkl).
    g_azimuth_deg : float, optional
        Direction of g in the images, from x towards y [degrees].
    tilt_off_bragg_deg : float
        From the Bragg condition towards positive excitation error [degrees].
    energy_keV : float, optional
        Of the beam [keV].
    """

    tilt_axis_deg: str | float | None = None
    thickness_nm: float | None = None
    material: str | None = None
    zone_axis: tuple[float, float, float] | None = None
    g: tuple[float, float, float] | None = None
    g_azimuth_deg: float | None = None
    tilt_off_bragg_deg: float = 0.0
    energy_keV: float | None = None

    @classmethod
    def of(cls, acquisition: Acquisition, **changed) -> Known:
        """What an acquisition tells, but for what is changed; the tilt axis stays as it is."""
        if changed.pop("tilt_axis_deg", None) is not None:
            raise InputError("`tilt_axis_deg`: found with an acquisition, which tells it; leave it out")
        a = acquisition
        told = {
            "thickness_nm": a.thickness_nm, "material": a.material, "zone_axis": a.zone_axis, "g": a.g,
            "g_azimuth_deg": None if a.g_azimuth_rad is None else float(np.degrees(a.g_azimuth_rad)),
            "tilt_off_bragg_deg": float(np.degrees(a.tilt_off_bragg_rad)), "energy_keV": a.energy_keV,
        }  # fmt: skip
        return cls(**told | changed)

    def told_to(self, acquisition: Acquisition) -> Acquisition:
        """An acquisition that tells this.

        Raises
        ------
        InputError
            For an unknown material, a part of the crystal's orientation without the rest, or g off the zone.
        """
        deep = self.thickness_nm
        for name in ("thickness_nm", "energy_keV"):
            if getattr(self, name) is not None:
                check_positive(f"`{name}`", getattr(self, name))
        made = replace(
            acquisition,
            thickness_nm=deep,
            focus_nm=acquisition.focus_nm if deep in (None, acquisition.thickness_nm) else deep / 2,
            energy_keV=self.energy_keV,
            material=self.material,
            zone_axis=self.zone_axis,
            g=self.g,
            g_azimuth_rad=None if self.g_azimuth_deg is None else np.radians(self.g_azimuth_deg),
            tilt_off_bragg_rad=np.radians(self.tilt_off_bragg_deg),
        )
        names = ("zone_axis", "g", "g_azimuth_deg")
        if any(getattr(self, name) is not None for name in names):
            wanted = ("material", *names, "energy_keV")
            if missing := [f"`{name}`" for name in wanted if getattr(self, name) is None]:
                raise InputError(f"convert: {', '.join(missing)} not found; the crystal frame needs it with the others")
        if self.material is not None:
            if self.material.lower().endswith(".cif"):
                raise InputError(
                    f"`material`: {self.material} found, a name allowed, as `veristem list materials` shows"
                )
            load_material(self.material)
        crystal_from_specimen(made)
        return made


def pair_of_images(
    sources: list[Path], pixel_nm: float | None, pair_angle_deg: float, known: Known, say: Callable[[str], Any]
) -> tuple[Acquisition, str]:
    """Two images as views half the angle to both sides, and what should be said of them.

    With a tilt axis the specimen was tilted between two scans, and the views are registered when they are used; without
    one they are taken as views of one scan.

    Raises
    ------
    InputError
        As of `read_pair` and `Known`; when an axis is to be found and the images do not tell it.
    """
    pair = known.told_to(read_pair(sources[0], sources[1], pixel_nm, pair_angle_deg, say))
    if known.tilt_axis_deg is None:
        if warning := registration_warning(pair):
            say(
                f"{warning}, or say with `tilt_axis_deg` AZIMUTH, or find, that the specimen was tilted between them: "
                "then methods register them"
            )
        return pair, f"two views of one scan, {pair_angle_deg:g} deg apart along x, left as they are"
    half = np.radians(pair_angle_deg) / 2
    pair = replace(pair, tilts_rad=[-half, half])
    if known.tilt_axis_deg != _FIND:
        pair = about(pair, _radians(known.tilt_axis_deg))
        note = f"tilted by {pair_angle_deg:g} deg about an axis at {np.degrees(pair.tilt_axis_rad):g} deg"
    else:
        found = find_axis(pair)
        if found is None:
            raise InputError(
                f"{sources[1]}: too little found that is alike in {sources[0]} and moved by parallax, which shows the "
                "tilt axis; give it as `tilt_axis_deg`, an azimuth from x towards y"
            )
        pair = about(pair, found[0])
        axis, error = np.degrees(found)
        note = f"tilted by {pair_angle_deg:g} deg about an axis found at {axis:.1f} ± {error:.1f} deg"
    for line in told(pair):
        say(line)
    return pair, f"{note} from x towards y, {sources[0].name} by -{pair_angle_deg / 2:g} deg"


def tilt_series(
    source: Path, pixel_nm: float | None, known: Known, say: Callable[[str], Any]
) -> tuple[Acquisition, str]:
    """A tilt series, about y if no axis is told, and what should be said of it.

    Raises
    ------
    InputError
        As of `read_tilt_series` and `Known`.
    """
    if known.tilt_axis_deg == _FIND:
        raise InputError("`tilt_axis_deg`: find found, an azimuth allowed for a tilt series; 90 is an axis along y")
    axis = 90.0 if known.tilt_axis_deg is None else float(np.degrees(_radians(known.tilt_axis_deg)))
    series = known.told_to(read_tilt_series(source, pixel_nm, axis, say))
    return series, f"{len(series.views)} views, tilts about an axis at {axis:g} deg from x towards y"


def _radians(azimuth_deg: str | float | None) -> float:
    """An azimuth as it is given [deg]."""
    try:
        azimuth = float(azimuth_deg)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        azimuth = np.nan
    if not abs(azimuth) <= 360:
        raise InputError(f"`tilt_axis_deg`: {str(azimuth_deg)[:40]!r} found, an azimuth of at most 360 or find allowed")
    return float(np.radians(azimuth))
