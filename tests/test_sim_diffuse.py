"""Electrons that phonons take from the beams land somewhere: none is lost, none counted twice."""

import numpy as np
import pytest

from validation.diffuse import walked_rad
from veristem.datasets.crystal import load_material
from veristem.datasets.geometry import Region
from veristem.datasets.microscope import Microscope
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.structure import phonon_density
from veristem.sim import diffuse
from veristem.sim.contrast.diffuse import PhononKernel
from veristem.sim.foil import Foil
from veristem.sim.images import region_image
from veristem.sim.shape import Shape

PLANE = Region((0.0, 0.0), 1e3)  # all directions there are
COARSE = 0.02  # rad: wherever they come from all land in the plane, so that few incidences do
CANTOR = load_material("CoCrFeMnNi")


def once(angle):
    """The density of one phonon in the Cantor alloy at 200 kV."""
    return phonon_density(CANTOR.sites, 200.0, angle)


@pytest.mark.parametrize("depth", [0.01, 1.3, 4.0])
@pytest.mark.parametrize("theta", [(0.0, 0.0), (0.07, 0.0), (-0.03, 0.085)])
def test_all_land_somewhere(depth, theta):
    """Over the plane the shares sum to 1, wherever they come from and however often they were turned."""
    assert PhononKernel(once, depth).arriving(np.array([theta]), [PLANE])[0, 0] == pytest.approx(1, abs=1e-6)


def test_in_a_thin_foil_they_are_turned_once():
    """The density of one phonon, up to terms of the optical depth."""
    angle = np.linspace(0.005, 0.25, 50)
    np.testing.assert_allclose(PhononKernel(once, 1e-4).density(angle), once(angle), rtol=0.025)


def test_often_turned_they_are_as_a_random_walk_says():
    """Against a walk in the plane: n steps by Poisson's law, those without any left out."""
    depth = 1.32
    away = walked_rad(once, depth, 400_000)
    kernel = PhononKernel(once, depth)
    for low, high in ((0.0, 0.015), (0.0, 0.06), (0.06, 0.12), (0.12, 0.3)):
        share = kernel.arriving(np.zeros((1, 2)), [Region((0.0, 0.0), high, low)])[0, 0]
        found = ((away >= low) & (away < high)).mean()
        assert share == pytest.approx(found, abs=4 * np.sqrt(found / len(away)))


def foil(beams: int, taken: bool = True, bend: float = 0.0) -> Foil:
    """100 nm of the Cantor alloy, bent or flat, g along x, with a line that it does not see."""
    g = np.array([2 / CANTOR.a_nm, 0.0, 0.0])
    unseen = DislocationNetwork.from_polyline(
        np.array([[300.0, -400, 50.0], [300.0, 400, 50.0]]), np.array([0, 0.25, 0])
    )
    shape = Shape(np.array([64.0, 64.0]), 100.0, bend_per_nm=(bend, 0.0))
    made = Foil(unseen, CANTOR, (0, 0, 2), g, 0.012, (64.0, 64.0), 100.0, 50.0, False, shape, beams=beams)
    made.diffuse = taken
    return made


@pytest.mark.parametrize("beams", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_the_whole_plane_receives_all_electrons(monkeypatch, beams):
    """Bragg beams and what phonons take from them, of a bent foil, sampled alike: 1 without losses of energy."""
    monkeypatch.setattr(diffuse, "SHEAR_NM", (1.0, 2.5))
    monkeypatch.setattr(diffuse, "PER_FRINGE", 1.2 if beams == 2 else 2.4)
    monkeypatch.setattr(diffuse, "_COARSE_RAD", COARSE)
    wide = Microscope(convergence_mrad=30.0)
    image = region_image(foil(beams, bend=1e-4), PLANE, wide, 4.0, (16, 16))
    np.testing.assert_allclose(image, 1, atol=1e-6 if beams > 2 else 1e-3)


def test_as_coarsely_sampled_as_images_are_hardly_any_is_missing(monkeypatch):
    """Two thousandths of the electrons."""
    monkeypatch.setattr(diffuse, "_COARSE_RAD", COARSE)
    image = region_image(foil(5, bend=1e-4), PLANE, Microscope(convergence_mrad=30.0), 4.0, (16, 16))
    np.testing.assert_allclose(image, 1, atol=2e-3)


def test_losses_of_energy_stay_lost(monkeypatch):
    """What the detector does not count for its energy is missing from the diffuse part too."""
    monkeypatch.setattr(diffuse, "_COARSE_RAD", COARSE)
    lossy = Microscope(convergence_mrad=30.0, loss_collected_fraction=0.0)
    _, _, everything, phonons = CANTOR.extinction_distances_nm((0, 0, 2), 200.0)
    image = region_image(foil(5), PLANE, lossy, 4.0, (16, 16))
    kept = np.exp(-2 * np.pi * 100.0 * (1 / everything - 1 / phonons))
    np.testing.assert_allclose(image, kept, atol=2e-3)


def test_regions_that_fill_another_add_up():
    """Rings and quadrants of the diffuse part, beyond the cone too."""
    made, wide = foil(2), Microscope(convergence_mrad=30.0)

    def brought(region):
        return region_image(made, region, wide, 4.0, (16, 16))

    ring = brought(Region((0.0, 0.0), 0.1, 0.04))
    assert ring.mean() > 0.05  # no Bragg beam lands there
    quarters = [brought(Region((0.0, 0.0), 0.1, 0.04, n * np.pi / 2, np.pi / 2)) for n in range(4)]
    np.testing.assert_allclose(sum(quarters), ring, rtol=1e-6)
    split = brought(Region((0.0, 0.0), 0.07, 0.04)) + brought(Region((0.0, 0.0), 0.1, 0.07))
    np.testing.assert_allclose(split, ring, rtol=1e-6)
