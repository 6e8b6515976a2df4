"""Tables of a report: means a condition, failures, the meaning of scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from veristem.datasets.results import SUFFIXES, Metric, metrics_of
from veristem.reports.comparison import mean_interval
from veristem.reports.rows import StudyResult, count_failed, has, possible, score_values
from veristem.reports.studies import CHIEF, seed_mean
from veristem.reports.words import conditions_text, fixed, label, number, value_text

if TYPE_CHECKING:
    import pandas as pd

MOST_CONDITIONS = 60
MOST_FAILURES = 50


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row a study, condition and method: of every score the mean over seeds, its 95 % interval, and of how many."""
    import pandas as pd

    metrics = metrics_of(table)
    scores = score_values(table, [c for c in metrics if has(table, c)])
    lines = []
    groups: list[Any] = list(table.groupby(["study", "conditions", "method"], sort=False, dropna=False))
    for (study, condition, method), rows in groups:
        line = {"study": study, "method": method, **json.loads(condition or "{}"), "runs": len(rows)}
        line["failed"] = count_failed(rows)
        for column in scores:
            values = scores.loc[rows.index, column]
            mean, low, high = mean_interval(values.to_numpy(), *possible(metrics[column]))
            line |= {f"{column}_mean": mean, f"{column}_low": low, f"{column}_high": high}
            line[f"{column}_seeds"] = int(values.notna().sum())
        lines.append(line)
    return pd.DataFrame(lines)


def numbers_table(result: StudyResult) -> dict | None:
    """Head and rows of the chief scores of every condition and method, as text; None for more than 60 conditions."""
    groups: list[Any] = list(result.rows.groupby(["condition", "method"], sort=False))
    if len({condition for (condition, _), _ in groups}) > MOST_CONDITIONS:
        return None
    lines = [
        _numbers(result, rows, [method, *(value_text(rows[axis].iloc[0]) for axis in result.axes)])
        for (_, method), rows in groups
    ]
    return {"head": ["method", *map(label, result.axes), *_head(result)], "rows": lines}


def methods_table(result: StudyResult) -> dict:
    """Head and rows of the chief scores of every method, means over all conditions, as text."""
    groups: list[Any] = list(result.rows.groupby("method", sort=False))
    return {"head": ["method", *_head(result)], "rows": [_numbers(result, rows, [method]) for method, rows in groups]}


def _head(result: StudyResult) -> list[str]:
    return ["runs", "failed", *(label(score) for score in CHIEF if result.knows(score))]


def _numbers(result: StudyResult, rows: pd.DataFrame, first: list[str]) -> list[tuple[str, str]]:
    """Cells of a line, each a text and, for a mean, its interval."""
    cells = [(text, "") for text in (*first, f"{len(rows):,}", f"{count_failed(rows):,}")]
    for score in CHIEF:
        if result.knows(score):
            mean, low, high = (fixed(value, score) for value in seed_mean(rows, score, result.metrics.get(score)))
            cells.append((mean, f"{low} to {high}" if low != "–" else ""))
    return cells


def failures(table: pd.DataFrame | None) -> dict:
    """Failed runs: how many, groups of the same message by number, and the first 50 one by one."""
    if table is None:
        return {"count": 0}
    failed = table.loc[[isinstance(error, str) for error in table["error"]]]
    said = [(error.strip().splitlines() or [""])[-1] for error in failed["error"]]
    whose = failed["failure"].fillna("") if "failure" in failed else [""] * len(failed)
    groups = Counter(zip(failed["method"], whose, said))
    runs = zip(failed["study"], failed["method"], failed["conditions"], failed["seed"], said)
    first = [
        {
            "study": study,
            "method": method,
            "conditions": conditions_text(json.loads(c or "{}")),
            "seed": seed,
            "error": e,
        }
        for (study, method, c, seed, e), _ in zip(runs, range(MOST_FAILURES))
    ]
    return {
        "count": len(failed),
        "groups": [(*group, n) for group, n in groups.most_common(MOST_FAILURES)],
        "first": first,
    }


def score_rows(scores: dict[str, float | None], metrics: Mapping[str, Metric], suffixes=SUFFIXES) -> list[dict]:
    """One row a score: name, what it means, its values over all, visible, steep and other lines, or of ``suffixes``."""
    known = [name for name in metrics if any(name + suffix in scores for suffix in suffixes)]
    rows = [
        {"name": name, "meaning": metrics[name].meaning, "values": [number(scores.get(name + s)) for s in suffixes]}
        for name in known
    ]
    used = {name + suffix for name in known for suffix in suffixes} | {"tolerance_nm"}
    none = ["–"] * (len(suffixes) - 1)
    others = [name for name in scores if name not in used]
    return rows + [{"name": name, "meaning": "", "values": [number(scores[name]), *none]} for name in others]
