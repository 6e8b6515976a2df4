"""What a results table says in sentences: the best condition, how methods compare, the runs worth looking at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.datasets.results import FAILURES, Metric
from veristem.reports.comparison import compare, mean_interval
from veristem.reports.rows import StudyResult, possible, split, with_truth
from veristem.reports.words import conditions_text, counted, fixed, with_interval

if TYPE_CHECKING:
    import pandas as pd

F_ENOUGH = 0.8
CHIEF = (
    "f_score", "precision", "recall", "depth_rmse_nm", "depth_rmse_nm_psi_above_25", "lateral_rmse_nm", "line_cnr",
)  # fmt: skip


def best_and_worst(table: pd.DataFrame) -> tuple[str | None, str | None]:
    """The best and the worst run without error of the method with the highest mean F, as cells.

    F is that of the visible lines where known; equal F is decided by depth RMSE, then by name of the cell. None where
    there is no such run; the only run is the best one.
    """
    import pandas as pd

    def known(score: str) -> np.ndarray:
        seen, plain = (np.asarray(table[score + suffix], float) for suffix in ("_visible", ""))
        return np.where(np.isnan(seen), plain, seen)

    table = table.loc[~with_truth(table)]
    runs = pd.DataFrame({key: table[key] for key in ("cell", "method")})
    runs = runs.assign(f=known("f_score"), depth=known("depth_rmse_nm"))
    runs = runs.fillna({"depth": np.inf}).loc[np.asarray(table["error"].isna()) & np.isfinite(known("f_score"))]
    if runs.empty:
        return None, None
    runs = runs[runs["method"] == runs.groupby("method", sort=False)["f"].mean().idxmax()]
    best = runs.assign(f=-runs["f"]).sort_values(["f", "depth", "cell"])["cell"].iloc[0]
    worst = runs.sort_values(["f", "depth", "cell"])["cell"].iloc[0]
    return best, (worst if worst != best else None)


def summary_lines(table: pd.DataFrame) -> list[str]:
    """What a results table says, in lines for a terminal: each method's scores and failures, and the findings."""
    import pandas as pd

    lines = []
    for result in split(table):
        lines.append(f"study {result.name}: {result.size_text()}")
        methods = dict(list(pd.concat([result.rows, result.staged]).groupby("method", sort=False)))
        width = max(map(len, map(str, methods)))
        for method, rows in methods.items():
            f, depth = (
                with_interval(*seed_mean(rows, s, result.metrics.get(s)), s) for s in ("f_score", "depth_rmse_nm")
            )
            lines.append(f"  {method:{width}s}  F {f:24s}  depth RMSE {depth} nm{_failed(rows)}")
        lines += ["  " + text for text in findings(result)]
    return lines


def findings(result: StudyResult) -> list[str]:
    """The best condition, how the methods compare, and where lines stand out most, in sentences."""
    compared = [c.sentence() for score in ("f_score", "depth_rmse_nm") for c in compare(result, score) if c.seeds]
    return [text for text in (best_sentence(result), *compared, contrast_sentence(result)) if text]


def seed_mean(rows: pd.DataFrame, score: str, metric: Metric | None) -> tuple[float, float, float]:
    """Mean and 95 % interval of a score; what a seed has is averaged first, so that specimens are what varies."""
    by_seed = rows.pivot_table(score, index="seed", aggfunc="mean").to_numpy(float).ravel()
    return mean_interval(by_seed, *possible(metric))


