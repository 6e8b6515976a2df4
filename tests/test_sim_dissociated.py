"""Partials and the faults between them: geometry of the lattice, widths, and the phase that rays gain."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import InputError, load_material
from veristem.datasets.recipe import Recipe
from veristem.sim.foil import Foil
from veristem.sim.networks import load_generator
from veristem.sim.networks.dissociated import split, width_nm
from veristem.sim.networks.population import Population
from veristem.sim.ray_strain import ray_beta
from veristem.sim.specimen import make_specimen

FCC = ("Al", "CoCrFeMnNi", "Cu", "Ni")


@pytest.mark.parametrize("name", FCC)
def test_the_shift_of_a_fault_keeps_layers_in_hollows(name):
    """Above an intrinsic fault the nearest atoms are as far as in the crystal; by the other partial they lie on top."""
    material = load_material(name)
    near = material.a_nm / np.sqrt(2)
    index = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    atoms = (index[(index.sum(axis=1) % 2) == 0] / 2) * material.a_nm
    ways = material.dissociations()
    assert len(ways) == 12
    for way in ways:
        layer = material.a_nm / np.sqrt(3)
        above = atoms[np.abs(atoms @ way.normal - layer) < 1e-6]  # of the atom at the origin
        nearest = [np.linalg.norm(above + shift, axis=1).min() for shift in way.burgers_nm]
        assert nearest[0] == pytest.approx(near, rel=1e-6)
        assert nearest[1] == pytest.approx(layer, rel=1e-6)


def test_partials_are_those_of_the_crystal():
    """Two 1/6<112> at 30 degrees to b in fcc, two equal 1/2<101] in L1_0, in the plane; none in bcc."""
    for name in FCC:
        for way in load_material(name).dissociations():
            np.testing.assert_allclose(np.linalg.norm(way.burgers_nm, axis=1), load_material(name).a_nm / np.sqrt(6))
            np.testing.assert_allclose(way.burgers_nm @ way.normal, 0, atol=1e-9)
    ways = load_material("gamma-TiAl").dissociations()
    assert len(ways) == 8
    for way in ways:
        np.testing.assert_allclose(*way.burgers_nm)
        assert np.linalg.norm(way.burgers_nm.sum(axis=0)) == pytest.approx(np.hypot(0.4, 0.405))
    assert load_material("W").dissociations() == []


@pytest.mark.parametrize("angle", [0.0, 30.0, 60.0, 90.0])
def test_width_of_a_shockley_pair(angle):
    """mu b_p^2 / (8 pi gamma) (2 - nu) / (1 - nu) (1 - 2 nu cos 2a / (2 - nu)), a between line and b."""
    way = load_material("Cu").dissociations()[0]
    b = way.burgers_nm.sum(axis=0)
    screw = b / np.linalg.norm(b)
    turn = np.radians(angle)
    tangent = np.cos(turn) * screw + np.sin(turn) * np.cross(way.normal, screw)
    partial = np.linalg.norm(way.burgers_nm[0])
    modulus, nu, energy = 48.0, 0.34, 41.0
    wanted = 1e3 * modulus * partial**2 / (8 * np.pi * energy) * (2 - nu) / (1 - nu)
    wanted *= 1 - 2 * nu * np.cos(2 * turn) / (2 - nu)
    assert width_nm(way.burgers_nm, tangent[None], (modulus, nu), energy)[0] == pytest.approx(wanted, rel=1e-9)


def test_shear_modulus_lies_between_both_bounds():
    """Copper's polycrystal: 48 GPa; an isotropic crystal has its own."""
    assert load_material("Cu").shear_modulus_gpa == pytest.approx(47.5, abs=1.5)
    assert load_material("W").shear_modulus_gpa == pytest.approx(load_material("W").stiffness_gpa[3, 3], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_a_ray_through_the_ribbon_is_as_shifted_as_one_beside_it(sign):
    """Far above and below a pair the crystal is one: elastic strain and fault together give whole turns everywhere."""
    material = load_material("Cu")
    way = next(w for w in material.dissociations() if np.allclose(w.normal, 3**-0.5))
    b = sign * way.burgers_nm.sum(axis=0)
    along = b / np.linalg.norm(b)
    frame = np.array([np.cross(along, way.normal), along, way.normal])  # specimen axes: plane in the foil, line along y
    turned = way.rotated(frame)
    line = np.stack([np.full(61, 150.0), np.linspace(-1500, 1800, 61), np.full(61, 400.0)], axis=1)
    pair = split(line, turned, frame @ b, (48.0, 0.34), 800.0)
    wide = split(line, turned._replace(energy_mj_per_m2=way.energy_mj_per_m2 * 0.02), frame @ b, (48.0, 0.34), 800.0)
    for hkl in ((1, 1, -1), (2, 0, 0)):
        g = frame @ material.reciprocal_per_nm(hkl)
        for made, places in ((wide, (40.0, 150.0, 260.0)), (pair, (60.0, 240.0))):
            specimen = Foil(
                made.network, material, hkl, g, 0.0, (300.0, 60.0), 800.0, 400.0, False,
                triangles_nm=made.triangles_nm, shifts_nm=made.shifts_nm,
            )  # fmt: skip
            strain, dz = specimen.strain(10.0, (6, 30), 4)
            turns = ray_beta(strain, (0.0, 0.0), 4, dz, 10.0, 400.0)[0].sum(axis=0)[3] * dz
            found = [np.interp(x, (np.arange(30) + 0.5) * 10, turns) for x in places]
            steps = np.diff(found)
            steps -= np.rint(steps)
            assert np.abs(steps).max() < 0.3  # falls as the distance to the lines over that to the faces
            assert np.ptp(steps) < 0.03  # evenly: across each partial there is no step that is not whole


def test_lines_lie_side_by_side_in_their_plane():
    """A dissociated specimen: pairs as far apart as forces say, faults of the partial's shift, nothing for bcc."""
    recipe = Recipe.from_table({"recipe": {"name": "t"}}, "t").with_values(
        {"specimen.network.generator": "dissociated"}
    )
    specimen = make_specimen(recipe, np.random.default_rng(7))
    size = np.linalg.norm(specimen.shifts_nm, axis=1)
    np.testing.assert_allclose(size, specimen.material.a_nm / np.sqrt(6))
    u, v = (specimen.triangles_nm[:, i] - specimen.triangles_nm[:, 0] for i in (1, 2))
    normal = np.cross(u, v)
    assert np.abs((normal * specimen.shifts_nm).sum(axis=1)).max() < 1e-6 * np.linalg.norm(normal, axis=1).max()
    short = np.minimum(np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1))
    assert 2 < np.median(short) < 9  # partials of this alloy are seen 4 to 7 nm apart
    material = load_material("W")
    normals, burgers = (np.array(v) for v in zip(*material.slip_systems()))
    population = Population(normals, burgers, np.eye(3)[0], np.full(3, 300.0), 1e-4, 0.8)
    with pytest.raises(InputError, match="no dissociation"):
        load_generator("dissociated")(population, np.random.default_rng(0))
