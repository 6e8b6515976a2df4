"""Limits in the charts of a study: the smallest errors that physics allows, under the errors found."""

from __future__ import annotations

import numpy as np

from veristem.reports.rows import STEEP, StudyResult

_DEPTH_LIMITS = {"depth_parallax_limit_nm": "parallax", "depth_limit_nm": "limit"}
_LATERAL_LIMITS = {"lateral_parallax_limit_nm": "parallax", "lateral_limit_nm": "limit"}
_LIMITS = {  # columns that belong under a score, and what they are called there
    "depth_rmse_nm": _DEPTH_LIMITS, "depth_spread_nm": _DEPTH_LIMITS, "depth_rmse_nm" + STEEP: _DEPTH_LIMITS,
    "lateral_rmse_nm": _LATERAL_LIMITS, "lateral_spread_nm": _LATERAL_LIMITS,
    "lateral_rmse_nm" + STEEP: _LATERAL_LIMITS,
}  # fmt: skip


def limits_under(result: StudyResult, score: str) -> dict[str, str]:
    """The known columns of limits that belong under a score, and their names; those of lines are of steep ones."""
    whose = "" if result.of_particles or score.endswith(STEEP) else ", ψ\u00a0>\u00a025°"
    return {column: name + whose for column, name in _LIMITS.get(score, {}).items() if result.knows(column)}


def dashes(column: str) -> tuple[float, float]:
    """Of the line of a limit: by parallax alone or in full."""
    return (4, 2) if "parallax" in column else (1, 1.5)


def draw_limit(ax, rows, axis: str, values, at, how) -> None:
    """The mean limit of a panel; ``how`` is its column, name, colour and dashes."""
    from matplotlib.patheffects import withStroke

    column, name, colour, dashes = how
    limit = rows.groupby(axis)[column].mean().reindex(values).to_numpy(float)
    known = np.flatnonzero(np.isfinite(limit))
    alone = [int(k) for k in known if not {k - 1, k + 1} & set(known)]  # no line reaches them
    ax.plot(at, limit, color=colour, lw=1.0, ls=(0, dashes), marker="_", markevery=alone)
    if name not in [text.get_text() for text in ax.texts] and len(known):
        halo = [withStroke(linewidth=2, foreground="white")]  # it may lie on a curve
        side, away = ("left", 5) if known[0] <= (len(at) - 1) / 2 else ("right", -5)
        where = {"ha": side, "va": "bottom", "fontsize": 8, "path_effects": halo, "zorder": 4}
        ax.annotate(name, (at[known[0]], limit[known[0]]), (away, 1), textcoords="offset points", **where)
