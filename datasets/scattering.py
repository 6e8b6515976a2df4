"""How often gold and ice scatter a fast electron, and where to.

Elastic: atoms independent of each other, each a phase that the wave takes up (eikonal or Glauber approximation, which
is what a multislice calculation makes of one atom), from the electron scattering factors of International Tables for
Crystallography vol. C (2006), table 4.3.2.3 (five Gaussians, 0 < s < 6 1/Angstrom). For gold at 200 kV this gives
1.43e-3 nm², 10 % below the fit of Langmore & Smith (Ultramicroscopy 46 (1992) 349, eq. 2) to partial waves; the first
Born approximation, which does not hold for so heavy an atom, 1.82e-3 nm². Scattering more than once: Poisson's
distribution of their number, angles independent of each other. Inelastic: ibid., eq. 5, after Wall, Isaacson &
Langmore (Optik 39 (1974) 359), with a mean loss of 20 eV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

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
# distances: from an atom [nm], in the reciprocal plane [1/nm], and of what is transformed back to it [nm]
_R = np.geomspace(1e-5, 0.6, 3000)
_Q = np.concatenate([np.linspace(0, 15, 151), np.geomspace(15.1, 260, 250)])
_RHO = np.linspace(0, 0.4, 1601)


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


def angular_density(matter: Matter, energy_keV: float, angle_rad: np.ndarray, depth: float = 0.0) -> np.ndarray:
    """Probability per solid angle [1/sr] that an elastically scattered electron is turned by an angle.

    Parameters
    ----------
    matter : Matter
        What scatters.
    energy_keV : float
        Of the electrons [keV].
    angle_rad : array
        By which the electron is turned, by one scattering or by all together [rad].
    depth : float
        Optical depth: thickness over the mean free path. Above 0 an electron may be scattered more than once.
    """
    wavelength = electron_wavelength_nm(energy_keV)
    q_per_nm, density = _density_nm2(matter, energy_keV, depth)
    return np.interp(np.asarray(angle_rad) / wavelength, q_per_nm, density, right=0.0) / wavelength**2


def arrival(
    matter: Matter,
    energy_keV: float,
    theta_rad: np.ndarray,
    regions: Sequence[Region],
    cone_rad: float,
    depth: float = 0.0,
) -> np.ndarray:
    """Probability (V, K) that an electron of incidence ``theta_rad`` (K, 2) arrives in each region if it is scattered.

    The regions lie about one centre; ``depth`` as of `angular_density`.
    """
    there = directions_of(regions, cone_rad, count=60)
    low, high = max(regions, key=lambda region: region.outer_rad).bounds_rad()
    cell = float(np.prod(high - low)) / 60**2
    turned = np.linalg.norm(theta_rad[:, None] - there[None], axis=2)
    density = cell * angular_density(matter, energy_keV, turned, depth)
    return np.array([density @ region.contains(there) for region in regions])


@lru_cache(maxsize=64)
def gains(
    energy_keV: float, regions: tuple[Region, ...], cone_rad: float, step_rad: float, depth: float
) -> tuple[np.ndarray, dict[Matter, np.ndarray]]:
    """Directions (K, 2) over the whole cone, and what gold and ice scatter from each into each region, (V, K).

    In shares of the cone's electrons, for one electron scattered; the regions lie about one centre. ``depth`` is the
    optical depth of a particle. The same for all specimens, and as slow as the image of a small film.
    """
    whole, weight = Region((0.0, 0.0), cone_rad).rays(cone_rad, step_rad)
    among = (whole, regions, cone_rad)
    return whole, {m: weight * arrival(m, energy_keV, *among, depth if m is GOLD else 0.0) for m in (GOLD, ICE)}


def sphere_depth(radii_nm: np.ndarray, energy_keV: float) -> float:
    """Optical depth of a ray in spheres of gold, for how often it is scattered: mean square over mean, 3/4 of 2 R.

    To a hundredth, so that specimens with almost the same spheres share what depends on it.
    """
    mean = 1.5 * float((radii_nm**4).sum() / (radii_nm**3).sum()) if len(radii_nm) else 0.0
    return round(mean * elastic_per_nm(GOLD, energy_keV), 2)


@lru_cache(maxsize=64)
def _atom(atom: str, energy_keV: float) -> tuple[np.ndarray, float]:
    """|F|² (Q,) [nm²] at `_Q`, and the cross-section [nm²], of one atom.

    F = (1 / i lambda) times the transform of exp(i phi) - 1, phi = lambda gamma times that of f; total by the optical
    theorem.
    """
    _, a, b = _ATOMS[atom]
    wavelength, gamma = electron_wavelength_nm(energy_keV), 1 + energy_keV / _REST_ENERGY_KEV
    phase = sum(
        wavelength * gamma * 0.1 * ai * 4 * np.pi / (1e-2 * bi) * np.exp(-4 * np.pi**2 * _R**2 / (1e-2 * bi))
        for ai, bi in zip(a, b)
    )
    wave = np.exp(1j * phase) - 1
    amplitude = np.trapezoid(wave * _hankel(_Q, _R) * 2 * np.pi * _R, _R) / wavelength
    return np.abs(amplitude) ** 2, float(-2 * np.trapezoid(np.real(wave) * 2 * np.pi * _R, _R))


@lru_cache(maxsize=64)
def _density_nm2(matter: Matter, energy_keV: float, depth: float) -> tuple[np.ndarray, np.ndarray]:
    """Probability [nm²] per area of the reciprocal plane, at distances `_Q` [1/nm] from the incident beam.

    With p the transform of what one scattering does, n scatterings make p^n; of those with at least one, with a
    Poisson distribution of mean tau, (exp(tau (p - 1)) - exp(-tau)) / (1 - exp(-tau)).
    """
    once = np.sum([n * _atom(name, energy_keV)[0] for name, n in matter.atoms], axis=0)
    once = once / np.trapezoid(once * 2 * np.pi * _Q, _Q)
    if not depth:
        return _Q, once
    single = np.trapezoid(once * _hankel(_RHO, _Q) * 2 * np.pi * _Q, _Q)
    more = np.exp(depth * (single - 1)) - np.exp(-depth) * (1 + depth * single)  # falls off faster than the whole
    more = np.trapezoid(more * _hankel(_Q, _RHO) * 2 * np.pi * _RHO, _RHO)
    return _Q, (depth * np.exp(-depth) * once + more) / -np.expm1(-depth)


def _hankel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(len(first), len(second)) kernel of the transform of functions of a radius in the plane."""
    from scipy.special import j0

    return j0(2 * np.pi * np.outer(first, second))


def _elastic_nm2(atom: str, energy_keV: float) -> float:
    return _atom(atom, energy_keV)[1]
