"""How fast the kernels are: `pytest tests/benchmarks --benchmark-enable`. Rates are told, none is asserted.

Each case first checks that what it times gives the right answer; time is for comparing two versions on one machine.
"""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork, load_material
from veristem.datasets.geometry import Region
from veristem.datasets.recipe import load_recipe
from veristem.recon.contours.ridge import ridge_contours
from veristem.recon.stereo.matching import match_contours
from veristem.sim.contrast.howie_whelan import Extinction, two_beam
from veristem.sim.elasticity.segment import segment_distortion
from veristem.sim.elasticity.spectral import isotropic_stiffness, projected_distortion, spectral_distortion
from veristem.sim.elasticity.voxels import voxel_distortion
from veristem.sim.images import region_image
from veristem.sim.networks import GENERATORS, load_generator
from veristem.sim.networks.population import Population
from veristem.sim.specimen import Specimen, make_specimen

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1)
SIDE = 256


def told(benchmark, what: str, count: int) -> None:
    """Put a rate beside the times; nothing when benchmarks are disabled."""
    if benchmark.stats is not None:
        benchmark.extra_info[what] = count / benchmark.stats.stats.median


def views() -> np.ndarray:
    """Two noisy images with ten dark lines."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    image = np.full((2, SIDE, SIDE), 1000.0)
    for view, shift in enumerate((-4, 4)):
        for k in range(10):
            image[view] *= 1 - 0.4 * np.exp(-0.5 * ((x - 0.3 * y - 24 * k - shift) / 3.0) ** 2)
    return np.random.default_rng(0).poisson(image).astype(np.float32)


def test_two_beam(benchmark):
    """Slices per second of the two-beam equations."""
    slices = 60
    beta = np.random.default_rng(0).normal(0, 1e-3, (slices, SIDE, SIDE)).astype(np.float32)
    s = np.zeros(1)
    beams = benchmark(two_beam, beta, 3.0, s, Extinction(60.0, 900.0, 600.0))
    assert np.isfinite(beams).all()
    told(benchmark, "slice-steps per second", slices * SIDE * SIDE)


G = np.array([0.0, 4.9, 0.0])
POISSON = load_material("Al").poisson_ratio
FOIL_NM = np.array([512.0, 512.0, 200.0])


def lines(segments: int) -> DislocationNetwork:
    """Straight lines across the foil, of ten segments each for 50 and of fifty for more."""
    rng = np.random.default_rng(0)
    per_line = 10 if segments <= 50 else 50
    ends = rng.uniform(0, 1, (segments // per_line, 2, 3)) * FOIL_NM
    made = [DislocationNetwork.from_polyline(np.linspace(a, b, per_line + 1), rng.normal(0, 0.15, 3)) for a, b in ends]
    return DislocationNetwork.union(made)


@pytest.mark.parametrize("generator", GENERATORS)
def test_generator(benchmark, generator):
    """Segments per second of a foil of 2000 x 2000 x 200 nm with some 1e4 of them; a net, one sheet, holds fewer."""
    crystal, size = load_material("Al"), np.array([2000.0, 2000.0, 200.0])
    normals, burgers = map(np.array, zip(*crystal.slip_systems()))
    density = 1e-5 if generator == "net" else 1.3e-4
    population = Population(normals, burgers, crystal.reciprocal_per_nm((1, 1, 1)), size, density, 0.8)
    network = benchmark.pedantic(
        lambda: load_generator(generator)(population, np.random.default_rng(0)), rounds=3, warmup_rounds=1
    )
    network.check_conservation()
    assert population.length_of(network) == pytest.approx(population.length_nm, rel=0.051)
    told(benchmark, "segments per second", len(network.segments))


@pytest.mark.parametrize("what", ["g·U", "U"])
@pytest.mark.parametrize("segments", [50, 5000])
def test_spectral_field(benchmark, segments, what):
    """Voxels per second of a spectral field in 512 x 512 x 200 nm at 2 nm; more segments must not cost more."""
    network, stiffness, shape = lines(segments), isotropic_stiffness(POISSON), (100, 256, 256)
    if what == "U":
        field = benchmark.pedantic(
            spectral_distortion, (network, shape, 2.0, stiffness, 3.0), rounds=4, warmup_rounds=1
        )
    else:
        given = (network, [G], np.zeros(3), shape, (2.0,) * 3, stiffness, ((3.0, 1.0),))
        field = benchmark.pedantic(projected_distortion, given, rounds=4, warmup_rounds=1)[0][None]
    index = np.random.default_rng(0).integers(0, shape, (200, 3))
    exact = segment_distortion(network, (index[:, ::-1] + 0.5) * 2.0, POISSON, 3.0)
    exact = exact if what == "U" else np.einsum("i,nij->nj", G, exact)[:, None]
    found = np.moveaxis(field[:, :, index[:, 0], index[:, 1], index[:, 2]], -1, 0)
    assert np.quantile(np.abs(found - exact), 0.9) < 0.05 * np.abs(exact).max()
    told(benchmark, "voxels per second", int(np.prod(shape)))


@pytest.mark.parametrize("faces", ["relaxed", "unrelaxed"])
def test_foil(benchmark, faces):
    """Voxels per second of the strain of a foil, on the grid of its image, with sharp cores."""
    given = (lines(1000), G, (0.0, 0.0), (200 / 67, 2.0, 2.0), (67, 256, 256), POISSON, faces == "relaxed")
    voxels = benchmark.pedantic(voxel_distortion, given, rounds=4, warmup_rounds=1).voxels
    assert np.isfinite(voxels).all()
    told(benchmark, "voxels per second", voxels[0].size)


def test_image_of_the_direct_disc(benchmark):
    """Pixels per second of a bright field of 512² pixels of 1 nm in 200 nm, over 12.4 mrad, the strain included."""
    recipe = load_recipe("cantor-stereo").with_values({"microscope.convergence_mrad": 12.4})
    disc = Region((0.0, 0.0), 12.4e-3)

    def image() -> np.ndarray:
        specimen = make_specimen(recipe, np.random.default_rng(0))
        assert isinstance(specimen, Specimen)
        return region_image(specimen, disc, recipe.microscope, 1.0, (512, 512))

    share = benchmark.pedantic(image, rounds=3, warmup_rounds=1)
    assert 0 < share.min() < share.max() < 1
    told(benchmark, "pixels per second", share.size)


def test_ridges(benchmark):
    """Pixels per second of finding lines."""
    images = views()
    contours = benchmark(ridge_contours, images, 2.0)
    assert len(contours.curves_nm[0]) >= 10
    told(benchmark, "pixels per second", images.size)


def test_match(benchmark):
    """Vertices per second of matching ten lines with ten."""
    contours = ridge_contours(views(), 2.0)
    matches = benchmark(match_contours, contours, (0, 1), np.array([1.0, 0.0]), (-30.0, 30.0), 2.0, 6.0)
    assert len(matches.first_nm) >= 10
    told(benchmark, "vertices per second", sum(map(len, matches.first_nm)))


def test_score(benchmark):
    """Micrometres of line per second scored."""
    rng = np.random.default_rng(0)
    ends = rng.uniform(0, [500, 500, 200], (2, 20, 3))
    truth = CurveSet(tuple(np.linspace(a, b, 60) for a, b in zip(*ends, strict=True)))
    found = CurveSet(tuple(c + rng.normal(0, 2, c.shape) for c in truth.curves_nm))
    scores = benchmark(score_curves, truth, found)
    assert scores["f_score"] == pytest.approx(1, abs=0.01)
    told(benchmark, "micrometres of line per second", truth.length_nm / 1e3)
