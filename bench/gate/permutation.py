"""Many metrics compared at once over few seeds, with the chance held of calling any of them worse by chance.

Permutation tests: the seeds are what varies by chance, so a seed's values of all metrics stay together: whole seeds
change their sign (paired) or their side (unpaired), and every metric is held against the largest statistic of all
metrics. This is exact for any distribution of the values, however skewed, discrete or correlated, as long as signs or
sides are exchangeable (Westfall & Young, Resampling-Based Multiple Testing, Wiley 1993, single-step maxT; Nichols &
Holmes, Hum. Brain Mapp. 15 (2002) 1). Changes too small to mean anything count as none, among the permutations as well;
a seed in which a metric has no value counts as unchanged, so that few values cannot make a large statistic.

Signs cannot tell a loss in a few of the same specimens from chance, however large it is. So paired metrics are also
held against their spread over the specimens before: a mean twice as far off as that of other specimens would be is
worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb

import numpy as np

_EXACT_SEEDS = 13  # up to here all 2^n signs are tried, beyond as many random ones
_DRAWS = 2**_EXACT_SEEDS
_ROUNDING = 1e-9
_SPREAD = 0.1  # of the false-alarm rate is the spread's, the rest that of signs
_FURTHER = 2.0  # than other specimens would be: tails are heavier than Student's t knows


@dataclass(frozen=True)
class Chances:
    """How large the statistics of F metrics are by chance.

    Parameters
    ----------
    statistic : (F,) float
        Change for the worse over its own scale, a monotone function of Student's t, in [0, 1]; 0 for no or too small a
        change, and for a better one.
    scale : (F,) float
        Mean change at which the statistic is 1, in units of the metric.
    largest : (P,) float
        Largest statistic of all metrics in every permutation, the identity among them.
    """

    statistic: np.ndarray
    scale: np.ndarray
    largest: np.ndarray

    @cached_property
    def p_values(self) -> np.ndarray:
        """(F,) float: chance of a change as large in any metric, were nothing changed."""
        below = np.searchsorted(np.sort(self.largest), self.statistic - _ROUNDING)
        return 1 - below / len(self.largest)

    def critical(self, false_alarm: float) -> float:
        """Least statistic whose chance is at most ``false_alarm``; above 1 when the seeds are too few for any."""
        ordered = np.sort(self.largest)
        allowed = int(np.floor(false_alarm * len(ordered) + _ROUNDING))
        above = ordered[len(ordered) - allowed :]
        above = above[above > ordered[len(ordered) - allowed - 1] + _ROUNDING] if allowed else above
        return float(above[0]) if len(above) else 2.0


def paired(changes: np.ndarray, least: np.ndarray, rng: np.random.Generator) -> Chances:
    """Sign-flip test of changes on the same specimens.

    Parameters
    ----------
    changes : (N, F) float
        Now minus before by seed and metric, greater is worse; NaN for none.
    least : (F,) float
        Change up to which it means nothing.
    rng : numpy.random.Generator
        Draws the signs when there are too many to try all.
    """
    seeds = len(changes)
    known = np.isfinite(changes)
    filled = np.where(known, changes, 0.0)
    count = known.sum(axis=0)
    if seeds <= _EXACT_SEEDS:
        signs = 1.0 - 2 * ((np.arange(2**seeds)[:, None] >> np.arange(seeds)) & 1)
    else:
        signs = rng.choice([-1.0, 1.0], (_DRAWS, seeds))
        signs[0] = 1
    scale = np.sqrt(seeds * (filled**2).sum(axis=0)) / np.maximum(count, 1)
    means = signs @ filled / np.maximum(count, 1)
    return _chances(means, scale, least)


def unpaired(before: np.ndarray, now: np.ndarray, least: np.ndarray, rng: np.random.Generator) -> Chances:
    """Permutation test of two groups of seeds; before (N, F), now (M, F), else as `paired`."""
    values = np.concatenate([now, before])
    known = np.isfinite(values)
    count = known.sum(axis=0)
    centre = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    filled = np.where(known, values - centre, 0.0)
    filled[:, np.abs(filled).max(axis=0) <= _ROUNDING * np.abs(centre)] = 0.0  # rounding is no spread
    is_now = np.zeros((_DRAWS, len(values)))
    is_now[0, : len(now)] = 1
    is_now[1:] = rng.permuted(np.tile(is_now[0], (_DRAWS - 1, 1)), axis=1)
    at_now = is_now @ known
    at_before = count - at_now
    both = (at_now > 0) & (at_before > 0)
    # the sum of all is 0, so that before has minus the sum of now
    apart = np.where(both, 1 / np.where(both, at_now, 1) + 1 / np.where(both, at_before, 1), 0.0)
    scale = np.sqrt((filled**2).sum(axis=0) / (1 / len(now) + 1 / len(before))) * apart
    return _chances(is_now @ filled * apart, scale, least)


def worse(
    before: np.ndarray,
    now: np.ndarray,
    least: np.ndarray,
    is_paired: bool,
    false_alarm: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Chance of as large a loss in any metric, were nothing changed, and the loss that would be called one.

    Parameters
    ----------
    before, now : (N, F), (M, F) float
        By seed and metric, greater is worse; NaN for none. Paired ones are of the same seeds.
    least : (F,) float
        Change up to which it means nothing.
    is_paired : bool
        Whether seeds are compared one by one.
    false_alarm : float
        Chance that any metric is called worse though nothing has changed.
    rng : numpy.random.Generator
        Draws the permutations.

    Returns
    -------
    p_values, allowed : (F,) float
        At most ``false_alarm`` is worse; losses up to ``allowed`` are not, NaN where only more seeds could tell.
    """
    if not is_paired:
        chances = unpaired(before, now, least, rng)
        return chances.p_values, _allowed(chances, false_alarm, least)
    chances = paired(now - before, least, rng)
    p_spread, up_to = _against_spread(before, now - before, _SPREAD * false_alarm)
    p_spread[~(_means(now - before) > least)] = 1.0
    p_values = np.minimum(1.0, np.minimum(chances.p_values / (1 - _SPREAD), p_spread / _SPREAD))
    allowed = _allowed(chances, (1 - _SPREAD) * false_alarm, least)
    return p_values, np.fmin(allowed, np.maximum(up_to, least))


