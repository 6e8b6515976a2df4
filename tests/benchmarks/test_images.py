"""How fast particles are counted: `pytest tests/benchmarks --benchmark-enable`. Rates are told, none is asserted."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.recon.particles import radial_distribution, radial_distribution_bands

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
BOX = np.array([800.0, 800.0, 178.0])
EDGES = np.arange(0.0, 151.0, 2.0)


@pytest.fixture(scope="module")
def centers() -> np.ndarray:
    """20 000 particles without order in a film."""
    return np.random.default_rng(0).uniform(0, 1, (20_000, 3)) * BOX


def told(benchmark, count: int) -> None:
    """Put a rate beside the times; nothing when benchmarks are disabled."""
    if benchmark.stats is not None:
        benchmark.extra_info["particles per second"] = count / benchmark.stats.stats.median


def test_pair_correlation(benchmark, centers):
    """Particles per second of g(r) to 150 nm."""
    g = benchmark(radial_distribution, centers, BOX, EDGES)
    assert g[5:] == pytest.approx(1, abs=0.1)
    told(benchmark, len(centers))


def test_bands(benchmark, centers):
    """Particles per second of its confidence interval."""
    low, high = benchmark(lambda: radial_distribution_bands(centers, BOX, EDGES, np.random.default_rng(0)))
    assert ((low <= 1) & (high >= 1)).mean() > 0.8
    told(benchmark, len(centers))


@pytest.fixture(scope="module")
def imaged():
    """The recipe `particles` at 34.5 mg/ml: four views of 2048 x 2048 pixels and 4475 particles."""
    from veristem.bench.cell import simulate
    from veristem.datasets.recipe import load_recipe

    recipe = load_recipe("particles").with_values({"specimen.dispersion.concentration_mg_per_ml": 34.5})
    return *simulate(recipe), recipe


def test_film_image(benchmark, imaged):
    """Rays through spheres per second, all of the detector's, for the image of one quadrant."""
    _, _, film, recipe = imaged
    region = recipe.microscope.detector.regions(0.0)[0]

    def image():
        film.images.clear()
        return film.region_image(region, recipe.microscope, recipe.scan.pixel_nm, recipe.scan.shape)

    assert benchmark.pedantic(image, rounds=3).min() > 0
    rays = len(film.rays([region], recipe.microscope, recipe.scan.pixel_nm)[0][0].share)
    told(benchmark, rays * len(film.particles.radii_nm))


def test_from_images_to_points(benchmark, imaged):
    """Particles per second of points-matched on four whole views."""
    from veristem.recon.methods import run_method

    truth, acquisition, *_ = imaged
    points = benchmark.pedantic(run_method, ("points-matched", acquisition), rounds=2, warmup_rounds=1)
    assert len(points.points_nm) > 0.98 * truth.inside.sum()
    told(benchmark, len(points.points_nm))
