"""Which imaging condition keeps the lines' topology best: masks of several conditions against one truth a seed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from veristem.bench.topology.score import Topology, topological_score
from veristem.datasets.errors import InputError
from veristem.reports.comparison import half_interval

_RESAMPLES = 4000
_CHANCE = 0.05


@dataclass(frozen=True)
class Ranked:
    """One condition of a ranking.

    Parameters
    ----------
    condition : str
        Its name.
    score : float
        Mean `topological_score` over the seeds [1/µm]; less is better.
    low, high : float
        95 % interval of that mean, by Student's t over the seeds [1/µm]; NaN for one seed.
    behind : float
        Score less that of the lowest [1/µm].
    best_probability : float
        Share of resamples of the seeds (with replacement, the same for all conditions) in which its mean is lowest;
        equal ones share it.
    tied : bool
        Whether it may be the best: no other condition is better by more than chance makes it, paired seed by seed. The
        one that is truly best is among the tied with a probability of 95 %, however many there are (Student's t,
        one-sided, Bonferroni). All are tied when there is one seed only.
    """

    condition: str
    score: float
    low: float
    high: float
    behind: float
    best_probability: float
    tied: bool


def rank_conditions(
    masks: Mapping[str, Mapping[Hashable, np.ndarray]],
    truths: Mapping[Hashable, np.ndarray],
    pixel_nm: float,
    rng: np.random.Generator,
) -> list[Ranked]:
    """Conditions in the order of their topological score, the best first, with what the seeds say about that order.

    The thesis ranks excitation errors, detectors, pixel sizes and dwell times so (chapter 5), by one image each. Images
    of other pixel sizes have to be brought to the pixels of the truth first.

    Parameters
    ----------
    masks : mapping of condition to mapping of seed to (Y, X) or (Z, Y, X) of 0 and 1
        What was found.
    truths : mapping of seed to mask
        What is there.
    pixel_nm : float
        Size of a pixel [nm].
    rng : numpy.random.Generator
        Resamples the seeds.

    Raises
    ------
    InputError
        Without a condition or a seed, for a condition with other seeds than the truths, or for masks that
        `topological_score` does not take.
    """
    if not masks or not truths:
        raise InputError(f"ranking: {len(masks)} conditions and {len(truths)} seeds found, at least one of each needed")
    for condition, own in masks.items():
        if set(own) != set(truths):
            odd = sorted(map(str, set(own) ^ set(truths)))
            raise InputError(
                f"condition {condition}: seed {odd[0]} on one side only found, those of the truths allowed"
            )
    scores = np.zeros((len(masks), len(truths)))
    for s, (seed, mask) in enumerate(truths.items()):
        truth = Topology.of(mask, pixel_nm)
        for c, own in enumerate(masks.values()):
            scores[c, s] = topological_score(Topology.of(own[seed], pixel_nm), truth)
    return rank_scores(dict(zip(masks, scores)), rng)


def rank_scores(scores: Mapping[str, np.ndarray], rng: np.random.Generator) -> list[Ranked]:
    """The ranking of scores (S,) of each condition over the same seeds, less being better; see `rank_conditions`.

    Raises
    ------
    InputError
        For conditions with other numbers of scores, none, or a score that is not finite.
    """
    if len({np.shape(own) for own in scores.values()}) != 1 or not all(np.size(own) for own in scores.values()):
        raise InputError(
            "scores: conditions with other numbers of seeds found, the same number and at least one allowed"
        )
    table = np.array(list(scores.values()), float)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise InputError("scores: one finite number a seed and condition allowed")
    means = table.mean(axis=1)
    drawn = rng.integers(0, table.shape[1], (_RESAMPLES, table.shape[1]))
    resampled = table[:, drawn].mean(axis=2)
    lowest = np.isclose(resampled, resampled.min(axis=0), rtol=1e-9, atol=1e-12)
    probability = (lowest / lowest.sum(axis=0)).mean(axis=1)
    chance = _CHANCE / max(len(table) - 1, 1)
    ranked = []
    for c in np.argsort(means, kind="stable"):
        half = half_interval(table[c], _CHANCE / 2)
        beaten = [(d := table[c] - other).mean() > half_interval(d, chance) + 1e-12 for other in table]
        ranked.append(
            Ranked(
                condition=list(scores)[c],
                score=float(means[c]),
                low=float(means[c] - half),
                high=float(means[c] + half),
                behind=float(means[c] - means.min()),
                best_probability=float(probability[c]),
                tied=not any(beaten),
            )
        )
    return ranked
