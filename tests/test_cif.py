"""Crystals from .cif files: the same as those that ship, and every odd file told in one line."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError, load_material
from veristem.datasets.recipe import load_recipe
from veristem.datasets.specimens import Crystal
from veristem.sim.simulate import simulate_recipe

COPPER = {"slip": "fcc", "elastic_gpa": {"C11": 168.4, "C12": 121.4, "C44": 75.4}}
FCC = ["x,y,z", "x,y+1/2,z+1/2", "x+1/2,y,z+1/2", "x+1/2,y+1/2,z"]


def cif(
    atoms: list[str],
    sides=(3.6149, 3.6149, 3.6149),
    angles=(90, 90, 90),
    symmetry: list[str] | str = "F m -3 m",
    columns=("occupancy", "B_iso_or_equiv"),
) -> str:
    """A small file: atoms as "label x y z" with what the further columns say."""
    cell = "".join(f"_cell_length_{n} {x}\n" for n, x in zip("abc", sides))
    cell += "".join(f"_cell_angle_{n} {x}\n" for n, x in zip(("alpha", "beta", "gamma"), angles))
    if isinstance(symmetry, str):
        cell += f"_symmetry_space_group_name_H-M '{symmetry}'\n" if symmetry else ""
    else:
        cell += "loop_\n_space_group_symop_operation_xyz\n" + "".join(f"'{one}'\n" for one in symmetry)
    names = ("label", "fract_x", "fract_y", "fract_z", *columns)
    return f"data_made\n{cell}loop_\n" + "".join(f"_atom_site_{n}\n" for n in names) + "\n".join(atoms) + "\n"


def read(folder, text: str | bytes, crystal: dict = COPPER):
    """The material of a file with this text."""
    path = folder / "mine.cif"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_material(str(path), Crystal(**crystal))


@pytest.mark.parametrize("symmetry", ["F m -3 m", FCC, "f.c.c."])
def test_copper_from_a_file_is_the_copper_that_ships(tmp_path, symmetry):
    """By the name of its space group, or by its operations: distances, Poisson's ratio and Burgers vectors."""
    if symmetry == "f.c.c.":
        symmetry, atoms = (
            ["x,y,z"],
            [f"Cu{i} {xyz} 1 0.55" for i, xyz in enumerate(("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0"))],
        )
    else:
        atoms = ["Cu1 0 0 0 1 0.55"]
    found, shipped = read(tmp_path, cif(atoms, symmetry=symmetry)), load_material("Cu")
    assert len(found.sites) == 4
    for hkl in ((1, 1, 1), (2, 0, 0), (4, 2, 0)):
        one, other = (m.extinction_distances_nm(hkl, 200.0) for m in (found, shipped))
        np.testing.assert_allclose(np.delete(one, 2), np.delete(other, 2), rtol=1e-5)
        assert one[2] == pytest.approx(other[2], rel=0.2)  # an estimate from density
    assert found.poisson_ratio == pytest.approx(shipped.poisson_ratio, abs=0.001)
    np.testing.assert_allclose(found.burgers_vectors_nm(), shipped.burgers_vectors_nm())
    assert found.bragg_angle_rad(found.g, 200.0) > 0
    assert found.extinction_distances_nm(found.g, 200.0)[0] < 100


@pytest.mark.parametrize("name", ["gamma-TiAl", "GaN", "Ti", "alpha-Fe", "GaAs", "MgO", "CoCrFeMnNi"])
def test_materials_written_as_files_come_back(tmp_path, name):
    """Tetragonal, hexagonal, without a centre of symmetry, with five elements on a site."""
    shipped = load_material(name)
    atoms = [
        f"{atom.element}{i} {' '.join(f'{x:.10f}' for x in site.xyz)} {atom.occupancy} {atom.b_angstrom2}"
        for i, site in enumerate(shipped.sites)
        for atom in site.atoms
    ]
    c = shipped.stiffness_gpa
    keys = ["C11", "C12", "C44"] if shipped.a_nm == shipped.c_nm else ["C11", "C12", "C13", "C33", "C44"]
    keys += ["C66"] if shipped.structure == "L1_0" else []
    elastic = {key: c[int(key[1]) - 1, int(key[2]) - 1] for key in keys}
    sides = (10 * shipped.a_nm, 10 * shipped.a_nm, 10 * shipped.c_nm)
    text = cif(atoms, sides, (90, 90, 120 if shipped.is_hexagonal else 90), ["x,y,z"])
    found = read(tmp_path, text, {"slip": shipped.structure, "elastic_gpa": elastic})
    np.testing.assert_allclose(found.stiffness_gpa, c)
    assert found.poisson_ratio == pytest.approx(shipped.poisson_ratio, abs=0.002)
    for hkl in (shipped.g, (2, 2, 0)):
        one, other = (np.delete(m.extinction_distances_nm(hkl, 200.0), 2) for m in (found, shipped))
        np.testing.assert_allclose(one, other, rtol=1e-4)
    assert found.xi_0_abs_nm == pytest.approx(shipped.xi_0_abs_nm, rel=0.3)


