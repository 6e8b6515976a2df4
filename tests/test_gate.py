"""The gate: worse fails, better is told, other seeds pass, and what cannot be compared is one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from junitparser import JUnitXml

from veristem.bench.gate.record import read_record, record_of, write_record
from veristem.bench.metrics import metrics
from veristem.datasets.recipe import Recipe, Study, load_recipe, load_study
from veristem.datasets.results import schema

TINY = {
    "recipe": {"name": "tiny"},
    "specimen": {
        "thickness_nm": 60.0, "field_nm": [96.0, 96.0], "relaxed_faces": False, "network": {"density_per_m2": 3.0e14}
    },
    "scan": {"shape": [24, 24], "pixel_nm": 4.0},
    "microscope": {"detector": {"kind": "virtual", "radius_mrad": 4.0}},
}  # fmt: skip
SEEDS = 8


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What a study of eight seeds at two doses leaves, of made-up scores that are all known; not to be written to."""
    folder = tmp_path_factory.mktemp("gate")
    asked = {"name": "mine", "recipe": "tiny", "methods": ["constant"], "seeds": SEEDS}
    study = Study.model_validate(asked | {"axes": {"scan.dwell_us": [500, 900]}})
    recipe, rng = Recipe.from_table(TINY, "tiny"), np.random.default_rng(0)
    wanted, cells = schema(metrics()), [(seed, conditions) for seed in range(SEEDS) for conditions in study.cells()]
    table = pd.DataFrame({name: rng.uniform(0.4, 0.6, len(cells)) for name in wanted.names})
    table = table.assign(
        study="mine", recipe="tiny", method="constant", error=None, failure=None, method_version="", version="0",
        cell=[str(number) for number in range(len(cells))], seed=[seed for seed, _ in cells],
        conditions=[json.dumps(conditions, sort_keys=True) for _, conditions in cells],
    )  # fmt: skip
    pq.write_table(pa.Table.from_pandas(table, wanted, preserve_index=False), folder / "results.parquet")
    facts = {"study": study.model_dump(by_alias=True), "recipe": recipe.model_dump(mode="json")}
    run = {"machine": {"processor": "made up"}, "workers": 1, "peak_memory_mib": 100.0}
    (folder / "study.json").write_text(json.dumps(facts | run), encoding="utf-8")
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
    table = pd.read_parquet(folder / "results.parquet")
    changed = change(table)
    changed = table if changed is None else changed
    pq.write_table(pa.Table.from_pandas(changed, schema(metrics()), preserve_index=False), folder / "results.parquet")


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
    assert ended.out.splitlines()[-1] == "mine passed: no loss proven"
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
    assert "1 better: write them into the baseline with --update" in better.out


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
    assert text.startswith("### ❌ mine fell short: 1 metric worse, 1 missing or failed\n")
    assert "| constant | chamfer_nm ↓ |" in text
    assert "- failed: constant at scan.dwell_us = 900, seed 1" in text


@pytest.mark.parametrize("width", [80, 100, 150])
def test_tables_fit_the_width(cli, folder, monkeypatch, width):
    """At 80 columns numbers were broken over several lines; now a metric stands on one, with what decides."""
    monkeypatch.setenv("COLUMNS", str(width))
    path = change_baseline(folder, scaled("chamfer_nm", 0.9))
    table = [line for line in cli("gate", folder, "--baseline", path).out.splitlines() if line[:1] in "┏┃┡│└"]
    assert max(map(len, table)) <= width
    head = [name.strip() for name in table[1].strip("┃").split("┃")]
    assert {"metric", "baseline", "now", "allowed", "verdict"} <= set(head)
    assert ("chance" in head) == (width == 150)
    rows = [dict(zip(head, map(str.strip, line.strip("│").split("│")))) for line in table if line[0] == "│"]
    more = [row for row in rows if not row["verdict"]]  # of the longest names
    assert all(set(row.values()) == {row["metric"], ""} for row in more)
    assert len(more) < 3
    rows = [row for row in rows if row["verdict"]]
    assert {row["verdict"] for row in rows} == {"worse", "same"}
    assert all(float(row["now"]) and row["allowed"][0].isdigit() for row in rows)
    assert [row["metric"] for row in rows if row["verdict"] == "worse"] == ["chamfer_nm ↓"]


def change_facts(folder, **facts) -> None:
    """What a folder tells of its run."""
    path = folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | facts), encoding="utf-8")


