"""Pair correlation in an open box against volumes by hand, particles without order, a lattice and trackpy."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError
from veristem.recon.particles import (
    chain_lengths,
    coordination_number,
    potential_of_mean_force,
    radial_distribution,
    radial_distribution_bands,
)
from veristem.recon.particles.pair_correlation import _pairs, _volumes

BOX = np.array([300.0, 200.0, 60.0])
EDGES = np.arange(0.0, 151.0, 10.0)
PROBES = np.array([17.0, 27.0, 37.0, 47.0, 141.0, 151.0])  # every second bin is 10 nm around 22, 42 and 146


@pytest.fixture(autouse=True)
def one_thread():
    """Thousands of small calls wait for each other's threads on a busy machine; results do not depend on them."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


def gas(rng, count: int = 300, box: np.ndarray = BOX) -> np.ndarray:
    """Particles (N, 3) without order."""
    return rng.uniform(0, 1, (count, 3)) * box


def ball(point, box, radius: float) -> float:
    """Volume inside the box of a ball around a point."""
    return _volumes(np.array([point], float), np.asarray(box, float), np.array([0.0, radius]))[0, 0]


CUBE = [40.0, 40.0, 40.0]
FULL = 4 / 3 * np.pi


@pytest.mark.parametrize(
    ("point", "box", "radius", "volume"),
    [
        ([20, 20, 20], CUBE, 15, FULL * 15**3),
        ([20, 20, 20], CUBE, 20, FULL * 20**3),
        ([20, 20, 5], CUBE, 15, FULL * 15**3 - np.pi * 10**2 * (3 * 15 - 10) / 3),
        ([20, 20, 0], CUBE, 15, FULL * 15**3 / 2),
        ([20, 0, 0], CUBE, 15, FULL * 15**3 / 4),
        ([0, 40, 0], CUBE, 15, FULL * 15**3 / 8),
        ([50, 50, 2], [100, 100, 4], 30, 2 * np.pi * (2 * 30**2 - 2**3 / 3)),
        ([1, 2, 3], [40, 35, 30], 100, 40 * 35 * 30),
        ([0, 0, 0], [40, 35, 30], np.sqrt(40**2 + 35**2 + 30**2), 40 * 35 * 30),
    ],
)
def test_volumes_by_hand(point, box, radius, volume):
    """A ball that is whole, cut by a face, at a face, edge or corner, between two faces, or larger than the box."""
    assert ball(point, box, radius) == pytest.approx(volume, rel=1e-12)


@pytest.mark.parametrize(
    ("point", "box", "radius"),
    [
        ([10, 20, 5], [40, 35, 30], 18),
        ([4, 3, 5], [40, 35, 30], 8),
        ([1, 2, 3], [40, 35, 30], 30),
        ([20, 18, 15], [40, 35, 30], 24),
        ([0, 3, 0], [4, 350, 30], 45),
        ([5, 5, 14], [40, 35, 30], 7.05),  # past the edge by very little
    ],
)
def test_volumes_against_random_points(point, box, radius):
    """Cuts by several walls at once, which have no short formula: the share of random points inside the ball."""
    points = np.random.default_rng(1).uniform(0, 1, (400_000, 3)) * box
    inside = np.linalg.norm(points - point, axis=1) < radius
    error = np.prod(box) * np.sqrt(inside.var() / len(inside))
    assert abs(ball(point, box, radius) - np.prod(box) * inside.mean()) < 4 * error


SHARE, SIDE = st.floats(0, 1), st.floats(1.0, 1000.0)


@settings(deadline=None, max_examples=150)
@given(st.tuples(SHARE, SHARE, SHARE), st.tuples(SIDE, SIDE, SIDE), st.lists(SHARE, max_size=8))
def test_shells_fill_the_box(share, box, cuts):
    """Shells from 0 to beyond the diagonal hold the whole box once, and none more than the free shell."""
    box = np.array(box)
    last = 1.01 * np.linalg.norm(box)
    edges = np.unique(np.concatenate([[0.0], np.array(cuts) * last, [last]]))
    volumes = _volumes(np.array([share]) * box, box, edges)[0]
    assert volumes.sum() == pytest.approx(box.prod(), rel=1e-9)
    assert (volumes >= 0).all()
    assert (volumes <= FULL * np.diff(edges**3) + 1e-9 * last**3).all()