def test_b_of_the_element_where_the_file_has_none(tmp_path):
    """And it is said; U of the file counts, isotropic or not."""
    found = read(tmp_path, cif(["Cu1 0 0 0"], columns=()))
    assert found.sites[0].atoms[0].b_angstrom2 == pytest.approx(0.554, abs=1e-3)
    assert "B of Cu is that of the element" in found.source["b_angstrom2"]
    told = read(tmp_path, cif(["Cu1 0 0 0 0.01"], columns=("U_iso_or_equiv",)))
    assert told.sites[0].atoms[0].b_angstrom2 == pytest.approx(0.08 * np.pi**2)
    assert told.source["b_angstrom2"] == "B is the file's"
    aniso = cif(["Cu1 0 0 0"], columns=()) + (
        "loop_\n_atom_site_aniso_label\n"
        + "".join(f"_atom_site_aniso_U_{i}\n" for i in (11, 22, 33, 12, 13, 23))
        + "Cu1 .01 .02 .03 0 0 0\n"
    )
    assert read(tmp_path, aniso).sites[0].atoms[0].b_angstrom2 == pytest.approx(0.16 * np.pi**2, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.cif: 0 crystals with atoms found, 1 allowed"),
        (b"\x00\xff\x13" * 1000, "mine.cif: .*; a crystallographic information file allowed"),
        ("nothing of the kind", "mine.cif: .*; a crystallographic information file allowed"),
        ("data_a\n" * 3, "mine.cif: .* found|allowed"),
        (b" " * (2 << 20), "mine.cif: 2097152 bytes found, at most 1048576 allowed"),
        (cif([]), "mine.cif: "),
        (cif(["Cu1 0 0 0 1 .5"], symmetry=""), "no symmetry found; _space_group_symop_operation_xyz"),
        (cif(["Cu1 0 0 0 .5 .5"]), "occupancy 0.5 of Cu at 0 0 0 found, 1 allowed: no vacancies"),
        (cif(["Cu1 0 0 0 1 .5", "Au1 0 0 0 1 .5"]), "occupancy 2 of Cu and Au at 0 0 0 found, 1 allowed"),
        (cif(["Cu1 0 0 0 0 .5"]), "atom 'Cu1' without a place or with occupancy 0 found"),
        (cif(["Cu1 ? 0 0 1 .5"]), "atom 'Cu1' without a place"),
        (cif(["Xx1 0 0 0 1 .5"]), "atom 'Xx1' found, of no element from H to Lr"),
        (cif(["Mn1 0 0 0 1 ?"]), "no B of Mn found in the file, nor is it known for the element; add _atom_site_B_iso"),
        (cif(["Cu1 0 0 0 1 -3"]), r"B = -3 A\^2 of 'Cu1' found, 0 to 30 allowed"),
        (cif(["Cu1 0 0 0 1 .5", "Cu2 .05 0 0 1 .5"]), "Cu and Cu 0.18 A apart found, atoms at least 0.5 A apart"),
        (cif(["Cu1 0 0 0 1 .5"], sides=(3.6, 3.6, 4.0)), "3.6, 3.6, 4 A and 90, 90, 90 deg found, a = b = c and right"),
        (cif(["Cu1 0 0 0 1 .5"], sides=(0, 0, 0)), "sides of 2 to 200 A allowed"),
        (cif(["Cu1 0 0 0 1 .5"], sides=("?",) * 3), "mine.cif: "),
        (cif(["Cu1 0 0 0 1 .5"], angles=(60, 60, 60)), "60, 60, 60 deg found, a = b = c and right angles allowed"),
        (cif(["Cu1 0 0 0 1 .5"], symmetry="P m -3 m"), r"fcc found, whose Burgers vector \[.*\] brings atoms of "),
        (cif([f"Cu{i} 0 0 {i / 3000} 1 .5" for i in range(3000)]), "3000 atoms found, at most 2000 allowed"),
        (cif(["Cu1 .01 .02 .03 1 .5"] * 1500), "mine.cif: "),
        (cif(["Cu1 0 0 0 1 .5"], symmetry=["x,y,w"]), "symmetry operation with .* found, such as x,y,-z allowed"),
        (cif(["Cu1 0 0 0 1 .5"]) + cif(["Cu1 0 0 0 1 .5"]).replace("data_made", "data_two"), "2 crystals with atoms"),
    ],
)  # fmt: skip
def test_an_odd_file_is_one_line(tmp_path, text, message):
    """That names the file, or the key of the recipe where that is wrong."""
    with pytest.raises(InputError, match=message) as told:
        read(tmp_path, text)
    assert "mine.cif" in str(told.value)
    assert len(str(told.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize(
    ("crystal", "message"),
    [
        (None, "mine.cif: slip systems and elastic constants not found; a recipe needs specimen.crystal"),
        ({**COPPER, "elastic_gpa": {"C11": 1.0}}, "elastic_gpa: C11 found, C11, C12, C44 allowed for a cubic crystal"),
        ({**COPPER, "elastic_gpa": {"C11": 1.0, "C12": 2.0, "C44": 1.0}}, "which no crystal has"),
        ({**COPPER, "slip": "hcp"}, "a = b and 120 deg allowed for the slip systems of hcp"),
    ],
)
def test_what_the_file_does_not_tell_is_asked_for(tmp_path, crystal, message):
    """Elastic constants and slip systems cannot be guessed from atoms."""
    (tmp_path / "mine.cif").write_text(cif(["Cu1 0 0 0 1 .5"]), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_material(str(tmp_path / "mine.cif"), None if crystal is None else Crystal(**crystal))


def test_a_crystal_beside_a_known_material_is_refused():
    """Which of both would count would be anyone's guess."""
    with pytest.raises(InputError, match=r"specimen\.crystal: found with material 'Cu', whose crystal is known"):
        load_material("Cu", Crystal(**COPPER))


def test_a_file_that_is_not_there(tmp_path):
    """As a network that is not there."""
    with pytest.raises(InputError, match=r"none\.cif: No such file or directory; give a \.cif file"):
        load_material(str(tmp_path / "none.cif"), Crystal(**COPPER))


def test_a_recipe_of_a_file_makes_images(tmp_path, tiny):
    """From recipe to images, and the truth knows its lattice; the key of a cell holds what is in the file."""
    from veristem.bench.study.key import scan_key

    path = tmp_path / "mine.cif"
    path.write_text(cif(["Cu1 0 0 0 1 .55"]), encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(tiny, encoding="utf-8")
    values = {"specimen.material": str(path), "specimen.crystal": COPPER}
    recipe = load_recipe(str(tmp_path / "tiny.toml")).with_values(values)
    truth, acquisition, specimen = simulate_recipe(recipe)
    assert np.isfinite(acquisition.views).all()
    assert any("good to 20 %" in note for note in specimen.notes)
    b = np.linalg.norm(truth.network.burgers_nm, axis=1)
    np.testing.assert_allclose(b, 0.36149 / np.sqrt(2), rtol=1e-6)
    first = scan_key(recipe)
    path.write_text(cif(["Cu1 0 0 0 1 .56"]), encoding="utf-8")
    assert scan_key(recipe) != first


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.binary(max_size=6), st.integers(0, 12))
def test_a_spoilt_file_is_a_material_or_one_line(tmp_path, at, bytes_put, dropped):
    """Whatever a disk or a hand makes of it."""
    text = cif(["Cu1 0 0 0 .5 0.55", "Ni1 0 0 0 .5 .4"], symmetry=FCC).encode()
    at %= len(text)
    with contextlib.suppress(InputError):
        assert 1 <= len(read(tmp_path, text[:at] + bytes_put + text[at + dropped :]).sites) <= 1000
