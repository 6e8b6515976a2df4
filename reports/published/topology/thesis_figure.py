"""The rows of `make` as a figure: a panel a row, the choice of the thesis marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from veristem.bench.topology.ranking import rank_scores
from veristem.reports.comparison import half_interval
from veristem.reports.figures import open_figure, styled
from veristem.reports.style import METHODS, TRUTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4
_PANELS = {  # what is changed, and the choice of the thesis among the conditions
    "T13": ("tilt off the Bragg angle", ["0.14 °"]),
    "T14 BF": ("camera length, bright field", ["220 mm"]),
    "T14 HAADF": ("camera length, HAADF", ["2100 mm", "3300 mm"]),
    "T15 pixel": ("pixel, 4 µs", ["7 nm"]),
    "T15 dwell": ("dwell time, 3.5 nm", ["2 µs"]),
    "T16 angle": ("inner angle of quadrants", ["7.5 mrad"]),
    "T16 dwell": ("dwell time, quadrants", ["8 µs"]),
    "T16 pixel": ("pixel, quadrants", ["1.9 nm"]),
    "T17 dose": ("dose a frame", []),
    "T17 pixel": ("pixel, pixelated detector", ["9 nm"]),
    "T18": ("radius of virtual discs", ["15 mrad"]),
}


@styled
def thesis_figure(scores: Mapping[str, Mapping[str, np.ndarray]], nothing: Mapping[str, float]) -> Figure:
    """Mean score of every condition over the specimens, with the interval by which conditions are compared.

    Parameters
    ----------
    scores : mapping of row to mapping of condition to (S,) float
        Topological scores [1/µm], a number a seed; at least two seeds.
    nothing : mapping of row to float
        Score of empty masks [1/µm].
    """
    lines = -(-len(scores) // _COLUMNS)
    figure = open_figure((3.2 * _COLUMNS, 2.7 * lines))
    panels = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for panel, (row, own) in zip(panels, scores.items()):
        what, chosen = _PANELS[row]
        table = np.array(list(own.values()))
        # what all conditions of a specimen share is no doubt about their order (Morey, TQMP 4 (2008) 61)
        apart = (table - table.mean(axis=0)) * np.sqrt(len(table) / (len(table) - 1))
        tied = {ranked.condition: ranked.tied for ranked in rank_scores(own, np.random.default_rng(0))}
        for at, (name, values) in enumerate(zip(own, apart)):
            if name in chosen:
                panel.axvspan(at - 0.4, at + 0.4, color=METHODS[5], alpha=0.25, lw=0)
            face = METHODS[0] if tied[name] else "white"
            how = {"fmt": "o", "color": METHODS[0], "mfc": face, "ms": 6, "capsize": 3}
            panel.errorbar(at, table[at].mean(), half_interval(values, 0.025), **how)
        panel.axhline(nothing[row], color=TRUTH, ls="--", lw=1)
        numbers, units = zip(*(name.split(" ", 1) for name in own))
        panel.set_xticks(range(len(own)), [number.replace("-", "−") for number in numbers])
        panel.set_xlabel(f"{what} ({units[0]})")
        panel.set_xlim(-0.6, len(own) - 0.4)
        panel.set_ylim(0, None)
        panel.set_title(row, loc="left")
    for panel in panels[::_COLUMNS]:
        panel.set_ylabel("topological score (1/µm)")
    for panel in panels[len(scores) :]:
        panel.set_axis_off()
    return figure
