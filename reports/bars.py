"""Bars of uncertainty in a panel: limits that one wide bar does not squeeze, and a mark where it is cut."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_LONGEST = 4.0  # times the typical bar: what longer ones are cut to


class Bars(NamedTuple):
    """Means (K,) at places (K,) with the ends of their bars, and how they are painted."""

    at: list
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    transform: Any


def fit_bars(ax, drawn: list[Bars]) -> None:
    """Limits from the means and bars of up to a few times the typical length: one wide bar must not squeeze a panel."""
    means, low, high = (np.concatenate([getattr(one, name) for one in drawn]) for name in ("mean", "low", "high"))
    if not np.isfinite(high - low).any():
        return
    usual = _LONGEST * np.nanmedian(np.concatenate([high - means, means - low]))
    bottom, top = np.nanmin(np.fmax(low, means - usual)), np.nanmax(np.fmin(high, means + usual))
    limits = [line.get_ydata() for line in ax.get_lines() if line.get_marker() == "_"]  # limits of errors
    known = np.concatenate([np.asarray(y, float) for y in limits] or [[bottom]])
    known = known[np.isfinite(known)]
    bottom, top = min(bottom, known.min(initial=bottom)), max(top, known.max(initial=top))
    room = 0.05 * (top - bottom) or 0.05 * (abs(top) or 1.0)
    before = ax.get_ylim()
    ax.set_ylim(max(before[0], bottom - room), min(before[1], top + room))


def mark_clipped(ax, drawn: list[Bars]) -> None:
    """An arrowhead at the edge of a panel for each bar that goes on beyond it."""
    for one in drawn:
        for edge, beyond, marker in zip(ax.get_ylim(), (one.low, one.high), (7, 6)):
            outside = beyond < edge if marker == 7 else beyond > edge
            if outside.any():
                at = np.asarray(one.at, float)[outside]
                where = {"transform": one.transform, "clip_on": False, "zorder": 5}
                ax.plot(at, np.full(len(at), edge), ls="none", marker=marker, ms=4, color=one.colour, **where)