def test_costs_are_gated_when_asked(cli, folder, tmp_path):
    """Against a reference run of the same study on the same machine, and no other."""
    other = shutil.copytree(folder, tmp_path / "reference")
    change_rows(folder, lambda t: t.assign(reconstruct_s=0.3))
    change_rows(other, lambda t: t.assign(reconstruct_s=0.1))
    change_facts(folder, peak_memory_mib=300)
    change_facts(other, peak_memory_mib=200)
    asked = ["gate", folder, "--baseline", folder / "baseline.json", "--reference", other]
    told = cli(*asked, "--junit", tmp_path / "gate.xml")
    assert told.code == 0
    assert "time of constant: 0.3 s a reconstruction (median), 3 times the reference's" in told.out
    assert "peak memory: 300 MiB, of the largest process, 1.5 times the reference's" in told.out
    (suite,) = JUnitXml.fromfile(str(tmp_path / "gate.xml"))
    assert {p.name: p.value for p in suite.properties()}["peak memory"].startswith("300 MiB")
    for option, message in (
        ("--time-ratio", "time of constant 3 times the reference's, 1.2 allowed"),
        ("--memory-ratio", "peak memory 1.5 times the reference's, 1.2 allowed"),
    ):
        over = cli(*asked, option, 1.2)
        assert over.code == 1
        assert over.out.splitlines()[-1].endswith(message)
        assert cli(*asked, option, 4).code == 0
    for fact, found in (
        ("machine", {"processor": "another"}),
        ("workers", 7),
        ("study", {"name": "z"}),
        ("recipe", {}),
    ):
        before = json.loads((other / "study.json").read_text(encoding="utf-8"))[fact]
        change_facts(other, **{fact: found})
        ended = cli(*asked)
        assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
        assert fact in ended.err
        change_facts(other, **{fact: before})


def test_a_log_of_another_encoding(folder):
    """Arrows become question marks, and the exit code stays."""
    command = [sys.executable, "-c", "from veristem.bench.cli import main; main()", "gate", folder]
    ended = subprocess.run(
        [*map(str, command), "--baseline", str(folder / "baseline.json")], capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"chamfer_nm ?" in ended.stdout


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
        ("[" * 100_000, "json that cannot be read"),
        ('{"schema_version": ' + "1" * 5000 + "}", "json that cannot be read"),
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
        (("--memory-ratio", 2), "--memory-ratio: no --reference found"),
        (("--update", "--junit", tmp_path / "gate.xml"), "--update: --junit, --markdown or --reference found"),
        (("--junit", "/"), "no name of a file found"),
        (("--false-alarm", 0.001), "8 seeds found, which cannot tell any loss from chance"),
    ):
        ended = cli("gate", folder, "--baseline", path, *options)
        assert (ended.code, ended.out) == (2, "")
        assert message in ended.err
    (folder / "study.json").write_text("{}", encoding="utf-8")
    assert "study.json: not what a study writes" in cli("gate", folder, "--baseline", path).err
    (folder / "study.json").unlink()
    assert "study.json: No such file" in cli("gate", folder, "--baseline", path).err


def test_named_studies_have_their_baseline():
    """What CI runs is what is committed."""
    for name in ("gate-lines", "gate-particles"):
        baseline = read_record(Path(__file__).parents[1] / f"bench/baselines/{name}.json")
        recipe = Recipe.from_table(baseline.recipe, name)
        assert baseline.study == name
        study = load_study(name)
        assert recipe == load_recipe(study.recipe).with_values({"recipe.seed": recipe.recipe.seed})
        assert (baseline.tolerance_nm, baseline.full_limits) == (study.tolerance_nm, study.full_limits)
        assert baseline.seeds == list(range(study.seeds))
        cells = {(method, json.dumps(c, sort_keys=True)) for c in study.cells() for method in study.methods}
        assert {cell.key for cell in baseline.cells} == cells


def test_names_from_outside_are_no_markup(tmp_path):
    """A method's name stands in comments on pull requests and in XML: no HTML, headings, or characters XML forbids."""
    from xml.etree import ElementTree

    from veristem.bench.gate.outputs import write_junit, write_markdown
    from veristem.bench.gate.verdict import Finding, Verdict

    name = 'evil"><img src=x onerror=alert(1)>|`a` @team\n# H [x](http://y) _z_ \x1b[31m\x00\ud800'
    finding = Finding(name, "f_score", "", "higher", 0.5, 0.5, 0.0, 0.1, 1.0, 0, 0, 0.2, "same")
    verdict = Verdict(name, True, 9, 9, 9, 0.01, (finding,), (f"failed: {name}",))
    write_markdown(tmp_path / "m.md", verdict, [], [])
    text = (tmp_path / "m.md").read_text(encoding="utf-8")
    assert not any(mark in text for mark in ("<img", "`", "@team", "[x]", "_z_", "\x1b", "\x00"))
    assert [line for line in text.splitlines() if line.startswith("#")] == text.splitlines()[:1]
    assert all(line.count("|") == 10 for line in text.splitlines() if line.startswith("|"))
    write_junit(tmp_path / "j.xml", verdict, [], [])
    assert ElementTree.parse(tmp_path / "j.xml").getroot().tag == "testsuites"
