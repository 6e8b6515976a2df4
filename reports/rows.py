"""The rows of a study as reports use them: its conditions as columns, failures as what they count for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from veristem.datasets.results import Metric, metrics_of
from veristem.reports.words import counted

if TYPE_CHECKING:
    import pandas as pd

KIND = "recipe.name"  # the axis of kinds of specimens
STEEP = "_psi_above_25"
_STEEP_TOO = (  # scores of lines that parallax moves across themselves, which limits are given for, stand apart as well
    "depth_rmse_nm",
    "lateral_rmse_nm",
    "depth_rmse_nm_over_parallax_limit",
    "depth_rmse_nm_over_limit",
    "depth_sigma_over_limit",
)
LIMITS = ("depth_limit_nm", "lateral_limit_nm", "depth_parallax_limit_nm", "lateral_parallax_limit_nm")


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The rows of one study.

    Parameters
    ----------
    name : str
        Name of the study.
    rows : DataFrame
        One row a run: ``cell``, ``method``, ``seed``, ``error``, ``failure``, ``condition`` (JSON), ``LIMITS``,
        ``line_cnr``, one column a varied axis and one a score of ``metrics``. A method that failed has found nothing:
        F and recall 0, no other score. A failure of the simulation or the machine says nothing of the method: no score.
    axes : tuple of str
        Dotted recipe paths that take more than one value.
    suffix : str
        "_visible" when the scores are over the visible truth, else "".
    metrics : dict of Metric
        What the scores mean, by column of ``rows``.
    staged : DataFrame
        The same of runs with a stage of the truth's handed in (``"stereo-classical contours=truth"``), which are no
        methods to choose from.
    """

    name: str
    rows: pd.DataFrame
    axes: tuple[str, ...]
    suffix: str
    metrics: dict[str, Metric]
    staged: pd.DataFrame

    @property
    def of_particles(self) -> bool:
        """Whether particles were imaged, not lines."""
        return self.knows("count_truth")

    @property
    def things(self) -> str:
        """What the scores are over: "all particles", "the visible lines" or "all lines"."""
        if self.of_particles:
            return "all particles"
        return "the visible lines" if self.suffix else "all lines"

    @property
    def free_axes(self) -> tuple[str, ...]:
        """Axes that change independently: of those zipped together the one with the most values."""
        free: list[str] = []
        for axis in sorted(self.axes, key=lambda axis: -self.rows[axis].nunique()):
            pairs = (self.rows[[axis, other]].drop_duplicates() for other in free)
            if all(len(pair) > pair.iloc[:, 1].nunique() for pair in pairs):
                free.append(axis)
        return tuple(axis for axis in self.axes if axis in free)

    @property
    def choices(self) -> tuple[str, ...]:
        """Axes that one can choose: what kind of specimen there is is no choice."""
        return tuple(axis for axis in self.axes if axis != KIND)

    @property
    def specimen(self) -> list[str]:
        """Columns that tell specimens apart, and so what intervals are over."""
        return [*(axis for axis in self.axes if axis == KIND), "seed"]

    @property
    def specimen_name(self) -> str:
        """What a specimen is called: by its seed where that tells them apart."""
        return "specimen" if KIND in self.axes else "seed"

    @property
    def failed(self) -> int:
        """Number of runs that failed."""
        return count_failed(self.rows)

    def knows(self, column: str) -> bool:
        """Whether any run has a value in a column."""
        return has(self.rows, column)

    def size_text(self) -> str:
        """How much was run: "54 runs, 18 conditions, 3 seeds"."""
        seeds, conditions = len(set(self.rows["seed"])), len(set(self.rows["condition"]))
        texts = [counted(len(self.rows), "run"), counted(conditions, "condition"), counted(seeds, "seed")]
        return ", ".join(texts)


def split(table: pd.DataFrame | None) -> list[StudyResult]:
    """The studies of a results table (datasets/results.py), each with its conditions spread into columns."""
    import pandas as pd

    if table is None or not len(table):
        return []
    results = []
    for name, part in table.groupby("study", sort=False, dropna=False):
        conditions = pd.DataFrame([_hashable(json.loads(c or "{}")) for c in part["conditions"]], index=part.index)
        suffix = "_visible" if has(part, "f_score_visible") or has(part, "depth_rmse_nm_visible") else ""
        told = ["cell", "method", "seed", "error", "failure", "conditions", *LIMITS, "line_cnr"]
        plain = part.reindex(columns=told)
        plain = plain.rename(columns={"conditions": "condition"})
        metrics = plain_metrics(table)
        columns = [score + suffix if score + suffix in table.columns else score for score in metrics]
        scores = score_values(part, columns).set_axis(list(metrics), axis=1)
        axes = tuple(str(c) for c in conditions if len(set(conditions[c].dropna())) > 1)
        if KIND in axes:  # its name stands for what it is
            kinds = [kind for _, kind in conditions.groupby(KIND)]
            axes = tuple(c for c in axes if c == KIND or any(len(set(kind[c].map(str))) > 1 for kind in kinds))
        rows, staged = pd.concat([plain, conditions[list(axes)], scores], axis=1), with_truth(part)
        results.append(StudyResult(str(name), rows.loc[~staged], axes, suffix, metrics, rows.loc[staged]))
    return results


def plain_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """What scores mean, in order: without the ending of a variant, and of steep lines where these stand apart."""
    known = metrics_of(table)
    plain = sorted({metric.name: metric for metric in known.values()}.values(), key=lambda m: (m.order, m.name))
    steep = {name + STEEP: metric for metric in plain if (name := metric.name) in _STEEP_TOO and name + STEEP in known}
    return {metric.name: metric for metric in plain} | steep


def with_truth(part: pd.DataFrame) -> np.ndarray:
    """Which runs had a stage of the truth's handed in."""
    return np.array([any(word.endswith("=truth") for word in str(method).split()) for method in part["method"]], bool)


def score_values(part: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Scores as numbers; where the method failed F and recall are 0."""
    import pandas as pd

    scores = pd.DataFrame({column: pd.to_numeric(part.get(column), errors="coerce") for column in columns}, part.index)
    whose = part["failure"] if "failure" in part else pd.Series(None, part.index)
    blamed = part["error"].notna() & ~whose.isin(["simulation", "machine"])
    scores.loc[blamed, [c for c in columns if c.startswith(("f_score", "recall"))]] = 0.0
    return scores


def count_failed(part: pd.DataFrame) -> int:
    """Number of rows with an error."""
    return sum(isinstance(error, str) for error in part["error"])


def possible(metric: Metric | None) -> tuple[float, float]:
    """Least and most that a score can be: a share lies between 0 and 1, only what may err to both sides below 0."""
    if metric is None or (metric.better == "closer" and metric.good == 0):
        return -np.inf, np.inf
    return 0.0, 1.0 if metric.is_share else np.inf


def is_geometric(values) -> bool:
    """Whether sorted values are spaced by factors rather than by steps, over at least a factor of 8."""
    v = np.asarray(values, float)
    if len(v) < 3 or v.min() <= 0 or v.max() < 8 * v.min():
        return False
    steps, factors = np.diff(v), np.diff(np.log(v))
    return bool(factors.std() / factors.mean() < steps.std() / steps.mean())


def _hashable(conditions: dict) -> dict:
    return {k: json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in conditions.items()}


def has(part: pd.DataFrame, column: str) -> bool:
    """Whether there is a column with a value in it."""
    return column in part and bool(part[column].notna().any())
