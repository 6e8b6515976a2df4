"""The page of how long things take: python reports/published/benchmarks/make.py TIMES.json [-o DIR].

TIMES.json is what `pytest tests/benchmarks --benchmark-json` writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from veristem.bench.study.facts import machine, versions
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path

_KEPT = ("subject", "what", "size", "reference", "reference_s", "ratio", "floor", "floor_s")
_HEAD = """# How long things take

Each benchmark runs beside obvious code for the same result, in the same run and on one thread; that both give the same
is asserted, time never is. **Ratio: how many times as long the reference takes.** Seconds are processor time, which
stands while others have the core, of one machine; ratios can be compared.

| subject | what | size | median | reference | takes | ratio | floor |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
_ALONE = """
Without a reference:

| what | size | median |
| --- | --- | --- |
"""


def compact(raw: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run: no paths, no name of the machine, no single rounds.

    Parameters
    ----------
    raw : dict
        As pytest-benchmark writes it.

    Returns
    -------
    dict
        ``date``, ``commit`` and ``rows``: subject, what, size, median_s, min_s and rounds of each benchmark; reference,
        reference_s and ratio where it has a reference; floor and floor_s where a floor is known.

    Raises
    ------
    InputError
        When there is nothing in it that can be shown.
    """
    rows = []
    for entry in raw.get("benchmarks", []):
        told, stats = entry.get("extra_info", {}), entry["stats"]
        if "what" not in told:
            continue
        times = {"median_s": stats["median"], "min_s": stats["min"], "rounds": stats["rounds"]}
        row = {name: told[name] for name in _KEPT if name in told} | times
        rows.append({k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()})
    if not rows:
        raise InputError("no benchmark found that says what it times; `make bench` makes a file that holds some")
    commit = raw.get("commit_info") or {}
    state = str(commit.get("id", "unknown"))[:12] + (" and changes" if commit.get("dirty") else "")
    return {"date": str(raw.get("datetime", ""))[:10], "commit": state, "rows": rows}


def page(facts: dict[str, Any]) -> str:
    """README.md of what `compact` keeps, with ``machine`` and ``versions``."""
    compared = [row for row in facts["rows"] if "ratio" in row]
    lines = []
    for _, rows in groupby(sorted(compared, key=lambda row: row["subject"]), key=lambda row: row["subject"]):
        lines += [_row(row, first=n == 0) for n, row in enumerate(rows)]
    text = _HEAD + "\n".join(lines) + "\n"
    floors = list(dict.fromkeys(f"{row['what']}: {row['floor']}" for row in compared if "floor" in row))
    if floors:
        text += "\nFloor: the time below which the work cannot be done, as a share of the median.\n\n"
        text += "".join(f"- {floor}.\n" for floor in floors)
    alone = [row for row in facts["rows"] if "ratio" not in row]
    if alone:
        cells = (f"| {row['what']} | {row['size']} | {_duration(row['median_s'])} |" for row in alone)
        text += _ALONE + "\n".join(cells) + "\n"
    told = facts["machine"]
    text += f"\nMade by `make bench` on {facts['date']} at commit {facts['commit']}; numbers in benchmarks.json. "
    text += f"{told['processor']}, {told['cores']} cores of which one is used, {told['memory']}, {told['system']}; "
    return text + ", ".join(f"{name} {number}" for name, number in facts["versions"].items()) + ".\n"


def write_page(raw: dict[str, Any], folder: Path) -> Path:
    """Write README.md and benchmarks.json into a folder and return the page's path."""
    facts = compact(raw) | {"machine": machine(), "versions": versions()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "benchmarks.json") as partial:
        partial.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with atomic_path(folder / "README.md") as partial:
        partial.write_text(page(facts), encoding="utf-8")
    return folder / "README.md"


def _row(row: dict[str, Any], first: bool) -> str:
    floor = f"{100 * row['floor_s'] / row['median_s']:.0f} %" if "floor_s" in row else ""
    cells = (
        row["subject"] if first else "",
        row["what"],
        row["size"],
        _duration(row["median_s"]),
        row["reference"],
        _duration(row["reference_s"]),
        f"**{_two_digits(row['ratio'])}**",
        floor,
    )
    return f"| {' | '.join(cells)} |"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{_two_digits(1e3 * seconds)} ms"
    return f"{_two_digits(seconds)} s" if seconds < 600 else f"{_two_digits(seconds / 60)} min"


def _two_digits(value: float) -> str:
    """Never as a power of ten, and more digits only before the point."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"


def main() -> int:
    """Write the page; 2 when the file will not do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("times", type=Path, help="what pytest --benchmark-json wrote")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, help="folder of README.md")
    options = parser.parse_args()
    try:
        print(write_page(json.loads(options.times.read_text(encoding="utf-8")), options.out))
    except (OSError, ValueError, InputError) as error:
        print(f"{options.times}: {error}", file=sys.stderr)
        return 2
    except (AttributeError, KeyError, TypeError):
        print(f"{options.times}: not what pytest-benchmark writes", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
