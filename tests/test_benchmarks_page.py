"""The page of times: what is kept of a run, and what a reader sees."""

from __future__ import annotations

import json
import sys

import pytest

from scripts import script
from veristem.datasets import InputError

benchmarks = script("reports/published/benchmarks/make.py")


@pytest.fixture
def raw() -> dict:
    """Three benchmarks as pytest-benchmark stores them, one of which says nothing of itself."""
    stats = {"median": 0.0123456, "min": 0.012, "rounds": 5, "data": [0.1] * 5}
    told = {"subject": "field", "what": "strain", "size": "8 voxels", "reference": "a sum", "reference_s": 2.0}
    told |= {"ratio": 162.0, "floor": "transforms alone", "floor_s": 0.00617}
    alone = {"subject": "images", "what": "image", "size": "4 pixels"}
    return {
        "machine_info": {"node": "secret-name"},
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [
            {"fullname": "/secret/path", "stats": stats, "extra_info": told},
            {"fullname": "other", "stats": stats | {"median": 12.34}, "extra_info": alone},
            {"fullname": "third", "stats": stats, "extra_info": {}},
        ],
    }


def test_page_and_numbers(raw, tmp_path, monkeypatch, capsys):
    """One row with its ratio, one without; nothing of this machine but its kind."""
    times = tmp_path / "times.json"
    times.write_text(json.dumps(raw), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["benchmarks", str(times), "-o", str(tmp_path / "out")])
    assert benchmarks.main() == 0
    page = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "| field | strain | 8 voxels | 12 ms | a sum | 2 s | **162** | 50 % |" in page
    assert "- strain: transforms alone." in page
    assert "| image | 4 pixels | 12 s |" in page
    assert "2026-01-02" in page
    assert "0123456789ab;" in page
    stored = (tmp_path / "out" / "benchmarks.json").read_text("utf-8")
    assert json.loads(stored)["rows"][0]["median_s"] == 0.01235
    assert "secret" not in page + stored
    assert str(tmp_path) not in page + stored
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "README.md")


def test_nothing_to_show(tmp_path, monkeypatch, capsys):
    """One line and 2; what stands in the folder stays."""
    with pytest.raises(InputError, match="no benchmark found"):
        benchmarks.compact({"benchmarks": []})
    times = tmp_path / "times.json"
    for text in ("{}", "no json"):
        times.write_text(text, encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["benchmarks", str(times), "-o", str(tmp_path / "out")])
        assert benchmarks.main() == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
