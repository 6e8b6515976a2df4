"""What every metric promises in its METRIC, of all that there are: a new file in bench/metrics is held to it too."""

from __future__ import annotations

import re

import numpy as np
import pytest

from veristem.bench.metrics import metrics
from veristem.bench.scoring import score_curves, score_disparity, score_masks, score_points
from veristem.datasets import CurveSet, ParticleDispersion, PointSet

SCORE = {"curves": score_curves, "points": score_points, "masks": score_masks, "disparity": score_disparity}
ALL = [(kind, metric) for metric in metrics() for kind in metric.of]
EACH = pytest.mark.parametrize(("kind", "metric"), ALL, ids=[f"{metric.name}-{kind}" for kind, metric in ALL])
# what METRIC says of empty inputs: a value, then one of these, which mean empty truths, results or both
WHEN = {
    r"without .*": ("truth", "found", "both"),
    r"when either side is empty": ("truth", "found", "both"),
    r"when both (sides|masks) are empty": ("both",),
    r"when one is": ("truth", "found"),
    r"when the truth (is empty|has no \w+)": ("truth", "both"),
    r"when the reconstruction (is empty|has no \w+)": ("found", "both"),
    r"when only the truth is": ("truth",),
    r"when only (the reconstruction|what was found) is": ("found",),
}


def side(kind: str, what: str, shift: float = 0.0, empty: bool = False):
    """One side of a pair, ``what`` "truth" or "found": a line, two particles, a bar; shifted across [nm or px]."""
    line = np.add([[50.0, 100.0, 60.0], [250.0, 100.0, 60.0]], [0, shift, 0])
    if kind == "curves":
        return CurveSet(() if empty else (line,))
    if kind == "points":
        centers = line[:0] if empty else line
        return PointSet(centers) if what == "found" else ParticleDispersion(centers, [2.0] * len(centers), [300.0] * 3)
    mask = np.zeros((20, 30))
    mask[round(5 + shift * (kind == "masks")), 4:26] = not empty
    return mask.astype(bool) if kind == "masks" else np.where(mask > 0, 3 + shift, np.nan)


def said(empty: str) -> dict[str, float | None]:
    """What a metric says it gives where the truth, the result or both are empty, as far as it says it so."""
    found: dict[str, float | None] = {}
    for clause in re.split(r"[,;] ", empty):
        value, _, rest = clause.partition(" ")
        for words, cases in WHEN.items():
            if re.fullmatch(words, rest) and re.fullmatch(r"null|\d+", value):
                found |= dict.fromkeys(cases, None if value == "null" else float(value))
    return found


@EACH
def test_ends_agree_with_the_direction(kind, metric):
    """A colour scale and the gate rely on it; the name is that of a column."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.meaning
    assert metric.empty
    assert metric.loss(metric.good) == 0 < metric.loss(metric.bad)
    assert {"lower": metric.good < metric.bad, "higher": metric.good > metric.bad}.get(metric.better, True)


@EACH
def test_identical_is_good(kind, metric):
    """Or no value, where what it needs is not given; a number that says nothing of quality may be any."""
    value = SCORE[kind](side(kind, "truth"), side(kind, "found"))[metric.name]
    assert value is None or metric.better == "neither" or value == pytest.approx(metric.good, abs=1e-9)


@EACH
@pytest.mark.parametrize("case", ["truth", "found", "both"])
def test_empty_sides_give_what_it_says(kind, metric, case):
    """Never NaN, which would spoil every mean."""
    truth, found = (side(kind, what, empty=case in (what, "both")) for what in ("truth", "found"))
    value = SCORE[kind](truth, found)[metric.name]
    assert value is None or np.isfinite(value)
    assert value == said(metric.empty).get(case, value)


def test_what_is_said_of_empty_sides_is_understood():
    """The test above would hold of words that it cannot read."""
    assert said("null when the reconstruction is empty, 1 when only the truth is") == {
        "found": None,
        "both": None,
        "truth": 1.0,
    }
    assert said("1 when both sides are empty, 0 when one is; null in a variant when only one is") == {
        "both": 1.0,
        "truth": 0.0,
        "found": 0.0,
    }
    assert len([m for _, m in ALL if len(said(m.empty)) == 3]) > len(ALL) / 2


@EACH
def test_a_growing_shift_is_never_better(kind, metric):
    """As far as it has a value: beyond the tolerance errors have none."""
    shifts = (0, 1, 2, 4, 7) if kind == "masks" else (0, 0.5, 1.5, 1.9, 4, 9, 40)
    results = [SCORE[kind](side(kind, "truth"), side(kind, "found", shift)) for shift in shifts]
    losses = [metric.loss(r[metric.name]) for r in results if r[metric.name] is not None]
    assert metric.better == "neither" or np.all(np.diff(losses) > -1e-9)
