"""Distances follow from the atoms: former tables and an independent calculation are met, and phonons sum to one."""

import numpy as np
import pytest

from extinction_tables import AT_300_KEV, DOUBTFUL, INDEPENDENT, PHONONS, SHIPPED, WEICKENMEIER_KOHL
from veristem.datasets import InputError, load_material
from veristem.datasets.crystal import material_names
from veristem.datasets.scattering_factors import elastic_factor, elements, room_temperature_b
from veristem.datasets.structure import Atom, Site, diffuse_integral, phonon_density


@pytest.mark.parametrize("name", material_names())
def test_phonons_send_every_electron_somewhere(name):
    """P sums to 1 over the plane of angles, whatever the crystal and the energy."""
    angle = np.geomspace(1e-5, 100, 4000)
    for energy in (80.0, 300.0):
        weighted = 2 * np.pi * angle**2 * phonon_density(load_material(name).sites, energy, angle)
        assert np.trapezoid(weighted, np.log(angle)) == pytest.approx(1, abs=1e-5)


def test_phonon_density_of_one_kind_of_atom():
    """f² (1 - exp(-2 B s²)), s = angle / (2 wavelength): the ratio between two angles, by hand, for copper at 200 keV.

    The wavelength is 2.5079 pm, so that 0.05 rad is s = 0.9968 and 0.1 rad 1.9937 per Angstrom.
    """
    s = np.array([0.9968, 1.9937])
    by_hand = elastic_factor("Cu", s) ** 2 * (1 - np.exp(-2 * 0.55 * s**2))
    found = phonon_density(load_material("Cu").sites, 200.0, np.array([0.05, -0.1]))
    assert found[1] / found[0] == pytest.approx(by_hand[1] / by_hand[0], rel=1e-3)


def test_phonon_free_path():
    """A beam loses 2 pi / xi'_0 per nm: what phonons turn, over all angles, in the first Born approximation."""
    copper, energy, wavelength = load_material("Cu"), 200.0, 2.5079e-3
    angle = np.geomspace(1e-5, 100, 4000)
    s = angle / (20 * wavelength)
    gamma = 1 + energy / 510.999
    density = (0.1 * gamma * elastic_factor("Cu", s)) ** 2 * (1 - np.exp(-2 * 0.55 * s**2))  # nm² per sr
    section = np.trapezoid(2 * np.pi * angle**2 * density, np.log(angle))
    by_hand = copper.a_nm**3 / (4 * section)
    assert copper.phonon_free_path_nm(energy) == pytest.approx(by_hand, rel=1e-3)
    assert copper.extinction_distances_nm((1, 1, 1), energy)[3] == pytest.approx(2 * np.pi * by_hand, rel=1e-3)


def test_atoms_that_share_a_site_scatter_diffusely_without_vibrations():
    """Laue's monotonic scattering: <f²> - <f>²; none where all atoms are alike."""
    still = (Atom("Cu", 0.5, 0.0), Atom("Au", 0.5, 0.0))
    assert diffuse_integral((Atom("Cu", 1.0, 0.0),), 0.0) == pytest.approx(0, abs=1e-12)
    assert diffuse_integral((Atom("Cu", 0.5, 0.0), Atom("Cu", 0.5, 0.0)), 0.3) == pytest.approx(0, abs=1e-12)
    assert diffuse_integral(still, 0.0) > diffuse_integral((Atom("Cu", 1.0, 0.5),), 0.0)
    assert phonon_density([Site((0, 0, 0), still)], 200.0, 0.0) > 0


@pytest.mark.parametrize("s", [0.24, 1.0])
def test_diffuse_integral_over_a_plain_grid(s):
    """Bird & King's integral, summed over x and y of s, ever coarser outwards."""
    b, step = 0.55, 0.02
    u = np.arange(-5.3, 5.3, step)
    x, y = np.meshgrid(np.sinh(u), np.sinh(u))
    area = step**2 * np.cosh(u) * np.cosh(u)[:, None]
    first, second = np.hypot(x + s / 2, y), np.hypot(x - s / 2, y)
    kernel = np.exp(-b * s**2) - np.exp(-b * (first**2 + second**2))
    by_hand = (area * elastic_factor("Cu", first) * elastic_factor("Cu", second) * kernel).sum()
    assert diffuse_integral((Atom("Cu", 1.0, b),), s) == pytest.approx(by_hand, rel=1e-3)


def rows(tables: dict, *also) -> list[tuple]:
    """(material, reflection, distance, ...) of a table."""
    return [(name, hkl, xi, *also) for name, table in tables.items() for hkl, xi in table.items()]


