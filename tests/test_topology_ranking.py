"""The ranking of conditions: a planted best is found, and a tie is called one."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.topology.ranking import rank_conditions, rank_scores
from veristem.bench.topology.tubes import draw
from veristem.datasets.errors import InputError

SHAPE, PIXEL = (60, 60), 4.0


def masks(seed: int, gaps: int) -> np.ndarray:
    """Three lines across the field, with random gaps."""
    rng = np.random.default_rng(seed)
    y = np.array([40.0, 120, 200])
    start, stop = np.stack([0 * y, y], axis=1), np.stack([0 * y + 240, y], axis=1)
    truth = draw(start, stop, 6.0, SHAPE, PIXEL)
    at = np.stack([rng.uniform(20, 220, gaps), rng.choice(y, gaps)], axis=1)
    return truth & ~draw(at, at, 12.0, SHAPE, PIXEL)


def test_planted_best_is_found():
    """Of conditions that break lines once, twice and six times the first wins, and the last is told from it."""
    truths = {seed: masks(seed, 0) for seed in range(5)}
    conditions = {f"{n} gaps": {seed: masks(seed, n) for seed in range(5)} for n in (6, 1, 2)}
    ranked = rank_conditions(conditions, truths, PIXEL, np.random.default_rng(0))
    assert [r.condition for r in ranked] == ["1 gaps", "2 gaps", "6 gaps"]
    best, _, last = ranked
    assert best.behind == 0
    assert best.tied
    assert not last.tied
    assert best.best_probability > 0.9
    assert last.best_probability == 0
    assert best.low < best.score < best.high
    assert ranked == rank_conditions(conditions, truths, PIXEL, np.random.default_rng(0))


def test_equal_conditions_tie():
    """Two equal conditions share the first place and its probability, whatever the seeds do."""
    scores = np.array([1.0, 2, 4, 3])
    first, second, third = rank_scores({"a": scores, "b": scores, "c": scores + 1}, np.random.default_rng(0))
    assert (first.condition, second.condition) == ("a", "b")
    assert first.best_probability == second.best_probability == 0.5
    assert second.tied
    assert second.behind == 0
    assert not third.tied  # one more on every seed: paired, there is no doubt
    assert third.low < first.high


def test_interval_is_students():
    """Mean 2, deviation 1 of three seeds: 4.303 / sqrt(3) either way."""
    (only,) = rank_scores({"a": np.array([1.0, 2, 3])}, np.random.default_rng(0))
    assert only.high - only.score == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)
    assert only.score - only.low == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)
    assert only.best_probability == 1


def test_chance_is_no_difference():
    """Of ten conditions that differ by chance only one is called beaten 5 % of the time, however many look better."""
    rng = np.random.default_rng(0)
    beaten = []
    for _ in range(30):
        ranked = rank_scores(dict(zip("abcdefghij", rng.normal(10, 1, (10, 8)), strict=True)), rng)
        beaten.append(np.mean([not r.tied for r in ranked]))
        assert sum(r.best_probability for r in ranked) == pytest.approx(1)
    assert np.mean(beaten) <= 0.05 + 3 * np.std(beaten) / np.sqrt(len(beaten))
    assert np.mean(beaten) < 0.1


def test_one_seed_tells_nothing():
    """One image a condition, as in the thesis, gives an order and no interval: all are tied."""
    ranked = rank_scores({"a": np.array([2.0]), "b": np.array([1.0])}, np.random.default_rng(0))
    assert [r.condition for r in ranked] == ["b", "a"]
    assert all(r.tied and np.isnan(r.low) and np.isnan(r.high) for r in ranked)


def test_bad_input_is_told():
    truth, rng = masks(0, 0), np.random.default_rng(0)
    with pytest.raises(InputError, match="ranking: 0 conditions and 1 seeds"):
        rank_conditions({}, {0: truth}, PIXEL, rng)
    with pytest.raises(InputError, match="ranking: 1 conditions and 0 seeds"):
        rank_conditions({"a": {}}, {}, PIXEL, rng)
    with pytest.raises(InputError, match="condition a: seed 1 on one side only"):
        rank_conditions({"a": {0: truth}}, {0: truth, 1: truth}, PIXEL, rng)
    with pytest.raises(InputError, match="one shape and pixel size"):
        rank_conditions({"a": {0: truth[:50]}}, {0: truth}, PIXEL, rng)
    with pytest.raises(InputError, match="scores: conditions with other numbers of seeds"):
        rank_scores({"a": np.ones(2), "b": np.ones(3)}, rng)
    with pytest.raises(InputError, match="scores: one finite number"):
        rank_scores({"a": np.array([1.0, np.nan])}, rng)
