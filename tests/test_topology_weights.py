"""The weights of the topological score: what they are fitted on, and that those that ship are that fit."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from scripts import ROOT, script
from veristem.bench.metrics.lines import Lines
from veristem.bench.topology.score import Topology, topological_score
from veristem.bench.topology.weights import FEATURES, load_weights, spread
from veristem.datasets import CurveSet
from veristem.datasets.errors import InputError

FOLDER = "reports/published/topology-weights"
degradations, training = (script(f"{FOLDER}/{name}.py") for name in ("degradations", "make"))
SHAPE, PIXEL = (100, 100), 2.0


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The training data."""
    return pd.read_csv(ROOT / FOLDER / "weights.csv")


@pytest.fixture(scope="module")
def shipped() -> dict:
    """The fit that ships."""
    return read("weights")


def read(name: str) -> dict:
    return json.loads((files("veristem.bench.topology") / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("kind", degradations.KINDS)
def test_degradations_are_nested(kind):
    """A stronger degradation keeps what a weaker one did, and tells how strong it is."""
    lines = Lines.of(
        CurveSet((np.array([[10.0, 20, 0], [150, 180, 0]]), np.array([[30.0, 150, 0], [190, 60, 0]]))), 10.0
    )
    truth = degradations.true_mask(lines, SHAPE, PIXEL)
    before, reached = truth, 0.0
    for strength in (5.0, 10.0, 20.0):
        mask, now = degradations.degrade(kind, lines, strength, SHAPE, PIXEL, np.random.default_rng(4))
        assert now == pytest.approx(strength, abs=1.5)  # places come whole: one is 2.6 a micrometre here
        assert now > reached
        assert ((mask ^ truth) >= (before ^ truth)).all()
        assert (mask <= truth).all() if kind == "broken" else (mask >= truth).all()
        before, reached = mask, now
    with pytest.raises(InputError, match="degradation: torn found, broken, speckle"):
        degradations.degrade("torn", lines, 1.0, SHAPE, PIXEL, np.random.default_rng(0))
    with pytest.raises(InputError, match="strength: 0"):
        degradations.degrade(kind, lines, 0, SHAPE, PIXEL, np.random.default_rng(0))
    with pytest.raises(InputError, match="lines: none in the image"):
        degradations.degrade(kind, lines.where(np.zeros(2, bool)), 1.0, SHAPE, PIXEL, np.random.default_rng(0))


def test_fit_that_ships_is_that_of_its_data(table, shipped):
    """Weights and cross-validated errors follow from the stored table, to the digits written."""
    assert len(table) == 24 * len(degradations.KINDS) * len(training.STRENGTHS)
    assert training.fit(table) == pytest.approx([shipped["weights"][name] for name in FEATURES], rel=1e-5, abs=1e-9)
    for what, values in training.cross_validate(table).items():
        assert values == pytest.approx(shipped["cross_validated"][what], rel=5e-3)


def test_fit_of_volumes_is_that_of_its_data():
    """The same of tubes in volumes, whose errors the page has too."""
    table, shipped = pd.read_csv(ROOT / FOLDER / "weights-3d.csv"), read("weights-3d")
    assert len(table) == training.SPECIMENS_3D * len(degradations.KINDS) * len(training.STRENGTHS_3D)
    assert training.fit(table) == pytest.approx([shipped["weights"][name] for name in FEATURES], rel=1e-5, abs=1e-9)
    for what, values in training.cross_validate(table).items():
        assert values == pytest.approx(shipped["cross_validated"][what], rel=5e-3)
    page = (ROOT / FOLDER / "README.md").read_text("utf-8")
    errors = shipped["cross_validated"].values()
    for kind in degradations.KINDS:
        assert f"(`{kind}`) | {' | '.join(str(error[kind]) for error in errors)} |" in page


@pytest.mark.parametrize("kind", ["broken", "speckle", "spurious"])
def test_score_of_volumes_tells_wrong_places(kind):
    """Lines it never saw, in a box of another size: wrong places a micrometre come out within a factor of two."""
    shape, voxel = (16, 20, 20), training.VOXEL_NM
    rng, size = np.random.default_rng(1), np.array(shape[::-1]) * voxel
    found = []
    for _ in range(2):
        curves = CurveSet(tuple(rng.uniform(0.1, 0.9, (3, 2, 3)) * size))
        lines = Lines.of(curves, 10.0)
        mask, strength = degradations.degrade(kind, lines, 12.0, shape, voxel, rng)
        truth = Topology.of(degradations.true_mask(lines, shape, voxel), voxel)
        found.append(topological_score(Topology.of(mask, voxel), truth) / strength)
    assert 0.5 < np.mean(found) < 2


def test_errors_of_the_page_are_those_that_ship(shipped):
    """README.md is written by hand, and its table has the numbers of weights.json."""
    page = (ROOT / FOLDER / "README.md").read_text("utf-8")
    errors = shipped["cross_validated"].values()
    for kind in degradations.KINDS:
        assert f"(`{kind}`) | {' | '.join(str(error[kind]) for error in errors)} |" in page


def test_data_are_those_of_their_command(table):
    """The command makes the stored rows again; one specimen is enough to see a change of generator or score."""
    again, stored = pd.DataFrame(training.training_rows(3)), table[table["specimen"] == 3].reset_index(drop=True)
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
        mask, strength = degradations.degrade(kind, lines, 12.0, (100, 100), 4.0, rng)
        truth = Topology.of(degradations.true_mask(lines, (100, 100), 4.0), 4.0)
        found.append(topological_score(Topology.of(mask, 4.0), truth) / strength)
    assert np.mean(found) == pytest.approx(1, abs=0.4)  # the error that ships is 0.2 to 0.3 for one mask


def test_planted_weights_are_found():
    """From scores made with known weights the fit returns them."""
    rng = np.random.default_rng(0)
    planted = np.array([0, 1, 0, 2, 0.5, 0, 3, 0.1])
    x = rng.uniform(0.1, 1, (60, 8))
    made = pd.DataFrame(x, columns=list(FEATURES)).assign(strength=x @ planted)
    np.testing.assert_allclose(training.fit(made), planted, atol=1e-9)
    with pytest.raises(InputError, match="table: no rows"):
        training.fit(made[:0])


def test_weights_are_shared_in_a_kind():
    """Means times weights is what the spread weights give; a filtration's direction carries no weight of its own."""
    distances = np.random.default_rng(0).uniform(size=(15, 2))
    weights = np.arange(8.0)
    assert (spread(weights) * distances).sum() == pytest.approx(training.features(distances) @ weights)
    assert load_weights().shape == (15, 2)
    assert len(np.unique(load_weights()[2:6, 0])) == 1
    assert (load_weights() >= 0).all()
