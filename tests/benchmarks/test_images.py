"""Networks, images and whole methods, for which there is no obvious code to compare with: times alone."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import load_material
from veristem.datasets.geometry import Region
from veristem.datasets.recipe import load_recipe
from veristem.recon.methods import run_method
from veristem.sim.foil import Foil
from veristem.sim.images import region_image
from veristem.sim.networks import GENERATORS, load_generator
from veristem.sim.networks.population import Faulted, Population
from veristem.sim.simulate import simulate_recipe
from veristem.sim.specimen import make_specimen


@pytest.mark.parametrize("generator", GENERATORS)
def test_generator(alone, generator):
    """A foil of 2000 x 2000 x 200 nm with some 1e4 segments; a net, one sheet, holds fewer."""
    crystal, size = load_material("Ni"), np.array([2000.0, 2000.0, 200.0])
    normals, burgers = map(np.array, zip(*crystal.slip_systems()))
    density = 1e-5 if generator == "net" else 1.3e-4
    g, ways = crystal.reciprocal_per_nm((1, 1, 1)), tuple(crystal.dissociations())
    population = Population(normals, burgers, g, size, density, 0.8, dissociations=ways)
    make = load_generator(generator)
    count = len(Faulted.of(make(population, np.random.default_rng(0))).network.segments)
    made = alone(
        f"network, {generator}",
        f"{count} segments",
        lambda: make(population, np.random.default_rng(0)),
        rounds=2,
        warmup_rounds=0,
    )
    network = Faulted.of(made).network
    network.check_conservation()
    assert population.length_of(network) == pytest.approx(population.length_nm, rel=0.051)


def test_bright_field(alone):
    """Over 12.4 mrad in 200 nm, the strain included."""
    lens = {"microscope.convergence_mrad": 12.4, "microscope.aberrations": "none"}
    recipe = load_recipe("cantor-stereo").with_values(lens)
    disc = Region((0.0, 0.0), 12.4e-3)

    def image() -> np.ndarray:
        specimen = make_specimen(recipe, np.random.default_rng(0))
        assert isinstance(specimen, Foil)
        return region_image(specimen, disc, recipe.microscope, 1.0, (512, 512))

    share = alone("bright field of a foil with its strain", "512² pixels", image, rounds=2)
    assert 0 < share.min() < share.max() < 1


@pytest.fixture(scope="module", params=[1024, 2048])
def imaged(request):
    """The recipe `particles` at 34.5 mg/ml, its whole field and a quarter of it."""
    recipe = load_recipe("particles")
    pixel, shape = recipe.scan.pixel_nm, (request.param,) * 2
    values = {"scan.shape": shape, "specimen.field_nm": [pixel * n for n in shape]}
    recipe = recipe.with_values(values | {"specimen.dispersion.concentration_mg_per_ml": 34.5})
    return *simulate_recipe(recipe), recipe


def test_film_image(alone, imaged):
    """Rays through spheres."""
    _, _, film, recipe = imaged
    region = recipe.microscope.detector.regions(0.0)[0]

    def image():
        film.imaged.clear()
        return film.region_image(region, recipe.microscope, recipe.scan.pixel_nm, recipe.scan.shape)

    size = f"{recipe.scan.shape[0]}² pixels, {len(film.particles.radii_nm)} particles"
    assert alone("image of particles, one quadrant", size, image, rounds=2).min() > 0


def test_from_images_to_points(alone, imaged):
    """On four views."""
    truth, acquisition, _, recipe = imaged
    size = f"{len(acquisition.views)} views of {recipe.scan.shape[0]}² pixels, {truth.inside.sum()} particles"
    points = alone("points-matched", size, lambda: run_method("points-matched", acquisition), rounds=2)
    assert len(points.points_nm) > 0.97 * truth.inside.sum()
