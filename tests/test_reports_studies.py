"""What a results table says: statistics by hand, invariants, sentences, the runs to look at."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from tables import frame
from veristem.bench.metrics import metrics
from veristem.datasets import InputError
from veristem.reports.comparison import compare, compare_two, mean_interval
from veristem.reports.rows import StudyResult, possible, split
from veristem.reports.studies import best_and_worst, findings, summary_lines
from veristem.reports.tables import failures, numbers_table, summary

VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=9)

KNOWN = {metric.name: metric for metric in metrics()}


def row(method="a", seed=0, f=0.5, depth: float | None = 5.0, dwell=10, **others) -> dict:
    """One run."""
    plain = {"study": "s", "cell": f"{method}{seed}{dwell}", "method": method, "seed": seed, "f_score": f}
    return plain | {"depth_rmse_nm": depth, "conditions": json.dumps({"scan.dwell_us": dwell}), **others}


def table(rows) -> pd.DataFrame:
    return frame(rows)


def study(rows) -> StudyResult:
    return split(table(rows))[0]


def pair_of(differences) -> StudyResult:
    """Method a above b by these differences of F, one a seed."""
    return study([row(m, s, d if m == "a" else 0.0) for s, d in enumerate(differences) for m in "ab"])


def test_a_difference_by_hand():
    """Differences 1, 2, 3: mean 2; two of eight choices of signs reach it."""
    found = compare_two(pair_of([0.1, 0.2, 0.3]), "f_score", "a", "b")
    assert (found.p_value, found.seeds, found.pairs) == (0.25, 3, 3)
    half = 0.1 * 4.302653 / 3**0.5  # Student's t
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))


def test_a_kind_of_specimen_is_no_choice():
    """A foil of aluminium with small errors was recommended; each foil of each kind is one specimen."""
    rows = [
        row(m, seed, 0.9 - 0.1 * (m == "b"), 2.0 + dwell + 3 * (kind == "bent"), dwell, line_cnr=float(dwell))
        | {"conditions": json.dumps({"recipe.name": kind, "scan.dwell_us": dwell}), "cell": f"{m}{seed}{dwell}{kind}"}
        for m in "ab" for seed in range(3) for dwell in (1, 2) for kind in ("wedge", "bent")
    ]  # fmt: skip
    result = study(rows)
    assert result.axes == ("recipe.name", "scan.dwell_us")
    best, of_f, _, contrast = findings(result)
    assert "dwell time 1 µs" in best
    assert "over 6 specimens" in best
    assert "over 6 specimens, 12 pairs of runs" in of_f
    assert contrast.startswith("Lines stand out most at dwell time 2 µs:")
    assert not any(kind in text for text in (best, contrast) for kind in ("wedge", "bent"))


def test_conditions_are_averaged_within_a_seed():
    """Two conditions of one specimen are no two specimens."""
    rows = [row("a", s, 0.4 + 0.2 * k, dwell=k) for s in range(3) for k in (0, 1)]
    rows += [row("b", s, 0.1, dwell=k) for s in range(3) for k in (0, 1)]
    found = compare_two(study(rows), "f_score", "a", "b")
    assert (found.seeds, found.pairs) == (3, 6)
    assert found.difference == pytest.approx(0.4)


def test_depth_counts_only_where_both_have_one():
    rows = [row("a", s, depth=2.0) for s in range(6)] + [row("b", s, depth=None if s < 2 else 5.0) for s in range(6)]
    found = compare_two(study(rows), "depth_rmse_nm", "a", "b")
    assert (found.seeds, found.pairs, found.difference) == (4, 4, -3.0)


def test_a_failure_of_the_method_is_zero_and_one_of_the_machine_is_nothing():
    failed = {"f": None, "depth": None, "error": "E: x"}
    rows = [row("a", 0), row("a", 1, failure="method", **failed), row("a", 2, failure="machine", **failed)]
    rows.append(row("a", 3, failure="simulation", **failed))
    f = study(rows).rows["f_score"]
    assert f.tolist()[:2] == [0.5, 0.0]
    assert f.isna().tolist() == [False, False, True, True]


@given(VALUES)
def test_swapping_methods_turns_the_sign(differences):
    result = pair_of(differences)
    one, other = compare_two(result, "f_score", "a", "b"), compare_two(result, "f_score", "b", "a")
    assert one.difference == pytest.approx(-other.difference)
    assert one.p_value == other.p_value
    if len(differences) > 1:
        assert one.low <= one.difference <= one.high


@given(VALUES)
def test_a_method_differs_from_itself_by_nothing(differences):
    found = compare_two(pair_of(differences), "f_score", "a", "a")
    assert (found.difference, found.p_value) == (0.0, 1.0)


@given(st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=2, max_size=8))
def test_the_chance_is_that_of_scipy(differences):
    """An oracle of another make."""
    expected = permutation_test(
        (np.array(differences),), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True
    )
    found = compare_two(pair_of(differences), "f_score", "a", "b").p_value
    assert found == pytest.approx(expected.pvalue)
    assert found >= 2 / 2 ** len(differences)


@given(VALUES)
def test_an_interval_holds_its_mean(values):
    mean, low, high = mean_interval(np.array(values))
    assert mean == pytest.approx(np.mean(values))
    assert np.isnan(low) if len(values) == 1 else low <= mean <= high


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.sampled_from([0.0, 0.5, 1.0]))
def test_the_interval_of_a_share_stays_possible(values, more):
    """A precision of -0.04 to 0.19 was told: no share is below 0 or above 1."""
    mean, low, high = mean_interval(np.array([*values, more]), *possible(KNOWN["precision"]))
    assert 0 <= low <= mean <= high <= 1
    plain = mean_interval(np.array([*values, more]))
    assert mean == plain[0]
    assert (low == high) == (plain[1] == plain[2] or mean in (0.0, 1.0))


def test_the_interval_of_a_share_is_students_on_log_odds():
    """By hand: mean 0.1, half an interval of 0.12 = 1.33 in log odds; far from the ends it is nearly Student's own."""
    values = np.array([0.0, 0.1, 0.2])
    half = 4.302653 * 0.1 / 3**0.5
    odds, step = np.log(0.1 / 0.9), half / 0.09
    expected = [1 / (1 + np.exp(-(odds + way * step))) for way in (-1, 1)]
    assert mean_interval(values, 0.0, 1.0)[1:] == pytest.approx(expected)
    near = 0.5 + np.array([-0.002, 0.0, 0.002])
    assert mean_interval(near, 0.0, 1.0) == pytest.approx(mean_interval(near), abs=1e-5)


