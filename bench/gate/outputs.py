"""The verdict for a terminal, a pull request, a CI server and a script."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from veristem.bench.gate.costs import Cost
from veristem.bench.gate.verdict import Finding, Verdict
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.text import printable

_HEAD: tuple[str, ...] = (
    "method",
    "metric",
    "baseline",
    "now",
    "change",
    "allowed",
    "chance",
    "worse / better",
    "verdict",
)
_STYLE = {"worse": "bold red", "better": "green", "same": ""}
_CHIEF = ("f_score", "recall", "precision", "depth_rmse_nm", "depth_bias_nm", "lateral_rmse_nm", "apls")
_WIDTH = 150  # of a log, which has no width of its own
_SPARED: tuple[set[str], ...] = (  # columns left out, one set after the other, until a table fits
    {"chance", "worse / better"},
    {"chance", "worse / better", "change"},
    {"chance", "worse / better", "change", "method"},  # a table a method
)


def conclusion(verdict: Verdict, over: Sequence[str] = ()) -> str:
    """One line: passed or not, and what to do."""
    worse = len(verdict.of("worse"))
    bad = [f"{worse} metric{'s' * (worse != 1)} worse", f"{len(verdict.problems)} missing or failed", *over]
    if not verdict.passed or over:
        told = [text for text in bad if not text.startswith("0 ")]
        return f"{verdict.study} fell short: {', '.join(told)}"
    better = verdict.of("better")
    hint = f"; {len(better)} better: write them into the baseline with --update" if better else ""
    return f"{verdict.study} passed: no loss proven{hint}"


def caption(verdict: Verdict) -> str:
    """What the table compares, and how sure it is."""
    return f"{verdict.how}; chance that any metric is called worse by chance at most {100 * verdict.false_alarm:g} %"


def visible(verdict: Verdict) -> list[str]:
    """A line a method: how small a loss of its chief metrics so many specimens can show."""
    lines = []
    for method in dict.fromkeys(finding.method for finding in verdict.findings):
        found = {f.metric: f for f in verdict.findings if f.method == method and f.visible is not None}
        told = [f"{name} {_number(f.visible)} {f.unit}".rstrip() for name in _CHIEF if (f := found.get(name))]
        if told:
            lines.append(
                f"{method}: losses that {verdict.seeds_compared} specimens show in nine runs of ten, if they differ as "
                f"the scores do: from {', '.join(told)}; smaller ones may pass"
            )
    return lines


def print_table(verdict: Verdict, costs: Sequence[Cost], over: Sequence[str]) -> None:
    """Table, costs, problems and conclusion on stdout; columns that do not fit stand in the other outputs."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=_WIDTH)
    findings = _worst_first(verdict)
    rows = [dict(zip(_HEAD, map(printable, _row(finding)))) for finding in findings]
    spared = next((names for names in (set[str](), *_SPARED) if _width(rows, names) <= console.width), _SPARED[-1])
    shown = [name for name in _HEAD if name not in spared]
    console.print(printable(f"{verdict.study}: {caption(verdict)}"), markup=False)
    for method in dict.fromkeys(row["method"] for row in rows) if "method" in spared else ("",):
        table = Table(title=escape(method), title_justify="left", title_style="bold")
        for name in shown:  # a name too long for the width is broken, a number never
            table.add_column(name, no_wrap=name != "metric", overflow="fold")
        for row, finding in zip(rows, findings):
            if method in ("", row["method"]):
                table.add_row(*(escape(row[name]) for name in shown), style=_STYLE[finding.verdict])
        console.print(table)
    for line in [*map(str, costs), *visible(verdict), *verdict.problems, conclusion(verdict, over)]:
        console.print(printable(line), markup=False, soft_wrap=True)


