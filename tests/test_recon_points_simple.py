"""points-threshold and points-hough on small simulated films: what they find, how well, and bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from veristem.datasets import Acquisition, InputError, ParticleDispersion
from veristem.datasets.particle_rays import shown
from veristem.datasets.recipe import load_recipe
from veristem.recon.particles import hough, threshold
from veristem.recon.particles.blobs import centroids
from veristem.recon.particles.triangulate import depth_range_nm
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of
from veristem.sim.specimen import make_specimen

METHODS = pytest.mark.parametrize("method", [threshold, hough])
RADIUS_NM = 2.25


def film_recipe(columns: int = 256, dwell_us: float = 10.0):
    """The recipe of the thesis on a smaller field."""
    size = [0.4 * columns] * 2
    return load_recipe("particles").with_values(
        {
            "scan.shape": [columns] * 2,
            "specimen.field_nm": size,
            "scan.dwell_us": dwell_us,
        }
    )


@pytest.fixture(scope="module")
def films():
    """Truth and acquisition of one film at 10 and at 1 us a pixel."""
    film = make_specimen(film_recipe(), np.random.default_rng(1))
    return {dwell: acquire(film, film_recipe(dwell_us=dwell), np.random.default_rng(2)) for dwell in (10.0, 1.0)}


@pytest.fixture(scope="module")
def one():
    """A single particle, off the middle of the film."""
    recipe = film_recipe(96)
    particles = ParticleDispersion([[20.0, 17.5, 120.0]], [RADIUS_NM], [38.4, 38.4, 178.0])
    return acquire(film_of(recipe.specimen, particles), recipe, np.random.default_rng(3))


def noise(rows: int, columns: int) -> Acquisition:
    """Four views of nothing."""
    views = np.random.default_rng(0).poisson(100.0, (4, rows, columns))
    return Acquisition(views, [[0.02, 0], [0, 0.02], [-0.02, 0], [0, -0.02]], 0.4, 89.0, 178.0, kind="particles")


@METHODS
@pytest.mark.parametrize(("dwell_us", "error_nm"), [(10.0, 0.06), (1.0, 0.18)])
@pytest.mark.parametrize("diameter_nm", [None, 4.5])
def test_isolated_particles_of_each_view(films, method, dwell_us, error_nm, diameter_nm):
    """All are found and nothing else, as exactly as stated, and the stated errors are the real ones within two."""
    truth, acquisition = films[dwell_us]
    found = method.detect(acquisition, diameter_nm=diameter_nm)
    errors, stated, radii = [], [], []
    seem = shown(acquisition, RADIUS_NM, depth_range_nm(acquisition))
    for view in range(len(truth.directions_rad)):
        places = seem.places(truth.particles.centers_nm, view, truth.focus_nm)
        apart = cKDTree(places).query(places, k=2)[0][:, 1] > 2 * RADIUS_NM + 2
        whole = ((places > RADIUS_NM + 1.5) & (places < truth.field_nm[0] - RADIUS_NM - 1.5)).all(axis=1)
        isolated = places[apart & whole]
        assert len(isolated) > 5
        distance, nearest = cKDTree(found.points_nm[view]).query(isolated)
        assert (distance < 1).all()
        assert (cKDTree(places).query(found.points_nm[view])[0] < RADIUS_NM).all()
        errors.append(found.points_nm[view][nearest] - isolated)
        stated.append(np.diagonal(found.covariance_nm2[view][nearest], axis1=1, axis2=2))
        radii.append(found.radii_nm[view][nearest])
    square = np.mean(np.concatenate(errors) ** 2)
    assert np.sqrt(square) < error_nm
    assert 0.5 < np.sqrt(square / np.mean(np.concatenate(stated))) < 2
    assert np.median(np.concatenate(radii)) == pytest.approx(RADIUS_NM, rel=0.12)


@METHODS
def test_particles_in_depth(films, method):
    """Those that neither overlap nor an edge hides come out, at a depth as good as four centroids give."""
    truth, acquisition = films[10.0]
    points = method.reconstruct(acquisition)
    centers = truth.particles.centers_nm[truth.inside]
    flat = [1, 1, 0.2]  # the depth is five times less certain
    distance, nearest = cKDTree(points.points_nm * flat).query(centers * flat)
    assert (distance < RADIUS_NM).mean() > 0.6
    error = (points.points_nm[nearest] - centers)[distance < RADIUS_NM, 2]
    assert np.median(np.abs(error)) < 2
    assert set(points.views) <= {3, 4}
    assert np.isfinite(points.covariance_nm2).all()
    assert (cKDTree(centers * flat).query(points.points_nm * flat)[0] < RADIUS_NM).mean() > 0.8


@METHODS
def test_one_particle(one, method):
    """A level from the image must not halve the noise where there is next to nothing."""
    truth, acquisition = one
    points = method.reconstruct(acquisition)
    error = points.points_nm - truth.particles.centers_nm
    assert error.shape == (1, 3)
    assert np.abs(error[0, :2]).max() < 0.15
    assert abs(error[0, 2]) < 3
    assert points.views.tolist() == [4]


@METHODS
@pytest.mark.parametrize("parameters", [{}, {"diameter_nm": 4.5}])
@pytest.mark.parametrize("shape", [(200, 300), (4, 5), (2, 7)])
def test_nothing_in_the_views(method, parameters, shape):
    """Noise is no particle, and views may be smaller than one."""
    points = method.reconstruct(noise(*shape), **parameters)
    assert points.points_nm.shape == (0, 3)


@METHODS
def test_a_particle_as_large_as_the_view(one, method):
    """One that an edge cuts has no centre: it is left out, and nothing fails."""
    acquisition = one[1]
    rows = slice(35, 51)  # the middle of the particle
    cut = replace(acquisition, views=acquisition.views[:, rows, 42:58], regions=None)
    assert not len(method.reconstruct(cut, diameter_nm=6.0).points_nm)


def test_a_given_threshold(films):
    """A level of one's own gives the same centres; one darker than all particles gives none."""
    acquisition = films[10.0][1]
    own, given = threshold.detect(acquisition), threshold.detect(acquisition, threshold=0.1)
    distance, _ = cKDTree(given.points_nm[0]).query(own.points_nm[0])
    assert np.median(distance) < 0.05
    assert not len(threshold.detect(acquisition, threshold=0.95).points_nm[0])


