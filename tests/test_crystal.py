"""Materials: the numbers hang together, and the geometry of slip is right."""

import numpy as np
import pytest

from veristem.datasets import InputError, load_material
from veristem.datasets.crystal import electron_wavelength_nm, material_names


def test_all_materials_ship():
    """By name, in the order of the alphabet."""
    names = material_names()
    assert names == sorted(names, key=str.lower)
    assert {"Al", "alpha-Fe", "CoCrFeMnNi"} <= set(names)
    with pytest.raises(InputError, match="material: 'Unobtainium' found, allowed are Al, alpha-Fe"):
        load_material("Unobtainium")


@pytest.mark.parametrize("name", material_names())
def test_a_material_hangs_together(name):
    """Stable stiffness, Poisson's ratio that follows from it, symmetry, g in its zone, and every source."""
    m = load_material(name)
    stiffness = m.stiffness_gpa
    assert np.linalg.eigvalsh(stiffness).min() > 0
    assert np.count_nonzero(stiffness) == 12  # three shear, three axial, three pairs
    if m.structure in ("fcc", "bcc"):
        assert len(np.unique(stiffness[stiffness != 0])) == 3
        assert m.a_nm == m.c_nm
    if m.is_hexagonal:
        assert stiffness[5, 5] == pytest.approx((stiffness[0, 0] - stiffness[0, 1]) / 2)
    compliance = np.linalg.inv(stiffness)
    bulk = (stiffness[:3, :3].sum() / 9 + 1 / compliance[:3, :3].sum()) / 2

    def deviator(c):  # trace less off-diagonal of the axial block
        return 1.5 * np.trace(c[:3, :3]) - 0.5 * c[:3, :3].sum()

    shear_voigt = (deviator(stiffness) + 3 * np.trace(stiffness[3:, 3:])) / 15
    shear_reuss = 15 / (4 * deviator(compliance) + 3 * np.trace(compliance[3:, 3:]))
    shear = (shear_voigt + shear_reuss) / 2
    assert m.poisson_ratio == pytest.approx((3 * bulk - 2 * shear) / (6 * bulk + 2 * shear), abs=0.0006)
    assert m.reciprocal_per_nm(m.g) @ m.direction_nm(m.zone_axis) == pytest.approx(0)
    xi, xi_abs, xi_0, xi_0_phonon = m.extinction_distances_nm(m.g, 200)
    assert 20 < xi < 150
    assert 5 < xi_abs / xi < 220  # phonons alone take little from Be
    assert 100 < xi_0 < xi_0_phonon
    numbers = {"cell", "b_angstrom2", "elastic_gpa", "poisson_ratio", "xi_0_abs_nm"}
    assert set(m.source) >= numbers


def test_equivalent_reflections():
    """Signs and order do not matter within a family, and families of a hexagonal or tetragonal crystal stay apart."""
    ni, gan, tial = load_material("Ni"), load_material("GaN"), load_material("gamma-TiAl")
    for material, one, other in (
        (ni, (0, -2, 0), (2, 0, 0)),
        (gan, (1, -2, 0), (1, 1, 0)),
        (gan, (1, 0, -1), (0, -1, 1)),
        (tial, (0, -2, 1), (2, 0, 1)),
    ):
        found = [material.extinction_distances_nm(hkl, 200) for hkl in (one, other)]
        np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    assert tial.extinction_distances_nm((0, 2, 0), 200) != tial.extinction_distances_nm((0, 0, 2), 200)


def test_wavelength_and_bragg_angle():
    """2.508 pm at 200 keV; two Bragg angles of gamma-TiAl 002 are 12.4 mrad."""
    assert electron_wavelength_nm(200) == pytest.approx(2.508e-3, rel=1e-4)
    assert 2 * load_material("gamma-TiAl").bragg_angle_rad((0, 0, 2), 200) == pytest.approx(12.4e-3, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "systems", "vectors"), [("Ni", 12, 6), ("Ta", 18, 7), ("gamma-TiAl", 12, 6), ("GaN", 9, 7), ("Ti", 15, 10)]
)
def test_slip_systems(name, systems, vectors):
    """fcc 12; bcc 12 of 1/2<111> and 6 of <100> on {110}; L1_0 4 ordinary and 8 superpartial; wurtzite a, c and a+c.

    hcp: a on basal and prism planes, a+c on {11-22}, c on prism planes.
    """
    m = load_material(name)
    assert len(m.slip_systems()) == systems
    assert len(m.burgers_vectors_nm()) == vectors
    for normal, b in m.slip_systems():
        assert np.linalg.norm(normal) == pytest.approx(1)
        assert normal @ b == pytest.approx(0, abs=1e-12)
    if m.structure == "bcc":
        planes = {tuple(np.round(np.abs(normal), 6)) for normal, _ in m.slip_systems()}
        assert all(sorted(p) == pytest.approx([0, 0.5**0.5, 0.5**0.5], abs=1e-6) for p in planes)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("Ni", {0: 2, 1: 4}),  # 1/2<110>: two lie in (002)
        ("gamma-TiAl", {0: 2, 1: 4}),  # ordinary 1/2<110] vanish, superpartials 1/2<101] do not
        ("GaN", {0: 3, 2: 4}),  # a vanishes, c and a+c do not
        ("W", {1: 4, 0: 2, 2: 1}),  # 1/2<111>, and <100>
    ],
)
def test_g_dot_b_of_002(name, counts):
    """Whole numbers, as lattice vectors give, and the populations that recipes count on."""
    m = load_material(name)
    g_dot_b = np.abs(m.burgers_vectors_nm() @ m.reciprocal_per_nm((0, 0, 2)))
    np.testing.assert_allclose(g_dot_b, np.rint(g_dot_b), atol=1e-6)
    values, found = np.unique(np.rint(g_dot_b).astype(int), return_counts=True)
    assert dict(zip(values.tolist(), found.tolist(), strict=True)) == counts


def test_ordinary_dislocations_of_tial_vanish():
    """g.b = 0 belongs to the vectors without a c component."""
    m = load_material("gamma-TiAl")
    b = m.burgers_vectors_nm()
    np.testing.assert_array_equal(np.abs(b @ m.reciprocal_per_nm(m.g)) < 1e-6, np.abs(b[:, 2]) < 1e-9)