def write_markdown(path: Path, verdict: Verdict, costs: Sequence[Cost], over: Sequence[str]) -> None:
    """For a pull request: conclusion, problems, what has changed, and all else folded away."""
    changed = [f for f in _worst_first(verdict) if f.verdict != "same"]
    same = [f for f in verdict.findings if f.verdict == "same"]
    mark = "✅" if verdict.passed and not over else "❌"
    parts = [f"### {mark} {_plain(conclusion(verdict, over))}", _plain(caption(verdict))]
    if verdict.problems:
        parts.append("\n".join(f"- {_plain(line)}" for line in verdict.problems))
    if changed:
        parts.append(_markdown_table(changed))
    if same:
        head = f"<summary>no loss proven in {len(same)} metrics</summary>"
        parts.append(f"<details>{head}\n\n{_markdown_table(same)}\n\n</details>")
    parts.append("\n".join(f"- {_plain(str(line))}" for line in [*costs, *visible(verdict)]))
    with atomic_path(path) as partial:
        partial.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def write_junit(path: Path, verdict: Verdict, costs: Sequence[Cost], over: Sequence[str]) -> None:
    """JUnit XML: a test case a metric and method, one for the runs, and one for costs beside a reference."""
    from junitparser import Failure, JUnitXml, TestCase, TestSuite

    suite = TestSuite(printable(f"veristem gate {verdict.study}"))
    suite.add_property("comparison", verdict.how)
    suite.add_property("false_alarm", str(verdict.false_alarm))
    for cost in costs:
        suite.add_property(printable(cost.what), printable(str(cost)).removeprefix(printable(f"{cost.what}: ")))
    for finding in verdict.findings:
        case = TestCase(finding.metric, classname=printable(f"{verdict.study}.{finding.method}"), time=0)
        if finding.verdict == "worse":
            case.result = [Failure(_sentence(finding), "worse")]
        case.system_out = _sentence(finding)
        suite.add_testcase(case)
    case = TestCase("runs", classname=printable(verdict.study), time=0)
    if verdict.problems:
        case.result = [Failure(f"{len(verdict.problems)} missing or failed", "missing or failed")]
        case.system_err = printable("\n".join(verdict.problems))
    suite.add_testcase(case)
    if any(cost.ratio is not None for cost in costs):
        case = TestCase("costs", classname=printable(verdict.study), time=0)
        if over:
            case.result = [Failure(printable(", ".join(over)), "costlier")]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    with atomic_path(path) as partial:
        xml.write(str(partial), pretty=True)


def as_object(verdict: Verdict, costs: Sequence[Cost], over: Sequence[str]) -> dict:
    """All of it, to be written as JSON."""
    return {
        "passed": verdict.passed and not over,
        **{key: value for key, value in asdict(verdict).items() if key != "problems"},
        "problems": [*verdict.problems, *over],
        "costs": [asdict(cost) for cost in costs],
    }


def _width(rows: Sequence[dict[str, str]], spared: Collection[str]) -> int:
    """Characters that a table of these rows takes without the columns to be spared."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, (name, *(row[name] for row in rows)))) for name in _HEAD if name not in spared]
    return sum(widths) + 3 * len(widths) + 1


def _worst_first(verdict: Verdict) -> list[Finding]:
    return [*verdict.of("worse"), *verdict.of("better"), *verdict.of("same")]


def _row(finding: Finding) -> tuple[str, ...]:
    unit = f" {finding.unit}" if finding.unit else ""
    arrow = {"higher": "↑", "lower": "↓", "closer": "→"}[finding.better]
    seeds = "–" if finding.seeds_worse is None else f"{finding.seeds_worse} / {finding.seeds_better}"
    return (
        finding.method, f"{finding.metric} {arrow}", _number(finding.before), _number(finding.now),
        f"{finding.change:+.3g}{unit}", _number(finding.allowed) + unit, f"{finding.p_value:.3f}", seeds,
        finding.verdict,
    )  # fmt: skip


def _sentence(finding: Finding) -> str:
    cells = dict(zip(_HEAD, _row(finding)))
    return (
        f"{finding.metric}: {cells['baseline']} in the baseline, {cells['now']} now, changed by {cells['change']}, "
        f"allowed {cells['allowed']}, visible from {_number(finding.visible)}, chance {cells['chance']}: "
        f"{finding.verdict}"
    )


def _markdown_table(findings: Sequence[Finding]) -> str:
    rows: list[Sequence[Any]] = [_HEAD, ["---"] * len(_HEAD), *map(_row, findings)]
    return "\n".join("| " + " | ".join(cell if row is rows[1] else _plain(cell) for cell in row) + " |" for row in rows)


def _plain(text: str) -> str:
    """Text that is no markup in Markdown or HTML: names come from outside, and stand in comments on pull requests."""
    text = " ".join(printable(text).split())
    return re.sub(r"[&<>@`*\[\]#|~$\\{}!]|(?<!\w)_|_(?!\w)", lambda found: f"&#{ord(found[0])};", text)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
