"""What the gate calls worse: made-up scores, seed by seed and as groups, and how often chance alone would do it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from veristem.bench.gate.outputs import visible
from veristem.bench.gate.permutation import paired, too_few, unpaired
from veristem.bench.gate.record import CellScores, Record
from veristem.bench.gate.verdict import check_enough, compare
from veristem.datasets import InputError
from veristem.datasets.recipe import load_recipe


def record(values: np.ndarray, seeds, metrics=("recall", "depth_rmse_nm", "depth_bias_nm")) -> Record:
    """A record of one cell from values (seeds, metrics)."""
    cell = CellScores(
        method="mine", conditions={}, failed=[],
        values={name: [None if np.isnan(v) else float(v) for v in column] for name, column in zip(metrics, values.T)},
    )  # fmt: skip
    recipe = load_recipe("gate-foil").model_dump(mode="json")
    return Record(
        study="s", veristem="0", tolerance_nm=None, full_limits=False, recipe=recipe, seeds=list(seeds), cells=[cell]
    )


def test_other_seeds_are_compared_as_groups():
    """A loss larger than the spread is caught; the same spread is not; new failures and lost scores are."""
    rng = np.random.default_rng(0)
    before = record(rng.normal([0.9, 1.0, 0.0], 0.02, (12, 3)), range(12))
    same = record(rng.normal([0.9, 1.0, 0.0], 0.02, (12, 3)), range(12, 24))
    assert compare(before, same, rng).passed
    verdict = compare(before, record(rng.normal([0.8, 1.0, 0.1], 0.02, (12, 3)), range(12, 24)), rng)
    assert not verdict.is_paired
    assert [f.metric for f in verdict.of("worse")] == ["recall", "depth_bias_nm"]
    better = compare(before, record(rng.normal([0.97, 1.0, 0.0], 0.02, (12, 3)), range(12, 24)), rng)
    assert better.passed
    assert [f.metric for f in better.of("better")] == ["recall"]
    failed = record(np.array(rng.normal([0.9, 1.0, 0.0], 0.02, (12, 3))), range(12, 24))
    failed.cells[0].failed.append(17)
    assert compare(before, failed, rng).problems == ("failed: mine, seed 17",)
    lost = same.model_copy(deep=True)
    lost.cells[0].values["depth_bias_nm"] = [None] * 12
    assert compare(before, lost, rng).problems == ("no value: depth_bias_nm of mine, any seed",)
    few = same.model_copy(deep=True)
    few.cells[0].values["depth_bias_nm"][0] = None  # one specimen in which nothing was found
    assert compare(before, few, rng).passed


def test_fewer_or_more_seeds_are_still_paired():
    """The seeds that both have count."""
    rng = np.random.default_rng(0)
    values = rng.normal([0.9, 1.0, 0.0], 0.2, (16, 3))
    before, more = record(values[:12], range(12)), record(values - [0.01, 0, 0], range(16))
    assert [f.metric for f in compare(before, more, rng).of("worse")] == ["recall"]
    fewer = compare(more, before.subset(list(range(9))), rng)
    assert (fewer.is_paired, fewer.seeds_now, fewer.seeds_before) == (True, 9, 16)
    assert fewer.how == "paired: the same 9 specimens and noise, of 16 in the baseline"
    with pytest.raises(InputError, match="4 seeds found, which cannot tell any loss from chance"):
        compare(before, record(values[:4], range(4)), rng)


@pytest.mark.parametrize("is_paired", [True, False])
def test_false_alarms_keep_their_rate(is_paired):
    """Heavy tails, steps and correlation, few seeds: the chance of any false alarm is the stated one."""
    rng = np.random.default_rng(1)
    draws, seeds, rate = 600 if is_paired else 300, 7, 0.05
    least = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
    alarms = 0
    for _ in range(draws):
        common = rng.standard_t(2, (2 * seeds, 1))
        noise = rng.standard_t(2, (2 * seeds, 5))
        values = common + 0.5 * noise
        values[:, 2] = np.round(values[:, 2])
        values[:, 4] = (values[:, 4] > 2) * 100.0
        halves = values[:seeds], values[seeds:]
        chances = paired(halves[1] - halves[0], least, rng) if is_paired else unpaired(*halves, least, rng)
        alarms += chances.p_values.min() <= rate
    low, high = binom.interval(0.999, draws, rate)
    assert low <= alarms <= high


def test_chances():
    """All worse is the rarest sign of all; nothing is certain; the least that is rare enough is the critical one."""
    rng, none = np.random.default_rng(0), np.zeros(2)
    worst = paired(np.ones((8, 2)), none, rng)
    np.testing.assert_allclose(worst.p_values, 1 / 2**8)
    assert worst.critical(0.01) == pytest.approx(1)
    assert worst.critical(0.001) > 1
    for changes, least in ((0.0, 0.0), (-1.0, 0.0), (1.0, 1.0)):  # none, better, too small to mean anything
        np.testing.assert_array_equal(paired(np.full((8, 2), changes), none + least, rng).p_values, 1)
    some = paired(rng.normal(size=(10, 2)), none, rng)
    critical = some.critical(0.05)
    assert (some.largest >= critical).mean() <= 0.05 < (some.largest >= critical - 1e-6).mean() + 2 / 2**10
    assert [too_few(n, n, True, 0.01) for n in (6, 7)] == [True, False]
    assert [too_few(n, n, False, 0.01) for n in (4, 5)] == [True, False]


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("known", [1, 2, 6])
def test_few_values_hide_nothing(is_paired, known):
    """A score that few specimens have, and that changes there, leaves the losses of others to be seen."""
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.normal(0.9, 0.02, 24), rng.normal(3.0, 0.1, 24)])
    values[known:12, 1] = values[12 + known :, 1] = np.nan
    now = values[:12] if is_paired else values[12:]
    seeds = range(12) if is_paired else range(12, 24)
    metrics = ("recall", "depth_rmse_nm")
    verdict = compare(record(values[:12], range(12), metrics), record(now - [0.2, 0.5], seeds, metrics), rng)
    assert [f.metric for f in verdict.of("worse")] == ["recall"]


def test_a_loss_in_few_specimens_is_caught_by_the_spread():
    """Nothing is found any more in two of twelve, which signs cannot tell from chance."""
    rng = np.random.default_rng(0)
    values = rng.normal([0.98, 1.0, 0.0], [0.005, 0.1, 0.1], (12, 3))
    now = values.copy()
    now[3:5, 0] = 0.0
    (finding,) = compare(record(values, range(12)), record(now, range(12)), rng).of("worse")
    assert (finding.metric, finding.seeds_worse) == ("recall", 2)
    assert -finding.change > finding.allowed
    now[3:5, 0] = values[3:5, 0] - 0.01
    assert compare(record(values, range(12)), record(now, range(12)), rng).passed


def test_failures_of_further_seeds_count():
    """Seeds that the baseline lacks are not compared, but they must run."""
    rng = np.random.default_rng(0)
    values = rng.normal([0.9, 1.0, 0.0], 0.02, (16, 3))
    now = record(values, range(16))
    assert compare(record(values[:12], range(12)), now, rng).passed
    now.cells[0].failed.append(14)
    assert compare(record(values[:12], range(12)), now, rng).problems == ("failed: mine, seed 14",)


def test_nothing_to_compare_is_no_pass():
    """Results without any value, or of too few seeds, are no baseline."""
    nothing = record(np.full((12, 3), np.nan), range(12))
    for attempt in (lambda: compare(nothing, nothing, np.random.default_rng(0)), lambda: check_enough(nothing)):
        with pytest.raises(InputError, match="no metric with a value"):
            attempt()
    with pytest.raises(InputError, match="3 seeds found"):
        check_enough(record(np.ones((3, 3)), range(3)))


def test_what_so_many_specimens_can_show_is_told():
    """Passed is no proof. By hand, of one metric: (t(1 - 0.01; 11) + t(0.9; 11)) sd / sqrt(12)."""
    from scipy.stats import t

    values = np.random.default_rng(3).normal(0.5, 0.1, (12, 1))
    before = record(values, range(12), ("recall",))
    verdict = compare(before, before, np.random.default_rng(0))
    wanted = (t.isf(0.01, 11) + t.ppf(0.9, 11)) * values.std(ddof=1) / np.sqrt(12)
    assert verdict.findings[0].visible == pytest.approx(wanted)
    (line,) = visible(verdict)
    assert (
        f"losses that 12 specimens show in nine runs of ten, if they differ as the scores do: from recall {wanted:.4g}"
        in line
    )
