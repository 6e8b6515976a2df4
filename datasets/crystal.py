"""Crystals: cells, atoms, slip systems, and the extinction and absorption distances that follow.

The numbers stand in ``materials/*.toml``, each with its source.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.structure import Atom, Site, couplings_per_nm, electron_speed

# structure -> slip planes (hkl) and Burgers vectors [uvw], kinds of which all permutations and signs are taken
_FAMILIES = {
    "fcc": [((1, 1, 1), (0.5, 0.5, 0))],
    "bcc": [((1, 1, 0), (0.5, 0.5, 0.5)), ((1, 1, 0), (1, 0, 0))],
    "diamond": [((1, 1, 1), (0.5, 0.5, 0))],
    "zincblende": [((1, 1, 1), (0.5, 0.5, 0))],
    "rocksalt": [((1, 1, 0), (0.5, 0.5, 0))],
    "L1_0": [((1, 1, 1), (0.5, 0.5, 0)), ((1, 1, 1), (0.5, 0, 0.5))],
}
CUBIC = ("fcc", "bcc", "diamond", "zincblende", "rocksalt")
_HEXAGONAL = ("hcp", "wurtzite")
STRUCTURES = (*_FAMILIES, *_HEXAGONAL)
_FORBIDDEN = 1e-6  # of 1/xi, over that of 0 0 0: rounding of what is 0 by symmetry


def electron_wavelength_nm(energy_keV: float) -> float:
    """Relativistic de Broglie wavelength [nm]."""
    return 1.2264259 / np.sqrt(1e3 * energy_keV * (1 + 0.97847538e-6 * 1e3 * energy_keV))


class Dissociation(NamedTuple):
    """A perfect dislocation as two partials with a fault between them.

    normal (3,): unit normal of the glide plane. burgers_nm (2, 3): of the two partials [nm]; the first is the shift of
    the crystal on the normal's side that makes the fault of low energy. energy_mj_per_m2: of that fault.
    """

    normal: np.ndarray
    burgers_nm: np.ndarray
    energy_mj_per_m2: float

    def rotated(self, rotation: np.ndarray) -> Dissociation:
        """The same in another frame."""
        return Dissociation(rotation @ self.normal, self.burgers_nm @ rotation.T, self.energy_mj_per_m2)


@dataclass(frozen=True)
class Material:
    """One crystal.

    Parameters
    ----------
    name, structure : str
        Name, and the family of its slip systems: one of `STRUCTURES`.
    a_nm, c_nm : float
        Cell [nm]; c = a for cubic crystals.
    poisson_ratio : float
        Of the isotropic average.
    stiffness_gpa : (6, 6) float
        Elastic constants in the crystal frame, Voigt order [GPa].
    sites : tuple of Site
        All atoms of the cell.
    xi_0_abs_nm : float
        Mean absorption distance xi'_0 at 200 keV with all losses counted [nm].
    fault_energy_mj_per_m2 : float or None
        Of the intrinsic stacking fault of an fcc crystal, of the antiphase boundary on {111} of an L1_0 one.
    zone_axis, g : (3,) float
        A zone axis and a reflection of it, to start from.
    source : dict
        Where each number comes from.
    wide_cone_beams : int
        Beams of a row by which cones of 20 mrad and more come within 10 % of more beams in contrast and width of lines:
        fewer than 7 only where that was measured (reports/published/beams).
    """

    name: str
    structure: str
    a_nm: float
    c_nm: float
    poisson_ratio: float
    stiffness_gpa: np.ndarray
    sites: tuple[Site, ...]
    xi_0_abs_nm: float
    fault_energy_mj_per_m2: float | None
    zone_axis: tuple[float, float, float]
    g: tuple[float, float, float]
    source: dict[str, str]
    wide_cone_beams: int = 7

    @property
    def is_hexagonal(self) -> bool:
        """Whether a and b are at 120 degrees."""
        return self.structure in _HEXAGONAL

    @property
    def cell_nm(self) -> np.ndarray:
        """(3, 3) cell vectors as rows [nm]; a along x."""
        if self.is_hexagonal:
            return np.array([[self.a_nm, 0, 0], [-self.a_nm / 2, self.a_nm * np.sqrt(0.75), 0], [0, 0, self.c_nm]])
        return np.diag([self.a_nm, self.a_nm, self.c_nm])

    def direction_nm(self, uvw) -> np.ndarray:
        """Lattice vector [uvw] (..., 3) in crystal Cartesian coordinates [nm]."""
        return np.asarray(uvw, float) @ self.cell_nm

    def reciprocal_per_nm(self, hkl) -> np.ndarray:
        """Reciprocal vector (hkl) (..., 3) in crystal Cartesian coordinates [1/nm], |g| = 1/d."""
        return np.asarray(hkl, float) @ np.linalg.inv(self.cell_nm).T

    def bragg_angle_rad(self, hkl, energy_keV: float) -> float:
        """Half the scattering angle of (hkl) [rad]."""
        return float(np.arcsin(electron_wavelength_nm(energy_keV) * np.linalg.norm(self.reciprocal_per_nm(hkl)) / 2))

    def couplings_per_nm(self, hkl, energy_keV: float) -> tuple[complex, complex]:
        """1/xi_g and 1/xi'_g [1/nm] of a reflection, phonons alone, with the phases of its structure factors.

        Both 0 where symmetry forbids it. As `structure.couplings_per_nm`.
        """
        g = float(np.linalg.norm(self.reciprocal_per_nm(hkl)))
        volume = float(np.linalg.det(self.cell_nm))
        elastic, phonons = couplings_per_nm(self.sites, hkl, g, volume, energy_keV)
        straight, _ = couplings_per_nm(self.sites, (0, 0, 0), 0.0, volume, energy_keV)
        return (elastic, phonons) if abs(elastic) > _FORBIDDEN * abs(straight) else (0j, 0j)

    def phonon_free_path_nm(self, energy_keV: float) -> float:
        """Mean free path between phonons [nm]: xi'_0 of phonons over 2 pi."""
        _, phonons = self.couplings_per_nm((0, 0, 0), energy_keV)
        return 1 / (2 * np.pi * phonons.real)

    def extinction_distances_nm(self, hkl, energy_keV: float) -> tuple[float, float, float, float]:
        """xi_g, xi'_g, xi'_0 of all losses and of phonons alone [nm], of a reflection.

        Computed from the atoms (`structure`), but for xi'_0 of all losses, which scales from 200 keV with the
        electron's velocity squared. xi'_g is of phonons alone: losses of energy turn an electron by less than a
        Bragg angle and hardly tell reflections apart. It is negative where it opposes xi_g, as in some weak or very
        high orders; without a centre of symmetry, it is that part which is in phase with xi_g.

        Raises
        ------
        InputError
            For a reflection that the structure forbids.
        """
        elastic, phonons = self.couplings_per_nm(hkl, energy_keV)
        if elastic == 0:
            found = f"({' '.join(str(round(i)) for i in hkl)})"
            raise InputError(f"g: {found} found, which the structure of {self.name} forbids; {self._allowed(hkl)}")
        in_phase = (phonons / elastic).real * abs(elastic)
        xi_0_abs = self.xi_0_abs_nm * (electron_speed(energy_keV) / electron_speed(200.0)) ** 2
        return 1 / abs(elastic), 1 / in_phase, xi_0_abs, 2 * np.pi * self.phonon_free_path_nm(energy_keV)

    def _allowed(self, hkl) -> str:
        """Which multiple of a forbidden reflection is none, in words."""
        for n in range(2, 7):
            if self.couplings_per_nm(n * np.asarray(hkl), 200.0)[0]:
                return f"({' '.join(str(n * round(i)) for i in hkl)}) is allowed"
        return "another one allowed"

    def orders_between(self, hkl, energy_keV: float) -> int:
        """In how many steps the systematic row goes from 0 to (hkl): 2 where a superlattice reflection lies between."""
        whole = [abs(round(i)) for i in hkl]
        parts = [n for n in range(2, int(np.gcd.reduce(whole)) + 1) if all(i % n == 0 for i in whole)]
        for n in reversed(parts):
            if self.couplings_per_nm(np.array(hkl) / n, energy_keV)[0]:
                return n
        return 1

    def chosen_slip_systems(self, plane=None, burgers=None) -> list[tuple[np.ndarray, np.ndarray]]:
        """The slip systems with a plane (hkl), a Burgers vector [uvw], or both; all if neither is given.

        Raises
        ------
        InputError
            When there is none of that kind in the crystal, with the known ones.
        """
        found = self.slip_systems()
        if plane is not None:
            normal = self.reciprocal_per_nm(plane)
            found = [(n, b) for n, b in found if np.linalg.norm(np.cross(n, normal)) < 1e-6 * np.linalg.norm(normal)]
        if burgers is not None:
            wanted = self.direction_nm(burgers)
            found = [(n, b) for n, b in found if min(np.linalg.norm(b - wanted), np.linalg.norm(b + wanted)) < 1e-6]
        if not found:
            given = {"plane": plane, "burgers": burgers}
            named = " and ".join(f"{key} = {list(value)}" for key, value in given.items() if value is not None)
            inverse = np.linalg.inv(self.cell_nm)
            known = sorted({_indices(b @ inverse) for _, b in self.slip_systems()})
            planes = sorted(
                {_indices(self.cell_nm @ n / np.abs(self.cell_nm @ n).max()) for n, _ in self.slip_systems()}
            )
            raise InputError(
                f"specimen.network: {named} found, no slip system of {self.name}; planes {', '.join(planes)} "
                f"with those of the Burgers vectors {', '.join(known)} that lie in them allowed"
            )
        return found

    def slip_systems(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Slip planes and Burgers vectors: pairs of unit normal (3,) and Burgers vector (3,) [nm], b and -b once.

        Raises
        ------
        InputError
            For a structure without a list of slip systems.
        """
        if self.is_hexagonal:
            basal = [(1, 0, 0), (0, 1, 0), (1, 1, 0)]
            prism = {(1, 0, 0): (0, 1, 0), (0, 1, 0): (1, 0, 0), (1, 1, 0): (1, -1, 0)}  # a on its prism plane
            pairs = [((0, 0, 1), b) for b in basal]
            if self.structure == "hcp":
                pairs += [(prism[b], b) for b in basal]
                pyramids = [((-2, 1), (1, 0)), ((1, -2), (0, 1)), ((1, 1), (-1, -1))]  # a + c on {11-22}
                pairs += [((*n, 2 * s), (s * b[0], s * b[1], 1)) for n, b in pyramids for s in (1, -1)]
            else:
                pairs += [(prism[b], (*b[:2], 1)) for b in basal]  # a + c
            pairs += [(prism[b], (0, 0, 1)) for b in basal]  # c
        elif self.structure in _FAMILIES:
            pairs = []
            for plane, burgers in _FAMILIES[self.structure]:
                fixed = self.structure == "L1_0"  # c is not equivalent to a
                for n, b in product(_equivalents(plane, fixed), _equivalents(burgers, fixed)):
                    if abs(np.dot(n, b)) < 1e-9:
                        pairs.append((n, b))
        else:
            raise InputError(f"structure: {self.structure} found, {', '.join(STRUCTURES)} allowed")
        normals = [self.reciprocal_per_nm(n) for n, _ in pairs]
        return [(n / np.linalg.norm(n), self.direction_nm(b)) for n, (_, b) in zip(normals, pairs, strict=True)]

    def dissociations(self) -> list[Dissociation]:
        """How perfect dislocations split: 1/2<110> of fcc into Shockley partials, <101] of L1_0 into superpartials.

        Empty for other crystals and without a fault energy. The shift that makes an intrinsic fault is that from one
        {111} layer to the next: the faulted layer then lies in the other hollows, not on top.
        """
        energy, found = self.fault_energy_mj_per_m2, []
        if energy is None:
            return []
        for normal, b in self.slip_systems():
            if self.structure == "fcc":
                aside = np.cross(normal, b) / np.sqrt(12)
                up = max((s * v for v in self.burgers_vectors_nm() for s in (1, -1)), key=lambda v: v @ normal)
                step = up - (up @ normal) * normal  # in the plane, from one layer to the next along the normal
                # the partial that is this step turned by 0 or 120 degrees, of the two at 30 degrees to b
                first = max((b / 2 + aside, b / 2 - aside), key=lambda p: abs(np.cos(1.5 * _angle(p, step))))
                found.append(Dissociation(normal, np.array([first, b - first]), energy))
            elif self.structure == "L1_0" and abs(b[2]) > 1e-9:
                found.append(Dissociation(normal, np.array([b, b]), energy))
        return found

    @property
    def shear_modulus_gpa(self) -> float:
        """Of the isotropic average (Voigt, Reuss, Hill) [GPa]."""
        return isotropic_moduli(self.stiffness_gpa)[1]

    @property
    def shortest_burgers_nm(self) -> float:
        """Length of the shortest Burgers vector [nm]: the unit of length of a .data file."""
        return float(np.linalg.norm(self.burgers_vectors_nm(), axis=1).min())

    def burgers_vectors_nm(self) -> np.ndarray:
        """(N, 3) distinct Burgers vectors of the slip systems, b and -b counted once [nm]."""
        return np.unique(np.round([b for _, b in self.slip_systems()], 9), axis=0)


def _indices(triple) -> str:
    return f"[{' '.join(f'{round(i, 6) + 0:.3g}' for i in triple)}]"


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


def _equivalents(indices, c_fixed: bool) -> list[tuple[float, ...]]:
    """All permutations and signs of a triple, one of each pair v, -v; with ``c_fixed`` only a and b change places."""
    orders = set(permutations(indices))
    if c_fixed:
        orders = {o for o in orders if o[2] == indices[2]}
    found = {
        tuple(s * i + 0.0 for s, i in zip(signs, o, strict=True))
        for o in orders
        for signs in product((1, -1), repeat=3)
    }
    return sorted(v for v in found if next(i for i in v if i) > 0)


def material_names() -> list[str]:
    """Names of the materials that ship."""
    files = resources.files("veristem.datasets").joinpath("materials").iterdir()
    return sorted((f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")), key=str.lower)


def load_material(name: str, crystal: Any = None) -> Material:
    """The material of that name, or that of a .cif file with what the file does not tell.

    Parameters
    ----------
    name : str
        One of `material_names`, or the path of a .cif file.
    crystal : specimens.Crystal, optional
        Of a .cif file: slip systems and elastic constants.

    Raises
    ------
    InputError
        For an unknown name, with the known ones, and for what is wrong with a file.
    """
    if name.lower().endswith(".cif"):
        from veristem.datasets.cif import read_material

        return read_material(name, crystal)  # type: ignore[reportReturnType]  # pyright sees the class by two names
    if crystal is not None:
        raise InputError(f"specimen.crystal: found with material {name!r}, whose crystal is known; a .cif file allowed")
    return _shipped(name)


@cache
def _shipped(name: str) -> Material:
    if name not in material_names():
        raise InputError(f"material: {name[:60]!r} found, allowed are {', '.join(material_names())}, or a .cif file")
    text = resources.files("veristem.datasets").joinpath("materials", f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    sites = tuple(
        Site(
            tuple(xyz), tuple(Atom(element, share, kind["b_angstrom2"]) for element, share in kind["elements"].items())
        )
        for kind in table["sites"]
        for xyz in kind["at"]
    )
    return Material(
        name=name,
        structure=table["structure"],
        a_nm=table["a_nm"],
        c_nm=table.get("c_nm", table["a_nm"]),
        poisson_ratio=table["poisson_ratio"],
        stiffness_gpa=_stiffness(table["elastic_gpa"]),
        sites=sites,
        xi_0_abs_nm=table["xi_0_abs_nm"],
        fault_energy_mj_per_m2=table.get("fault_energy_mj_per_m2"),
        zone_axis=tuple(table["zone_axis"]),
        g=tuple(table["g"]),
        source=table["source"],
        wide_cone_beams=table.get("wide_cone_beams", Material.wide_cone_beams),
    )


def _stiffness(elastic_gpa: dict[str, float]) -> np.ndarray:
    """(6, 6) of constants by name, C11 to C66."""
    stiffness = np.zeros((6, 6))
    for key, value in elastic_gpa.items():
        i, j = int(key[1]) - 1, int(key[2]) - 1
        stiffness[i, j] = stiffness[j, i] = value
    return stiffness


def full_stiffness(elastic_gpa: dict[str, float], lattice: str) -> np.ndarray:
    """(6, 6) [GPa] of the constants that a cubic, tetragonal or hexagonal lattice leaves independent."""
    c = dict(elastic_gpa)
    if lattice == "cubic":
        c |= {"C33": c["C11"], "C13": c["C12"], "C66": c["C44"]}
    elif lattice == "hexagonal":
        c["C66"] = (c["C11"] - c["C12"]) / 2
    return _stiffness(c | {"C22": c["C11"], "C23": c["C13"], "C55": c["C44"]})


def isotropic_moduli(stiffness_gpa: np.ndarray) -> tuple[float, float]:
    """Bulk and shear modulus [GPa] of the isotropic average (Voigt, Reuss, Hill) of elastic constants (6, 6)."""
    c, s = stiffness_gpa, np.linalg.inv(stiffness_gpa)
    voigt, reuss = ((np.trace(m[:3, :3]) - m[0, 1] - m[0, 2] - m[1, 2], np.trace(m[3:, 3:])) for m in (c, s))
    bulk = (c[:3, :3].sum() / 9 + 1 / s[:3, :3].sum()) / 2
    return float(bulk), float(((voigt[0] + 3 * voigt[1]) / 15 + 15 / (4 * reuss[0] + 3 * reuss[1])) / 2)
