"""The topological score: diagrams of masks and their distances, by GUDHI's general paths too."""

from __future__ import annotations

import gudhi
import numpy as np
import pytest
from gudhi.wasserstein import wasserstein_distance

from veristem.bench.topology.diagrams import diagrams
from veristem.bench.topology.distances import DISTANCES, distance
from veristem.bench.topology.filtrations import filtrations
from veristem.bench.topology.score import Topology, distances_nm
from veristem.bench.topology.tubes import draw

SHAPE, PIXEL = (512, 512), 1.0
SIZE = f"{SHAPE[0]}² pixels"


def masks() -> tuple[np.ndarray, np.ndarray]:
    """Thirty lines of 10 nm, and the same with gaps and 300 specks."""
    rng = np.random.default_rng(0)
    start, stop = rng.uniform(0, 512, (2, 30, 2))
    truth = draw(start, stop, 5.0, SHAPE, PIXEL)
    gaps, specks = start + rng.uniform(0.2, 0.8, (30, 1)) * (stop - start), rng.uniform(0, 512, (300, 2))
    return truth, truth & ~draw(gaps, gaps, 10.0, SHAPE, PIXEL) | draw(specks, specks, 3.0, SHAPE, PIXEL)


def plain_loops(values: np.ndarray) -> np.ndarray:
    """H1 (N, 2), sorted, by the path that any complex takes."""
    complex_ = gudhi.CubicalComplex(top_dimensional_cells=values)
    complex_.compute_persistence(homology_coeff_field=2)
    loops = complex_.persistence_intervals_in_dimension(1)
    return loops[np.lexsort(loops.T[::-1])]


def test_diagrams(compare):
    """H0 and H1 of fifteen filtrations."""
    values = list(filtrations(masks()[1], PIXEL).values())
    found, expected = compare(
        f"diagrams of {len(values)} filtrations",
        SIZE,
        lambda: [diagrams(v)[1] for v in values],
        lambda: [plain_loops(v) for v in values],
        "GUDHI's CubicalComplex",
        reference_rounds=2,
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("order", [1, 2])
def test_wasserstein(compare, order):
    """H1 of the dilation: thousands of classes that do not live long."""
    first, second = (diagrams(filtrations(mask, PIXEL)["dilation"])[1] for mask in masks()[::-1])
    found, expected = compare(
        f"Wasserstein-{order} of H1",
        f"{len(first)} and {len(second)} classes",
        lambda: distance(first, second, f"wasserstein-{order}"),
        lambda: wasserstein_distance(first, second, order=order, internal_p=np.inf),
        "GUDHI and POT, all classes at once",
        reference_rounds=2,
    )
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", DISTANCES)
def test_thirty_distances(alone, kind):
    """Two masks: fifteen filtrations, their diagrams and thirty distances."""
    truth, found = masks()

    def score() -> np.ndarray:
        return distances_nm(Topology.of(found, PIXEL), Topology.of(truth, PIXEL), kind)

    assert (alone(f"thirty distances, {kind}", SIZE, score, rounds=3)[:, 0] > 0).all()
