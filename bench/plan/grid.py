"""Between the discs that were imaged: signals at any angle and radius that a cone holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from veristem.bench.plan.signals import Signal
from veristem.datasets.errors import InputError


class Between(NamedTuple):
    """What the model asks for, at a place between those imaged; as the fields of `Signal` of these names."""

    limit_nm: float
    cnr: float
    share: float
    angle_deg: float


def between(known: Mapping[tuple[float, float], Signal], angle_deg: float, radius_mrad: float) -> Between:
    """Signals interpolated between logarithms of angle and radius, corners that no cone holds left out.

    Parameters
    ----------
    known : mapping
        Signals by angle [deg] and radius [mrad].
    angle_deg, radius_mrad : float
        Wanted, within those known.

    Raises
    ------
    InputError
        Beyond what was imaged.
    """
    angles, radii = (sorted({place[i] for place in known}) for i in (0, 1))
    total, found = 0.0, np.zeros(3)
    for angle, across in _corners(angles, angle_deg, "angle", "°"):
        for radius, along in _corners(radii, radius_mrad, "radius", " mrad"):
            if signal := known.get((angle, radius)):
                # a limit is that of places in the views over the tangent of the angle, which is known between
                steady = np.log([signal.limit_nm * np.tan(np.radians(angle) / 2), signal.cnr, signal.share])
                total, found = total + across * along, found + across * along * steady
    if total < 1e-6:
        raise InputError(f"discs of {radius_mrad:g} mrad, {angle_deg:g}° apart: no cone of this microscope holds them")
    limit, cnr, share = np.exp(found / total)
    return Between(float(limit / np.tan(np.radians(angle_deg) / 2)), float(cnr), float(share), angle_deg)


def _corners(values: list[float], wanted: float, what: str, unit: str):
    if not values or not values[0] * (1 - 1e-9) <= wanted <= values[-1] * (1 + 1e-9):
        allowed = f"{values[0]:g} to {values[-1]:g}" if values else "none"
        raise InputError(f"{what}: {wanted:g}{unit} found, {allowed} allowed: what was imaged for the plan")
    after = min(max(int(np.searchsorted(values, wanted)), 1), len(values) - 1)
    if len(values) == 1:
        return [(values[0], 1.0)]
    low, high = values[after - 1], values[after]
    share = float(np.clip(np.log(wanted / low) / np.log(high / low), 0.0, 1.0))
    return [(low, 1 - share), (high, share)]
