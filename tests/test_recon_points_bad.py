"""What every method of particles says of frames that no reconstruction can be made of, and what it makes of few."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import Acquisition, InputError
from veristem.datasets.geometry import Region
from veristem.recon.methods import run_method

METHODS = ("points-matched", "points-hough", "points-threshold", "points-learned")
QUADRANTS = 0.0196 * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
SIDE = 96


def frames(count=4, dose=600.0, side=SIDE, particles=9, seed=0):
    """Counts of dark discs of 11 pixels in the focus plane."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] + 0.5
    places = 16 + 32 * np.stack(np.divmod(np.arange(9), 3), axis=1)[:particles]
    chord = np.zeros((side, side))
    for px, py in places:
        chord += 2 * np.sqrt(np.maximum(5.6**2 - (x - px) ** 2 - (y - py) ** 2, 0))
    return rng.poisson(dose * np.exp(-0.017 * chord), (count, side, side)).astype(np.float32)


def seen(views, directions=QUADRANTS):
    """An acquisition of these views."""
    return Acquisition(views, directions, 0.4, 50.0, 100.0, kind="particles")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dark", [0, 3])
def test_an_empty_frame_is_named(method, dark):
    """The beam was blanked, or a detector was off, for one view: it is told which."""
    views = frames()
    views[dark] = 0
    with pytest.raises(InputError, match=f"view {dark + 1}: 0 in every pixel found, .* it is empty"):
        run_method(method, seen(views))


@pytest.mark.parametrize("method", METHODS)
def test_frames_without_particles_give_none(method):
    """Bare ice, at any dose: nothing but noise is no error, and no particle."""
    for dose in (0.5, 30.0, 3000.0):
        assert len(run_method(method, seen(frames(dose=dose, particles=0))).points_nm) == 0


@pytest.mark.parametrize("method", METHODS)
def test_one_frame_has_no_depth(method):
    """One view, or several from one direction, hold no parallax."""
    with pytest.raises(InputError, match="views: 1 found, at least 2"):
        run_method(method, seen(frames(1), QUADRANTS[:1]))
    with pytest.raises(InputError, match="all views share one direction"):
        run_method(method, seen(frames(), np.zeros((4, 2))))


@pytest.mark.parametrize("method", METHODS)
def test_a_saturated_counter_is_named(method):
    """A counter of few bits whose top most pixels reach: places would come out, and wrong ones."""
    views = frames()
    views[2] = np.minimum(views[2], 580)
    with pytest.raises(
        InputError, match=r"view 3: \d+ % of the pixels at their highest value, 580, .* it is saturated"
    ):
        run_method(method, seen(views))
    views[2] = 63
    with pytest.raises(InputError, match=r"view 3: 63 in every pixel found, .* it is saturated"):
        run_method(method, seen(views))


@pytest.mark.parametrize("method", METHODS)
def test_counts_below_zero_are_named(method):
    """A dark frame was taken off: the noise that is reckoned with is that of counts."""
    views = frames()
    views[1, 5, 5] = -3
    with pytest.raises(InputError, match="view 2: -3 found, counts of electrons allowed"):
        run_method(method, seen(views))


def test_frames_of_different_size_are_no_acquisition():
    """Before any method: one scan has one size."""
    views = list(frames())
    views[1] = views[1][:, :-1]
    with pytest.raises(InputError, match="views: "):
        seen(views)
    with pytest.raises(InputError, match="directions_rad: shape"):
        seen(frames(3))


@pytest.mark.parametrize("method", METHODS)
def test_frames_smaller_than_a_particle_end_at_once(method):
    """Nothing can be found in four pixels, and nothing goes wrong."""
    rng = np.random.default_rng(0)
    for shape in ((4, 1, 7), (4, 4, 4), (4, 9, 40)):
        assert len(run_method(method, seen(rng.poisson(300.0, shape))).points_nm) < 3


@pytest.mark.parametrize("method", METHODS)
def test_two_frames_are_enough(method):
    """Views of two directions, of which nothing else is known, give depths."""
    views = frames(2)
    found = run_method(method, seen(views, QUADRANTS[[0, 2]]))
    assert len(found.points_nm) == pytest.approx(9, abs=1)
    assert np.abs(found.points_nm[:, 2] - 50.0).max() < 15


@pytest.mark.parametrize("method", METHODS)
def test_a_region_that_sees_nothing_of_the_cone_is_no_crash(method):
    """A nominal region beyond the cone of the beam tells of no ray: the mean direction stands."""
    beyond = tuple(Region((0.0, 0.0), 0.05, 0.04, turn, np.pi / 2) for turn in (0.0, 1.6, 3.1, 4.7))
    given = Acquisition(frames(), QUADRANTS, 0.4, 50.0, 100.0, None, 200.0, 0.028, regions=beyond, kind="particles")
    assert len(run_method(method, given).points_nm) == pytest.approx(9, abs=1)
