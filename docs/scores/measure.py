"""How every metric answers to every degradation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

import images
from curves import CURVES, Curves, Degradation
from images import DISPARITY, MASKS, disparity_of, mask_of
from scene import good, network
from veristem.bench.limits.lines import LENGTH_NM, LineLimits
from veristem.bench.metrics import metrics
from veristem.bench.metrics.base import Metric
from veristem.bench.scoring import score_curves, score_disparity, score_masks
from veristem.bench.topology.score import Topology, topological_score
from veristem.datasets import polyline

SEEDS = 5
BLIND, SEES = 0.01, 0.05  # of the way from good to bad
Scores = Mapping[str, float | None]
_OVER_LIMIT = "depth_sigma_over_limit"  # of limits that are given; the others compare with the same
_TOPOLOGY = Metric(
    "topological_score", "1/µm", "lower", "wrong places a micrometre of line", 0.0, 10.0, "0 for two empty masks"
)


@dataclass(frozen=True, eq=False)
class Answers:
    """One panel of the picture.

    Parameters
    ----------
    title : str
        What is scored.
    rows : dict of str to Metric
        The metrics by the name that is shown.
    degradations : dict of str to Degradation
        What was done.
    values : (M, D, 5) float
        Mean score over the seeds, undegraded first, then of rising strength; NaN where one has no value.
    """

    title: str
    rows: dict[str, Metric]
    degradations: dict[str, Degradation]
    values: np.ndarray

    @property
    def response(self) -> np.ndarray:
        """(M, D, 4) how much worse than undegraded, as a share of the way from good to bad; below 0 for better."""
        span = np.array([abs(m.bad - m.good) for m in self.rows.values()])
        loss = np.abs(self.values - np.array([m.good for m in self.rows.values()])[:, None, None])
        return (loss[..., 1:] - loss[..., :1]) / span[:, None, None]


def _measured(title: str, rows: dict[str, Metric], ways: dict[str, Degradation], scores: Callable) -> Answers:
    """``scores`` takes a degradation, or None, a strength and a generator, and returns scores by the rows' names."""
    values = np.full((SEEDS, len(rows), len(ways), 5), np.nan)
    for d, way in enumerate(ways.values()):
        for k, strength in enumerate((None, *way.strengths)):
            for seed in range(1 if strength is None else SEEDS):
                found = scores(None if strength is None else way, strength, np.random.default_rng(seed))
                row = [found[name] for name in rows]
                values[seed if strength is not None else slice(None), :, d, k] = np.array(row, float)
    missing = np.isnan(values).any(axis=0)  # of some seeds alone a mean would be of others
    return Answers(title, rows, ways, np.where(missing, np.nan, np.nan_to_num(values).mean(axis=0)))


def given_limits(lines: Curves) -> LineLimits:
    """Limits of 1 nm in depth and half of it across for every 20 nm of the lines, whatever images would show."""
    pieces = []
    for line in lines:
        points, _ = polyline.resample(line, np.zeros(len(line)), 1.0)
        cuts = np.linspace(0, len(points) - 1, max(1, round(len(points) / LENGTH_NM)) + 1).round().astype(int)
        pieces += [points[a : b + 1] for a, b in pairwise(cuts)]
    count = len(pieces)
    number = np.repeat(np.arange(count), [len(piece) for piece in pieces])
    limit = np.tile([0.5, 1.0], (count, 1))
    lengths = np.array([polyline.length(piece) for piece in pieces])
    return LineLimits(np.concatenate(pieces), number, lengths, np.full(count, 90.0), limit, np.full_like(limit, np.nan))


def curve_answers(truth=None) -> Answers:
    """Of the metrics of curves."""
    truth = truth or network()
    lines = truth.chains()
    limits = given_limits(lines)
    understated = Degradation("reported sigma divided by", (1.5, 2, 3, 5), "", lambda lines, strength, rng: lines)
    ways = {**CURVES, "too sure": understated}

    def scores(way: Degradation | None, strength: float, rng) -> Scores:
        found = good(way.apply(lines, strength, rng) if way else lines)
        if way is understated:
            found = replace(found, sigma_nm=tuple(s / strength for s in found.sigma_nm))
        return score_curves(truth, found, limits=limits)

    rows = {m.name: m for m in metrics() if "curves" in m.of and ("limit" not in m.name or m.name == _OVER_LIMIT)}
    return _measured("curves, tolerance 10 nm", rows, ways, scores)


def mask_answers(lines: Curves) -> Answers:
    """Of the metrics of masks, the shares at two tolerances, and of the topological score."""
    truth, of = mask_of(lines), {m.name: m for m in metrics() if "masks" in m.of}
    true_topology = Topology.of(truth, images.PIXEL_NM)

    def scores(way: Degradation | None, strength: float, rng) -> Scores:
        found = way.apply(lines, strength, rng) if way else truth
        exact, near = (score_masks(truth, found, tolerance_px=t) for t in (0.0, 2.0))
        topology = topological_score(Topology.of(found, images.PIXEL_NM), true_topology)
        # neither clDice nor topology knows a tolerance
        return exact | {f"{name}, 2 px": value for name, value in near.items()} | {_TOPOLOGY.name: topology}

    shares = [name for name in of if name not in ("cldice", _TOPOLOGY.name)]
    rows = {name: of[name] for name in shares} | {f"{name}, 2 px": of[name] for name in shares}
    rows |= {"cldice": of["cldice"], _TOPOLOGY.name: _TOPOLOGY}
    return _measured("masks, lines one pixel wide", rows, MASKS, scores)


def disparity_answers(lines: Curves) -> Answers:
    """Of the metrics of disparity."""
    truth = disparity_of(lines)

    def scores(way: Degradation | None, strength: float, rng) -> Scores:
        return score_disparity(truth, way.apply(lines, strength, rng) if way else truth)

    order = ("coverage", "epe_px", "bad1", "bad3", "bad5")
    of = {m.name: m for m in metrics() if "disparity" in m.of}
    return _measured("disparity, 1 nm pixels, 8°", {name: of[name] for name in order}, DISPARITY, scores)


def all_answers() -> tuple[Answers, Answers, Answers]:
    """Of curves, masks and disparity, from one network."""
    truth = network()
    lines = truth.chains()
    return curve_answers(truth), mask_answers(lines), disparity_answers(lines)
