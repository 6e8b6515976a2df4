"""Where a method makes its error: what is left of it when a stage is taken from the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from veristem.datasets.intermediate import ALIGNMENT, STAGES
from veristem.reports.charts import Chart, file_name, score_curves
from veristem.reports.comparison import mean_interval
from veristem.reports.rows import StudyResult
from veristem.reports.words import label, parts, value_text

if TYPE_CHECKING:
    import pandas as pd

_DEPTH = "depth_rmse_nm_psi_above_25"


def budget_charts(result: StudyResult) -> Iterator[Chart]:
    """F and depth error of each method as it is and with true stages, against the axes."""
    for method, rows in _by_method(result):
        depth = _depth_score(result)
        axes = result.free_axes[:3]
        if axes:
            yield Chart(
                file_name(f"{result.name}-budget-{method}"),
                score_curves(replace(result, rows=rows), ("f_score", depth), axes),
                f"{result.name}: F and depth error of {method} with true stages against {', '.join(map(label, axes))}",
                f"{method} as it is, and with a stage taken from the truth: what a curve gains over the one before it "
                "is the error that the stage makes. Means over seeds and the other axes, bars: 95 % intervals. "
                f"Limits as with the other curves hold for {method} as it is: who is given the truth may lie below.",
            )


def budget_tables(result: StudyResult) -> list[dict]:
    """Head and rows of two tables: what is missing from F = 1, the squared error in depth, and each stage's part of it.

    A row for all conditions and one for every value of the first axis; nothing where no stage was taken from the truth.
    """
    depth = _depth_score(result)
    stages = [s for s in STAGES if s != ALIGNMENT and any(_has(result.staged, s))]
    aside = [ALIGNMENT] if any(_has(result.staged, ALIGNMENT)) else []
    axis = next(iter(result.free_axes), None)
    head = [*(STAGES[stage] for stage in stages), "the rest", *([f"({STAGES[ALIGNMENT]})"] if aside else [])]
    tables = []
    for score, words, error in (
        ("f_score", "1 − F", lambda f: 1 - f),
        (depth, f"{parts(depth)[0]}, squared (nm²)", np.square),
    ):
        lines = []
        for method, rows in _by_method(result):
            groups = [("all", rows)] + ([] if axis is None else [(value_text(v), g) for v, g in rows.groupby(axis)])
            for name, part in groups:
                cells = [_cell(*found) for found in _shares(part, method, stages, aside, score, error)]
                lines.append([(method, ""), (name, ""), *cells])
        if lines:
            tables.append({"head": ["method", label(axis) if axis else "", words, *head], "rows": lines})
    return tables


def _depth_score(result: StudyResult) -> str:
    return _DEPTH if result.knows(_DEPTH) else "depth_rmse_nm"


def _by_method(result: StudyResult) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each method that ran with stages of the truth too, and all its rows."""
    import pandas as pd

    base = np.array([_without(method) for method in result.staged["method"]], object)
    for method, rows in result.rows.groupby("method", sort=False):
        own = np.asarray(base == method, bool)
        if own.any():
            yield str(method), pd.concat([rows, result.staged.loc[own]])


def _shares(rows: pd.DataFrame, method: str, stages, aside, score: str, error) -> Iterator[tuple]:
    """By seed (S,): the whole error, the part of each stage, what is left, and what the true geometry would mend.

    Each with what it can be: a part may be below 0.

    Only conditions and seeds count in which every way it was run has the score, so that the parts add up.
    """
    names = {stage: f"{method} {stage}=truth" if stage else method for stage in ("", *stages, *aside)}
    index = ["condition", "seed"]
    table = rows.assign(error=error(rows[score])).pivot_table("error", index=index, columns="method", aggfunc="mean")
    whole = table[[name for name in names.values() if name in table]].dropna()
    means = whole.reset_index().pivot_table(list(whole.columns), index="seed", aggfunc="mean")

    def of(stage: str) -> np.ndarray:
        return np.asarray(means.get(names[stage], np.full(len(means), np.nan)), float)

    most = 1.0 if score == "f_score" else np.inf
    whole = left = of("")
    yield whole, 0.0, most
    for stage in stages:
        after = of(stage)
        yield left - after, -most, most
        left = after
    yield left, 0.0, most
    for stage in aside:
        yield whole - of(stage), -most, most


def _cell(by_seed: np.ndarray, least: float, most: float) -> tuple[str, str]:
    """A mean and its interval, to two digits of half the interval, or of the mean without one."""
    mean, low, high = mean_interval(by_seed, least, most)
    half = (high - low) / 2 if high - low > 0.01 * abs(mean) else abs(mean)
    digits = min(max(1 - int(np.floor(np.log10(half))), 0), 5) if half > 0 else 0
    texts = [f"{v:.{digits}f}".replace("-", "−") if np.isfinite(v) else "–" for v in np.round((mean, low, high), 5) + 0]
    return texts[0], f"{texts[1]} to {texts[2]}" if np.isfinite(low) else ""


def _has(staged: pd.DataFrame, stage: str) -> Iterator[bool]:
    return (f"{stage}=truth" in str(method).split() for method in staged["method"])


def _without(method) -> str:
    return " ".join(word for word in str(method).split() if not word.endswith("=truth"))
