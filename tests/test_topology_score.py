"""The topological score: what raises it, by how much, and what its weights come from."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from veristem.bench.metrics.lines import Lines
from veristem.bench.topology.degradations import KINDS, degrade, true_mask
from veristem.bench.topology.filtrations import NAMES
from veristem.bench.topology.score import Topology, distances_nm, relative_distances, topological_score
from veristem.bench.topology.tubes import draw
from veristem.bench.topology.weights import (
    FEATURES,
    STRENGTHS,
    cross_validate,
    features,
    fit,
    load_weights,
    spread,
    training_rows,
)
from veristem.datasets import CurveSet
from veristem.datasets.errors import InputError

SHAPE, PIXEL = (100, 100), 2.0
SHIPPED = files("veristem.bench.topology")


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


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The training data that ship."""
    with (SHIPPED / "weights.csv").open() as file:
        return pd.read_csv(file)


@pytest.fixture(scope="module")
def shipped() -> dict:
    """The fit that ships."""
    return json.loads((SHIPPED / "weights.json").read_text("utf-8"))


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


@pytest.mark.parametrize("kind", KINDS)
def test_degradations_are_nested(kind):
    """A stronger degradation keeps what a weaker one did, and tells how strong it is."""
    lines = Lines.of(
        CurveSet((np.array([[10.0, 20, 0], [150, 180, 0]]), np.array([[30.0, 150, 0], [190, 60, 0]]))), 10.0
    )
    truth = true_mask(lines, SHAPE, PIXEL)
    before, reached = truth, 0.0
    for strength in (5.0, 10.0, 20.0):
        mask, now = degrade(kind, lines, strength, SHAPE, PIXEL, np.random.default_rng(4))
        assert now == pytest.approx(strength, abs=1.5)  # places come whole: one is 2.6 a micrometre here
        assert now > reached
        assert ((mask ^ truth) >= (before ^ truth)).all()
        assert (mask <= truth).all() if kind == "broken" else (mask >= truth).all()
        before, reached = mask, now
    with pytest.raises(InputError, match="degradation: torn found, broken, speckle"):
        degrade("torn", lines, 1.0, SHAPE, PIXEL, np.random.default_rng(0))
    with pytest.raises(InputError, match="strength: 0"):
        degrade(kind, lines, 0, SHAPE, PIXEL, np.random.default_rng(0))
    with pytest.raises(InputError, match="lines: none in the image"):
        degrade(kind, lines.where(np.zeros(2, bool)), 1.0, SHAPE, PIXEL, np.random.default_rng(0))


def test_fit_that_ships_is_that_of_its_data(table, shipped):
    """Weights and cross-validated errors follow from the stored table, to the digits written."""
    assert len(table) == 24 * len(KINDS) * len(STRENGTHS)
    assert fit(table) == pytest.approx([shipped["weights"][name] for name in FEATURES], rel=1e-5, abs=1e-9)
    for what, values in cross_validate(table).items():
        assert values == pytest.approx(shipped["cross_validated"][what], rel=5e-3)


def test_data_that_ship_are_those_of_their_command(table):
    """The command makes the stored rows again; one specimen is enough to see a change of generator or score."""
    again, stored = pd.DataFrame(training_rows(3)), table[table["specimen"] == 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, stored, rtol=1e-3, atol=1e-4)


def test_score_tells_strength(shipped):
    """What ships is good enough to tell wrong places within a factor of 1.5, and hardly how much thicker lines are."""
    error = shipped["cross_validated"]["relative_rms"]
    assert max(error["broken"], error["speckle"], error["spurious"]) < 0.35
    assert error["thickened"] < 0.7
    rank = shipped["cross_validated"]["rank_correlation"]
    assert min(rank["broken"], rank["speckle"], rank["spurious"]) > 0.98


@pytest.mark.parametrize("kind", ["broken", "speckle", "spurious"])
def test_score_on_what_it_never_saw(kind):
    """Other lines, another size of field and of pixels: wrong places a micrometre still come out right."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3):
        start = rng.uniform(0, 400, (8, 2))
        angle = rng.uniform(0, 2 * np.pi, 8)
        stop = start + 250 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        curves = CurveSet(tuple(np.pad([a, b], ((0, 0), (0, 1))) for a, b in zip(start, stop, strict=True)))
        lines = Lines.of(curves, 10.0, (400.0, 400.0))
        mask, strength = degrade(kind, lines, 12.0, (100, 100), 4.0, rng)
        truth = Topology.of(true_mask(lines, (100, 100), 4.0), 4.0)
        found.append(topological_score(Topology.of(mask, 4.0), truth) / strength)
    assert np.mean(found) == pytest.approx(1, abs=0.4)  # the error that ships is 0.2 to 0.3 for one mask


def test_planted_weights_are_found():
    """From scores made with known weights the fit returns them."""
    rng = np.random.default_rng(0)
    planted = np.array([0, 1, 0, 2, 0.5, 0, 3, 0.1])
    x = rng.uniform(0.1, 1, (60, 8))
    made = pd.DataFrame(x, columns=list(FEATURES)).assign(strength=x @ planted)
    np.testing.assert_allclose(fit(made), planted, atol=1e-9)
    with pytest.raises(InputError, match="table: no rows"):
        fit(made[:0])


def test_weights_are_shared_in_a_kind():
    """Means times weights is what the spread weights give; a filtration's direction carries no weight of its own."""
    distances = np.random.default_rng(0).uniform(size=(15, 2))
    weights = np.arange(8.0)
    assert (spread(weights) * distances).sum() == pytest.approx(features(distances) @ weights)
    assert load_weights().shape == (15, 2)
    assert len(np.unique(load_weights()[2:6, 0])) == 1
    assert (load_weights() >= 0).all()


def test_bad_input_is_told():
    with pytest.raises(InputError, match=r"masks: \(100, 100\) of 2.0 nm against \(50, 50\) of 2.0 nm found"):
        distances_nm(topology(line()), topology(line()[:50, :50]))
    with pytest.raises(InputError, match="one shape and pixel size"):
        distances_nm(topology(line()), Topology.of(line(), 1.0))
    with pytest.raises(InputError, match="mask: "):
        topology(np.full(SHAPE, 0.5))
