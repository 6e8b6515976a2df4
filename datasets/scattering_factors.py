"""How single atoms scatter fast electrons: elastic factors and mean square vibrations of the elements.

Elastic factors of neutral atoms: Lobato & Van Dyck, Acta Cryst. A70 (2014) 636, in ``scattering_factors.json``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import numpy as np

from veristem.datasets.errors import InputError

# B [Angstrom²] of elemental crystals at 280 K: Peng, Ren, Dudarev & Whelan, Acta Cryst. A52 (1996) 456, table 1;
# iron bcc, calcium fcc
_B_280_K = {
    "Li": 4.595, "Be": 0.404, "C": 0.142, "Na": 6.364, "Mg": 1.731, "Al": 0.746, "Si": 0.463, "K": 10.239, "Ca": 1.908,
    "Sc": 0.712, "Ti": 0.491, "V": 0.546, "Cr": 0.239, "Fe": 0.310, "Ni": 0.340, "Cu": 0.526, "Zn": 1.091, "Ge": 0.573,
    "Rb": 12.604, "Sr": 3.622, "Y": 0.817, "Zr": 0.543, "Nb": 0.429, "Mo": 0.205, "Pd": 0.425, "Ag": 0.702,
    "Sn": 1.083, "Cs": 16.770, "Ba": 2.928, "La": 1.774, "Tb": 0.966, "Ho": 0.802, "Ta": 0.308, "W": 0.153,
    "Pt": 0.356, "Au": 0.593, "Pb": 2.034, "Th": 0.698,
}  # fmt: skip


@cache
def _table() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    text = resources.files("veristem.datasets").joinpath("scattering_factors.json").read_text(encoding="utf-8")
    return {element: (np.array(a), np.array(b)) for element, (a, b) in json.loads(text)["elements"].items()}


def elements() -> tuple[str, ...]:
    """Symbols of the elements that are known, by atomic number: H to Lr."""
    return tuple(_table())


def elastic_factor(element: str, s_per_angstrom) -> np.ndarray:
    """Elastic factor f (...) [Angstrom] of a neutral atom in the first Born approximation, for an electron at rest.

    A fast electron's is gamma times as large. f = sum a (2 + b g²) / (1 + b g²)², g = 2 s: Lobato & Van Dyck 2014.

    Parameters
    ----------
    element : str
        Its symbol.
    s_per_angstrom : (...) float
        s = sin(theta / 2) / wavelength, half of |g| [1/Angstrom].

    Raises
    ------
    InputError
        For an element that is not known.
    """
    if element not in _table():
        raise InputError(f"element {element!r} found, those from H to Lr allowed, atomic numbers 1 to 103")
    a, b = _table()[element]
    bg2 = b * (2 * np.asarray(s_per_angstrom, float)[..., None]) ** 2
    return ((2 + bg2) / (1 + bg2) ** 2) @ a


def room_temperature_b(element: str) -> float | None:
    """B = 8 pi² <u²> [Angstrom²] of an atom in the elemental crystal at 295 K; None where none is known.

    Peng et al., Acta Cryst. A52 (1996) 456, at 280 K times 295 / 280. In a compound an atom may vibrate half or twice
    as much.
    """
    b = _B_280_K.get(element)
    return None if b is None else b * 295 / 280
