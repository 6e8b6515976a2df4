"""Particles from a tilt series: places, numbers, how views lie, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from veristem.datasets import Acquisition, InputError, PointSet, Volume
from veristem.datasets.geometry import Tilt
from veristem.datasets.intermediate import Alignment
from veristem.recon.methods import alignment_told, run_method

SIDE, PIXEL_NM, THICK_NM, RADIUS_NM = 128, 0.8, 60.0, 2.25
TILTS = np.radians(np.arange(-60, 61, 8.0))
COUNTS, PER_NM = 4000.0, 0.06
METHOD = f"points-tomo diameter_nm={2 * RADIUS_NM}"


def spheres(seed: int = 0, count: int = 12) -> np.ndarray:
    """Centres (N, 3) in the film, apart from each other and from the rim [nm]."""
    rng, found = np.random.default_rng(seed), np.zeros((0, 3))
    low, high = np.array([25, 25, 6]), np.array([SIDE * PIXEL_NM - 25, SIDE * PIXEL_NM - 25, THICK_NM - 6])
    while len(found) < count:
        one = rng.uniform(low, high)
        if not len(found) or np.linalg.norm(found - one, axis=1).min() > 8:
            found = np.vstack([found, one])
    return found


def film(centers: np.ndarray, shifts_nm=None, kind: str = "particles") -> Acquisition:
    """Views about y of spheres that absorb: the length of the ray in each times `PER_NM`."""
    tilts = [Tilt(float(tilt), np.pi / 2) for tilt in TILTS]
    directions = np.array([tilt.direction_rad for tilt in tilts])
    how = {"tilts_rad": TILTS, "tilt_axis_rad": np.pi / 2, "kind": kind, "thickness_nm": THICK_NM}
    a = Acquisition(np.ones((len(TILTS), SIDE, SIDE)), directions, PIXEL_NM, THICK_NM / 2, **how)
    y, x = (np.indices((SIDE, SIDE)) + 0.5) * PIXEL_NM
    views, rng = np.empty_like(a.views), np.random.default_rng(1)
    for v in range(len(TILTS)):
        moved = np.zeros(2) if shifts_nm is None else shifts_nm[v]
        length = np.zeros((SIDE, SIDE))
        for place in a.project(centers, v) + moved:
            length += 2 * np.sqrt(np.maximum(RADIUS_NM**2 - (x - place[0]) ** 2 - (y - place[1]) ** 2, 0))
        views[v] = rng.poisson(COUNTS * np.exp(-PER_NM * length))
    return replace(a, views=views)


def told(a: Acquisition) -> Alignment:
    """Where the views are said to lie."""
    return Alignment(a.directions_rad, a.to_image)


def off(found: PointSet, centers: np.ndarray) -> np.ndarray:
    """(N, 3) from the nearest centre to each point [nm], all centres taken once."""
    far = found.points_nm[:, None] - centers
    nearest = np.linalg.norm(far, axis=2).argmin(axis=1)
    assert len(set(nearest)) == len(centers) == len(found.points_nm)
    return far[np.arange(len(nearest)), nearest]


def test_every_particle_where_it_is():
    """All and no other, to a fraction of their radius, with an uncertainty that fits."""
    centers = spheres()
    a = film(centers)
    found = run_method(METHOD, a, alignment=told(a))
    assert isinstance(found, PointSet)
    error = off(found, centers)
    assert np.sqrt(np.mean(error[:, :2] ** 2)) < 0.15
    assert np.sqrt(np.mean(error[:, 2] ** 2)) < 0.4
    sigma = np.sqrt(np.einsum("nii->ni", found.covariance_nm2))
    assert 0.3 < np.sqrt(np.mean((error / sigma) ** 2)) < 2.0
    assert (found.views > len(TILTS) / 3).all()


def test_a_series_is_laid_on_itself():
    """Views moved at random come back: relative places are right, and all lies in the film."""
    centers = spheres(2)
    a = film(centers, np.random.default_rng(2).uniform(-3, 3, (len(TILTS), 2)))
    found = run_method(METHOD, a)
    points = found.points_nm
    # nothing tells the shift of the view that is tilted least, nor the zero of depth
    nearest = points.mean(axis=0) - centers.mean(axis=0)
    assert np.sqrt(np.mean(off(replace(found, points_nm=points - nearest), centers) ** 2)) < 0.5
    (line,) = alignment_told(METHOD, a)
    assert line.startswith(f"registered: {len(TILTS)} views by {len(centers)} particles, of which a view shows")


def test_the_volume_is_absorption():
    """Brightest in the particles, in the frame of the specimen; of a sphere that a wedge draws out, less than all."""
    centers = spheres()
    a = film(centers)
    found = run_method(f"{METHOD} volume=true", a, alignment=told(a))
    assert isinstance(found, Volume)
    index = np.floor((centers - found.origin_nm) / found.voxel_nm).astype(int)
    inside = found.values[tuple(index[:, ::-1].T)]
    assert 0.3 * PER_NM < np.median(inside) < 1.1 * PER_NM
    assert np.median(found.values) < 0.05 * PER_NM


def test_nothing_in_noise():
    a = film(np.zeros((0, 3)))
    assert len(run_method(METHOD, a, alignment=told(a)).points_nm) == 0


def test_what_it_refuses():
    """One line each."""
    a = film(spheres(count=1))
    one = replace(a, views=a.views[:1], directions_rad=a.directions_rad[:1], tilts_rad=TILTS[:1])
    empty = replace(a, views=np.zeros_like(a.views))
    for text, given, method in (
        ("views: 1 found, at least 2", one, METHOD),
        ("view 1: 0 in every pixel", empty, METHOD),
        ("iterations: 0 found", a, f"{METHOD} iterations=0"),
        ("diameter_nm: -1 found", a, "points-tomo diameter_nm=-1"),
        ("voxel_nm: 0.001 found, which makes", a, f"{METHOD} voxel_nm=0.001"),
    ):
        with pytest.raises(InputError, match=text):
            run_method(method, given, alignment=told(given))


def test_one_bad_view_of_a_series_is_named():
    """A blanked beam, a full counter or a broken pixel in the sixth of them, before anything is laid on anything."""
    a = film(spheres(count=1))
    for change, text in (
        (np.zeros_like, "view 6: 0 in every pixel found, .* it is empty"),
        (
            lambda view: np.minimum(view, 3900),
            "view 6: 9[0-9] % of the pixels at their highest value, 3900, .* saturated",
        ),
        (lambda view: np.full_like(view, 63), "view 6: 63 in every pixel found, .* it is saturated"),
        (lambda view: view - COUNTS, "view 6: -[0-9]+ found, counts of electrons allowed, 0 or more"),
    ):
        views = a.views.copy()
        views[5] = change(views[5])
        with pytest.raises(InputError, match=text):
            run_method(METHOD, replace(a, views=views))


def test_a_series_without_parallax_is_refused():
    """Views that all lie in one direction, whatever their number."""
    a = film(spheres(count=1))
    still = replace(a, directions_rad=np.zeros_like(a.directions_rad), tilts_rad=np.zeros(len(TILTS)))
    with pytest.raises(InputError, match="all views share one direction"):
        run_method(METHOD, still)


@pytest.mark.parametrize("method", [METHOD, "points-tomo"])
def test_bare_ice_has_no_particles(method):
    """Neither at a high dose nor at half an electron a pixel, though nothing tells how views lie."""
    a = film(np.zeros((0, 3)))
    a = replace(a, views=a.views[::5], directions_rad=a.directions_rad[::5], tilts_rad=TILTS[::5])
    dim = replace(a, views=np.random.default_rng(0).poisson(0.5, a.views.shape).astype(float))
    for given in (a, dim):
        assert len(run_method(method, given).points_nm) == 0


def test_frames_smaller_than_a_particle_hold_none():
    """A few pixels, and nothing goes wrong."""
    tilts = np.radians([-30.0, -10.0, 10.0, 30.0])
    directions = np.array([Tilt(float(tilt), np.pi / 2).direction_rad for tilt in tilts])
    about = {"tilts_rad": tilts, "tilt_axis_rad": np.pi / 2, "kind": "particles", "thickness_nm": THICK_NM}
    rng = np.random.default_rng(0)
    for shape in ((4, 1, 7), (4, 4, 4), (4, 9, 40)):
        a = Acquisition(rng.poisson(300.0, shape), directions, PIXEL_NM, THICK_NM / 2, **about)
        assert len(run_method(METHOD, a).points_nm) == 0