@pytest.mark.parametrize(("name", "hkl", "xi", "energy"), rows(WEICKENMEIER_KOHL, 200.0) + rows(AT_300_KEV, 300.0))
def test_distances_of_weickenmeier_and_kohl(name, hkl, xi, energy):
    """Within 5 %; 12 % where tables disagree among themselves: 220 of copper and nickel, and 11-20 of GaN."""
    found = load_material(name).extinction_distances_nm(hkl, energy)[0]
    assert found == pytest.approx(xi, rel=0.12 if (name, hkl) in DOUBTFUL else 0.05)


@pytest.mark.parametrize(("name", "hkl", "xi"), rows(SHIPPED) + rows(INDEPENDENT))
def test_distances_of_other_code_with_the_same_factors(name, hkl, xi):
    """Within half a per cent, to the twelfth order, superlattice reflections of gamma-TiAl included."""
    assert load_material(name).extinction_distances_nm(hkl, 200.0)[0] == pytest.approx(xi, rel=5e-3)


@pytest.mark.parametrize("name", PHONONS)
def test_phonons_of_other_code(name):
    """xi'_0 of phonons within 3 %, the digits of the tables that shipped."""
    assert load_material(name).extinction_distances_nm(load_material(name).g, 200.0)[3] == pytest.approx(
        PHONONS[name], rel=0.03
    )


@pytest.mark.parametrize(
    ("name", "hkl", "ratio"),
    [
        ("Cu", (1, 1, 1), 0.047),
        ("Cu", (2, 0, 0), 0.052),
        ("Cu", (2, 2, 0), 0.065),
        ("Cu", (2, 2, 2), 0.076),
        ("Al", (2, 0, 0), 0.023),
        ("Ni", (2, 2, 0), 0.051),
        ("Ta", (2, 1, 1), 0.119),
        ("Ti", (1, 1, 0), 0.038),
        ("Be", (0, 0, 2), 0.0046),
    ],
)
def test_each_order_is_absorbed_by_itself(name, hkl, ratio):
    """xi / xi' of phonons alone, no core loss, by other code: of copper 0.047 for 111 and 0.076 for 222."""
    xi, xi_abs, *_ = load_material(name).extinction_distances_nm(hkl, 200.0)
    assert xi / xi_abs == pytest.approx(ratio, rel=0.025)


@pytest.mark.parametrize(
    ("name", "hkl", "hint"),
    [
        ("Cu", (0, 0, 1), r"\(0 0 2\) is allowed"),
        ("Mg", (0, 0, 3), r"\(0 0 6\) is allowed"),
        ("Si", (0, 0, 2), r"\(0 0 4\) is allowed"),
        ("W", (1, 1, 1), r"\(2 2 2\) is allowed"),
    ],
)
def test_a_forbidden_reflection_is_told(name, hkl, hint):
    """Symmetry leaves nothing of it: no distance, and which order of the row there is."""
    with pytest.raises(InputError, match=rf"found, which the structure of {name} forbids; {hint}"):
        load_material(name).extinction_distances_nm(hkl, 200.0)


def test_distances_scale_with_the_velocity():
    """xi with v, absorption with v squared: both are first-order, and vibrations know nothing of the energy."""
    cantor, speed = load_material("CoCrFeMnNi"), {e: np.sqrt(1 - (1 + e / 510.99895) ** -2) for e in (80.0, 300.0)}
    low, high = (np.array(cantor.extinction_distances_nm((0, 0, 2), e)) for e in speed)
    ratio = speed[300.0] / speed[80.0]
    np.testing.assert_allclose(high / low, [ratio, ratio**2, ratio**2, ratio**2], rtol=1e-6)


@pytest.mark.parametrize("element", elements())
def test_scattering_factors_of_all_elements(element):
    """They fall from a finite value, and far out are those of the bare nucleus: Z e² over s squared (Mott & Bethe)."""
    f = elastic_factor(element, np.geomspace(0.01, 20, 60))
    assert 0.3 < elastic_factor(element, 0.0) < 21
    assert np.all(np.diff(f) < 0)
    z = elements().index(element) + 1
    assert f[-1] * 20**2 / (0.0239337 * z) == pytest.approx(1, abs=0.1)


def test_what_is_not_known_of_an_element():
    """No factor beyond lawrencium, and no B where no elemental crystal was measured."""
    with pytest.raises(InputError, match="element 'Rf' found, those from H to Lr allowed"):
        elastic_factor("Rf", 0.5)
    assert room_temperature_b("Mn") is None
    assert room_temperature_b("Cu") == pytest.approx(0.55, abs=0.01)
