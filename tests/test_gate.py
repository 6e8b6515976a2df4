"""The gate: worse fails, better is told, other seeds pass, and what cannot be compared is one line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from junitparser import JUnitXml
from scipy.stats import binom

from veristem.bench.gate.permutation import paired, too_few, unpaired
from veristem.bench.gate.record import CellScores, Record, read_record, record_of, write_record
from veristem.bench.gate.verdict import compare
from veristem.bench.study import run_study
from veristem.datasets import InputError
from veristem.datasets.recipe import Recipe, Study, load_recipe

TINY = {
    "recipe": {"name": "tiny"},
    "specimen": {
        "thickness_nm": 60.0, "field_nm": [96.0, 96.0], "relaxed_faces": False, "network": {"density_per_m2": 3.0e14}
    },
    "scan": {"shape": [24, 24], "pixel_nm": 4.0},
    "microscope": {"detector": {"kind": "virtual", "radius_mrad": 4.0}},
}  # fmt: skip
SEEDS = 8
SCORES = ("chamfer_nm", "precision", "recall", "length_ratio", "depth_rmse_nm", "depth_bias_nm", "betti0_error")


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A folder with eight seeds at two doses and scores that are all known; not to be written to."""
    folder = tmp_path_factory.mktemp("gate")
    asked = {"name": "mine", "recipe": "tiny", "methods": ["constant"], "seeds": SEEDS}
    study = Study.model_validate(asked | {"axes": {"scan.dwell_us": [500, 900]}})
    run_study(study, Recipe.from_table(TINY, "tiny"), folder)
    rng = np.random.default_rng(0)
    scores = {name: rng.uniform(0.4, 0.6, 2 * SEEDS) for name in SCORES}
    change_rows(folder, lambda table: table.assign(error=None, failure=None, **scores))
    return folder


@pytest.fixture
def folder(results, tmp_path) -> Path:
    """A copy of the results, with their baseline beside them, which may be written to."""
    shutil.copytree(results, tmp_path / "run")
    write_record(tmp_path / "run/baseline.json", record_of(results))
    return tmp_path / "run"


