"""The commands that README files of reports of record begin with, which `make reports` runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from veristem.datasets.recipe import load_study

ROOT = Path(__file__).parents[1]
READMES = [
    path for path in sorted((ROOT / "reports/published").glob("*/README.md")) if "\n```\n" in path.read_text("utf-8")
]


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_commands_are_of_the_report(readme):
    """Scripts are there, studies are those of the results that lie there, and new ones get beside the page."""
    lines = readme.read_text(encoding="utf-8").split("\n```\n")[1].splitlines()
    commands = [shlex.split(line) for line in lines]
    studies = [words[2] for words in commands if words[:2] == ["veristem", "study"]]
    scripts = [words[1] for words in commands if words[0] == "python"]
    record = readme.parent / "study.json"
    own = [json.loads(record.read_text("utf-8"))["study"]["name"]] if record.exists() else []
    assert studies == [load_study(name).name for name in own]
    assert scripts
    assert all((ROOT / script).exists() for script in scripts)
    assert all("results" in words for words in commands if studies)
