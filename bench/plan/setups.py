"""The ways in which a microscope can take two views or more of dislocations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.instruments import Instrument

ANGLES_DEG = (2.0, 4.0, 6.0, 8.0, 10.0, 12.0)  # of pairs of discs
RADII_MRAD = (3.75, 7.5, 15.0)
TILTS_DEG = (4.0, 8.0, 12.0)
KINDS = {
    "discs": "virtual discs of a 4D scan",
    "segments": "segmented detector",
    "aperture": "objective aperture moved between two scans",
    "tilts": "specimen tilted between two scans",
}
_MRAD = 1e3 * np.pi / 180


@dataclass(frozen=True)
class Setup:
    """One way to take the views.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    text : str
        In words of the knobs.
    values : dict
        By dotted path into a recipe.
    scans : int
        1, or 2 where the views are taken one after the other.
    """

    kind: str
    text: str
    values: dict[str, Any]
    scans: int = 1

    @property
    def convergence_mrad(self) -> float:
        """Half angle of the cone [mrad]."""
        return self.values["microscope.convergence_mrad"]

    @property
    def detector(self) -> dict[str, Any]:
        """The detector's table."""
        return self.values["microscope.detector"]

    @property
    def place(self) -> tuple[float, float] | None:
        """Pair angle [deg] and radius [mrad] of two discs, between which can be interpolated; None of other kinds."""
        if self.kind != "discs":
            return None
        return self.detector["pair_angle_deg"], self.detector["radius_mrad"]


def setups_of(instrument: Instrument, energy_keV: float, kinds=tuple(KINDS)) -> list[Setup]:
    """All that a microscope offers, of some kinds.

    Raises
    ------
    InputError
        For another energy, or when the microscope has none of the kinds.
    """
    if energy_keV not in instrument.energies_keV:
        allowed = ", ".join(f"{energy:g}" for energy in instrument.energies_keV)
        raise InputError(f"microscope.energy_keV: {energy_keV:g} found, {instrument.title} has {allowed}")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise InputError(f"`setup`: {unknown[0]!r} found, allowed are {', '.join(KINDS)}")
    made = {"discs": _discs, "segments": _segments, "aperture": _aperture, "tilts": _tilts}
    common = {"microscope.energy_keV": energy_keV, "microscope.aberrations": instrument.aberrations}
    found = [
        Setup(kind, text, common | values, scans) for kind in kinds for text, values, scans in made[kind](instrument)
    ]
    if not found:
        names = " or ".join(KINDS[kind] for kind in kinds)
        raise InputError(f"`setup`: {names} asked for, which this microscope has not ({instrument.title})")
    return found


def disc_values(angle_deg: float, radius_mrad: float, cones_mrad) -> dict[str, Any] | None:
    """Recipe values of two discs in the smallest cone that holds them; None when none does."""
    wide = [cone for cone in cones_mrad if cone >= angle_deg / 2 * _MRAD + radius_mrad]
    if not wide:
        return None
    detector = {"kind": "virtual", "pair_angle_deg": angle_deg, "radius_mrad": radius_mrad}
    return {"microscope.convergence_mrad": min(wide), "microscope.detector": detector}


def _discs(instrument: Instrument) -> Iterator[tuple[str, dict, int]]:
    if instrument.counter is None:
        return
    for angle in ANGLES_DEG:
        for radius in RADII_MRAD:
            if values := disc_values(angle, radius, instrument.convergence_mrad):
                cone = values["microscope.convergence_mrad"]
                yield f"two discs of {radius:g} mrad, {angle:g}° apart, in a cone of {cone:g} mrad", values, 1


def _segments(instrument: Instrument) -> Iterator[tuple[str, dict, int]]:
    if instrument.segments is None:
        return
    cone, count = instrument.convergence_mrad[0], instrument.segments.count
    for length, inner in instrument.segments.inner_mrad.items():
        if inner < cone:
            detector = {"kind": "segmented", "inner_mrad": inner, "outer_mrad": cone, "segments": count}
            text = f"{count} segments from {inner:g} to {cone:g} mrad ({length} mm)"
            yield text, {"microscope.convergence_mrad": cone, "microscope.detector": detector}, 1


def _aperture(instrument: Instrument) -> Iterator[tuple[str, dict, int]]:
    if instrument.aperture is None:
        return
    cone = instrument.convergence_mrad[0]
    for radius in instrument.aperture.radius_mrad:
        angle = round(2 * (cone - radius) / _MRAD, 2)
        if angle > 0:
            detector = {"kind": "aperture", "pair_angle_deg": angle, "radius_mrad": radius}
            text = f"aperture of {radius:g} mrad at two places {angle:g}° apart in a cone of {cone:g} mrad"
            yield text, {"microscope.convergence_mrad": cone, "microscope.detector": detector}, 2


def _tilts(instrument: Instrument) -> Iterator[tuple[str, dict, int]]:
    if instrument.stage is None or instrument.bright_field is None:
        return
    cone = instrument.convergence_mrad[0]
    for angle in TILTS_DEG:
        if angle / 2 > instrument.stage.tilt_deg:
            continue
        for length in instrument.bright_field.camera_length_mm:
            detector = {"kind": "annular", "camera_length_mm": length}
            values = {
                "microscope.convergence_mrad": cone,
                "microscope.detector": detector,
                "stage.tilts_deg": [-angle / 2, angle / 2],
            }
            yield f"bright field at {length:g} mm, specimen tilted by {angle:g}°, cone of {cone:g} mrad", values, 2