def too_few(seeds_before: int, seeds_now: int, is_paired: bool, false_alarm: float) -> bool:
    """Whether no change however large could be told from chance."""
    ways = (1 - _SPREAD) * 2**seeds_now if is_paired else comb(seeds_before + seeds_now, seeds_now)
    return 1 / ways > false_alarm


def _against_spread(before: np.ndarray, changes: np.ndarray, false_alarm: float) -> tuple[np.ndarray, np.ndarray]:
    """Chance that as many other specimens had half as large a mean loss in any metric (Student's t, Bonferroni), and
    the loss at which it is ``false_alarm``; 1 and NaN where all specimens were alike before, which tells nothing of it.
    """
    from scipy.stats import t

    before = np.where(np.isfinite(changes), before, np.nan)
    count = np.isfinite(before).sum(axis=0)
    varies = np.array([len(np.unique(column[np.isfinite(column)])) > 1 for column in before.T])
    p_values, up_to = np.ones(len(count)), np.full(len(count), np.nan)
    spread = _FURTHER * np.nanstd(before[:, varies], axis=0, ddof=1) * np.sqrt(2 / count[varies])
    p_values[varies] = varies.sum() * t.sf(_means(changes[:, varies]) / spread, count[varies] - 1)
    up_to[varies] = spread * t.isf(false_alarm / max(varies.sum(), 1), count[varies] - 1)
    return p_values, up_to


def _allowed(chances: Chances, false_alarm: float, least: np.ndarray) -> np.ndarray:
    critical = chances.critical(false_alarm)
    told = np.maximum(least, critical * chances.scale)
    return np.where(chances.scale == 0, least, told if critical <= 1 else np.nan)


def _means(values: np.ndarray) -> np.ndarray:
    """Of what is known; 0 of nothing."""
    known = np.isfinite(values)
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _chances(means: np.ndarray, scale: np.ndarray, least: np.ndarray) -> Chances:
    """Of mean changes (P, F), the first of them found; scale (F,) or (P, F)."""
    statistics = np.divide(means, scale, out=np.zeros_like(means), where=(means > least) & (scale > 0))
    return Chances(statistics[0], np.broadcast_to(scale, means.shape)[0], statistics.max(axis=1))
