"""The report of record of the gate: false alarms, reruns, planted losses, and the smallest losses it sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from planted import LOSSES, SAME
from veristem.bench.gate.verdict import FALSE_ALARM, MEANINGFUL, Verdict, compare, meaningful
from veristem.datasets.formats.atomic import atomic_path

if TYPE_CHECKING:
    from make import Trial

_HEAD = """# How often the gate is wrong, and how small a loss it sees

Written by `python reports/published/gate/make.py`, from the rows in this folder, which `--run DIR` makes anew. The gate
averages every metric over the conditions of a specimen and compares specimens: the same ones, with the same noise,
where the seeds are those of the baseline (paired), else as two groups (unpaired). Whole specimens change their sign or
their side, and each metric is held against the largest statistic of all metrics
(Westfall and Young's maxT), so that the stated chance, {alarm:g} %, is that of calling *any* metric worse.
"""


def write_page(trials: list[Trial], out: Path, draws: int) -> Path:
    """Measure all of it and write README.md into a folder; return its path."""
    rng = np.random.default_rng(0)
    parts = [_HEAD.format(alarm=100 * FALSE_ALARM)]
    for trial in trials:
        parts.append(f"## {trial.study.name}: {trial.study.seeds} specimens, {len(trial.study.cells())} conditions\n")
        parts += [_alarms(trial, draws, rng), _reruns(trial, rng), _planted(trial, rng), _smallest(trial, rng)]
    path = out / "README.md"
    with atomic_path(path) as partial:
        partial.write_text("\n".join(parts), encoding="utf-8")
    return path


def _alarms(trial: Trial, draws: int, rng: np.random.Generator) -> str:
    from scipy.stats import binom

    low, high = binom.interval(0.95, draws, FALSE_ALARM)
    lines = [
        f"**False alarms** in {draws} comparisons in which nothing has changed; "
        f"{low:.0f} to {high:.0f} are expected at {100 * FALSE_ALARM:g} % (95 % binomial interval).\n",
        "| comparison | any metric called worse | gate fell short for any reason |",
        "| --- | --- | --- |",
    ]
    for is_paired, words in (
        (False, "unpaired: two groups of the stored specimens"),
        (True, "paired: the noise of the same images drawn again, sides changed over at random"),
    ):
        worse, fell = trial.false_alarms(is_paired, draws, rng)
        lines.append(f"| {words} | {worse} ({100 * worse / draws:.2f} %) | {fell} |")
    lines.append(
        "\nAny reason: also a specimen in which nothing is found any more, with the same seed. The same method never "
        "does that; with the noise drawn again it is chance."
    )
    return "\n".join(lines) + "\n"


def _reruns(trial: Trial, rng: np.random.Generator) -> str:
    verdicts = trial.reruns(rng)
    short = [f"rerun {i}: {_what(v)}" for i, v in enumerate(verdicts, 1) if not v.passed]
    told = f"; {'; '.join(short)}" if short else ""
    return f"**Reruns** with other seeds: {len(verdicts) - len(short)} of {len(verdicts)} pass{told}.\n"


def _planted(trial: Trial, rng: np.random.Generator) -> str:
    verdicts = trial.planted(rng)
    lines = [
        "**Planted losses**, on the specimens of the baseline.\n",
        "| loss | gate | called worse |",
        "| --- | --- | --- |",
    ]
    for name in (SAME, *LOSSES):
        verdict = verdicts[name]
        title = "none (the method again)" if name == SAME else name
        lines.append(f"| {title} | {'passes' if verdict.passed else 'falls short'} | {_what(verdict) or '–'} |")
    verdict = compare(crash_in(trial), trial.record(seeds=range(trial.study.seeds)), rng)
    assert verdict.passed  # a crash less is no loss
    verdict = compare(trial.record(seeds=range(trial.study.seeds)), crash_in(trial), rng)
    runs = trial.study.seeds * len(trial.study.cells())
    lines.append(f"| one crash in {runs} runs | {'passes' if verdict.passed else 'falls short'} | {_what(verdict)} |")
    return "\n".join(lines) + "\n"


def crash_in(trial: Trial):
    """The record of the gate's seeds, with the last run of its last seed failed."""
    record = trial.record(seeds=range(trial.study.seeds))
    cell = record.cells[-1]
    cell.failed.append(record.seeds[-1])
    for values in cell.values.values():
        values[-1] = None
    return record


def _smallest(trial: Trial, rng: np.random.Generator) -> str:
    from veristem.bench.gate.record import gated

    known = gated()
    lines = [
        "**Smallest loss caught with 90 % power**, of one metric alone and of the same size in every specimen: "
        "on the same specimens, where a method that is run again gives the same numbers, and a loss is one from "
        f"{MEANINGFUL:g} of the way between a perfect score and one of little use; on them with the noise drawn "
        "again; and on others. A dash: too few specimens have a value.\n",
        "| metric | mean | paired, nothing else changed | paired, noise drawn again | unpaired |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, (mean, *losses) in trial.smallest(rng).items():
        metric = known[name]
        unit = f" {metric.unit}" if metric.unit else ""
        least = meaningful(metric)
        values = (mean, *(max(loss, least) for loss in losses))
        lines.append(f"| {name} | " + " | ".join(f"{v:.3g}{unit}" if np.isfinite(v) else "–" for v in values) + " |")
    return "\n".join(lines) + "\n"


def _what(verdict: Verdict) -> str:
    """The metrics called worse, and what is missing or failed."""
    return ", ".join([*(f.metric for f in verdict.of("worse")), *verdict.problems[:1]])
