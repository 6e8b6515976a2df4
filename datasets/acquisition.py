"""Images of a specimen with their nominal calibration; nothing of the truth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Region, Tilt, project
from veristem.datasets.shapes import as_array, check_positive

SpecimenKind = Literal["dislocations", "particles"]

# beyond which a number is in another unit, or none at all
_MOST = {"pixel_nm": 1e6, "thickness_nm": 1e6, "energy_keV": 1e5, "convergence_rad": 1.0}


@dataclass(frozen=True, eq=False)
class Acquisition:
    """Views of one specimen region on one scan grid.

    Parameters
    ----------
    views : (V, Y, X) float32
        Electrons counted in each pixel (or grey levels of a real pair).
    directions_rad : (V, 2) float
        Nominal mean direction (theta_x, theta_y) of the rays of each view [rad].
    pixel_nm : float
        Scan step [nm].
    focus_nm : float
        Nominal depth of the plane that the scan is focused on, from the entrance face [nm].
    thickness_nm : float or None
        Nominal foil thickness [nm], when known; of a wedge the largest.
    electrons_per_pixel : (V,) float or None
        Nominal electrons that fall on a pixel within the region of each view, when known.
    energy_keV, convergence_rad : float or None
        Beam energy [keV] and convergence semi-angle [rad].
    material : str or None
        Name of the material.
    zone_axis, g : (3,) float or None
        Zone axis [uvw] along the beam, and the excited reflection (hkl).
    g_azimuth_rad : float or None
        Direction of g in the image, from x towards y [rad].
    tilt_off_bragg_rad : float
        Tilt from the Bragg condition towards positive excitation error [rad].
    regions : tuple of Region or None
        Nominal detector region of each view, when known: over what directions the view is averaged.
    kind : "dislocations" or "particles"
        What the specimen is known to hold: a reconstruction of it is curves or points.
    tilts_rad : (V,) float or None
        Nominal tilt of the specimen in each view [rad], right-handed about the axis; the directions include it, and the
        images are foreshortened across the axis.
    tilt_axis_rad : float
        Nominal azimuth of that axis in the images, from x towards y [rad].

    Raises
    ------
    InputError
        On a wrong shape, no pixel, NaN in a view, or a size, dose or angle that cannot be.
    """

    views: np.ndarray
    directions_rad: np.ndarray
    pixel_nm: float
    focus_nm: float
    thickness_nm: float | None = None
    electrons_per_pixel: np.ndarray | None = None
    energy_keV: float | None = None
    convergence_rad: float | None = None
    material: str | None = None
    zone_axis: np.ndarray | None = None
    g: np.ndarray | None = None
    g_azimuth_rad: float | None = None
    tilt_off_bragg_rad: float = 0.0
    regions: tuple[Region, ...] | None = None
    kind: SpecimenKind = "dislocations"
    tilts_rad: np.ndarray | None = None
    tilt_axis_rad: float = 0.0

    def __post_init__(self):
        set_ = object.__setattr__
        set_(self, "views", as_array("views", self.views, (None, None, None), dtype=np.float32))
        if not self.views.size:
            raise InputError(f"views: shape {self.views.shape} found, one view of one pixel or more allowed")
        set_(self, "directions_rad", as_array("directions_rad", self.directions_rad, (len(self.views), 2)))
        if self.electrons_per_pixel is not None:
            dose = as_array("electrons_per_pixel", self.electrons_per_pixel, (len(self.views),))
            if not (dose > 0).all():
                raise InputError(f"electrons_per_pixel: {dose.min():g} found, positive numbers allowed")
            set_(self, "electrons_per_pixel", dose)
        if self.tilts_rad is not None:
            set_(self, "tilts_rad", as_array("tilts_rad", self.tilts_rad, (len(self.views),)))
            if np.abs(self.tilts_rad).max(initial=0) >= np.pi / 2:
                raise InputError(f"tilts_rad: {np.abs(self.tilts_rad).max():g} found, less than pi/2 allowed")
        if self.regions is not None and len(self.regions) != len(self.views):
            raise InputError(f"regions: {len(self.regions)} found, one a view, {len(self.views)}, allowed")
        for name in ("zone_axis", "g"):
            if getattr(self, name) is not None:
                set_(self, name, as_array(name, getattr(self, name), (3,)))
                if not getattr(self, name).any():
                    raise InputError(f"{name}: 0 0 0 found, three numbers that are not all 0 allowed")
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is None:
                continue
            check_positive(name, value)
            if value > most:
                raise InputError(f"{name}: {value:g} found, at most {most:g} allowed; the name says the unit")
        if not abs(self.focus_nm) <= _MOST["thickness_nm"]:
            raise InputError(f"focus_nm: {self.focus_nm:g} found, at most {_MOST['thickness_nm']:g} from 0 allowed")
        if self.kind not in get_args(SpecimenKind):
            raise InputError(f"kind: {self.kind!r} found, allowed are {', '.join(get_args(SpecimenKind))}")
        steepest = np.abs(self.directions_rad).max(initial=0)
        if steepest >= np.pi / 2 or (steepest > 1 and self.tilts_rad is None):
            allowed = "at most 1 rad" if self.tilts_rad is None else "less than pi/2"
            raise InputError(f"directions_rad: {steepest:g} found, {allowed} allowed")

    @property
    def id(self) -> str:
        """Opaque name of these images: a hash of their counts."""
        return hashlib.sha256(np.ascontiguousarray(self.views).tobytes()).hexdigest()[:16]

    @property
    def to_image(self) -> np.ndarray | None:
        """(V, 2, 3) nominal map [A b] from the focus plane to each image; None where the specimen lies flat."""
        if self.tilts_rad is None:
            return None
        return np.array([Tilt(float(t), self.tilt_axis_rad).to_image(self.field_nm) for t in self.tilts_rad])

    def project(self, points_nm, view: int) -> np.ndarray:
        """Where points (..., 3) of the specimen are in a view, (..., 2) [nm]."""
        to_image = self.to_image
        return project(
            points_nm, self.directions_rad[view], self.focus_nm, None if to_image is None else to_image[view]
        )

    @property
    def field_nm(self) -> tuple[float, float]:
        """Width (x) and height (y) of the images [nm]."""
        return self.views.shape[2] * self.pixel_nm, self.views.shape[1] * self.pixel_nm
