"""Distances follow from the atoms: former tables and an independent calculation are met, and phonons sum to one."""

import numpy as np
import pytest

from veristem.datasets import load_material
from veristem.datasets.crystal import material_names
from veristem.datasets.scattering_factors import elastic_factor
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
