"""Where particles show in views that they scatter into: directions, apparent depths, and the depths that come out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import Acquisition, ParticleDispersion
from veristem.datasets.geometry import Region
from veristem.datasets.particle_rays import Shown, shown, view_rays
from veristem.datasets.recipe import load_recipe
from veristem.datasets.specimens import Particles
from veristem.recon.methods import run_method
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of

RADIUS_NM, DEPTHS = 2.25, (-89.0, 89.0)
QUADRANTS = tuple(Region((0.0, 0.0), 0.028, 0.014, k * np.pi / 2 - np.pi / 4, np.pi / 2) for k in range(4))


def views(regions=QUADRANTS) -> Acquisition:
    """Nothing in the views of these regions."""
    directions = np.array([region.mean_direction_rad(0.028) for region in regions])
    return Acquisition(
        np.ones((len(regions), 8, 8)), directions, 0.4, 89.0, 178.0,
        energy_keV=200.0, convergence_rad=0.028, regions=regions, kind="particles",
    )  # fmt: skip


@pytest.fixture(scope="module")
def lattice():
    """36 spheres far apart at all depths, without noise: truth and acquisition of two opposite quadrants."""
    side, step = 120.0, 20.0
    values = {"scan.shape": [300, 300], "specimen.field_nm": [side, side]}
    recipe = load_recipe("particles-small").with_values(values)
    x, y = (at.ravel() for at in np.meshgrid(*[np.arange(step / 2, side, step)] * 2))
    z = np.random.default_rng(0).permutation(np.linspace(5.0, 173.0, len(x)))
    spheres = ParticleDispersion(np.stack([x, y, z], axis=1), np.full(len(x), RADIUS_NM), np.array([side, side, 178.0]))
    assert isinstance(recipe.specimen, Particles)
    truth, acquisition = acquire(film_of(recipe.specimen, spheres), recipe, np.random.default_rng(0))
    assert acquisition.regions is not None
    pair = [0, 2]
    seen = {"views": 20 * truth.expected[pair], "directions_rad": acquisition.directions_rad[pair]}
    told = {"regions": acquisition.regions[::2], "electrons_per_pixel": None}
    return truth, replace(acquisition, **seen, **told)


def depth_scale(truth, points) -> float:
    """Rise of the depth found with the true one."""
    off = np.linalg.norm(points.points_nm[:, None, :2] - truth.particles.centers_nm[None, :, :2], axis=2)
    near = off.argmin(axis=1)[off.min(axis=1) < 1]
    found = points.points_nm[off.min(axis=1) < 1, 2] - truth.focus_nm
    true = truth.particles.centers_nm[near, 2] - truth.focus_nm
    assert len(found) > 20
    return float(found @ true / (true @ true))


@pytest.mark.parametrize("method", ["points-matched", "points-hough", "points-threshold"])
def test_two_opposite_quadrants_give_depths_to_scale(lattice, method):
    """Within 3 %; particles that only absorb, as methods used to think, would lie 10 % or more too deep."""
    truth, acquisition = lattice
    assert depth_scale(truth, run_method(method, acquisition)) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("method", ["points-hough", "points-threshold"])
def test_without_rescattering_the_mean_direction_stands(lattice, method):
    """It is then that of a region's own rays, which stretches the depths of particles that scatter."""
    truth, acquisition = lattice
    thick = replace(acquisition, thickness_nm=400.0)  # room for what lies too deep
    assert depth_scale(truth, run_method(f"{method} rescattering=false", thick)) > 1.1


def test_near_the_focus_plane_it_is_the_direction_of_the_contrast(lattice):
    """As the film's images have it, by many more rays, within a hundredth."""
    truth, acquisition = lattice
    found = shown(acquisition, RADIUS_NM, DEPTHS).directions_rad
    wanted = truth.contrast_directions_rad[::2]
    assert found == pytest.approx(wanted, abs=0.01 * float(np.linalg.norm(wanted[0])))


def test_the_deeper_the_nearer_to_the_own_rays():
    """The apparent depth grows more slowly than the true one, alike on either side, and 0 is 0."""
    seem = shown(views(), RADIUS_NM, DEPTHS)
    ratio = seem.apparent(np.array([5.0, 30.0, 60.0, 85.0])) / [5.0, 30.0, 60.0, 85.0]
    assert ratio[0] == pytest.approx(1.0, abs=0.01)
    assert (np.diff(ratio) < 0).all()
    assert ratio[-1] > 0.8
    assert seem.apparent(-40.0) == pytest.approx(-seem.apparent(40.0), abs=0.01)


@settings(max_examples=5, deadline=None)
@given(st.floats(-300, 300), st.floats(0.5, 20.0), st.floats(-200, 100), st.floats(1.0, 300.0))
def test_true_and_apparent_depths_are_each_others_inverse(depth, radius, low, range_nm):
    """Within the film and beyond it, wherever the focus plane is."""
    seem = shown(views(), round(radius, 1), (low, low + range_nm))
    assert seem.depth(seem.apparent(depth)) == pytest.approx(depth, abs=1e-6)


@pytest.mark.parametrize(
    "told", [{"energy_keV": None}, {"regions": None}, {"convergence_rad": None}, {"convergence_rad": 1e-4}]
)
def test_what_is_not_told_is_not_guessed(told):
    """Without energy, regions or cone, or with regions beyond it, views show particles under their directions."""
    acquisition = replace(views(), **told)
    seem = shown(acquisition, RADIUS_NM, DEPTHS)
    assert (seem.directions_rad == acquisition.directions_rad).all()
    assert seem.apparent(50.0) == 50.0


def test_weights_are_what_views_lose():
    """1 in the mean; below 0 what is scattered in; a disc on the axis gains more, so it loses less than a ring."""
    disc, ring = Region((0.0, 0.0), 0.014), Region((0.0, 0.0), 0.028, 0.014)
    _, weights = view_rays(views((disc, ring)), RADIUS_NM, 0.005)
    assert np.mean([w.sum() for w in weights]) == pytest.approx(1.0)
    assert all((w < 0).any() and (w > 0).any() for w in weights)
    assert 0 < weights[0].sum() < 0.9 * weights[1].sum()


@pytest.mark.parametrize("range_nm", [(-10.0, 10.0), (-400.0, 0.0), (-1e5, 1e5)])
def test_depths_stay_in_order_and_near_the_truth(range_nm):
    """However thick the film, with rings, discs off the axis and pixels of regions among the views."""
    disc, ring = Region((0.02, 0.0), 0.006), Region((0.0, 0.0), 0.028, 0.014)
    seem = shown(views((*QUADRANTS, disc, ring, Region((-0.002, 0.0), 0.002))), RADIUS_NM, range_nm)
    assert (np.diff(seem.apparent_nm) > 0).all()
    assert np.abs(seem.apparent_nm) == pytest.approx(np.abs(seem.depths_nm), rel=0.4)


def test_places_are_projections_of_apparent_depths():
    """With depths that seem to be half, a particle moves half as far."""
    seem = Shown(np.array([[0.02, 0.0]]), np.array([-80.0, 80.0]), np.array([-40.0, 40.0]))
    found = seem.places(np.array([[10.0, 20.0, 129.0]]), 0, 89.0)
    assert found[0] == pytest.approx([10.0 - 20 * np.tan(0.02), 20.0])
