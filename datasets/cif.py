"""A crystal from a crystallographic information file (.cif), read with gemmi.

The file tells cell, symmetry and atoms; slip systems and elastic constants stand beside it in the recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.crystal import CUBIC, Material, full_stiffness, isotropic_moduli
from veristem.datasets.errors import InputError
from veristem.datasets.scattering_factors import elements, room_temperature_b
from veristem.datasets.specimens import Crystal
from veristem.datasets.structure import Atom, Site

_MOST_BYTES, _MOST_SITES, _MOST_ATOMS = 1 << 20, 2000, 1000  # of a file, of its list, of a cell
_SAME_NM, _NEAREST_NM = 0.005, 0.05  # images of one place; two atoms, were they there at once
_WIDEST_B = 30.0  # [Angstrom²] of an atom in a solid
_INDEPENDENT = {
    "cubic": ("C11", "C12", "C44"),
    "hexagonal": ("C11", "C12", "C13", "C33", "C44"),
    "tetragonal": ("C11", "C12", "C13", "C33", "C44", "C66"),
}
# g has a structure factor in every family of its lattice, and lies in the zone
_ZONE, _G = {False: (1.0, 1.0, 0.0), True: (1.0, 0.0, 0.0)}, {False: (2.0, -2.0, 0.0), True: (0.0, 0.0, 2.0)}


def read_material(path: str, crystal: Crystal | None) -> Material:
    """The material of a file.

    B of each atom is the file's; where it has none, that of the elemental crystal. Mean absorption of all losses is an
    estimate, from density alone.

    Parameters
    ----------
    path : str
        A .cif file of one crystal.
    crystal : Crystal
        What the file does not tell.

    Raises
    ------
    InputError
        Naming the file and what is wrong with it, or the key of the recipe.
    """
    if crystal is None:
        raise InputError(
            f"{path}: slip systems and elastic constants not found; a recipe needs specimen.crystal beside the file, "
            "such as { slip = 'fcc', elastic_gpa = { C11 = 168.4, C12 = 121.4, C44 = 75.4 } }"
        )
    structure = _read(path)
    cell = structure.cell
    hexagonal = crystal.slip in ("hcp", "wurtzite")
    _check_cell(path, cell, crystal.slip)
    a_nm, c_nm = cell.a / 10, cell.c / 10
    lattice = "hexagonal" if hexagonal else "cubic" if crystal.slip in CUBIC else "tetragonal"
    stiffness = _stiffness(crystal.elastic_gpa, lattice)
    bulk, shear = isotropic_moduli(stiffness)
    sites, assumed = _sites(path, structure)
    made = Material(
        name=Path(path).name,
        structure=crystal.slip,
        a_nm=a_nm,
        c_nm=a_nm if lattice == "cubic" else c_nm,
        poisson_ratio=(3 * bulk - 2 * shear) / (6 * bulk + 2 * shear),
        stiffness_gpa=stiffness,
        sites=sites,
        xi_0_abs_nm=1.0,
        fault_energy_mj_per_m2=None,
        zone_axis=_ZONE[hexagonal],
        g=_G[hexagonal],
        source={
            "cell": path,
            "b_angstrom2": f"B of {', '.join(assumed)} is that of the element, Peng et al., Acta Cryst. A52 (1996) 456"
            if assumed
            else "B is the file's",
            "elastic_gpa": "the recipe",
            "poisson_ratio": "Voigt-Reuss-Hill average of elastic_gpa",
            "xi_0_abs_nm": "mean absorption of all losses is estimated from phonons and density, good to 20 %",
        },
    )
    _check_slip(path, made)
    return _with_absorption(made)


def _read(path: str) -> Any:
    """The one crystal of a file, as gemmi holds it."""
    import gemmi

    try:
        size = Path(path).stat().st_size
        content = b"" if size > _MOST_BYTES else Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a .cif file") from None
    if size > _MOST_BYTES:
        raise InputError(f"{path}: {size} bytes found, at most {_MOST_BYTES} allowed; leave one crystal in the file")
    try:
        document = gemmi.cif.read_string(content)
        found = [gemmi.make_small_structure_from_block(block) for block in document]
    except (ValueError, RuntimeError, IndexError) as error:
        lines = str(error).strip().splitlines() or ["not a CIF"]
        raise InputError(f"{path}: {lines[0][:120]}; a crystallographic information file allowed") from None
    found = [one for one in found if len(one.sites)]
    if len(found) != 1:
        raise InputError(f"{path}: {len(found)} crystals with atoms found, 1 allowed")
    if len(found[0].sites) > _MOST_SITES:
        raise InputError(f"{path}: {len(found[0].sites)} atoms found, at most {_MOST_SITES} allowed")
    return found[0]


def _check_cell(path: str, cell, slip: str) -> None:
    sides, angles = (cell.a, cell.b, cell.c), (cell.alpha, cell.beta, cell.gamma)
    told = f"{path}: a cell of {', '.join(f'{x:.5g}' for x in sides)} A and {', '.join(f'{x:.5g}' for x in angles)} deg"
    if not np.isfinite([*sides, *angles]).all() or not 2 < min(sides) <= max(sides) < 200:
        raise InputError(f"{told} found, sides of 2 to 200 A allowed")
    hexagonal = slip in ("hcp", "wurtzite")
    fits = np.allclose(angles, (90, 90, 120 if hexagonal else 90), atol=0.05, rtol=0)
    fits &= abs(cell.b / cell.a - 1) < 1e-3 and (slip not in CUBIC or abs(cell.c / cell.a - 1) < 1e-3)
    if not fits:
        wanted = "a = b and 120 deg" if hexagonal else "a = b = c" if slip in CUBIC else "a = b"
        raise InputError(
            f"{told} found, {wanted}{'' if hexagonal else ' and right angles'} allowed for the slip systems of {slip}; "
            "write the file for the conventional cell, or change specimen.crystal.slip"
        )


def _stiffness(elastic_gpa: dict[str, float], lattice: str) -> np.ndarray:
    """(6, 6) of the constants that a lattice leaves independent."""
    wanted = _INDEPENDENT[lattice]
    if set(elastic_gpa) != set(wanted):
        found = ", ".join(sorted(elastic_gpa)) or "none"
        raise InputError(
            f"specimen.crystal.elastic_gpa: {found} found, {', '.join(wanted)} allowed for a {lattice} crystal"
        )
    stiffness = full_stiffness(elastic_gpa, lattice)
    if np.linalg.eigvalsh(stiffness).min() <= 0:
        told = ", ".join(f"{key} = {elastic_gpa[key]:g}" for key in wanted)
        raise InputError(f"specimen.crystal.elastic_gpa: {told} found, which no crystal has: it would fall apart")
    return stiffness


def _sites(path: str, structure) -> tuple[tuple[Site, ...], list[str]]:
    """All places of the cell with their atoms, and the elements whose B is not the file's."""
    import gemmi

    try:
        operations = [gemmi.Op(text) for text in structure.symops]
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: symmetry operation with {str(error)[:60]} found, such as x,y,-z allowed") from None
    if not operations and structure.spacegroup is not None:
        operations = list(structure.spacegroup.operations())
    if not operations:
        raise InputError(f"{path}: no symmetry found; _space_group_symop_operation_xyz or a space group needed")
    if len(operations) * len(structure.sites) > 10 * _MOST_SITES:
        raise InputError(
            f"{path}: {len(structure.sites)} atoms under {len(operations)} symmetries found, a cell of at most "
            f"{_MOST_ATOMS} atoms allowed"
        )
    matrix = np.array(structure.cell.orth.mat.tolist()) / 10
    places, kinds, assumed = np.zeros((0, 3)), [], set()
    for site in structure.sites:
        atom, known = _atom(path, site, structure.cell)
        if not known:
            assumed.add(atom.element)
        images = np.array([operation.apply_to_xyz(site.fract.tolist()) for operation in operations]) % 1
        own = images[:1]
        for image in images[1:]:
            if _apart(image, own, matrix).min() > _SAME_NM:
                own = np.concatenate([own, image[None]])
        for image in own:
            away = _apart(image, places, matrix) if len(places) else np.array([np.inf])
            nearest = int(np.argmin(away))
            if away[nearest] < _SAME_NM:
                kinds[nearest].append(atom)
                continue
            if away[nearest] < _NEAREST_NM:
                told = f"{kinds[nearest][0].element} and {atom.element} {10 * away[nearest]:.2g} A apart"
                raise InputError(f"{path}: {told} found, atoms at least {10 * _NEAREST_NM:g} A apart allowed")
            places, _ = np.concatenate([places, image[None]]), kinds.append([atom])
            if len(places) > _MOST_ATOMS:
                raise InputError(f"{path}: a cell of more than {_MOST_ATOMS} atoms found, at most so many allowed")
    for place, atoms in zip(places, kinds):
        if abs((total := sum(atom.occupancy for atom in atoms)) - 1) > 0.01:
            where = " ".join(f"{x:.4g}" for x in place)
            told = " and ".join(dict.fromkeys(atom.element for atom in atoms))
            raise InputError(
                f"{path}: occupancy {total:.3g} of {told} at {where} found, 1 allowed: no vacancies, no atoms that lie "
                "in one of several places"
            )
    found = (Site(tuple(place.tolist()), tuple(sorted(atoms))) for place, atoms in zip(places, kinds))
    return tuple(found), sorted(assumed)


