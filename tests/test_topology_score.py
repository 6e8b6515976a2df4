"""The topological score: what raises it, and by how much."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.topology.filtrations import NAMES
from veristem.bench.topology.score import Topology, distances_nm, relative_distances, topological_score
from veristem.bench.topology.tubes import draw
from veristem.datasets.errors import InputError

SHAPE, PIXEL = (100, 100), 2.0


def topology(mask) -> Topology:
    return Topology.of(mask, PIXEL)


def line(*gaps: float) -> np.ndarray:
    """A line of 200 nm across the field, with gaps of 20 nm about some x [nm]."""
    mask = draw(np.array([[0.0, 100]]), np.array([[200.0, 100]]), 5.0, SHAPE, PIXEL)
    at = np.array([[x, 100.0] for x in gaps]).reshape(-1, 2)
    return mask & ~draw(at, at, 10.0, SHAPE, PIXEL)


def specks(count: int) -> np.ndarray:
    at = np.random.default_rng(0).uniform([0, 0], [200, 80], (count, 2))
    return draw(at, at, 4.0, SHAPE, PIXEL)


def circle(open_deg: float = 0.0) -> np.ndarray:
    """A ring of 60 nm radius in the middle, open by some degrees."""
    angle = np.radians(np.linspace(open_deg, 360, 200))
    points = 100 + 60 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return draw(points[:-1], points[1:], 5.0, SHAPE, PIXEL)


@pytest.mark.parametrize(
    "worse",
    [
        [line(*gaps) for gaps in ((), (100,), (60, 140), (40, 100, 160))],
        [line() | specks(count) for count in (0, 1, 4, 12)],
        [circle(), circle(20), circle() & ~draw(np.array([[0.0, 100]]), np.array([[200.0, 100]]), 10, SHAPE, PIXEL)],
    ],
    ids=["broken line", "speckle", "broken ring"],
)
def test_worse_scores_more(worse):
    """More gaps, more specks, a ring opened once and twice: the score rises from zero each time."""
    scores = [topological_score(topology(mask), topology(worse[0])) for mask in worse]
    assert scores[0] == 0
    assert (np.diff(scores) > 0.5).all()  # wrong places a micrometre; each adds one to 0.2 or 0.4 µm


def test_one_gap_by_hand():
    """A round gap about x = 100 nm: one component more from 109 to 201 nm, whose two tips join at 111; half of each."""
    distances = distances_nm(topology(line(100)), topology(line()))
    expected = (201 - 109) / 2 + (111 - 109) / 2
    assert distances[NAMES.index("height-1")].tolist() == [pytest.approx(expected), 0]
    relative = relative_distances(topology(line(100)), topology(line()))
    length_um = topology(line()).length_nm / 1e3
    assert relative[NAMES.index("height-1"), 0] == pytest.approx(expected / 200 / max(length_um, 0.2))


def test_larger_field_same_score():
    """Twice the field with four times the lines and gaps has about the same score: per length, and in units of size."""
    one = topological_score(topology(line(60, 140)), topology(line()))
    found, truth = np.block([[line(60, 140)] * 2] * 2), np.block([[line()] * 2] * 2)
    four = topological_score(topology(found), topology(truth))
    assert four == pytest.approx(one, rel=0.3)


def test_pixel_size_hardly_matters():
    """The same lines in pixels of half the size."""
    start, stop = np.array([[20.0, 30], [120, 60]]), np.array([[90.0, 150], [180, 170]])
    gap = np.array([[50.0, 81], [150, 115]])
    scores = []
    for pixel in (2.0, 1.0):
        shape = (round(200 / pixel),) * 2
        truth = draw(start, stop, 5.0, shape, pixel)
        found = truth & ~draw(gap, gap, 10.0, shape, pixel)
        scores.append(topological_score(Topology.of(found, pixel), Topology.of(truth, pixel)))
    assert scores[0] > 1
    assert scores[1] == pytest.approx(scores[0], rel=0.1)


def test_empty_masks():
    """Nothing against nothing is perfect; nothing found and nothing there to find are not, and both have a value."""
    nothing, something = topology(np.zeros(SHAPE)), topology(line())
    assert nothing.length_nm == 0
    assert topological_score(nothing, nothing) == 0
    assert topological_score(nothing, something) > 1
    assert np.isfinite(topological_score(something, nothing))
    np.testing.assert_allclose(distances_nm(something, nothing), distances_nm(nothing, something))


def test_all_distances_in_a_volume():
    """Thirty of each kind, in 3D too: zero for the truth, above zero for a break."""
    mask = np.zeros((8, 10, 12), bool)
    mask[3:5, 4:6] = True
    broken = mask.copy()
    broken[:, :, 5:7] = False
    truth, found = Topology.of(mask, 4.0), Topology.of(broken, 4.0)
    for kind in ("wasserstein-1", "wasserstein-2", "bottleneck"):
        distances = distances_nm(found, truth, kind)
        assert distances.shape == (15, 2)
        assert (distances[:, 0] > 0).sum() >= 12  # planes of equal height may meet both halves at once
        assert not distances_nm(truth, truth, kind).any()
    assert topological_score(found, truth) > 0


def test_bad_input_is_told():
    with pytest.raises(InputError, match=r"masks: \(100, 100\) of 2.0 nm against \(50, 50\) of 2.0 nm found"):
        distances_nm(topology(line()), topology(line()[:50, :50]))
    with pytest.raises(InputError, match="one shape and pixel size"):
        distances_nm(topology(line()), Topology.of(line(), 1.0))
    with pytest.raises(InputError, match="mask: "):
        topology(np.full(SHAPE, 0.5))
