"""A record held against a baseline: which metrics are worse, which better, what is missing and what has failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from veristem.bench.gate.permutation import too_few, worse
from veristem.bench.gate.record import Record, gated
from veristem.bench.metrics.base import Metric
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe

FALSE_ALARM = 0.01
MEANINGFUL = 1e-3  # of the way from a perfect score to one of little use: no smaller change is called one
_POWER = 0.9  # of a loss that is told as visible
_NOTHING = "gate: no metric with a value found in the baseline, at least one needed"
_COUNTS = {  # metrics of the runs themselves, where seeds cannot be told apart one by one
    name: Metric(name, "", "lower", meaning, good=0.0, bad=1.0, empty="", of=())
    for name, meaning in (
        ("failed_share", "share of a specimen's runs that failed"),
        ("null_share", "share of a specimen's scores that have no value"),
    )
}


@dataclass(frozen=True)
class Finding:
    """One metric of one method.

    Parameters
    ----------
    method, metric, unit, better
        What is compared, and which way is better.
    before, now : float or None
        Means over seeds and conditions; None for no value.
    change : float
        Mean of now minus before, in units of the metric.
    allowed : float or None
        Change for the worse up to which the gate lets it pass; None where only more seeds could tell one from chance.
    p_value : float
        Chance of as large a change for the worse in any of all metrics, were nothing changed.
    seeds_worse, seeds_better : int or None
        Of how many specimens it is; None when they are not the same.
    visible : float or None
        Loss that is called one in nine runs of ten if it differs from specimen to specimen as the scores do: what so
        many specimens can show. None where all were alike, or one alone is known.
    verdict : "worse", "better" or "same"
        Same: not to be told from chance, or too small to mean anything.
    """

    method: str
    metric: str
    unit: str
    better: str
    before: float | None
    now: float | None
    change: float
    allowed: float | None
    p_value: float
    seeds_worse: int | None
    seeds_better: int | None
    visible: float | None
    verdict: Literal["worse", "better", "same"]


@dataclass(frozen=True)
class Verdict:
    """How a study compares with its baseline.

    Parameters
    ----------
    study : str
        Its name.
    is_paired : bool
        Whether the same specimens and noise are compared.
    seeds_before, seeds_now, seeds_common : int
        Specimens in the baseline, in the results, and in both; paired ones are compared in those alone.
    false_alarm : float
        Chance that any metric is called worse though nothing has changed.
    findings : tuple of Finding
        Every method and metric.
    problems : tuple of str
        Missing cells and failures, each a line.
    """

    study: str
    is_paired: bool
    seeds_before: int
    seeds_now: int
    seeds_common: int
    false_alarm: float
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]

    def of(self, verdict: str) -> list[Finding]:
        """The findings with this verdict."""
        return [finding for finding in self.findings if finding.verdict == verdict]

    @property
    def passed(self) -> bool:
        """Whether nothing is worse, missing or failing."""
        return not self.of("worse") and not self.problems

    @property
    def seeds_compared(self) -> int:
        """Specimens that a loss had to show in."""
        return self.seeds_common if self.is_paired else min(self.seeds_before, self.seeds_now)

    @property
    def how(self) -> str:
        """What was compared with what, in words."""
        if self.is_paired:
            others = [
                f", of {count} {where}"
                for count, where in ((self.seeds_before, "in the baseline"), (self.seeds_now, "run"))
                if count > self.seeds_common
            ]
            return f"paired: the same {self.seeds_common} specimens and noise{''.join(others)}"
        same = f", {self.seeds_common} of them the same" if self.seeds_common else ""
        return f"unpaired: {self.seeds_now} specimens against {self.seeds_before}{same}"


def away(metric: Metric, value: float = 0.0) -> float:
    """Sign of a change for the worse; of a "closer" metric, of one that leads from a value away from what is good."""
    if metric.better != "closer":
        return -1.0 if metric.better == "higher" else 1.0
    return 1.0 if value >= metric.good else -1.0


def meaningful(metric: Metric) -> float:
    """The change up to which a metric counts as the same, in its unit."""
    return MEANINGFUL * abs(metric.bad - metric.good)


def check_same(baseline: Record, now: Record, where: str) -> None:
    """Both must be of one study: the same conditions, recipe and metrics, but for what now lacks.

    Raises
    ------
    InputError
        Naming ``where`` the baseline lies, and the first thing that differs.
    """
    update = "give the baseline of this study, or write it anew with --update"
    if baseline.study != now.study:
        raise InputError(f"{where}: of study {baseline.study!r}; results of {now.study!r} found; {update}")
    before = {f"recipe {path}": value for path, value in _flat(_filled(baseline.recipe, where)).items()}
    after = {f"recipe {path}": value for path, value in _flat(now.recipe).items()}
    for name in ("tolerance_nm", "full_limits"):
        before[name], after[name] = getattr(baseline, name), getattr(now, name)
    for key in [*before, *after]:
        if before.get(key) != after.get(key):
            raise InputError(f"{where}: {key} = {before.get(key)}; results with {after.get(key)} found; {update}")
    for cell in now.cells:
        if cell.key not in {c.key for c in baseline.cells}:
            raise InputError(f"{where}: no cell {cell.title}, which the results have; --update adds it")
    for method, metrics in now.metrics.items():
        if unknown := [name for name in metrics if name not in baseline.metrics.get(method, ())]:
            raise InputError(f"{where}: no metric {unknown[0]} of {method}, which the results have; --update adds it")
    known = gated(None, baseline.metrics_outside)
    for metrics in baseline.metrics.values():
        if unknown := [name for name in metrics if name not in known]:
            raise InputError(f"{where}: metric {unknown[0]!r}, which this version does not have; --update drops it")


def compare(baseline: Record, now: Record, rng: np.random.Generator, false_alarm: float = FALSE_ALARM) -> Verdict:
    """Hold results against a baseline that `check_same` has found to be of the same study.

    Scores are averaged over the conditions of a specimen, and specimens are what varies by chance. Where one side has
    all seeds of the other, they are compared seed by seed, else as two groups. Metrics of which neither more nor less
    is better ("closer") are compared by their mean over specimens, which is what all specimens share, and worse is
    away from what is good, on the side on which before and now lie together; their scatter from specimen to specimen
    is not judged.

    Parameters
    ----------
    baseline, now : Record
        Before, and now.
    rng : numpy.random.Generator
        Draws permutations when there are too many to try all.
    false_alarm : float
        Chance that any metric is called worse though nothing has changed.

    Raises
    ------
    InputError
        When the seeds are too few to find anything, or the baseline has no value of any metric.
    """
    common = [seed for seed in now.seeds if seed in baseline.seeds]
    is_paired = len(common) == min(len(baseline.seeds), len(now.seeds))
    seeds_before, seeds_now = (common, common) if is_paired else (baseline.seeds, now.seeds)
    _check_seeds(len(seeds_before), len(seeds_now), is_paired, false_alarm)
    keys = [cell.key for cell in baseline.cells]
    problems = [f"missing: {line}" for line in now.missing]
    there = {cell.key: cell.missing for cell in now.cells}
    problems += [f"missing: {cell.title}" for cell in baseline.cells if cell.key not in there]
    columns: list[_Column] = []
    known = gated(None, baseline.metrics_outside)
    for method, metrics in baseline.metrics.items():
        titles = [cell.title for cell in baseline.cells if cell.method == method]
        failed = baseline.failures(method, keys, seeds_before), now.failures(method, keys, seeds_now)
        without = [there.get(key, seeds_now) for key in keys if key[0] == method]
        absent = np.array([[seed in missing for missing in without] for seed in seeds_now], bool)
        problems += _failures(*failed, titles, seeds_now, is_paired)
        values = {
            name: (baseline.values(method, name, keys, seeds_before), now.values(method, name, keys, seeds_now))
            for name in metrics
        }
        for name, (before, after) in values.items():
            if np.isnan(before).all():
                continue
            columns.append(_column(method, known[name], before, after, is_paired))
        problems += _nulls(values, failed[1] | absent, titles, seeds_now, is_paired)
        if is_paired:
            others = [seed for seed in now.seeds if seed not in common]
            failures = now.failures(method, keys, others)
            problems += _failures(np.zeros_like(failures), failures, titles, others, is_paired)
        elif known_once := [both for both in values.values() if np.isfinite(both[0]).any()]:
            before, after = (np.mean([np.isnan(both[side]) for both in known_once], axis=0) for side in (0, 1))
            columns.append(_column(method, _COUNTS["null_share"], before, after, is_paired))
            before, after = (runs.astype(float) for runs in failed)
            columns.append(_column(method, _COUNTS["failed_share"], before, after, is_paired))
    if not columns:
        raise InputError(_NOTHING)
    findings = tuple(_judge(columns, is_paired, false_alarm, rng))
    counts = len(baseline.seeds), len(now.seeds), len(common)
    return Verdict(now.study, is_paired, *counts, false_alarm, findings, tuple(problems))


def check_enough(baseline: Record, false_alarm: float = FALSE_ALARM) -> None:
    """A record that is to be a baseline must have values, and seeds enough to find a loss by.

    Raises
    ------
    InputError
        Otherwise.
    """
    if not any(value is not None for cell in baseline.cells for values in cell.values.values() for value in values):
        raise InputError(_NOTHING)
    _check_seeds(len(baseline.seeds), len(baseline.seeds), True, false_alarm)


def _check_seeds(before: int, now: int, is_paired: bool, false_alarm: float) -> None:
    if too_few(before, now, is_paired, false_alarm):
        raise InputError(
            f"gate: {now} seeds found, which cannot tell any loss from chance at a false-alarm rate of "
            f"{false_alarm:g}; run the study with more seeds or allow more with --false-alarm"
        )


@dataclass(frozen=True)
class _Column:
    """A metric of a method: values by seed, NaN for none; paired ones seed by seed."""

    method: str
    metric: Metric
    before: np.ndarray
    now: np.ndarray
    mean_before: float
    mean_now: float


def _column(method: str, metric: Metric, before: np.ndarray, now: np.ndarray, is_paired: bool) -> _Column:
    """Values (seeds, conditions) averaged over the conditions that are known; means over what is compared."""
    if is_paired:
        both = np.isfinite(before) & np.isfinite(now)
        before, now = np.where(both, before, np.nan), np.where(both, now, np.nan)
    level = np.array([_mean(column) for column in np.concatenate([before, now]).T])
    level = np.where(np.isfinite(level), level, 0.0)
    overall = float(np.mean(level))  # a condition that a seed lacks must not pass for a change
    before, now = (np.array([_mean(row) for row in side - level]) + overall for side in (before, now))
    return _Column(method, metric, before, now, _mean(before), _mean(now))


def _judge(columns: list[_Column], is_paired: bool, false_alarm: float, rng: np.random.Generator):
    """A finding a column; worse and better are looked for apart."""
    least = np.array([meaningful(c.metric) for c in columns])
    # of both sides, so that it is the same whichever is before: chances would not be exact else
    sign = np.array([away(c.metric, _mean(np.append(c.before, c.now))) for c in columns])
    before, now = (sign * np.stack([getattr(c, side) for c in columns], axis=1) for side in ("before", "now"))
    p_worse, allowed = worse(before, now, least, is_paired, false_alarm, rng)
    p_better, _ = worse(now, before, least, is_paired, false_alarm, rng)
    for i, column in enumerate(columns):
        visible = _visible(column, false_alarm / len(columns), is_paired, least[i])
        yield _finding(column, p_worse[i], p_better[i], allowed[i], visible, least[i], false_alarm, is_paired)


def _visible(column: _Column, chance: float, is_paired: bool, least: float) -> float:
    """The loss that Student's test at a chance finds with a power of 90 %, (t(1 - chance) + t(0.9)) sd / sqrt(n).

    Of the spread of the baseline, as if the loss varied as much; NaN where there is none.
    """
    from scipy.stats import t

    before, now = (side[np.isfinite(side)] for side in (column.before, column.now))
    if min(len(before), len(now)) < 2 or not np.ptp(before):
        return np.nan
    share, freedom = (1 / len(before), len(before) - 1) if is_paired else (
        1 / len(before) + 1 / len(now), len(before) + len(now) - 2
    )  # fmt: skip
    return max(least, float((t.isf(chance, freedom) + t.ppf(_POWER, freedom)) * before.std(ddof=1) * np.sqrt(share)))


def _finding(
    column: _Column,
    p_worse: float,
    p_better: float,
    allowed: float,
    visible: float,
    least: float,
    false_alarm: float,
    is_paired: bool,
) -> Finding:
    metric = column.metric
    change = column.mean_now - column.mean_before
    loss = metric.loss(column.mean_now) - metric.loss(column.mean_before)
    if metric.better != "closer":
        loss = away(metric) * change
    verdict: Literal["worse", "better", "same"] = "same"
    if loss > least and p_worse <= false_alarm:
        verdict = "worse"
    elif loss < -least and p_better <= false_alarm:
        verdict = "better"
    changes = column.now - column.before if is_paired else np.array([])
    if metric.better == "closer" and is_paired:
        changes = np.abs(column.now - metric.good) - np.abs(column.before - metric.good)
    elif metric.better == "higher":
        changes = -changes
    return Finding(
        column.method, metric.name, metric.unit, metric.better,
        _or_none(column.mean_before), _or_none(column.mean_now), 0.0 if np.isnan(change) else change,
        _or_none(allowed), float(p_worse),
        int((changes > least).sum()) if is_paired else None, int((changes < -least).sum()) if is_paired else None,
        _or_none(visible), verdict,
    )  # fmt: skip


def _failures(before: np.ndarray, now: np.ndarray, titles: list[str], seeds: list[int], is_paired: bool) -> list[str]:
    """New failures: of the same run, or any where there was none at all."""
    if is_paired:
        new = now & ~before
    else:
        new = now if not before.any() else np.zeros_like(now)
    return [f"failed: {titles[column]}, seed {seeds[row]}" for row, column in np.argwhere(new)]


def _nulls(values: dict, gone: np.ndarray, titles: list[str], seeds: list[int], is_paired: bool) -> list[str]:
    """Scores that most specimens had before and that have lost their value, but for runs that are gone.

    Paired ones run by run, unpaired ones where no specimen has one now.
    """
    lost: dict[str, list[str]] = {}
    for name, (before, now) in values.items():
        usual = np.isfinite(before).mean(axis=0) > 0.5
        if is_paired:
            where = np.argwhere(usual & np.isfinite(before) & ~np.isfinite(now) & ~gone)
            runs = [f"{titles[column]}, seed {seeds[row]}" for row, column in where]
        else:
            none = usual & ~np.isfinite(now).any(axis=0) & ~gone.all(axis=0)
            runs = [f"{titles[column]}, any seed" for column in np.flatnonzero(none)]
        for run in runs:
            lost.setdefault(run, []).append(name)
    more = {run: f" and {len(names) - 1} more" if len(names) > 1 else "" for run, names in lost.items()}
    return [f"no value: {names[0]}{more[run]} of {run}" for run, names in lost.items()]


def _filled(recipe: dict, where: str) -> dict:
    """The recipe of a baseline with what later versions have added, at its default."""
    content = Recipe.from_table(recipe, where).model_dump(mode="json")
    content["recipe"].pop("seed")
    return content


def _flat(table: dict, before: str = "") -> dict[str, object]:
    """Values by dotted path."""
    flat: dict[str, object] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return flat


def _mean(values: np.ndarray) -> float:
    """Mean of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