def test_particles_that_touch_are_parted():
    """Two spheres side by side are two with the distance transform and one without."""
    recipe = film_recipe(96)
    pair = ParticleDispersion([[17.0, 19.0, 89.0], [21.6, 19.0, 89.0]], [RADIUS_NM] * 2, [38.4, 38.4, 178.0])
    acquisition = acquire(film_of(recipe.specimen, pair), recipe, np.random.default_rng(4))[1]
    parted = threshold.detect(acquisition, diameter_nm=4.5)
    assert [len(points) for points in parted.points_nm] == [2] * 4
    assert np.abs(np.sort(parted.points_nm[0][:, 0]) - [17.0, 21.6]).max() < 0.3
    whole = threshold.detect(acquisition, diameter_nm=4.5, split=False)
    assert [len(points) for points in whole.points_nm] == [1] * 4


@METHODS
def test_the_same_twice(films, method):
    """Nothing is drawn by chance."""
    first, second = (method.reconstruct(films[1.0][1]) for _ in range(2))
    np.testing.assert_array_equal(first.points_nm, second.points_nm)
    np.testing.assert_array_equal(first.covariance_nm2, second.covariance_nm2)


@METHODS
def test_stages_from_outside(films, method):
    """Detections that are handed in are taken, and the images not looked at."""
    acquisition = films[10.0][1]
    found = method.detect(acquisition)
    blank = replace(acquisition, views=np.zeros_like(acquisition.views))
    again = method.reconstruct(blank, detections=found)
    np.testing.assert_array_equal(again.points_nm, method.reconstruct(acquisition).points_nm)


@METHODS
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"diameter_nm": 0.0}, "diameter_nm: 0.0 found, at least two pixels, 0.8 nm, allowed"),
        ({"diameter_nm": np.nan}, "diameter_nm: nan found"),
        ({"diameter_nm": np.inf}, "diameter_nm: inf found"),
        ({"blur_nm": -1.0}, "blur_nm: -1.0 found, 0 or more allowed"),
        ({"blur_nm": np.nan}, "blur_nm: nan found"),
        ({"fewest_views": 1}, "fewest_views: 1 found, 2 or more allowed"),
    ],
)
def test_bad_parameters(one, method, parameters, message):
    """Each is one line that names the parameter."""
    with pytest.raises(InputError, match=message) as caught:
        method.reconstruct(one[1], **parameters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, np.nan])
def test_shares_lie_between_0_and_1(one, value):
    """The level and the votes of a circle."""
    with pytest.raises(InputError, match=f"threshold: {value} found, a share of the background between 0 and 1"):
        threshold.reconstruct(one[1], threshold=value)
    with pytest.raises(InputError, match=f"votes: {value} found, a share of a circle between 0 and 1"):
        hough.reconstruct(one[1], votes=value)


@METHODS
def test_an_empty_view(one, method):
    """It is named."""
    views = one[1].views.copy()
    views[2] = 0
    with pytest.raises(InputError, match="view 3: 0 in every pixel found"):
        method.reconstruct(replace(one[1], views=views))


def test_a_blob_one_pixel_wide_has_a_place():
    """Across it the width of a pixel is what is not known; a covariance of 0 was no matrix to weigh views with."""
    shade, rows = np.full((9, 9), 4.0), np.array([3, 4, 5])
    where = np.zeros(3, int), rows, np.full(3, 2)
    points, covariance, _ = centroids(shade, np.full((9, 9), 25.0), *where, 1)
    np.testing.assert_allclose(points, [[2.5, 4.5]])
    noise = 3 * 25.0 / 12.0**2  # of the sum of the shade, relative
    np.testing.assert_allclose(covariance, [[[noise / 12, 0], [0, noise * 2 / 3]]])
