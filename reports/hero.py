"""What the page of a study opens with: one sentence, one number with its interval, one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from veristem.reports import charts
from veristem.reports.rows import StudyResult, has
from veristem.reports.studies import F_ENOUGH, contrast_sentence, findings, seed_mean
from veristem.reports.words import counted, fixed, label

_CHIEF = ("f_score", "depth_rmse_nm")
_METHODS = 6  # curves in one picture


def opening(results: Sequence[StudyResult]) -> list[str]:
    """The findings of studies, the first of which is the headline; there is always one."""
    many = len(results) > 1
    said = [(f"Study {result.name}: " if many else "") + text for result in results for text in _said(result)]
    return said or ["No run is in this table."]


def _said(result: StudyResult) -> list[str]:
    runs = len(result.rows)
    if not runs:
        return [f"All {counted(len(result.staged), 'run')} had a stage of the truth's handed in: no method to compare."]
    if result.failed == runs:
        which = "The only run failed" if runs == 1 else f"All {runs:,} runs failed"
        nothing = "nothing was found, which counts as F = 0" if result.knows("f_score") else "there is no score"
        text = f"{which}: {nothing}."
        return [sentence for sentence in (text, contrast_sentence(result)) if sentence]
    found = findings(result)
    if found:
        return found
    number = chief_number(result)
    if number is None:
        return [f"{_sentence_size(result)}; no F is known."]
    value, interval, name = number
    return [f"{_sentence_size(result)}: {name} is {value}{f' (95 % interval {interval})' if interval else ''}."]


def chief_number(result: StudyResult) -> tuple[str, str, str] | None:
    """F of the method with the highest mean: value, interval (empty for one seed), and what it is; None without F."""
    of = {str(method): rows for method, rows in result.rows.groupby("method", sort=False)}
    means = {
        method: seed_mean(rows, "f_score", result.metrics.get("f_score"))
        for method, rows in of.items()
        if has(rows, "f_score")
    }
    if not means or result.failed == len(result.rows):
        return None
    best = max(means, key=lambda method: means[method][0])
    mean, low, high = means[best]
    rows = of[best]
    known = rows[rows["f_score"].notna()]
    seeds, conditions = (len(set(known[key])) for key in ("seed", "condition"))
    over = f"{counted(conditions, 'condition')} and {counted(seeds, 'seed')}"
    what = "F" if seeds * conditions == 1 else "mean F"
    name = f"{what} of {best} over {result.things}" + (f" in {over}" if seeds * conditions > 1 else "")
    if len(means) > 1:
        name += f", the highest of {len(means)} methods,"
    interval = f"{fixed(low, 'f_score')} to {fixed(high, 'f_score')}" if np.isfinite(low) else ""
    return fixed(mean, "f_score"), interval, name


def chief_chart(result: StudyResult) -> charts.Chart | None:
    """F and depth error against up to three axes; None where nothing was varied or nothing is known."""
    known = [score for score in _CHIEF if result.knows(score)]
    axes = result.free_axes[:3]
    if result.failed == len(result.rows) or not axes or not known or len(set(result.rows["method"])) > _METHODS:
        return None
    seeds = len(set(result.rows["seed"]))
    names = " and ".join(map(label, known))
    against = ", ".join(map(label, axes))
    text = f"{names} over {result.things} against {against}: means over {counted(seeds, 'seed')}"
    text += " and the axes that are not shown" if len(result.free_axes) > 1 else ""
    text += ", with 95 % intervals over seeds." if seeds > 1 else "."
    text += f" Grey and dashed: F = {F_ENOUGH:g}." if "f_score" in known else ""
    if _CHIEF[1] in known and (result.knows("depth_limit_nm") or result.knows("depth_parallax_limit_nm")):
        text += " Dashed and dotted with the error: limits, which the caption of the curves below explains."
    alt = f"{result.name}: curves of {names} of {', '.join(map(str, result.rows['method'].unique()))} against {against}"
    return charts.Chart("chief", charts.score_curves(result, known, axes), alt, text)


def _sentence_size(result: StudyResult) -> str:
    text = result.size_text()
    return text[0].upper() + text[1:]
