"""Filtrations and persistence diagrams: values and classes that can be told by hand, and two other programs."""

from __future__ import annotations

import cripser
import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.topology.diagrams import diagrams
from veristem.bench.topology.filtrations import (
    CENTRES,
    DIRECTIONS,
    NAMES,
    density,
    dilation,
    filtrations,
    height,
    radial,
    units_nm,
)
from veristem.datasets.errors import InputError

X = np.array([1.0, 0.0])


def ring(side: int = 9) -> np.ndarray:
    """A square line, one pixel wide, two pixels from the edge."""
    mask = np.zeros((side, side), bool)
    mask[2:-2, 2:-2] = True
    mask[3:-3, 3:-3] = False
    return mask


def test_published_example():
    """The 3 x 4 vertices of GUDHI's own test of cubical complexes, with what it expects."""
    h0, h1 = diagrams(np.array([[2, 1, 6, 8], [5, 9, 4, 7], [4, 7, 3, 9]]), "vertices")
    assert h0.tolist() == [[1, 9], [3, 6], [4, 5]]  # the first lives for ever there: here until the largest value
    assert h1.tolist() == [[7, 9]]


def test_published_ring_of_cells():
    """A ring of cells around a higher one, from the same test: one component, one loop."""
    h0, h1 = diagrams(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    assert h0.tolist() == [[0, 1]]
    assert h1.tolist() == [[0, 1]]


@pytest.mark.parametrize("shape", [(11, 14), (5, 6, 7)])
@pytest.mark.parametrize("levels", [4, 10**6])
def test_equals_cripser(shape, levels):
    """Another program with another algorithm, on vertices, with many equal values and with hardly any."""
    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, levels, shape).astype(float)
        theirs = cripser.computePH(values, maxdim=1)
        for dimension, ours in enumerate(diagrams(values, "vertices")):
            rows = np.minimum(theirs[theirs[:, 0] == dimension, 1:3], values.max())
            rows = rows[rows[:, 1] > rows[:, 0]]
            np.testing.assert_array_equal(ours, rows[np.lexsort(rows.T[::-1])])


def test_fast_path_equals_slow_path():
    """GUDHI's fast path for cells of an image gives what its general one gives."""
    values = np.random.default_rng(0).integers(0, 30, (20, 25)).astype(float)
    slow = gudhi.CubicalComplex(top_dimensional_cells=values)
    slow.compute_persistence(homology_coeff_field=2)
    for dimension, ours in enumerate(diagrams(values)):
        theirs = np.minimum(slow.persistence_intervals_in_dimension(dimension), values.max())
        theirs = theirs[theirs[:, 1] > theirs[:, 0]]
        np.testing.assert_array_equal(ours, theirs[np.lexsort(theirs.T[::-1])])


def test_ring_under_height():
    """Nine pixels of 2 nm: the ring starts at x = 5 nm, closes at 13 nm, and all ends one pixel beyond 17 nm."""
    values = height(ring(), X, 2.0)
    assert values.max() == 19
    h0, h1 = diagrams(values)
    assert h0.tolist() == [[5, 19]]
    assert h1.tolist() == [[13, 19]]


def test_ring_under_dilation():
    """The hole of 3 x 3 pixels is full when its middle is reached, two pixels from the ring."""
    h0, h1 = diagrams(dilation(ring(), 2.0))
    assert h1.tolist() == [[0, 4]]
    assert h0.tolist() == [[0, pytest.approx(2 * np.hypot(2, 2))]]  # until the corner is reached: capped there


def test_corners_connect():
    """A slanting line of one pixel's width is one component of cells, and as many as pixels of vertices."""
    values = height(np.eye(6), X, 1.0)
    assert len(diagrams(values)[0]) == 1
    assert len(diagrams(values, "vertices")[0]) == 6


def test_two_dots():
    """Six pixels between two dots: they join when three are full from either side."""
    mask = np.zeros((5, 12))
    mask[2, [2, 9]] = 1
    h0, _ = diagrams(dilation(mask, 1.0))
    assert h0[0].tolist() == [0, 3]
    assert len(h0) == 2
    assert diagrams(height(mask, X, 1.0))[0].tolist() == [[2.5, 12.5], [9.5, 12.5]]