def test_a_ball_grows_by_its_surface():
    """trackpy knows the part of a sphere's surface inside a box: the ball's volume grows by just that."""
    static = pytest.importorskip("trackpy.static")
    rng, step = np.random.default_rng(2), 1e-3
    points, radii = gas(rng, 200), rng.uniform(1, 200, 200)
    walls = np.column_stack([np.zeros(3), BOX])
    surface = static.area_3d_bounded(radii, points, walls)
    edges = radii[:, None] + [-step / 2, step / 2]
    grown = np.array([_volumes(p[None], BOX, e)[0, 0] for p, e in zip(points, edges, strict=True)]) / step
    known = np.isfinite(surface)  # where no surface is left trackpy has NaN
    assert known.sum() > 100
    assert grown[known] == pytest.approx(surface[known], rel=1e-4, abs=1e-2)
    assert grown[~known] == pytest.approx(0, abs=1e-2)


def test_trackpy_finds_the_same():
    """An independent code; its mean of ratios and our ratio of sums differ by a part of the noise."""
    static = pytest.importorskip("trackpy.static")
    import pandas as pd

    centers = gas(np.random.default_rng(3), 1500)
    table, walls = pd.DataFrame(centers, columns=["x", "y", "z"]), (0, 300, 0, 200, 0, 60)
    edges, theirs = static.pair_correlation_3d(table, 60.0, dr=4.0, boundary=walls, max_rel_ndensity=3)
    far = slice(2, None)  # within the first bins the radius varies too much for a surface
    off = (radial_distribution(centers, BOX, edges) - theirs)[far]
    noise = 1 / np.sqrt(_pairs(centers, edges).sum(0))[far]
    assert (np.abs(off) < 1.5 * noise).all()
    assert np.abs(off).mean() < 0.01


def test_no_order_gives_one():
    """Particles without order have g = 1 at every distance the film holds, though most of a wide shell lies outside."""
    rng = np.random.default_rng(0)
    g = np.array([radial_distribution(gas(rng), BOX, PROBES) for _ in range(600)])[:, ::2]
    error = g.std(0, ddof=1) / np.sqrt(len(g))
    assert (np.abs(g.mean(0) - 1) < 3 * error).all()
    assert (error < 0.004).all()


def test_every_pair_counts_once():
    """The window, the table of bins and the split of pairs lose nothing: as numpy counts all distances."""
    centers = gas(np.random.default_rng(4), 400)
    edges = np.array([3.0, 3.5, 20.0, 20.1, 90.0, 240.0])
    i, j = np.triu_indices(len(centers), 1)
    expected = np.histogram(np.linalg.norm(centers[i] - centers[j], axis=1), edges)[0]
    kept = _pairs(centers, edges)
    assert kept.sum(0).tolist() == expected.tolist()
    assert kept[:, -1].min() > 0  # none keeps all and none keeps nothing


@pytest.mark.parametrize("change", ["permuted", "mirrored", "exchanged"])
def test_place_and_order_do_not_matter(change):
    """The order of the particles, the side they are seen from and the names of the axes say nothing."""
    rng = np.random.default_rng(5)
    centers = gas(rng)
    other, box = {
        "permuted": (rng.permutation(centers), BOX),
        "mirrored": (np.column_stack([centers[:, 0], BOX[1] - centers[:, 1], BOX[2] - centers[:, 2]]), BOX),
        "exchanged": (centers[:, [2, 0, 1]], BOX[[2, 0, 1]]),
    }[change]
    g = radial_distribution(centers, BOX, EDGES)
    np.testing.assert_allclose(radial_distribution(other, box, EDGES), g, rtol=1e-10)


def test_threads_do_not_matter(set_threads):
    """A result that depends on the machine cannot be checked: one thread and two give the same bits."""
    centers, found = gas(np.random.default_rng(6)), []
    for threads in (1, 2):
        set_threads(threads)
        rng = np.random.default_rng(0)
        found.append([radial_distribution(centers, BOX, EDGES), *radial_distribution_bands(centers, BOX, EDGES, rng)])
    np.testing.assert_array_equal(*found)


