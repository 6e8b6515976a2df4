"""Scores as people read them in a terminal: the dozen that count first, or all of them in groups."""

from __future__ import annotations

from collections.abc import Mapping

from veristem.datasets.results import SUFFIXES
from veristem.reports.words import label, number

CHIEF = (
    "f_score", "precision", "recall", "depth_rmse_nm", "depth_bias_nm", "depth_spread_nm", "lateral_rmse_nm",
    "depth_rmse_nm_over_parallax_limit", "depth_rmse_nm_over_limit", "calibration", "length_ratio", "tolerance_nm",
)  # fmt: skip
_OF_POINTS = {"length_ratio": "count_found", "depth_rmse_nm_over_parallax_limit": "count_truth"}
_VARIANTS = dict(zip(SUFFIXES, ("all", "visible", "ψ > 25°", "ψ ≤ 25°"), strict=True))


def score_lines(scores: Mapping[str, float | None], everything: bool = False) -> list[str]:
    """A line a score, in columns by variant where there are any; empty inputs give dashes.

    Parameters
    ----------
    scores : mapping
        As `veristem.score` gives them.
    everything : bool
        All scores instead of the dozen that count first.
    """
    plain = [name for name in scores if not name.endswith(SUFFIXES[1:])]
    names = plain if everything else [n for n in (one if one in scores else _OF_POINTS.get(one) for one in CHIEF) if n]
    names = [name for name in names if name in scores] or plain
    columns = {s: title for s, title in _VARIANTS.items() if not s or any(name + s in scores for name in names)}
    columns = columns if everything else dict(list(columns.items())[:3])
    width = max(len(label(name)) for name in names)
    head = [f"{'':{width}s}  " + " ".join(f"{title:>9s}" for title in columns.values())] if len(columns) > 1 else []
    lines = []
    for name in names:
        cells = (number(scores[name + suffix]) if name + suffix in scores else "" for suffix in columns)
        lines.append(f"{label(name):{width}s}  " + " ".join(f"{cell:>9s}" for cell in cells))
    return [line.rstrip() for line in head + lines]
