"""Aberrations of the probe by Krivanek's names, and how far each ray misses its pixel because of them."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from veristem.datasets.geometry import Region
from veristem.datasets.specimens import Finite, NotNegative, Table

_REST_ENERGY_KEV = 510.99895
FWHM = 2 * np.sqrt(2 * np.log(2))  # of a normal distribution, in standard deviations

# Uncorrected: an ordinary objective lens. Unbalanced: with this C5 a wave at 200 kV is flat within a quarter of pi up
# to 27 mrad, and up to 23 mrad with the residuals, which are our choice: they add up to that where they meet.
# Corrected: the same lens, balanced on the ring where the detector looks, if off the axis (`Microscope.balanced`).
_AXIAL = {"C12_nm": 0.25, "C21_nm": 10.0, "C23_nm": 10.0, "C30_mm": 0.0005, "C50_mm": 5.0}
PRESETS: dict[str, dict[str, float]] = {
    "none": {},
    "uncorrected": {"C30_mm": 1.2},
    "corrected": _AXIAL,
    "unbalanced": _AXIAL,
}
_ORDERS = {"C10": (1, 0), "C12": (1, 2), "C21": (2, 1), "C23": (2, 3), "C30": (3, 0), "C50": (5, 0)}  # n, m
_NM = {"nm": 1.0, "mm": 1e6}


class Aberrations(Table):
    """Coefficients C_nm with the azimuths phi_nm of those without rotational symmetry; 0 where nothing is said."""

    preset: Literal["none", "uncorrected", "corrected", "unbalanced"] = Field(
        default="none",
        description="where coefficients that are not given come from; uncorrected: C30 = 1.2 mm; unbalanced: flat to "
        "23 mrad, with C50 = 5 mm; corrected: this lens balanced on the ring of the detector's regions",
    )
    balanced_mrad: Annotated[float, Field(ge=0, le=300)] | None = Field(
        default=None,
        description="ring on which C10 and C30, where not given, take back what C50 does: C30 = -2 C50 theta², "
        "C10 = C50 theta^4; of the preset corrected that of the detector's regions if not given, else none",
    )
    C10_nm: Finite | None = Field(default=None, description="defocus, positive for overfocus")
    C12_nm: Finite | None = Field(default=None, description="twofold astigmatism")
    phi12_deg: Finite = Field(default=0.0, description="azimuth of C12")
    C21_nm: Finite | None = Field(default=None, description="axial coma")
    phi21_deg: Finite = Field(default=0.0, description="azimuth of C21")
    C23_nm: Finite | None = Field(default=None, description="threefold astigmatism")
    phi23_deg: Finite = Field(default=0.0, description="azimuth of C23")
    C30_mm: Finite | None = Field(default=None, description="third-order spherical aberration")
    C50_mm: Finite | None = Field(default=None, description="fifth-order spherical aberration")
    Cc_mm: NotNegative = Field(default=1.2, description="chromatic aberration, of what energy_spread_eV brings")
    energy_spread_eV: NotNegative = Field(
        default=0.0, description="full width at half maximum of the beam's energies, of which each has its defocus"
    )

    def coefficients_nm(self) -> dict[str, tuple[float, float]]:
        """Value [nm] and azimuth [rad] by Krivanek's name, of those that are not 0.

        The rays of a ring theta_0 miss their pixel by C50 theta (theta² - theta_0²)² when the lens is balanced there:
        by nothing, and by nothing more beside it.
        """
        found, preset = {}, PRESETS[self.preset]
        if self.balanced_mrad:
            fifth, square = preset.get("C50_mm", 0.0) if self.C50_mm is None else self.C50_mm, self.balanced_mrad**2
            preset = preset | {"C10_nm": 1e-6 * fifth * square**2, "C30_mm": -2e-6 * fifth * square}
        for name, (_, symmetry) in _ORDERS.items():
            key = f"{name}_mm" if name in ("C30", "C50") else f"{name}_nm"
            value = getattr(self, key)
            if value is None:
                value = preset.get(key, 0.0)
            if value:
                azimuth = np.radians(getattr(self, f"phi{name[1:]}_deg")) if symmetry else 0.0
                found[name] = (value * _NM[key[-2:]], float(azimuth))
        return found

    def path_nm(self, theta_rad) -> np.ndarray:
        """Aberration function chi lambda / 2 pi (...) of incidences (..., 2): the error of the wave as a length [nm].

        Sum of C_nm theta^(n+1) / (n+1) cos(m (phi - phi_nm)) (Krivanek, Dellby & Lupini, Ultramicroscopy 78 (1999) 1).
        """
        w = np.asarray(theta_rad, float) @ [1, 1j]
        total = np.zeros(w.shape)
        for name, (value, azimuth) in self.coefficients_nm().items():
            n, m = _ORDERS[name]
            total += value / (n + 1) * np.abs(w) ** (n + 1 - m) * (w**m * np.exp(-1j * m * azimuth)).real
        return total

    def displacement_nm(self, theta_rad) -> np.ndarray:
        """Delta (..., 2) [nm], the gradient of `path_nm`: a feature shows in the ray's image moved by -Delta."""
        w = np.asarray(theta_rad, float) @ [1, 1j]
        total = np.zeros_like(w)
        for name, (value, azimuth) in self.coefficients_nm().items():
            n, m = _ORDERS[name]
            turn, power = np.exp(-1j * m * azimuth), n + 1 - m  # of f = r^power Re(w^m turn); power is even
            if power:
                total += value / (n + 1) * power * np.abs(w) ** (power - 2) * w * (w**m * turn).real
            if m:
                total += value / (n + 1) * np.abs(w) ** power * np.conj(m * w ** (m - 1) * turn)
        return np.stack([np.real(total), np.imag(total)], axis=-1)

    def shift_nm(self, region: Region, convergence_rad: float) -> tuple[np.ndarray, np.ndarray]:
        """Mean and largest displacement Delta (2,) [nm] of the rays that reach a region directly.

        The mean moves the image of the region by its opposite; the rest blurs it.
        """
        if not self.coefficients_nm():
            return np.zeros(2), np.zeros(2)
        delta = self.displacement_nm(region.directions(convergence_rad))
        if not len(delta):
            return np.zeros(2), np.zeros(2)
        return delta.mean(axis=0), np.abs(delta).max(axis=0)

    def defocus_spread_nm(self, energy_keV: float) -> float:
        """Standard deviation of the defocus that the energies of the beam make [nm].

        Cc dE/E (1 + E/mc²) / (1 + E/2mc²) (Reimer & Kohl, Transmission Electron Microscopy, 2008, chapter 2).
        """
        relative = energy_keV / _REST_ENERGY_KEV
        spread = 1e-3 * self.energy_spread_eV / energy_keV * (1 + relative) / (1 + relative / 2)
        return 1e6 * self.Cc_mm * spread / FWHM


def _named(given):
    """The name of a preset stands for the whole table."""
    if isinstance(given, str):
        if given not in PRESETS:
            raise ValueError(f"allowed are {', '.join(PRESETS)}, or a table of coefficients")
        return {"preset": given}
    return given


AnyAberrations = Annotated[Aberrations, BeforeValidator(_named)]
