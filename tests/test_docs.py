"""The reference of the site follows from the sources: nothing is missing, nothing stands there without a word."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from veristem.bench.metrics import metrics
from veristem.datasets.recipe import Recipe, Study, recipe_paths

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from site_pages import notebooks, pages, recipe_keys, reference  # noqa: E402


def test_every_key_stands_there_with_its_unit_and_meaning():
    """A key that nobody explains is one that nobody sets right."""
    keys = [key for section in recipe_keys.sections(Recipe, "") for key in section.keys]
    assert {key.path for key in keys} == set(recipe_paths())
    keys += [key for section in recipe_keys.sections(Study, "study") for key in section.keys]
    assert [key.path for key in keys if not key.meaning or not key.allowed] == []
    units = {key.path.rpartition("_")[2]: key.unit for key in keys if key.unit}
    assert {"nm", "mrad", "keV", "nA", "us", "deg", "m2", "ml", "kT"} <= set(units)
    table = reference.TABLES["recipe"]()
    assert all(f"| `{path}` |" in table for path in recipe_paths())


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("scan.dwell_us", "| `scan.dwell_us` | µs | number > 0, ≤ 1000000000 | `590` | time on a pixel |"),
        ("scan.shape", "| `scan.shape` |  | list of 2: whole number ≥ 16 | `[256, 256]` | rows, columns |"),
        ("specimen.diffuse", "| `specimen.diffuse` |  | true or false | `true` |"),
    ],
)
def test_a_row_says_what_the_model_checks(path, row):
    assert row in reference.TABLES["recipe"]()


def test_every_metric_stands_there_with_its_ends():
    table = reference.TABLES["metrics"]()
    for metric in metrics():
        assert re.search(rf"\| `{metric.name}` \| .* \| {metric.better} \| {metric.good:g} \| {metric.bad:g} \|", table)


def test_every_command_stands_there_with_its_options():
    from veristem.bench.cli import app

    table = reference.TABLES["commands"]()
    for command in app.registered_commands:
        assert f"## veristem {command.name or command.callback.__name__}\n" in table  # type: ignore[union-attr]
    for words in ("## veristem train bands", "| `--width-px` | whole number |", "| `--set` | text, repeatable |"):
        assert words in table


def test_links_of_pages_that_moved():
    """To a page of the site, to a file to download, to nothing that is not there; code is left alone."""
    made = ROOT / "docs/generated"
    known = {"docs/files.md": ROOT / "docs/files.md", "reports/published/gate/README.md": made / "reports/gate.md"}
    text = "# A\n[f](docs/files.md#x) [g](reports/published/gate) [h](https://a.b) [n](none.txt)\n"
    text += "```\n[f](docs/files.md)\n```\n"
    moved = pages.moved(text, ROOT, ROOT / "CHANGELOG.md", made / "changelog.md", known)
    assert moved == text.replace("[f](docs/files.md#x)", "[f](../files.md#x)").replace(
        "[g](reports/published/gate)", "[g](reports/gate.md)"
    ).replace("[n](none.txt)", "n")


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["%matplotlib inline", "a = 1\nfigure = draw(a)\nfigure", "print(a)"], None),
        (["a = 1\nfigure = draw(a)\nfigure", "print(2)"], "the notebook holds other code"),
        (["a = 1\nfigure = draw(a)", "figure", "print(a)"], "a notebook does not show `figure`; end its cell with it"),
    ],
)
def test_a_notebook_is_what_was_run(tmp_path, cells, fault):
    """The site runs scripts; what a reader downloads is a notebook, and shows no figure but one that ends a cell."""
    (tmp_path / "1.py").write_text(
        '"""Title."""\n\na = 1\n# %%\nfigure = draw(a)\nfigure\nprint(a)\n', encoding="utf-8"
    )
    kinds = [{"cell_type": "markdown", "source": ["text"]}]
    kinds += [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    (tmp_path / "1.ipynb").write_text(json.dumps({"cells": kinds}), encoding="utf-8")
    assert list(notebooks.faults(tmp_path / "1.py", tmp_path / "1.ipynb")) == ([fault] if fault else [])
    assert list(notebooks.faults(tmp_path / "1.py", tmp_path / "2.ipynb")) == ["no notebook found"]


def test_extras_are_pinned():
    """`make` installs what was tried; a pin that is missing would be whatever came out last night."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [name for extra in known["optional-dependencies"].values() for name in extra] + known["dependencies"]
    names = {re.split(r"[\[<>=]", name)[0] for name in asked} - {"veristem"}
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert {plain(name) for name in names} - {plain(name) for name in pinned} == set()


def plain(name: str) -> str:
    """A name as package indexes compare it."""
    return re.sub("[-_.]+", "-", name).lower()