def change_baseline(folder: Path, change) -> Path:
    """Write the baseline anew after ``change(content)``."""
    path = folder / "baseline.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def change_rows(folder: Path, change) -> None:
    """Write the table anew after ``change(table)``, which may return another one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from veristem.datasets.results import schema

    table = pd.read_parquet(folder / "results.parquet")
    changed = change(table)
    changed = table if changed is None else changed
    pq.write_table(pa.Table.from_pandas(changed, schema(), preserve_index=False), folder / "results.parquet")


def scaled(metric: str, factor: float):
    """A change of a baseline: all values of a metric times a factor."""

    def change(content):
        for cell in content["cells"]:
            cell["values"][metric] = [factor * value for value in cell["values"][metric]]

    return change


def test_the_same_again_passes(cli, folder):
    """Nothing has changed: nothing is called so, whatever the spread."""
    ended = cli("gate", folder, "--baseline", folder / "baseline.json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == "mine passed"
    verdict = json.loads(cli("gate", folder, "--baseline", folder / "baseline.json", "--json").out)
    assert verdict["passed"]
    assert verdict["is_paired"]
    assert {f["metric"] for f in verdict["findings"]} >= {"recall", "chamfer_nm", "betti0_error"}
    assert all(f["verdict"] == "same" and f["change"] == 0 for f in verdict["findings"])


def test_update_writes_what_passes(cli, folder, tmp_path):
    """One line a metric and cell, to be read in a diff; the values come back, and the gate passes."""
    path = tmp_path / "new.json"
    ended = cli("gate", folder, "--baseline", path, "--update")
    assert (ended.code, ended.out) == (0, f"2 cells x {SEEDS} seeds: {path}\n")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if '"recall"' in line]
    assert len(lines) == 2
    assert all(line.count(",") >= SEEDS - 1 for line in lines)
    assert read_record(path) == record_of(folder)
    assert cli("gate", folder, "--baseline", path).code == 0


@pytest.mark.parametrize(
    ("metric", "factor"), [("chamfer_nm", 0.9), ("depth_rmse_nm", 0.9), ("length_ratio", 1.2), ("precision", 1.1)]
)
def test_worse_falls_short(cli, folder, metric, factor):
    """A baseline that was better: exit 1, and the metric is named; the other way round it passes with a hint."""
    path = change_baseline(folder, scaled(metric, factor))
    worse = cli("gate", folder, "--baseline", path, "--json")
    assert worse.code == 1
    verdict = json.loads(worse.out)
    assert not verdict["passed"]
    assert [f["metric"] for f in verdict["findings"] if f["verdict"] == "worse"] == [metric]
    change_baseline(folder, scaled(metric, factor**-2))
    better = cli("gate", folder, "--baseline", path)
    assert better.code == 0
    assert "1 metrics better: write them into the baseline with --update" in better.out


def test_what_is_too_small_to_mean_anything_passes(cli, folder):
    """Every specimen worse by a part in ten thousand: significant, and of no interest."""
    path = change_baseline(folder, scaled("chamfer_nm", 1 - 1e-4))
    assert cli("gate", folder, "--baseline", path).code == 0


def test_a_shift_without_any_spread(cli, folder):
    """A bias that was 0 in every specimen and is 1 nm in every specimen; 0.01 nm is not yet one."""
    for shift, code in ((1.0, 1), (0.01, 0)):
        change_rows(folder, lambda t: t.assign(depth_bias_nm=0.0))
        write_record(folder / "baseline.json", record_of(folder))
        change_rows(folder, lambda t, shift=shift: t.assign(depth_bias_nm=-shift))
        assert cli("gate", folder, "--baseline", folder / "baseline.json").code == code


def fail_one(table):
    """A run that has ended in an error."""
    table.loc[3, ["error", "failure"]] = ["RuntimeError: no", "method"]
    table.loc[3, table.select_dtypes(float).columns] = np.nan


def lose_one(table):
    """Scores that have no value any more."""
    table.loc[3, ["recall", "f_score"]] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_one, "no value: recall and 1 more of constant at scan.dwell_us = 900, seed 1"),
        (fail_one, "failed: constant at scan.dwell_us = 900, seed 1"),
        (lambda table: table.drop(index=3), "missing: constant at scan.dwell_us = 900, seed 1"),
    ],
)
def test_missing_and_failed_runs_fall_short(cli, folder, change, message):
    """One run of all is enough, and nothing else is called worse for it."""
    change_rows(folder, change)
    ended = cli("gate", folder, "--baseline", folder / "baseline.json")
    assert ended.code == 1
    assert message in ended.out.splitlines()
    assert ended.out.splitlines()[-1] == "mine fell short: 1 missing or failed"
    assert cli("gate", folder, "--baseline", folder / "baseline.json", "--update").code == (
        2 if "missing" in message else 0
    )


def test_outputs(cli, folder):
    """JUnit XML that a CI server reads, and markdown for a pull request."""
    change_rows(folder, fail_one)
    path = change_baseline(folder, scaled("chamfer_nm", 0.9))
    ended = cli("gate", folder, "--baseline", path, "--junit", folder / "gate.xml", "--markdown", folder / "gate.md")
    assert ended.code == 1
    (suite,) = JUnitXml.fromfile(str(folder / "gate.xml"))
    assert suite.failures == 2
    assert {case.name for case in suite if case.result} == {"chamfer_nm", "runs"}
    text = (folder / "gate.md").read_text(encoding="utf-8")
    assert text.startswith("### ❌ mine fell short: 1 metrics worse, 1 missing or failed\n")
    assert "| constant | chamfer_nm ↓ |" in text
    assert "- failed: constant at scan.dwell_us = 900, seed 1" in text


def test_time_is_gated_when_asked(cli, folder, tmp_path):
    """Against a reference run on the same machine, and no other."""
    shutil.copytree(folder, tmp_path / "reference")
    change_rows(folder, lambda t: t.assign(reconstruct_s=0.3))
    change_rows(tmp_path / "reference", lambda t: t.assign(reconstruct_s=0.1))
    asked = ["gate", folder, "--baseline", folder / "baseline.json", "--reference", tmp_path / "reference"]
    told = cli(*asked)
    assert told.code == 0
    assert "time of constant: 0.3 s a reconstruction (median), 3 times the reference's" in told.out
    slow = cli(*asked, "--time-ratio", 2)
    assert slow.code == 1
    assert slow.out.splitlines()[-1].endswith("constant 3 times as slow as the reference, 2 allowed")
    assert cli(*asked, "--time-ratio", 4).code == 0
    facts = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert facts["peak_memory_mib"] > 10
    (folder / "study.json").write_text(json.dumps(facts | {"machine": {"processor": "another"}}), encoding="utf-8")
    assert "machine" in cli(*asked).err


def other_version(content):
    content["schema_version"] = 0


def other_study(content):
    content["study"] = "other"


def other_recipe(content):
    content["recipe"]["specimen"]["thickness_nm"] = 61.0


def other_tolerance(content):
    content["tolerance_nm"] = 12.0


def without_recall(content):
    for cell in content["cells"]:
        del cell["values"]["recall"]


def without_a_cell(content):
    del content["cells"][0]


def too_short(content):
    content["cells"][0]["values"]["recall"].pop()


def strange_metric(content):
    for cell in content["cells"]:
        cell["values"]["beauty"] = [1.0] * SEEDS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_version, "baseline.json: schema_version 0 found, 1 allowed"),
        (other_study, "baseline.json: of study 'other'; results of 'mine' found"),
        (other_recipe, "baseline.json: recipe specimen.thickness_nm = 61.0; results with 60.0 found"),
        (other_tolerance, "baseline.json: tolerance_nm = 12.0; results with None found"),
        (without_recall, "baseline.json: no metric recall of constant, which the results have; --update adds it"),
        (without_a_cell, "baseline.json: no cell constant at scan.dwell_us = 500, which the results have"),
        (too_short, "7 values for 8 seeds found, one a seed allowed"),
        (strange_metric, "baseline.json: metric 'beauty', which this version does not have"),
        (lambda content: content.clear(), "baseline.json: no schema_version found, 1 allowed"),
        (lambda content: content.update(colour="red"), "baseline.json: colour: "),
    ],
)
def test_another_baseline_is_one_line(cli, folder, change, message):
    """Exit 2, and what was found."""
    ended = cli("gate", folder, "--baseline", change_baseline(folder, change))
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file or directory; --update writes it"),
        ("", "line 1, column 1: expecting value"),
        ('{"schema_version": 1, "cells": [', "it may be cut short"),
        ("[]", "no schema_version found"),
        (b"\xff\xfe", "bytes that are not utf-8 found"),
    ],
)
def test_a_baseline_that_cannot_be_read_is_one_line(cli, folder, text, message):
    """Missing, empty, cut short, something else."""
    path = folder / "other.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ended = cli("gate", folder, "--baseline", path)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err.lower()
    assert len(ended.err.splitlines()) == 1


def test_a_folder_that_cannot_be_read_is_one_line(cli, folder, tmp_path):
    """Empty, or without what was asked for; too few seeds; options that make no sense."""
    path = folder / "baseline.json"
    (tmp_path / "empty").mkdir()
    assert "results.parquet: no such file" in cli("gate", tmp_path / "empty", "--baseline", path).err
    for options, message in (
        (("--false-alarm", 2), "--false-alarm: 2 found"),
        (("--time-ratio", 2), "--time-ratio: no --reference found"),
        (("--false-alarm", 0.001), "8 seeds found, which cannot tell any loss from chance"),
    ):
        ended = cli("gate", folder, "--baseline", path, *options)
        assert (ended.code, ended.out) == (2, "")
        assert message in ended.err
    (folder / "study.json").write_text("{}", encoding="utf-8")
    assert "study.json: not what a study writes" in cli("gate", folder, "--baseline", path).err
    (folder / "study.json").unlink()
    assert "study.json: No such file" in cli("gate", folder, "--baseline", path).err


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
    """A baseline without any value."""
    nothing = record(np.full((12, 3), np.nan), range(12))
    with pytest.raises(InputError, match="no metric with a value"):
        compare(nothing, nothing, np.random.default_rng(0))


def test_named_studies_have_their_baseline():
    """What CI runs is what is committed."""
    for name in ("gate-lines", "gate-particles"):
        baseline = read_record(Path(__file__).parents[1] / f"bench/baselines/{name}.json")
        recipe = Recipe.from_table(baseline.recipe, name)
        assert baseline.study == name
        assert recipe == load_recipe(re.sub("lines", "foil", name).replace("particles", "film"))