def lattice(counts, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Simple cubic lattice (N, 3) and its box, half a step around it."""
    index = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3)
    return (index + 0.5) * step, np.array(counts) * step


def test_simple_cubic_lattice():
    """Six nearest neighbours, a known number of which the faces take; g has them in one bin and nothing around it."""
    centers, box = lattice((30, 24, 20), 20.0)
    touching = 6 - 2 * (1 / 30 + 1 / 24 + 1 / 20)
    assert coordination_number(centers, 20.0) == pytest.approx(touching)  # just at the cutoff, and counted
    assert coordination_number(centers, 24.0, box) == pytest.approx(6, rel=0.03)
    g = radial_distribution(centers, box, [0.0, 19.0, 21.0, 27.0, 29.0, 33.0])
    assert (g > 0).tolist() == [False, True, False, True, False]
    shell = FULL * np.diff(np.array([19.0, 21.0, 27.0, 29.0]) ** 3)[::2] / 20**3
    assert g[[1, 3]] * shell == pytest.approx([6, 12], rel=0.03)  # faces lie half a step outside


def test_coordination_without_order():
    """In a thin film a third of the ball lies outside; with the box the number is that of the bulk."""
    rng, cutoff = np.random.default_rng(7), 40.0
    number = np.array([coordination_number(gas(rng), cutoff, BOX) for _ in range(100)])
    bulk = 299 / BOX.prod() * FULL * cutoff**3
    assert number.mean() == pytest.approx(bulk, abs=4 * number.std() / 10)
    assert coordination_number(gas(rng), cutoff) < 0.8 * bulk


def test_clusters():
    """A chain of contacts is one cluster, however far its ends are apart; the largest comes first."""
    chain = np.column_stack([10.0 * np.arange(5), np.zeros(5), np.zeros(5)])
    centers = np.concatenate([[[500.0, 0, 0]], chain, np.add(chain[:2], [0, 100, 0])])
    assert chain_lengths(centers, 10.0).tolist() == [5, 2, 1]
    assert chain_lengths(centers, 9.9).tolist() == [1] * 8
    assert chain_lengths(np.zeros((0, 3)), 10.0).tolist() == []


def test_potential():
    """Energy where something was found; an empty bin is missing, for infinity would spoil every mean and plot."""
    u = potential_of_mean_force([1.0, np.e, 0.0, np.nan])
    np.testing.assert_allclose(u, [0, -1, np.nan, np.nan], atol=1e-15)


def test_centres_at_one_place():
    """Detections given twice are pairs at r = 0, in the first bin."""
    centers = np.repeat(gas(np.random.default_rng(8), 20), 2, axis=0)
    pairs = _pairs(centers, np.array([0.0, 1e-6, 1.0]))
    assert pairs.sum(0).tolist() == [20, 0]
    assert radial_distribution(centers, BOX, [0.0, 1e-3])[0] > 1e6
    assert chain_lengths(centers, 1e-9).tolist() == [2] * 20


@pytest.mark.parametrize("count", [0, 1])
def test_too_few(count):
    """Without a pair nothing is known of g; a single particle has no neighbour, none at all has no mean."""
    centers = gas(np.random.default_rng(9), count)
    assert np.isnan(radial_distribution(centers, BOX, EDGES)).all()
    assert np.isnan(radial_distribution_bands(centers, BOX, EDGES, np.random.default_rng(0))).all()
    for box in (None, BOX):
        np.testing.assert_equal(coordination_number(centers, 10.0, box), [np.nan, 0.0][count])
    assert chain_lengths(centers, 10.0).tolist() == [1] * count


def test_beyond_the_box_is_missing():
    """No shell reaches into the box beyond its diagonal: NaN, not 0, and the interval with it."""
    edges = [0.0, 100.0, 370.0, 400.0]
    centers = gas(np.random.default_rng(10))
    expected = [False, False, True]
    assert np.isnan(radial_distribution(centers, BOX, edges)).tolist() == expected
    for band in radial_distribution_bands(centers, BOX, edges, np.random.default_rng(0)):
        assert np.isnan(band).tolist() == expected


def test_centres_on_the_faces():
    """A centre on a face, or beyond by rounding, is inside."""
    centers = np.array([[0.0, 0, 0], BOX, BOX * (1 + 1e-12), [-1e-12, 5, 5]])
    assert np.isfinite(radial_distribution(centers, BOX, EDGES)).all()


INSIDE = np.array([[10.0, 10, 10], [20, 20, 20]])


@pytest.mark.parametrize(
    ("centers", "box", "edges", "names"),
    [
        (INSIDE[:, :2], BOX, EDGES, r"centers_nm: shape \(2, 2\) found"),
        ([[np.nan, 1, 1]], BOX, EDGES, "centers_nm: nan found"),
        (np.vstack([INSIDE, [10, 10, 61]]), BOX, EDGES, r"centers_nm: 1 of 3 outside the box found.*number 2.*allowed"),
        (INSIDE, BOX[:2], EDGES, "box_nm: shape"),
        (INSIDE, [300, 0, 60], EDGES, "box_nm: .* found, positive sides allowed"),
        (INSIDE, BOX, [[0, 1]], "edges_nm: shape"),
        (INSIDE, BOX, [5.0], "edges_nm: .* found, .* allowed"),
        (INSIDE, BOX, [0, 2, 2], "edges_nm: .* found, .* allowed"),
        (INSIDE, BOX, [-1, 2], "edges_nm: .* found, .* allowed"),
        (INSIDE, BOX, [0, np.inf], "edges_nm: inf found"),
    ],
)
def test_bad_input_is_named(centers, box, edges, names):
    """One line that names the argument, what was found and what is allowed."""
    for call in (radial_distribution, lambda *a: radial_distribution_bands(*a, np.random.default_rng(0))):
        with pytest.raises(InputError, match=names) as error:
            call(centers, box, edges)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("length", [0.0, -1.0, np.nan, np.inf])
def test_bad_lengths_and_levels_are_named(length):
    """A cutoff, a contact, a level or a number of draws without meaning is refused, not computed with."""
    with pytest.raises(InputError, match=r"cutoff_nm: .* found, .* allowed"):
        coordination_number(INSIDE, length)
    with pytest.raises(InputError, match=r"contact_nm: .* found, .* allowed"):
        chain_lengths(INSIDE, length)
    with pytest.raises(InputError, match=r"level: .* found, .* allowed"):
        radial_distribution_bands(INSIDE, BOX, EDGES, np.random.default_rng(0), level=length)
    with pytest.raises(InputError, match="draws: 0 found, 1 or more allowed"):
        radial_distribution_bands(INSIDE, BOX, EDGES, np.random.default_rng(0), draws=0)


def clusters(rng) -> np.ndarray:
    """300 particles (N, 3) in loose clusters of four, of which some lie partly outside the box."""
    parents = rng.uniform(-30, BOX + 30, (400, 3))
    centers = np.repeat(parents, rng.poisson(4, len(parents)), axis=0)
    centers = centers + rng.normal(0, 8, centers.shape)
    return centers[((centers > 0) & (centers < BOX)).all(1)][:300]


@pytest.mark.parametrize(("make", "least"), [(gas, 0.9), (clusters, 0.82)])
def test_bands_hold_the_truth_as_often_as_they_say(make, least):
    """95 % means 95 %: pairs counted twice, or particles of a cluster taken for independent, would give 40 to 80 %."""
    rng = np.random.default_rng(11)
    draws = [make(rng) for _ in range(250)]
    truth = 1 if make is gas else np.mean([radial_distribution(c, BOX, PROBES) for c in draws], axis=0)
    bands = np.array([radial_distribution_bands(c, BOX, PROBES, rng, draws=200) for c in draws])
    coverage = ((bands[:, 0] <= truth) & (truth <= bands[:, 1])).mean(0)
    assert (coverage[::2] >= least).all()
    assert (coverage[::2] <= 0.99).all()


def test_bands_follow_the_level_and_the_seed():
    """More certainty is a wider band, and the same generator gives the same band."""
    centers = gas(np.random.default_rng(12))

    def bands(level):
        return np.array(radial_distribution_bands(centers, BOX, EDGES[1:], np.random.default_rng(0), level=level))

    narrow, wide = bands(0.5), bands(0.99)
    assert (wide[0] < narrow[0]).all()
    assert (narrow[1] < wide[1]).all()
    np.testing.assert_array_equal(bands(0.5), narrow)


def test_bands_of_an_empty_bin():
    """No pair found does not mean that there can be none: the upper end is the Poisson limit of 3.7 pairs."""
    centers, edges = gas(np.random.default_rng(13), 50), np.array([0.0, 0.1, 100.0])
    low, high = radial_distribution_bands(centers, BOX, edges, np.random.default_rng(0))
    expected = 49 / 2 / BOX.prod() * _volumes(centers, BOX, edges).sum(0)[0]
    assert low[0] == 0
    assert high[0] * expected == pytest.approx(-np.log(0.025))
