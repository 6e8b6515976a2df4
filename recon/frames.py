"""From the specimen frame to the crystal frame, from what is known nominally."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import load_material
from veristem.datasets.geometry import specimen_from_crystal


def crystal_from_specimen(acquisition: Acquisition) -> np.ndarray | None:
    """Rotation (3, 3) that takes specimen vectors to crystal Cartesian ones; None when the orientation is not known."""
    a = acquisition
    if a.material is None or a.zone_axis is None or a.g is None or a.g_azimuth_rad is None or a.energy_keV is None:
        return None
    if a.material.lower().endswith(".cif"):  # a file that is not here
        return None
    material = load_material(a.material)
    tilt = material.bragg_angle_rad(a.g, a.energy_keV) + a.tilt_off_bragg_rad
    zone, g = material.direction_nm(a.zone_axis), material.reciprocal_per_nm(a.g)
    return specimen_from_crystal(zone, g, a.g_azimuth_rad, tilt).T
