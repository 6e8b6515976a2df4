"""What a results table says: its conditions as columns, means over seeds with their intervals, the best condition."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

F_ENOUGH = 0.8
SCORES = {"f_score": "F", "recall": "recall", "depth_rmse_nm": "depth RMSE (nm)"}
_UNITS = {
    "deg": "deg", "us": "µs", "nm": "nm", "mrad": "mrad", "nA": "nA", "keV": "keV", "per_m2": "m⁻²"
}  # fmt: skip
_NAMES = {
    "pair_angle": "stereo angle", "radius": "detector radius", "dwell": "dwell time", "pixel": "pixel size",
    "thickness": "foil thickness", "density": "line density", "current": "beam current", "energy": "beam energy",
    "convergence": "convergence semi-angle", "inner": "inner detector radius", "outer": "outer detector radius",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The rows of one study.

    Parameters
    ----------
    name : str
        Name of the study.
    rows : DataFrame
        One row a run: ``method``, ``seed``, ``error``, one column a varied axis and one a score of ``SCORES``. A failed
        run has found nothing: F and recall 0, no depth.
    axes : tuple of str
        Dotted recipe paths that take more than one value.
    suffix : str
        "_visible" when the scores are over the visible truth, else "".
    """

    name: str
    rows: pd.DataFrame
    axes: tuple[str, ...]
    suffix: str


def split(table: pd.DataFrame | None) -> list[StudyResult]:
    """The studies of a results table (datasets/results.py), each with its conditions spread into columns."""
    import pandas as pd

    if table is None or not len(table):
        return []
    results = []
    for name, part in table.groupby("study", sort=False, dropna=False):
        conditions = pd.DataFrame([_hashable(json.loads(c or "{}")) for c in part["conditions"]], index=part.index)
        suffix = "_visible" if _has(part, "f_score_visible") or _has(part, "depth_rmse_nm_visible") else ""
        scores = pd.DataFrame({s: pd.to_numeric(part.get(s + suffix), errors="coerce") for s in SCORES}, part.index)
        scores.loc[part["error"].notna(), ["f_score", "recall"]] = 0.0
        axes = tuple(str(c) for c in conditions if len(set(conditions[c].dropna())) > 1)
        rows = pd.concat([part[["method", "seed", "error"]], conditions[list(axes)], scores], axis=1)
        results.append(StudyResult(str(name), rows, axes, suffix))
    return results


def label(path: str) -> str:
    """Words and unit of a dotted recipe path: ``scan.dwell_us`` is "dwell time (µs)"."""
    words, unit = _parts(path)
    return f"{words} ({unit})" if unit else words


def conditions_text(conditions: dict[str, Any]) -> str:
    """Conditions in words: "stereo angle 8°, dwell time 10 µs"."""
    texts = []
    for path, value in conditions.items():
        words, unit = _parts(path)
        number = f"{value:g}" if isinstance(value, (int, float)) else str(value)
        texts.append(f"{words} {number}°" if unit == "deg" else f"{words} {number} {unit}".rstrip())
    return ", ".join(texts)


def is_geometric(values) -> bool:
    """Whether sorted values are spaced by factors rather than by steps, over at least a factor of 8."""
    v = np.asarray(values, float)
    if len(v) < 3 or v.min() <= 0 or v.max() < 8 * v.min():
        return False
    steps, factors = np.diff(v), np.diff(np.log(v))
    return bool(factors.std() / factors.mean() < steps.std() / steps.mean())


def mean_interval(by_seed: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """Mean over seeds with its 95 % bootstrap interval; NaN seeds are left out, and one seed has no interval."""
    values = np.asarray(by_seed, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (float(values[0]) if len(values) else np.nan), np.nan, np.nan
    picks = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def best_sentence(study: StudyResult) -> str:
    """Which condition gives the smallest mean depth error among those that find enough, and what that is worth."""
    keys = [*(["method"] if len(set(study.rows["method"])) > 1 else []), *study.axes]
    groups: list[tuple[Any, Any]] = list(study.rows.groupby(keys, sort=False)) if keys else []
    if len(groups) < 2:
        return ""
    f_mean = np.array([rows["f_score"].mean() for _, rows in groups])
    depth = np.array([mean_interval(rows["depth_rmse_nm"].to_numpy()) for _, rows in groups])

    def words(i: int) -> str:
        return conditions_text(dict(zip(keys, groups[i][0])))

    over = "the visible lines" if study.suffix else "all lines"
    enough = (f_mean >= F_ENOUGH) & np.isfinite(depth[:, 0])
    if not enough.any():
        if not np.isfinite(f_mean).any():
            return ""
        top = int(np.nanargmax(f_mean))
        return (
            f"None of {len(groups)} conditions reaches F = {F_ENOUGH:g} over {over}; "
            f"the highest, F = {f_mean[top]:.2f}, is at {words(top)}."
        )
    best = int(np.flatnonzero(enough)[np.argmin(depth[enough, 0])])
    mean, low, high = depth[best]
    seeds = groups[best][1]["seed"].nunique()
    interval = f" (95 % interval {low:.1f} to {high:.1f} nm over {seeds} seeds)" if np.isfinite(low) else ""
    median = float(np.nanmedian(depth[:, 0]))
    found = f"F of at least {F_ENOUGH:g} over {over}"
    if enough.sum() == 1:
        why = f"alone of {len(groups)} conditions it reaches {found}; its mean depth RMSE is {mean:.1f} nm{interval}"
    else:
        why = (
            f"of the {int(enough.sum())} of {len(groups)} conditions with {found}, it has the smallest mean depth "
            f"RMSE, {mean:.1f} nm{interval}"
        )
    gain = f"{100 * (1 - mean / median):.0f} % below the median condition ({median:.1f} nm)"
    text = f"Choose {words(best)}: {why}, {gain}."
    alike = int((enough & (depth[:, 0] <= high)).sum()) - 1 if np.isfinite(high) else 0
    if alike > 0:
        text += f" {alike} other condition{'s lie' if alike > 1 else ' lies'} within that interval."
    return text


def _parts(path: str) -> tuple[str, str]:
    key = path.rsplit(".", 1)[-1]
    for suffix, unit in _UNITS.items():
        if key.endswith("_" + suffix):
            name = key.removesuffix("_" + suffix)
            return _NAMES.get(name, name.replace("_", " ")), unit
    return _NAMES.get(key, key.replace("_", " ")), ""


def _hashable(conditions: dict) -> dict:
    return {k: json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in conditions.items()}


def _has(part: pd.DataFrame, column: str) -> bool:
    return column in part and bool(part[column].notna().any())