def _atom(path: str, site, cell) -> tuple[Atom, bool]:
    """The atom of a site, and whether the file tells its B."""
    element = "H" if site.element.name == "D" else site.element.name
    if element not in elements():
        raise InputError(f"{path}: atom {site.label[:20]!r} found, of no element from H to Lr")
    if not np.isfinite([*site.fract.tolist(), site.occ]).all() or not 0 < site.occ <= 1.01:
        raise InputError(f"{path}: atom {site.label[:20]!r} without a place or with occupancy {site.occ:g} found")
    u = cell.calculate_u_eq(site.aniso) if site.aniso.nonzero() else site.u_iso
    b = 8 * np.pi**2 * u
    known = bool(np.isfinite(b) and b != 0)
    if not known and (b := room_temperature_b(element)) is None:
        raise InputError(
            f"{path}: no B of {element} found in the file, nor is it known for the element; add "
            "_atom_site_B_iso_or_equiv"
        )
    if not 0 < b < _WIDEST_B:
        raise InputError(f"{path}: B = {b:.3g} A^2 of {site.label[:20]!r} found, 0 to {_WIDEST_B:g} allowed")
    return Atom(element, round(float(site.occ), 6), round(float(b), 6)), known


def _apart(place: np.ndarray, places: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Distances (N,) [nm] of a place from places, over the sides of the cell."""
    step = (places - place + 0.5) % 1 - 0.5
    return np.linalg.norm(step @ matrix.T, axis=1)


def _check_slip(path: str, material: Material) -> None:
    """Burgers vectors bring atoms onto atoms, whichever, so that the family is that of this cell."""
    places = np.array([site.xyz for site in material.sites])
    for b in material.burgers_vectors_nm() @ np.linalg.inv(material.cell_nm):
        moved = places + b
        if any(_apart(place, places, material.cell_nm.T).min() > 2 * _SAME_NM for place in moved):
            told = " ".join(f"{x:.3g}" for x in b)
            raise InputError(
                f"specimen.crystal.slip: {material.structure} found, whose Burgers vector [{told}] brings atoms of "
                f"{path} where none are; the family of its conventional cell allowed"
            )


def _with_absorption(material: Material) -> Material:
    """With xi'_0 of all losses at 200 keV: 0.6 of what phonons and all inelastic losses make together.

    Inelastic: Iakoubovskii et al., Microsc. Res. Tech. 71 (2008) 626, from density alone. The factor is what the table
    of nickel and copper has to the same sum (`materials/*.toml`).
    """
    from dataclasses import replace

    import gemmi

    mass = sum(gemmi.Element(atom.element).weight * atom.occupancy for site in material.sites for atom in site.atoms)
    density = mass / 602.214 / np.linalg.det(material.cell_nm)  # g/cm³
    energy = 200.0
    relativistic = (1 + energy / 1022) / (1 + energy / 511) ** 2
    theta_mrad = 5.5 * density**0.3 / (relativistic * energy)
    inelastic = 11 * density**0.3 / (200 * relativistic * energy) * 2 * np.log(20 / theta_mrad)
    return replace(
        material, xi_0_abs_nm=0.6 * 2 * np.pi / (1 / material.phonon_free_path_nm(energy) + float(inelastic))
    )