def best_sentence(study: StudyResult) -> str:
    """Which condition gives the smallest mean depth error among those that find enough, and what that is worth."""
    keys = [*(["method"] if len(set(study.rows["method"])) > 1 else []), *study.choices]
    groups: list[tuple[Any, Any]] = list(study.rows.groupby(keys, sort=False)) if keys else []
    if len(groups) < 2:
        return ""
    f_mean = np.array([rows["f_score"].mean() for _, rows in groups])
    depth = np.array([mean_interval(rows["depth_rmse_nm"].to_numpy(), 0.0) for _, rows in groups])

    def words(i: int) -> str:
        return conditions_text(dict(zip(keys, groups[i][0])))

    what = "conditions" if keys[0] != "method" else "pairs of method and condition"
    enough = (f_mean >= F_ENOUGH) & np.isfinite(depth[:, 0])
    if not enough.any():
        if not np.isfinite(f_mean).any() or (np.nanmax(f_mean) == 0 and study.knows("line_cnr")):
            return ""
        top = int(np.nanargmax(f_mean))
        return (
            f"None of {len(groups)} {what} reaches F = {F_ENOUGH:g} over {study.things}; "
            f"the highest, F = {f_mean[top]:.3f}, is at {words(top)}."
        )
    best = int(np.flatnonzero(enough)[np.argmin(depth[enough, 0])])
    mean, low, high = depth[best]
    known = groups[best][1].dropna(subset="depth_rmse_nm")
    over = counted(len(known[study.specimen].drop_duplicates()), study.specimen_name)
    ends = f"{low:.1f} to {high:.1f}".replace("-", "−")
    interval = f" (95 % interval {ends} nm over {over})" if np.isfinite(low) else ""
    median = float(np.nanmedian(depth[:, 0]))
    found = f"F of at least {F_ENOUGH:g} over {study.things}"
    if enough.sum() == 1:
        why = f"alone of {len(groups)} {what} it reaches {found}; its mean depth RMSE is {mean:.1f} nm{interval}"
    else:
        why = (
            f"of the {int(enough.sum())} of {len(groups)} {what} with {found}, it has the smallest mean depth "
            f"RMSE, {mean:.1f} nm{interval}"
        )
    gain = f", {100 * (1 - mean / median):.0f} % below the median of all ({median:.1f} nm)" if mean < median else ""
    text = f"Choose {words(best)}: {why}{gain}."
    alike = int((enough & (depth[:, 0] <= high)).sum()) - 1 if np.isfinite(high) else 0
    if alike > 0:
        text += f" {alike} other{'s' if alike > 1 else ''} lie{'' if alike > 1 else 's'} within that interval."
    return text


def contrast_sentence(study: StudyResult) -> str:
    """Where lines stand out of their images most, whatever method is to find them, and what cannot be told from it."""
    if not study.choices or not study.knows("line_cnr"):
        return ""
    columns = list(study.choices)
    table = study.rows.pivot_table("line_cnr", index=study.specimen, columns=columns, aggfunc="mean", sort=False)
    means = table.mean().to_numpy()
    best, worst = int(means.argmax()), int(means.argmin())
    if not means[best] > means[worst]:
        return ""

    def words(i: int) -> str:
        values = table.columns[i]
        return conditions_text(dict(zip(columns, values if isinstance(values, tuple) else (values,))))

    behind = [mean_interval((table.iloc[:, best] - table.iloc[:, i]).to_numpy()) for i in range(len(means))]
    alike = sum(not low > 0 for i, (_, low, _) in enumerate(behind) if i != best)
    text = (
        f"Lines stand out most at {words(best)}: contrast-to-noise of 20 nm of line "
        f"{with_interval(*mean_interval(table.iloc[:, best].to_numpy(), 0.0), 'line_cnr')}; least at {words(worst)}, "
        f"{fixed(means[worst], 'line_cnr')}."
    )
    if alike and len(table) > 1:
        alike_text = f"{alike} of {len(means) - 1} other conditions cannot be told from it"
        text += f" {alike_text} (paired by {study.specimen_name})."
    return text


def _failed(rows: pd.DataFrame) -> str:
    failed = rows[rows["error"].notna()]
    if failed.empty:
        return ""
    kinds = list(failed["failure"])
    text = ", ".join(f"{kinds.count(kind)} by the {kind}" for kind in FAILURES if kind in kinds)
    return f"  {len(failed)} of {counted(len(rows), 'run')} failed" + (f" ({text})" if text else "")