def test_an_error_is_not_below_nothing():
    """An interval from -3 nm up says what cannot be; a bias may be on either side."""
    values = np.array([1.0, 2.0, 6.0])
    assert mean_interval(values, *possible(KNOWN["depth_rmse_nm"]))[1] == 0
    assert mean_interval(values, *possible(KNOWN["depth_bias_nm"]))[1] < 0


def test_what_each_score_can_be():
    """Shares lie between 0 and 1, errors and counts above 0, what may err to both sides anywhere."""
    assert possible(KNOWN["apls"]) == possible(KNOWN["junction_recall"]) == (0, 1)
    assert possible(KNOWN["count_found"]) == possible(KNOWN["calibration"]) == (0, np.inf)
    assert possible(KNOWN["lateral_bias_x_nm"]) == possible(None) == (-np.inf, np.inf)


def test_a_missing_seed_is_left_out_of_a_mean():
    assert mean_interval(np.array([np.nan, 2.0, np.nan])) == pytest.approx((2.0, np.nan, np.nan), nan_ok=True)
    assert np.isnan(mean_interval(np.array([]))).all()


def test_sentences_say_what_the_seeds_bear():
    """Eight seeds of one sign: 2 / 2^8; five seeds can never reach 5 %; mixed signs show nothing."""
    clear = compare(pair_of([0.3] * 4 + [0.32] * 4), "f_score")[0].sentence()
    assert clear.startswith("a recovers the specimen better than b: F higher by 0.31 (95 % interval 0.3")
    assert "over 8 seeds, 8 pairs of runs; chance of this without a difference 0.78 %" in clear
    few = compare(pair_of([0.3] * 5), "f_score")[0].sentence()
    assert few.startswith("a has an F higher by 0.30 than b, which 5 seeds cannot tell from chance (at least 6 are")
    mixed = compare(pair_of([0.3, -0.3] * 4 + [0.01]), "f_score")[0].sentence()
    assert mixed.startswith("No clear difference in F between a and b")
    tiny = compare(pair_of([0.004] * 5), "f_score")[0].sentence()
    assert "by less than 0.01 than" in tiny
    same = compare(pair_of([0.0] * 8), "f_score")[0].sentence()
    assert same == "a and b have the same F over 8 seeds, 8 pairs of runs."


def test_less_is_better_for_an_error():
    rows = [row(m, s, depth=d + 0.1 * s) for m, d in (("a", 5.0), ("b", 3.0)) for s in range(8)]
    text = compare(study(rows), "depth_rmse_nm")[0].sentence()
    assert text.startswith("b is more exact in depth than a: depth RMSE lower by 2.0 nm (95 % interval 2.0 to 2.0 over")


def test_many_methods_are_corrected():
    """Three against the best, each with 2 / 2^8: Holm multiplies the smallest, and so all, by three."""
    rows = [row(m, s, f) for m, f in (("a", 0.1), ("b", 0.2), ("c", 0.9), ("d", 0.3)) for s in range(8)]
    found = compare(study(rows), "f_score")
    assert [(c.first, c.second) for c in found] == [("c", "a"), ("c", "b"), ("c", "d")]
    assert [c.p_value for c in found] == [3 * 2 / 2**8] * 3
    assert found[0].seeds_needed == 7
    assert "corrected for 3 comparisons" in found[0].sentence()


