"""The frozen foils are those that reports of record stand on."""

from __future__ import annotations

import json

import pytest

from scripts import ROOT, script

FOLDER = "reports/published/test-foils"
FROZEN = json.loads((ROOT / FOLDER / "foils.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["glide 9000", "aluminium 9001", "junctions 9001", "tangles 9002", "cell-walls 9003"])
def test_foils_are_those_of_record(name):
    """A generator that changes gives other foils under the same names: scores before and after would not compare."""
    make = script(f"{FOLDER}/make.py")
    assert len(FROZEN) == 24
    assert make.fingerprint(make.foils()[name]) == FROZEN[name]
