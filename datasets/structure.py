"""What electrons see of a crystal's atoms: structure factors, absorption by phonons, and where phonons send them.

Every atom vibrates by itself (Einstein), so that what its vibrations take from the Bragg beams is a sum over atoms:
Hall & Hirsch, Proc. R. Soc. A 286 (1965) 158; the factors of reflections as Bird & King, Acta Cryst. A46 (1990) 202.
Atoms that share a site lie there at random, which scatters diffusely like their vibrations (Laue) and is counted with
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from veristem.datasets.scattering_factors import elastic_factor

_COMPTON_ANGSTROM = 0.02426310  # h / (m0 c)
_FARTHEST = 1e4  # of s [1/Angstrom]: what is diffuse falls as s^-4, so that nothing is left
_LEAST = 1e-4


class Atom(NamedTuple):
    """One kind of atom on a site: its element, the share of such sites that hold it, and B = 8 pi² <u²>."""

    element: str
    occupancy: float
    b_angstrom2: float


class Site(NamedTuple):
    """A place in the cell (fractional), and what may be there; the occupancies sum to 1."""

    xyz: tuple[float, float, float]
    atoms: tuple[Atom, ...]


def electron_speed(energy_keV: float) -> float:
    """v / c."""
    gamma = 1 + energy_keV / 510.99895
    return float(np.sqrt(1 - gamma**-2))


def couplings_per_nm(sites: Sequence[Site], hkl, g_per_nm: float, volume_nm3: float, energy_keV: float):
    """1/xi_g and 1/xi'_g [1/nm] with the phases of the structure factors, exp(-2 pi i g·r): two complex numbers.

    The second is of phonons alone; of the reflection 0 0 0 its inverse is xi'_0, so that a beam loses the share
    2 pi/xi'_0 per nm. A distance is pi V / (gamma wavelength |F|).

    Parameters
    ----------
    sites : sequence of Site
        All atoms of the cell.
    hkl : (3,) float
        Reflection.
    g_per_nm : float
        Its length [1/nm].
    volume_nm3, energy_keV : float
        Of the cell [nm³]; of the electron [keV].
    """
    s = g_per_nm / 20
    strength = _COMPTON_ANGSTROM / electron_speed(energy_keV)  # gamma times wavelength
    elastic = diffuse = 0j
    for site in sites:
        phase = np.exp(-2j * np.pi * np.dot(site.xyz, hkl))
        elastic += phase * float(_mean(site.atoms, np.float64(s)))
        diffuse += phase * diffuse_integral(site.atoms, round(s, 9))
    per_angstrom = strength / (np.pi * 1e3 * volume_nm3)
    return complex(10 * per_angstrom * elastic), complex(20 * per_angstrom * strength * diffuse)


def phonon_density(sites: Sequence[Site], energy_keV: float, angle_rad) -> np.ndarray:
    """Probability per solid angle (...) [1/sr] that a phonon turns an electron by an angle, given that one does.

    P ~ sum over sites of <f²> - <f exp(-B s²)>², which of one kind of atom is f² (1 - exp(-2 B s²)); s = |angle| / (2
    wavelength). Small angles: it sums to 1 over the whole plane; 1 % lies beyond 0.5 rad. How often one does, per nm,
    is 2 pi / xi'_0 of phonons, the inverse of `Material.phonon_free_path_nm`.

    Parameters
    ----------
    sites : sequence of Site
        All atoms of the cell: ``Material.sites``.
    energy_keV : float
        Of the electron.
    angle_rad : (...) float
        Angle between its directions before and after [rad].
    """
    gamma = 1 + energy_keV / 510.99895
    wavelength = _COMPTON_ANGSTROM / (gamma * electron_speed(energy_keV))
    s = np.abs(np.asarray(angle_rad, float)) / (2 * wavelength)
    kinds = [site.atoms for site in sites]
    density = sum(kinds.count(atoms) * _diffuse(atoms, s, s, 0.0) for atoms in set(kinds))
    total = sum(diffuse_integral(atoms, 0.0) for atoms in kinds)
    return np.asarray(density / (4 * wavelength**2 * total))


@cache
def diffuse_integral(atoms: tuple[Atom, ...], s_per_angstrom: float) -> float:
    """Integral over the plane of s of what one site scatters diffusely between directions that differ by g = 2 s.

    A site's absorptive factor f' exp(-B s²) is 2 h / (m0 v) times this (Bird & King 1990). Where g is not 0, the
    distances to the two ends of g are the coordinates (elliptic), so that nothing is sharp.
    """
    if s_per_angstrom == 0:
        ln_s, weight = _quadrature(np.log(_LEAST), np.log(_FARTHEST), 120)
        s = np.exp(ln_s)
        return float(weight @ (2 * np.pi * s**2 * _diffuse(atoms, s, s, 0.0)))
    half = s_per_angstrom / 2
    mu, weight_mu = _quadrature(0.0, np.arccosh(_FARTHEST / half), 100)
    nu, weight_nu = _quadrature(0.0, np.pi / 2, 32)
    mu = mu[:, None]
    first, second = half * (np.cosh(mu) + np.cos(nu)), half * (np.cosh(mu) - np.cos(nu))
    area = 4 * half**2 * (np.sinh(mu) ** 2 + np.sin(nu) ** 2)  # of the four quadrants
    return float(weight_mu @ (area * _diffuse(atoms, first, second, s_per_angstrom)) @ weight_nu)


def _diffuse(atoms: tuple[Atom, ...], first, second, apart: float) -> np.ndarray:
    """What a site scatters by ``first`` and ``second``, ``apart`` from each other, less what is coherent."""
    every = sum(
        a.occupancy
        * elastic_factor(a.element, first)
        * elastic_factor(a.element, second)
        * np.exp(-a.b_angstrom2 * apart**2)
        for a in atoms
    )
    return np.asarray(every - _mean(atoms, first) * _mean(atoms, second))


def _mean(atoms: tuple[Atom, ...], s) -> np.ndarray:
    """The site's mean elastic factor, vibrations included [Angstrom]."""
    return np.asarray(
        sum(a.occupancy * elastic_factor(a.element, s) * np.exp(-a.b_angstrom2 * np.square(s)) for a in atoms)
    )


def _quadrature(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights of Gauss and Legendre between two limits."""
    x, weight = _legendre(count)
    return low + (high - low) * (x + 1) / 2, weight * (high - low) / 2


@cache
def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(count)