def test_only_scores_with_a_better_side_are_compared():
    with pytest.raises(InputError, match="'calibration' found, allowed are accuracy_nm"):
        compare_two(pair_of([1.0]), "calibration", "a", "b")


def test_best_and_worst():
    """Highest and lowest F among those without error; equal F goes to the smaller depth error, then to the name."""
    rows = [row("a", 0, 0.9, 4.0), row("a", 1, 0.9, 3.0), row("a", 2, 0.1), row("a", 3, 0.95, error="E: x")]
    assert best_and_worst(table(rows)) == ("a110", "a210")
    assert best_and_worst(table(rows[:1])) == ("a010", None)
    assert best_and_worst(table(rows[3:])) == (None, None)
    seen = table([row("a", 0, 0.9, f_score_visible=0.2), row("a", 1, 0.1, f_score_visible=0.8)])
    assert best_and_worst(seen) == ("a110", "a010")  # visible lines count where they are known
    poor = [row("b", s, 0.0) for s in range(3)]
    assert best_and_worst(table(rows + poor)) == ("a110", "a210")  # not of a method that is there for comparison


def test_summary_for_a_terminal():
    rows = [row(m, s, f, depth=d) for m, f, d in (("good", 0.9, 3.0), ("poor", 0.4, 8.0)) for s in range(8)]
    rows.append(row("poor", 8, None, None, error="E: x", failure="simulation"))
    text = "\n".join(summary_lines(table(rows)))
    assert "study s: 17 runs, 1 condition, 9 seeds" in text
    assert "good  F 0.90 (0.90 to 0.90)" in text
    assert "1 of 9 runs failed (1 by the simulation)" in text
    assert "good recovers the specimen better than poor: F higher by 0.50" in text
    assert "good is more exact in depth than poor: depth RMSE lower by 5.0 nm" in text
    assert all(line == line.rstrip() or "F" in line for line in text.splitlines())


def test_nothing_in_common_makes_no_sentence():
    rows = [row("a", s) for s in range(3)] + [row("b", s, depth=None) for s in range(3)]
    assert not any("depth" in text for text in findings(study(rows)) if "recovers" not in text and "Choose" not in text)
    assert "cannot be compared" in compare(study(rows), "depth_rmse_nm")[0].sentence()


def test_means_of_a_condition():
    rows = [row("a", s, 0.2 * s, dwell=d) for s in range(3) for d in (1, 2)]
    rows.append(row("a", 3, None, None, 1, error="E: x", failure="method"))
    found = summary(table(rows)).set_index("scan.dwell_us")
    assert found.loc[2, "f_score_mean"] == pytest.approx(0.2)
    assert found.loc[1, "f_score_mean"] == pytest.approx(0.15)  # the failure counts as 0
    assert found["f_score_seeds"].to_dict() == {1: 4, 2: 3}
    assert found["depth_rmse_nm_seeds"].to_dict() == {1: 3, 2: 3}
    assert found["failed"].to_dict() == {1: 1, 2: 0}
    assert numbers_table(study(rows))["rows"][1][:4] == [("a", ""), ("2", ""), ("3", ""), ("0", "")]
    assert numbers_table(study([row(dwell=d) for d in range(61)])) is None


def test_failures_are_counted_by_message():
    rows = [row("a", s, error="Traceback\nE: often", failure="method") for s in range(70)]
    rows.append(row("b", 0, error="E: once", failure="machine"))
    found = failures(table(rows))
    assert found["count"] == 71
    assert found["groups"] == [("a", "method", "E: often", 70), ("b", "machine", "E: once", 1)]
    assert len(found["first"]) == 50


def test_where_lines_stand_out_most():
    """Seeds differ by more than conditions do, yet each seed has the same order: paired, 10 and 20 µs are alike."""
    shift = [0.2, -0.2, 0.1, -0.1]
    rows = [
        row("constant", s, 0.0, None, dwell, line_cnr=5.0 * s + cnr + (shift[s] if dwell == 20 else 0.0))
        for s in range(4)
        for dwell, cnr in ((10, 8.0), (20, 7.99), (40, 3.0))
    ]
    (text,) = findings(study(rows))
    assert text.startswith("Lines stand out most at dwell time 10 µs: contrast-to-noise of 20 nm of line 15.5")
    assert "least at dwell time 40 µs, 10.50. 1 of 2 other conditions cannot be told from it" in text
    plain = study([row(seed=s, dwell=d) for d in (1, 2) for s in (0, 1)])
    assert findings(plain)[-1].startswith("None of 2 conditions")


def test_no_text_of_a_csv_is_a_formula():
    """A spreadsheet would compute a method called ``=cmd|...``; numbers below 0 stay numbers."""
    from veristem.reports.export import _csv

    table = pd.DataFrame({"method": ["=cmd|' /C calc'!A0", "-x", " @y", "fine"], "bias": [-1.5, 2.0, -3.0, 4.0]})
    back = _csv(table).decode().splitlines()
    assert back[1:] == ["'=cmd|' /C calc'!A0,-1.5", "'-x,2.0", "' @y,-3.0", "fine,4.0"]