def test_line_under_radial():
    """A line that passes a centre at 3 nm is there from 3 nm on; a loop about it is born where it closes."""
    mask = np.zeros((11, 11))
    mask[2] = 1
    h0, h1 = diagrams(radial(mask, (5.5, 5.5), 1.0))
    assert h0.tolist() == [[3, np.hypot(5, 5) + 1]]
    assert len(h1) == 0
    _, h1 = diagrams(radial(ring(11), (5.5, 5.5), 1.0))
    assert h1.tolist() == [[pytest.approx(np.hypot(2, 3)), pytest.approx(np.hypot(5, 5) + 1)]]  # corners touch


def test_density_counts_neighbours():
    """A full ball of 2 pixels has 13; the value falls as the count rises, from the radius to nothing."""
    mask = np.zeros((15, 15))
    mask[7, 7] = 1
    values = density(mask, 1.0, 2.0)
    assert values.max() == 2
    assert values[7, 7] == values[7, 9] == pytest.approx(2 * (1 - 1 / 13))
    assert values[9, 8] == 2
    assert density(np.ones((15, 15)), 1.0, 2.0)[7, 7] == 0
    y, x = np.indices(mask.shape)
    dense = np.random.default_rng(0).uniform(size=mask.shape) < 0.4
    by_hand = [[dense[(y - j) ** 2 + (x - i) ** 2 <= 9].sum() for i in range(15)] for j in range(15)]
    np.testing.assert_allclose(density(dense, 0.5, 1.5), 1.5 * (1 - np.array(by_hand) / 29), atol=1e-12)


def test_pixel_size_scales_all():
    """The same mask of twice the pixel size, with twice the radius, is the same picture twice as large."""
    mask = np.random.default_rng(0).uniform(size=(20, 30)) < 0.2
    coarse, fine = filtrations(mask, 2.0, 8.0), filtrations(mask, 1.0, 4.0)
    for name in NAMES:
        np.testing.assert_allclose(coarse[name], 2 * fine[name], atol=1e-12, err_msg=name)
    np.testing.assert_allclose(units_nm(mask.shape, 2.0, 8.0), 2 * units_nm(mask.shape, 1.0, 4.0))


@pytest.mark.parametrize("shape", [(12, 16), (6, 8, 10)])
def test_fifteen(shape):
    """As many as the thesis has; directions are of unit length and cancel, centres lie about the middle."""
    assert len(NAMES) == 15
    assert len(set(NAMES)) == 15
    assert list(filtrations(np.ones(shape), 1.0)) == list(NAMES)
    axes = len(shape)
    np.testing.assert_allclose(np.linalg.norm(DIRECTIONS[axes], axis=1), 1)
    np.testing.assert_allclose(DIRECTIONS[axes].sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(CENTRES[axes].mean(axis=0), 0.5)
    assert len(CENTRES[axes]) == 9


@pytest.mark.parametrize("shape", [(12, 16), (5, 6, 7)])
def test_no_pixel_no_class(shape):
    """Of an empty mask every filtration is constant: no class lives."""
    for name, values in filtrations(np.zeros(shape), 1.0).items():
        assert np.ptp(values) == 0, name
        assert [len(d) for d in diagrams(values)] == [0, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-3, 3), st.integers(-3, 3))
def test_height_moves_with_the_mask(seed, dx, dy):
    """Moved by (dx, dy) pixels, all is born later by dx along x, and what dies before the end dies later by dx."""
    mask = np.zeros((16, 16), bool)
    mask[4:12, 4:12] = np.random.default_rng(seed).uniform(size=(8, 8)) < 0.4
    for before, after in zip(
        diagrams(height(mask, X, 1.0)), diagrams(height(np.roll(mask, (dy, dx), (0, 1)), X, 1.0)), strict=True
    ):
        moved = before + dx
        moved[before[:, 1] == 16.5, 1] = 16.5
        np.testing.assert_allclose(after, moved)


def test_bad_input_is_told():
    mask = np.ones((4, 4))
    odd = mask.copy()
    odd[1, 2] = 0.5
    with pytest.raises(InputError, match=r"mask: 0.5 found at index \(1, 2\)"):
        filtrations(odd, 1.0)
    with pytest.raises(InputError, match="mask: nan found"):
        filtrations(mask * np.nan, 1.0)
    for shape in ((4,), (2, 2, 2, 2), (0, 4)):
        with pytest.raises(InputError, match="mask: shape"):
            filtrations(np.ones(shape), 1.0)
    for length in (0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="radius_nm"):
            filtrations(mask, 1.0, length)
        with pytest.raises(InputError, match="pixel_nm"):
            filtrations(mask, length)
    for values in (np.ones(4), np.full((3, 3), np.nan), np.full((3, 3), np.inf)):
        with pytest.raises(InputError, match="values: "):
            diagrams(values)
