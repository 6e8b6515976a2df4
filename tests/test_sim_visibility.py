"""Lines that a reflection does not show vanish in the image, to the noise, and are called invisible in the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from veristem.datasets import DislocationNetwork, load_material
from veristem.datasets.crystal import material_names
from veristem.datasets.geometry import Region, specimen_from_crystal
from veristem.datasets.recipe import Microscope
from veristem.sim.foil import Foil
from veristem.sim.images import region_image
from veristem.sim.visibility import visibility

THICKNESS, SIDE, PIXEL = 80.0, 96.0, 4.0
DOSE = 6242.0  # electrons in 0.1 nA and 10 us
MICROSCOPE = Microscope(convergence_mrad=12.4)
REGION = Region((0.0, 0.0), 5e-3)
REFLECTIONS = {
    "fcc": ((1, 1, 1), (2, 0, 0), (2, 2, 0)),
    "bcc": ((1, 1, 0), (2, 0, 0), (2, 1, 1), (2, 2, 0)),
    "L1_0": ((0, 0, 2), (2, 0, 0), (1, 1, 1), (2, 2, 0)),
    "diamond": ((1, 1, 1), (2, 2, 0)),
    "zincblende": ((1, 1, 1), (2, 2, 0)),
    "rocksalt": ((2, 0, 0), (2, 2, 0)),
    "wurtzite": ((0, 0, 2), (1, 1, 0)),
    "hcp": ((1, 0, 0), (0, 0, 2), (1, 0, 1), (1, 0, 2), (1, 1, 0), (1, 1, 2)),
}


def zone_of(material, hkl) -> np.ndarray:
    """A lattice direction of low indices at right angles to a reflection."""
    g = material.reciprocal_per_nm(hkl)
    ways = [np.array(w) for w in itertools.product((-1, 0, 1, 2), repeat=3) if any(w)]
    ways = [w for w in ways if abs(material.direction_nm(w) @ g) < 1e-9]
    return material.direction_nm(min(ways, key=lambda w: (np.abs(w).sum(), *w)))


def screws(material, hkl):
    """The reflection and the Burgers vectors without and with g·b of a crystal, in a foil set up for it."""
    g = material.reciprocal_per_nm(hkl)
    tilt = material.bragg_angle_rad(hkl, 200.0) + np.radians(0.14)
    rotation = specimen_from_crystal(zone_of(material, hkl), g, np.pi / 2, tilt)
    burgers = material.burgers_vectors_nm() @ rotation.T
    hidden = np.abs(burgers @ rotation @ g) < 1e-6
    steep = np.argsort(-np.abs(burgers[:, 2]))
    return rotation @ g, *([burgers[m] for m in steep if hidden[m] == wanted] for wanted in (True, False))


def image_of(material, hkl, g, burgers) -> np.ndarray:
    """A straight screw through the middle of the foil, which goes on straight beyond its faces."""
    ends = np.array([SIDE / 2, SIDE / 2, THICKNESS / 2]) + np.outer(
        [-3000.0, 3000.0], burgers / np.linalg.norm(burgers)
    )
    network = DislocationNetwork.from_polyline(ends, burgers)
    s0 = np.linalg.norm(g) * np.sin(np.radians(0.14))
    relaxed = False  # a face bends the lattice about a screw that meets it aslant, seen whatever g·b is
    specimen = Foil(network, material, hkl, g, s0, (SIDE, SIDE), THICKNESS, THICKNESS / 2, relaxed)
    return region_image(specimen, REGION, MICROSCOPE, PIXEL, (24, 24))


def cases():
    """Every reflection of one crystal of each structure, and of the other crystals the first that hides a screw."""
    seen = set()
    for name in material_names():
        material = load_material(name)
        hide = [hkl for hkl in REFLECTIONS[material.structure] if screws(material, hkl)[1]]
        for hkl in hide[:1] if material.structure in seen else REFLECTIONS[material.structure]:
            yield pytest.param(name, hkl, id=f"{name}-{''.join(map(str, hkl))}")
        seen.add(material.structure)


@pytest.mark.parametrize(("name", "hkl"), cases())
def test_an_invisible_screw_vanishes_to_the_noise(name, hkl):
    """g·b = 0: a hundredth of the noise of a pixel at a usual dose, and marked so; g·b != 0 stands out of it.

    Where the foil is thin beside the extinction distance, as of light metals and silicon, contrast is weak
    whatever g·b is: there it has to be a thousand times that of the hidden line.

    For an infinite medium, isotropic, where a straight screw moves atoms along b alone.
    """
    material = load_material(name)
    g, hidden, seen = screws(material, hkl)
    assert len(seen) > 0
    xi = material.extinction_distances_nm(hkl, MICROSCOPE.energy_keV)[0]
    weak = xi > THICKNESS * (1 if material.structure == "hcp" else 0.7)
    left = 0.0  # of contrast, of the hidden line
    for burgers, shows in [*((b, False) for b in hidden[:1]), *((b, True) for b in seen[:1])]:
        line = DislocationNetwork.from_polyline(np.array([[0.0, 0, 0], burgers]), burgers)
        assert visibility(line, g)[2].all() == shows
        view = image_of(material, hkl, g, burgers)
        background = np.median(view)
        noise = 1 / np.sqrt(DOSE * background)
        contrast = np.abs(view / background - 1).max()
        if not shows:
            assert contrast < 0.01 * noise
            left = contrast
        else:
            assert contrast > (1000 * left if weak and left else 3 * noise)


@pytest.mark.parametrize("name", material_names())
def test_every_crystal_hides_something(name):
    """The test above is not empty: each crystal has a reflection that hides a screw."""
    material = load_material(name)
    assert any(screws(material, hkl)[1] for hkl in REFLECTIONS[material.structure])
