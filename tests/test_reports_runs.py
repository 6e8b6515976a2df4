"""The table of single runs, and that the commands in it make the very run again."""

from __future__ import annotations

import json
import shlex

import pytest

from test_reports_study_page import make_table, written
from veristem.bench.pages.runs import has_name, run_commands, study_commands
from veristem.bench.study.runner import run_study
from veristem.datasets.recipe import Study, load_recipe
from veristem.reports.rows import split
from veristem.reports.runs import MOST_RUNS, runs_table

DWELL = "scan.dwell_us"


def tiny_study(**changes) -> Study:
    told = {"name": "tiny", "recipe": "cantor-small", "methods": ["constant"], "seeds": 1, "axes": {DWELL: [5.0, 50.0]}}
    return Study.model_validate(told | changes)


@pytest.mark.slow
@pytest.mark.parametrize("saved", [False, True])
def test_commands_make_the_row_again(tmp_path, tiny, cli, monkeypatch, saved):
    """Of a named recipe with values set, and of one that lies in no file and is saved from the page."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text(tiny, encoding="utf-8")
    recipe = load_recipe("base.toml").with_values(
        {"scan.pixel_nm": 4.0, "microscope.current_nA": 0.2, "recipe.seed": 3}
    )
    table = run_study(tiny_study(recipe="base.toml", tolerance_nm=25.0), recipe, tmp_path / "study")
    assert has_name("base.toml", recipe)
    if saved:
        import tomli_w

        (tmp_path / "base.toml").unlink()
        assert not has_name("base.toml", recipe)
        (tmp_path / "recipe.toml").write_text(tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True)))
    commands, first = study_commands(tmp_path / "study", table)
    assert first == ({"tiny"} if saved else set())
    row = table.iloc[1]
    lines = commands[row["cell"]].splitlines()
    assert ("recipe.toml" if saved else "microscope.current_nA=0.2") in lines[0]
    for line in lines:
        ended = cli(*shlex.split(line)[1:], *(["--json"] if " score " in line else []))
        assert ended.code == 0, ended.err
    scores = json.loads(ended.out)
    scores = scores.get("scores", scores)
    for name in ("f_score", "precision", "depth_rmse_nm", "chamfer_nm", "length_ratio"):
        expected = row[name] if row[name] == row[name] else None
        assert scores[name] == pytest.approx(expected, rel=1e-5) if expected is not None else scores[name] is None


def test_a_run_that_only_a_study_can_make_has_no_command():
    """With a stage of the truth's, or a 4D scan."""
    recipe = load_recipe("cantor-small")
    table = make_table(("stereo-classical", "stereo-classical contours=truth"), (8,), (10,), 1)
    commands = run_commands("cantor-small", recipe, table)
    assert list(commands) == list(table.loc[table["method"] == "stereo-classical", "cell"])
    scan = table.assign(conditions=json.dumps({}))
    assert run_commands("tial-4d", load_recipe("tial-4d"), scan) == {}


def test_commands_of_a_stranger_are_quoted():
    """A table may hold anything: a shell must not run it, nor the page."""
    table = make_table(("x; rm -rf ~ <script>",), (8,), (10,), 1)
    (command,) = run_commands("cantor-small", load_recipe("cantor-small"), table).values()
    assert shlex.split(command.splitlines()[1])[4] == "x; rm -rf ~ <script>"


@pytest.mark.parametrize(
    "text", ["", "{", '{"study": 3, "recipe": {}}', '{"study": {"recipe": 5}, "recipe": {"a": 1}}']
)
def test_no_commands_without_a_study_file(tmp_path, text):
    if text:
        (tmp_path / "study.json").write_text(text)
    assert study_commands(tmp_path, make_table()) == ({}, set())


def test_many_runs_are_told_by_their_ends():
    """The best and the worst, and how many there are."""
    (result,) = split(make_table(("good",), range(2, 27), (10, 20), 5))
    table = runs_table(result, {}, {})
    shown = [float(row["f"]) for row in table["rows"]]
    assert len(shown) == MOST_RUNS < len(result.rows) == 250
    assert shown == sorted(shown, reverse=True)
    assert "of 250" in table["which"]
    few = runs_table(split(make_table(("good",), (2,), (10,)))[0], {"good-2-10-15-0": "veristem x"}, {})
    assert [row["command"] for row in few["rows"]] == ["veristem x", "", ""]
    assert few["which"] == ""


def test_the_page_lists_runs_with_their_errors(tmp_path):
    table = make_table(("good",), (2,), (10,)).assign(error="ValueError: <b>no</b>", failure="method", f_score=None)
    own = written(tmp_path, table)
    assert "Single runs, 3<" in own
    assert "failed: ValueError: &lt;b&gt;no&lt;/b&gt;" in own
    assert (
        own.count("<td>stereo angle 2°, dwell time 10 µs, detector radius 15 mrad</td>") == 6
    )  # among the failures too
