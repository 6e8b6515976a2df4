"""A metric of a user's own: in scores, in studies, in the table and what reads it."""

from __future__ import annotations

import json

import pytest

from veristem.bench.gate.record import record_of
from veristem.bench.metrics import metrics, scorers
from veristem.bench.study.store import read_table
from veristem.datasets import InputError
from veristem.datasets.results import metrics_of
from veristem.reports.rows import split

MINE = """
from veristem.bench.metrics.base import Metric

METRIC = Metric(
    name="found_um", unit="µm", better="higher", meaning="length of what was found", good=10.0, bad=0.0, empty="0"
)


def score(pair):
    return float(pair.found.weight_nm.sum()) / 1e3
"""
STUDY = """
[study]
name = "mine"
recipe = "tiny.toml"
methods = ["constant"]
seeds = 2
"""


@pytest.fixture
def outside(tmp_path, monkeypatch, tiny):
    """A working directory with a metric and a study."""
    (tmp_path / "length_metric.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(tiny, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_study_keeps_a_metric_from_outside(outside, cli):
    """Its columns stand in the table with what it means, and reports and the gate read them there.

    What was run without it is run again.
    """
    assert cli("study", "study.toml", "-o", "out").code == 0
    assert "found_um" not in read_table("out")
    done = cli("study", "study.toml", "-o", "out", "--metric", "length_metric:score")
    assert done.code == 0, done.err
    table = read_table("out")
    assert table["found_um"].tolist() == pytest.approx([0.048, 0.048])
    assert metrics_of(table)["found_um_visible"].unit == "µm"
    assert split(table)[0].metrics["found_um"].meaning == "length of what was found"
    assert record_of("out").cells[0].values["found_um"] == pytest.approx([0.048, 0.048])
    assert cli("report", "out").code == 0
    assert cli("gate", "out", "--baseline", "b.json", "--update", "--false-alarm", "0.6").code == 0
    assert cli("gate", "out", "--baseline", "b.json", "--false-alarm", "0.6").code == 0


def test_scores_of_two_files(outside, cli):
    """`veristem score --metric` prints it in all variants."""
    assert cli("simulate", "tiny.toml", "-o", "run").code == 0
    assert cli("reconstruct", "run/acquisition.h5", "--method", "constant", "-o", "run/mine.vtp").code == 0
    found = cli("score", "run/truth.h5", "run/mine.vtp", "--metric", "length_metric:score", "--json")
    assert json.loads(found.out)["found_um"] == pytest.approx(0.048)


def test_what_is_no_metric(outside):
    """One line: no METRIC beside it, no such function, a name that is taken."""
    (outside / "bare_metric.py").write_text("def score(pair): return 1.0\n", encoding="utf-8")
    (outside / "taken_metric.py").write_text(MINE.replace("found_um", "recall"), encoding="utf-8")
    for target, told in (
        ("bare_metric:score", "no METRIC beside the function"),
        ("bare_metric:none", "has no function 'none'"),
        ("taken_metric:score", "a second 'recall' found"),
    ):
        with pytest.raises(InputError, match=told):
            scorers([target])
    assert [m.name for m in metrics()] == [m.name for m in metrics([])]
