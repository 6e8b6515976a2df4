"""How often gold and ice scatter a fast electron, and where to: single-scattering cross-sections.

Elastic: the first Born approximation with the electron scattering factors of International Tables for Crystallography
vol. C (2006), table 4.3.2.3 (five Gaussians, 0 < s < 6 1/Angstrom), atoms scattering independently. For gold at 200 kV
it gives 1.82e-3 nm², 14 % above the fit of Langmore & Smith (Ultramicroscopy 46 (1992) 349, eq. 2) to partial waves.
Inelastic: ibid., eq. 5, after Wall, Isaacson & Langmore (Optik 39 (1974) 359), with a mean loss of 20 eV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region, directions_of

_REST_ENERGY_KEV = 510.99895
_AVOGADRO = 602.214076  # per nm³ for a density in g/cm³ and a molar mass in g/mol
_MEAN_LOSS_KEV = 0.02
# atomic number; a (Angstrom) and b (Angstrom²) of f(s) = sum a exp(-b s²), s = sin(theta / 2) / wavelength
_ATOMS = {
    "H": (1, (0.0088, 0.0449, 0.1481, 0.2356, 0.0914), (0.1152, 1.0867, 4.9755, 16.5591, 43.2743)),
    "O": (8, (0.0365, 0.1729, 0.5805, 0.8814, 0.3121), (0.0652, 0.6184, 2.9449, 9.6298, 28.2194)),
    "Au": (79, (0.3055, 1.3945, 2.9617, 3.8990, 2.0026), (0.0596, 0.5827, 3.1035, 11.9693, 47.9106)),
}


@dataclass(frozen=True)
class Matter:
    """What the beam passes.

    Parameters
    ----------
    atoms : tuple of (str, int)
        Elements and their number in a formula unit.
    units_per_nm3 : float
        Formula units per volume [1/nm³].
    """

    atoms: tuple[tuple[str, int], ...]
    units_per_nm3: float


GOLD = Matter((("Au", 1),), 19.3 / 196.967 * _AVOGADRO)
ICE = Matter((("H", 2), ("O", 1)), 0.93 / 18.015 * _AVOGADRO)  # vitreous


def elastic_per_nm(matter: Matter, energy_keV: float) -> float:
    """Inverse elastic mean free path [1/nm]."""
    return matter.units_per_nm3 * sum(n * _elastic_nm2(atom, energy_keV) for atom, n in matter.atoms)


def inelastic_per_nm(matter: Matter, energy_keV: float) -> float:
    """Inverse inelastic mean free path [1/nm]; good to some 30 %."""
    total = _REST_ENERGY_KEV + energy_keV
    beta2 = 1 - (_REST_ENERGY_KEV / total) ** 2
    angle = _MEAN_LOSS_KEV / (beta2 * total)
    sections = (n * 1.5e-6 * np.sqrt(_ATOMS[atom][0]) / beta2 * np.log(2 / angle) for atom, n in matter.atoms)
    return matter.units_per_nm3 * float(sum(sections))


def angular_density(matter: Matter, energy_keV: float, angle_rad: np.ndarray) -> np.ndarray:
    """Probability per solid angle [1/sr] that an elastically scattered electron is turned by an angle."""
    s = np.sin(np.asarray(angle_rad) / 2) / (10 * electron_wavelength_nm(energy_keV))
    gamma2 = (1 + energy_keV / _REST_ENERGY_KEV) ** 2
    density = np.sum([n * gamma2 * 1e-2 * _factor(atom, s) ** 2 for atom, n in matter.atoms], axis=0)
    return density / sum(n * _elastic_nm2(atom, energy_keV) for atom, n in matter.atoms)


def arrival(
    matter: Matter, energy_keV: float, theta_rad: np.ndarray, regions: Sequence[Region], cone_rad: float
) -> np.ndarray:
    """Probability (V, K) that an electron of incidence ``theta_rad`` (K, 2), once scattered, arrives in each region.

    The regions lie about one centre.
    """
    there = directions_of(regions, cone_rad, count=60)
    low, high = max(regions, key=lambda region: region.outer_rad).bounds_rad()
    cell = float(np.prod(high - low)) / 60**2
    turned = np.linalg.norm(theta_rad[:, None] - there[None], axis=2)
    density = cell * angular_density(matter, energy_keV, turned)
    return np.array([density @ region.contains(there) for region in regions])


def _factor(atom: str, s_per_angstrom: np.ndarray) -> np.ndarray:
    _, a, b = _ATOMS[atom]
    return sum(ai * np.exp(-bi * s_per_angstrom**2) for ai, bi in zip(a, b))  # type: ignore[return-value]


def _elastic_nm2(atom: str, energy_keV: float) -> float:
    """8 pi gamma² lambda² times the integral of f² s ds."""
    _, a, b = (np.array(v) for v in _ATOMS[atom])
    integral = (np.outer(a, a) / (2 * np.add.outer(b, b))).sum()
    gamma, wavelength = 1 + energy_keV / _REST_ENERGY_KEV, 10 * electron_wavelength_nm(energy_keV)
    return float(1e-2 * 8 * np.pi * gamma**2 * wavelength**2 * integral)
