"""Bright field, dark field, weak beam and annular dark field by the image code, parallel and convergent."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from validation.images import columns
from veristem.datasets import DislocationNetwork, load_material
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Region
from veristem.datasets.recipe import Microscope
from veristem.sim.contrast import Extinction, Row, systematic_row, two_beam
from veristem.sim.foil import Foil
from veristem.sim.images import region_image
from veristem.sim.rays import row_orders

MATERIAL = load_material("CoCrFeMnNi")
WAVELENGTH = electron_wavelength_nm(200.0)
G = np.array([0.0, np.linalg.norm(MATERIAL.reciprocal_per_nm((0, 0, 2))), 0.0])
THICKNESS, PIXEL, SHAPE = 100.0, 2.0, (32, 64)
PARALLEL = Microscope(convergence_mrad=0.01)
STEM = Microscope(convergence_mrad=12.4)
BRIGHT = Region((0.0, 0.0), 1e-3)
DARK = Region((0.0, float(WAVELENGTH * G[1])), 1e-3)
CLEAR = Extinction(44.5)


class Foil(Foil):
    """A foil whose extinction a test chooses."""

    chosen: Extinction | None = None

    def extinction(self, energy_keV: float, loss_collected_fraction: float) -> Extinction:
        return self.chosen or super().extinction(energy_keV, loss_collected_fraction)


def foil(s0: float = 0.0, extinction: Extinction | None = None, strength: float = 1.0) -> Foil:
    """A line in the foil at mid-depth and one from face to face, g·b = strength."""
    b = np.array([0, strength / G[1], 0])
    lines = [[[32.0, -300, 50], [32, 364, 50]], [[80.0, 32, 0], [112, 40, 100]]]
    network = DislocationNetwork.union([DislocationNetwork.from_polyline(np.array(line), b) for line in lines])
    made = Foil(network, MATERIAL, (0, 0, 2), G, s0, (128.0, 64.0), THICKNESS, THICKNESS / 2)
    made.chosen = extinction
    return made


def closed(s: float, extinction: Extinction = CLEAR) -> float:
    """I_g of a perfect crystal without absorption."""
    w = s * extinction.xi_g
    return float(np.sin(np.pi * THICKNESS * np.sqrt(1 + w**2) / extinction.xi_g) ** 2 / (1 + w**2))


@pytest.mark.parametrize("s0", [0.0, 0.01, 0.03, 0.2])
def test_levels_of_a_perfect_crystal(s0):
    """BF, DF and weak beam of a parallel beam have the levels of the closed formulas."""
    perfect = foil(s0, CLEAR, 0.0)
    bright, dark = (region_image(perfect, region, PARALLEL, PIXEL, SHAPE) for region in (BRIGHT, DARK))
    np.testing.assert_allclose(dark, closed(s0), atol=2e-5)
    np.testing.assert_allclose(bright, 1 - closed(s0), atol=2e-5)
    if s0 == 0.2:
        assert dark.max() < 1 / (1 + (s0 * CLEAR.xi_g) ** 2) + 1e-5


def test_levels_with_absorption():
    """Check 2 by the image code: I0,g = ½ exp(−2πt/ξ0') [cosh(2πt/ξ') ± cos(2πt/ξ)]."""
    perfect = foil(0.0, None, 0.0)
    xi, xi_abs, xi_0 = perfect.extinction(200.0, PARALLEL.loss_collected_fraction)
    phase = 2 * np.pi * THICKNESS
    for region, sign in ((BRIGHT, 1), (DARK, -1)):
        level = 0.5 * np.exp(-phase / xi_0) * (np.cosh(phase / xi_abs) + sign * np.cos(phase / xi))
        np.testing.assert_allclose(region_image(perfect, region, PARALLEL, PIXEL, SHAPE), level, atol=2e-5)


@pytest.mark.parametrize("s0", [0.0, 0.2, -0.06])
def test_bright_and_dark_field_share_the_electrons(s0):
    """BF + DF = 1 without absorption for a parallel beam, lines included; of two reflections the nearer one takes."""
    lines, turn = foil(s0, CLEAR), float(WAVELENGTH * G[1])
    bright = region_image(lines, BRIGHT, PARALLEL, PIXEL, SHAPE)
    dark = [region_image(lines, Region((0.0, n * turn), 1e-3), PARALLEL, PIXEL, SHAPE) for n in (1, -1)]
    np.testing.assert_allclose(bright + dark[0] + dark[1], 1, atol=2e-5)
    assert np.ptp(dark[s0 < 0]) > 0.01
    assert np.ptp(dark[s0 >= 0]) == 0


def test_images_mirror_for_the_opposite_excitation_error():
    """Check 7 by the image code: the in-plane line at mid-depth mirrors under b → −b and s → −s."""

    def profile(s0, strength):
        line = foil(s0, CLEAR, strength)
        line.network = DislocationNetwork.from_polyline(line.network.nodes_nm[:2], line.network.burgers_nm[0])
        return region_image(line, BRIGHT, PARALLEL, PIXEL, (16, 32))[8]

    image = profile(0.015, 1.0)
    assert np.abs(image - image[::-1]).max() > 0.1
    np.testing.assert_allclose(profile(0.015, -1.0)[::-1], image, atol=2e-3)
    np.testing.assert_allclose(profile(-0.015, 1.0)[::-1], image, atol=2e-3)


def test_side_of_the_weak_beam_image():
    """Check 8 by the image code: bright on the side of +(g·b)(t × z), the other side for −b."""
    x = (np.arange(64) + 0.5) * 0.5 - 16  # t along +y, so that t × z is +x
    for strength in (2.0, -2.0):
        image = region_image(foil(0.2, None, strength), DARK, PARALLEL, 0.5, (16, 256))[8, 32:96]
        assert np.sign(strength) * x[image.argmax()] == pytest.approx(1 / (2 * np.pi * 0.2), abs=0.25)


def test_weak_edge_image_is_symmetric():
    """Check 6: at the Bragg condition an edge with g·b = 0 is alike on both sides, and much weaker in the middle."""
    x = np.linspace(-40, 40, 161)
    beta = columns((0, 0, 0.254), (1 / 0.254, 0, 0), x, 100.0, 0.25, 0.3)
    image = two_beam(beta, 0.25, 0.0, Extinction(44.5, 850.0, 490.0))[0][0]
    np.testing.assert_allclose(image, image[::-1], atol=1e-9)
    assert abs(x[image.argmin()]) > 3


def test_convergent_bright_field_and_its_complement_hold_all_electrons():
    """A cone wider than the Bragg angle: the disc, the annulus around it and what lies beyond add up."""
    lines = foil(0.0136, CLEAR, 0.0)
    parts = [Region((0.0, 0.0), 12.4e-3), Region((0.0, 0.0), 20e-3, 12.4e-3), Region((0.0, 0.0), 1.0, 20e-3)]
    total = sum(region_image(lines, region, STEM, PIXEL, SHAPE) for region in parts)
    np.testing.assert_allclose(total, 1, atol=3e-3)


def test_annular_dark_field_counts_what_phonons_scatter():
    """ADF shows lines by what phonons take from the beams; without it, and Bragg beams in the annulus, it is dark."""
    wide, narrow = (Region((0.0, 0.0), 100e-3, inner) for inner in (30e-3, 60e-3))
    assert not region_image(foil(0.0136), wide, STEM, PIXEL, SHAPE).any()
    made = dataclasses.replace(foil(0.0136), diffuse=True)
    image = region_image(made, wide, STEM, PIXEL, SHAPE)
    assert 0.05 < np.median(image) < 1
    assert np.ptp(image) > 0.02 * np.median(image)
    assert 0 < np.median(region_image(made, narrow, STEM, PIXEL, SHAPE)) < np.median(image)


def test_a_region_that_nothing_reaches_is_dark():
    """No Bragg disc there: no electrons, and no error."""
    far = dataclasses.replace(DARK, center_rad=(0.05, 0.0))
    assert not region_image(foil(), far, PARALLEL, PIXEL, SHAPE).any()


@pytest.mark.parametrize("beams", [3, 5])
def test_a_row_of_beams(beams):
    """Each disc of a parallel beam has the level of its beam of the row; a convergent disc sums incidences."""
    row = Row.of_material(load_material("gamma-TiAl"), (0, 0, 2), 200.0, row_orders(beams).tolist())
    made = foil(0.01, None, 0.0)
    made.material, made.g_per_nm = load_material("gamma-TiAl"), np.array([0.0, row.g_per_nm, 0.0])
    levels = systematic_row(np.zeros(40), THICKNESS / 40, 0.01, row)[:, 0]
    loss = Microscope(convergence_mrad=0.01, loss_collected_fraction=0.0)  # of_material counts all losses
    for n, level in zip(row.orders, levels):
        disc = Region((0.0, n * row.g_per_nm * row.wavelength_nm), 1e-3)
        np.testing.assert_allclose(region_image(made, disc, loss, PIXEL, SHAPE, beams), level, atol=1e-4)
    everything = region_image(made, Region((0.0, 0.0), 1.0), loss, PIXEL, SHAPE, beams)
    np.testing.assert_allclose(everything, levels.sum(), atol=1e-4)


def test_a_forbidden_reflection_is_an_input_error():
    """What symmetry leaves nothing of makes no image, with two beams or a row."""
    made = foil()
    made.g_hkl = (0, 0, 1)
    for beams in (2, 5):
        with pytest.raises(InputError, match=r"g: \(0 0 1\) found, which the structure of .* forbids"):
            region_image(made, BRIGHT, PARALLEL, PIXEL, SHAPE, beams)
