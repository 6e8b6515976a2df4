"""Statistics over seeds: means with intervals, and methods compared on the same specimens and the same noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from veristem.datasets import InputError
from veristem.reports.rows import StudyResult
from veristem.reports.words import counted, fixed, parts

LEVEL = 0.05  # a chance up to this is called a difference
_BETTER = {
    "f_score": "recovers the specimen better than",
    "recall": "finds more than",
    "precision": "invents less than",
    "depth_rmse_nm": "is more exact in depth than",
    "lateral_rmse_nm": "is more exact across the beam than",
}
_EXACT_SEEDS = 14  # up to here all 2^n signs are tried, beyond as many random ones


@dataclass(frozen=True)
class Comparison:
    """How far two methods differ in one score, paired: same conditions, same specimens, same noise.

    Parameters
    ----------
    score : str
        Name of the score.
    first, second : str
        Methods.
    difference, low, high : float
        First minus second, mean over seeds, with its 95 % interval over seeds (Student's t), in units of the score; NaN
        where there is none.
    p_value : float
        Chance of a difference at least this large, in either direction, were the methods alike (exact sign-flip test
        over seeds), multiplied for ``tests`` comparisons after Holm.
    seeds, pairs : int
        Seeds, and pairs of runs, in which both methods have the score.
    tests : int
        Comparisons made at once.
    higher : bool
        Whether a higher score is better.
    specimen : str
        What is counted as a seed: of studies of several kinds of specimens, each specimen.
    """

    score: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    seeds: int
    pairs: int
    tests: int = 1
    higher: bool = True
    specimen: str = "seed"

    @property
    def seeds_needed(self) -> int:
        """The fewest seeds with which any difference could be shown: the chance is never below 2 / 2^n."""
        return 1 + int(np.ceil(np.log2(self.tests / LEVEL)))

    def sentence(self) -> str:
        """Which is better, by how much, how sure; or that it cannot be told."""
        words, unit = parts(self.score)
        if not self.seeds:
            return f"In {words}, {self.first} and {self.second} cannot be compared: no run gave it for both."
        over = f"over {counted(self.seeds, self.specimen)}, {counted(self.pairs, 'pair')} of runs"
        if self.difference == 0 and not (self.low < 0 or self.high > 0):
            return f"{self.first} and {self.second} have the same {words} {over}."
        gap = f"{_at_least_shown(abs(self.difference), self.score)} {unit}".rstrip()
        way = "higher" if self.difference > 0 else "lower"
        if self.seeds < self.seeds_needed:
            return (
                f"{self.first} has {_a(words)} {way} by {gap} than {self.second}, which "
                f"{counted(self.seeds, self.specimen)} cannot tell from chance (at least {self.seeds_needed} are "
                f"needed for {100 * (1 - LEVEL):g} % confidence)."
            )
        ends = sorted([self.low, self.high] if self.difference > 0 else [-self.low, -self.high])
        low, high = (fixed(end, self.score) for end in ends)
        sure = f"95 % interval {low} to {high} {over}; chance of this without a difference {_percent(self.p_value)}"
        if self.tests > 1:
            sure += f", corrected for {self.tests} comparisons"
        if self.p_value > LEVEL:
            between = f"{self.first} and {self.second}"
            return f"No clear difference in {words} between {between}: {self.first} {way} by {gap} ({sure})."
        first_is_better = (self.difference > 0) == self.higher
        better, worse = (self.first, self.second) if first_is_better else (self.second, self.first)
        way = "higher" if self.higher else "lower"
        phrase = _BETTER.get(self.score, "does better than")
        return f"{better} {phrase} {worse}: {words} {way} by {gap} ({sure})."


def _at_least_shown(value: float, score: str) -> str:
    """A positive number, or below what when its digits would all be zero."""
    text = fixed(value, score)
    return text if text.strip("0.") else f"less than {text[:-1]}1"


def mean_interval(by_seed: np.ndarray, least: float = -np.inf, most: float = np.inf) -> tuple[float, float, float]:
    """Mean over seeds with its 95 % interval by Student's t; NaN seeds are left out, and one seed has no interval.

    Between two bounds the interval is taken on the scale of log odds (by the delta method), which no bound is on; at
    a bound of one side it ends.

    Parameters
    ----------
    by_seed : (S,) float
        Values.
    least, most : float
        What is possible, as `rows.possible` says of a score.
    """
    from scipy.special import expit

    values = np.asarray(by_seed, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, np.nan
    mean, half = float(values.mean()), half_interval(values, LEVEL / 2)
    if not np.isfinite(half) or not np.isfinite(most - least):
        return mean, max(mean - half, least), min(mean + half, most)
    share, width = (mean - least) / (most - least), half / (most - least)
    if not 0 < share < 1 or not width:  # all values lie on a bound, or are the same
        return mean, mean, mean
    odds, step = np.log(share / (1 - share)), width / (share * (1 - share))
    low, high = (least + (most - least) * float(expit(odds + way * step)) for way in (-1, 1))
    return mean, min(low, mean), max(high, mean)


def half_interval(values: np.ndarray, chance: float) -> float:
    """How far the mean may lie above the truth but for a chance, by Student's t; NaN for a single value."""
    from scipy.stats import t

    if len(values) < 2:
        return np.nan
    return float(t.ppf(1 - chance, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def compare_two(result: StudyResult, score: str, first: str, second: str) -> Comparison:
    """Two methods, paired by condition and specimen: differences are averaged within one, then over all.

    Only conditions count in which both have the score.

    Raises
    ------
    InputError
        For a score of which neither more nor less is better.
    """
    import pandas as pd

    higher = _is_higher_better(result, score)
    table = result.rows.pivot_table(score, index=["condition", *result.specimen], columns="method", aggfunc="mean")
    paired = table.reindex(columns=[first, second]).dropna()
    gaps = pd.Series(paired.iloc[:, 0] - paired.iloc[:, 1], paired.index)
    by_seed = np.asarray(gaps.groupby(level=result.specimen).mean(), float)
    mean, low, high = mean_interval(by_seed)
    if result.metrics[score].is_share:
        low, high = max(low, -1.0), min(high, 1.0)
    chance = _sign_flip(by_seed)
    counts = (len(by_seed), len(paired))
    return Comparison(
        score, first, second, mean, low, high, chance, *counts, higher=higher, specimen=result.specimen_name
    )


def compare(result: StudyResult, score: str) -> list[Comparison]:
    """The best method against every other one; with more than two, chances are corrected after Holm.

    Raises
    ------
    InputError
        For a score of which neither more nor less is better.
    """
    methods = list(dict.fromkeys(result.rows["method"]))
    if len(methods) < 2:
        return []
    means = [result.rows.loc[result.rows["method"] == method, score].mean() for method in methods]
    best = methods[
        int(np.argmax(np.nan_to_num(means if _is_higher_better(result, score) else np.negative(means), nan=-np.inf)))
    ]
    return _holm([compare_two(result, score, best, method) for method in methods if method != best])


def _is_higher_better(result: StudyResult, score: str) -> bool:
    """Which way is better; InputError where neither is."""
    ways = {name: metric.better for name, metric in result.metrics.items() if metric.better in ("higher", "lower")}
    if score not in ways:
        raise InputError(f"compare: {score!r} found, allowed are {', '.join(ways) or 'no scores of this table'}")
    return ways[score] == "higher"


def _holm(comparisons: list[Comparison]) -> list[Comparison]:
    """Chances multiplied so that the risk of any false finding stays that of a single test."""
    tests = sum(c.seeds > 0 for c in comparisons)
    order = np.argsort([c.p_value for c in comparisons], kind="stable")
    corrected, least = list(comparisons), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (tests - rank) * comparisons[i].p_value))
        corrected[i] = replace(comparisons[i], p_value=least, tests=tests)
    return corrected


def _sign_flip(differences: np.ndarray) -> float:
    """Share of all choices of signs whose mean is at least as far from zero as the mean found."""
    count = len(differences)
    if count <= _EXACT_SEEDS:
        signs = 1 - 2 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
    else:
        signs = np.random.default_rng(0).choice([-1, 1], (2**_EXACT_SEEDS, count))
        signs[0] = 1  # what was found is one of them, so that the chance is never 0
    rounding = 1e-12 * np.abs(differences).sum()
    return float((np.abs(signs @ differences) >= abs(differences.sum()) - rounding).mean())


def _a(words: str) -> str:
    return ("an " if words[0] in "aeioFA" else "a ") + words


def _percent(chance: float) -> str:
    return "below 0.1 %" if chance < 0.001 else f"{100 * chance:.2g} %"
