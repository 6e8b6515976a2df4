"""Write docs/scores.md, which shows what each score sees, and its picture: python docs/scores/make.py [-o docs]."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from measure import BLIND, SEEDS, SEES, Answers, all_answers
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.words import number, parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEPS = (0.0, BLIND, SEES, 0.2, 0.5, 1.0)
_ARROWS = {"lower": "↓", "higher": "↑", "closer": "→"}
_SIZE_IN = (6.7, 6.6)  # 17 cm wide
_UNMOVED, _NONE = "#f0f0f0", "#E69F00"


@styled
def figure(answers: Sequence[Answers]) -> Figure:
    """A row a metric, a group of four columns a degradation of rising strength; dark where the metric moves."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    _, masks, disparity = answers
    drawing = open_figure(_SIZE_IN)
    upper, lower = np.ravel(drawing.subfigures(2, 1, height_ratios=(2.05, 1)))  # type: ignore[arg-type]
    light = np.linspace(0.85, 0, len(_STEPS) - 1)
    blues = np.stack([light**1.6, light**1.1, 0.35 + 0.65 * light], axis=1)
    colours = ListedColormap([_UNMOVED, *map(tuple, blues)]).with_extremes(bad=_NONE)
    norm = BoundaryNorm([-1e9, *_STEPS[1:], 1e9], len(_STEPS))
    widths = [len(panel.degradations) for panel in (masks, disparity)]
    axes = [upper.subplots(), *lower.subplots(1, 2, width_ratios=widths)]
    shown: Any = None
    for ax, letter, panel in zip(axes, "abc", answers):
        shown = _panel(ax, panel, colours, norm)
        ax.set_title(f"{letter}  {panel.title}", loc="left", fontsize=9)
    axes[0].set_title("groups of four strengths, rising to the right", loc="right", fontsize=7.5)
    bar = upper.colorbar(shown, ax=axes[0], aspect=35, pad=0.015, ticks=[])
    bar.ax.set_yticks([*_STEPS[1:]], [f"{100 * s:g} %" for s in _STEPS[1:]], fontsize=7)
    bar.set_label("of the way from good to bad", fontsize=8)
    return drawing


def _panel(ax, panel: Answers, colours, norm):
    response = panel.response
    count = len(panel.degradations)
    image = np.ma.masked_invalid(response.reshape(len(response), -1))
    edges = (np.arange(count)[:, None] * 4.5 + np.arange(5)).ravel()  # groups of four with a gap between
    cells = np.ma.masked_all((len(response), len(edges) - 1))
    blank = np.zeros(len(edges) - 1, bool)
    blank[4::5] = True
    cells[:, ~blank] = image
    shown = ax.pcolormesh(edges, np.arange(len(response) + 1), cells, cmap=colours, norm=norm, lw=0)
    for start in edges[4:-1:5]:
        ax.axvspan(start, start + 0.5, color="white", lw=0)
    ax.hlines(np.arange(1, len(response)), 0, edges[-1], color="white", lw=1.0)
    ax.set_ylim(len(response), 0)
    ax.set_xticks(np.arange(count) * 4.5 + 2, list(panel.degradations), rotation=45, ha="right", rotation_mode="anchor")
    names = [f"{_words_of(name)} {_ARROWS[metric.better]}" for name, metric in panel.rows.items()]
    ax.set_yticks(np.arange(len(response)) + 0.5, names)
    ax.tick_params(length=0, labelsize=7.5)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return shown


def _words_of(row: str) -> str:
    name, comma, tolerance = row.partition(", ")
    return parts(name)[0] + comma + tolerance


_HEAD = f"""# What the scores see

A network of zipped lines and loops (512 × 512 × 200 nm) is made worse in known ways, and every score is asked but those
of particles and those that compare errors with the limit, which needs counted images. One of these is shown, with a
limit that is given: 1 nm in depth for 20 nm of line. `make scores` makes this page and its picture;
`tests/test_metrics_*.py` and `tests/test_topology_*.py` hold the scores to values worked out by hand.

Curves start from a good reconstruction: the truth with depths wrong by 1 nm rms, smoothly, and reported as such. Masks
and disparities start from the truth, at 1 nm a pixel. What is drawn by chance is a mean of {SEEDS} draws.

![Heat map: a row a score, a column a degradation of rising strength](scores/scores.png)

Each group is one degradation, its four strengths rising from left to right. Grey: the score stays where it was
(less than {100 * BLIND:g} % of its way from good to bad, or it even improves); dark: it moves; orange: no value.
Arrows: ↑ higher is better, ↓ lower, → nearer to its good value. The ends of the way, good and bad, are those of
`veristem list metrics` and of the file of each metric; of the topological score 0 and 10 wrong places a micrometre.
Lines are counted in pieces of at most a quarter of the tolerance: where one leaves the tolerance on a slope, a share is
right to one piece.

"""


def write_page(answers: Sequence[Answers], folder: Path) -> Path:
    """Write scores.md and scores/scores.png into a folder and return the page's path."""
    (folder / "scores").mkdir(parents=True, exist_ok=True)
    (folder / "scores" / "scores.png").write_bytes(drawn(figure(answers), "png", 200))
    text = [_HEAD, _lessons(answers)]
    for panel in answers:
        heading = f"## {panel.title[0].upper()}{panel.title[1:]}\n\n"
        text += [heading, _strengths(panel), _words(panel), _numbers(panel)]
    page = folder / "scores.md"
    page.write_text("".join(text).rstrip() + "\n", encoding="utf-8")
    return page


def _lessons(answers: Sequence[Answers]) -> str:
    """What to remember when reading scores, in numbers of this page."""

    def at(panel: Answers, score: str, *ways: str) -> str:
        found = [panel.values[list(panel.rows).index(score), list(panel.degradations).index(way), -1] for way in ways]
        return ", ".join(map(number, found))

    curves, masks, disparity = answers
    hidden = ("broken", "bridges", "doubled")
    deep, aside = (curves.degradations[way].strengths[-1] for way in ("shift z", "shift x"))
    undegraded = number(curves.values[list(curves.rows).index("depth_rmse_nm"), 0, 0])
    lessons = (
        "No score sees all. Distances and F are of points near points: gaps, false links and lines found twice within "
        f"the tolerance hardly move F ({at(curves, 'f_score', *hidden)} at their worst), but they do move APLS "
        f"({at(curves, 'apls', *hidden)}), Betti numbers, junctions and length.",
        "Betti numbers and junctions hardly see what stays within the tolerance; distances and errors in depth and "
        "aside do.",
        f"Errors in depth are those of matched points: with all lines {deep:g} nm too deep, more than the tolerance, "
        f"the bias is {at(curves, 'depth_bias_nm', 'shift z')} nm, of what still matches: steep lines, and others that "
        "lie below. Read them with precision beside them, which is the matched share.",
        "They are taken at the nearest point, which of an inclined line lies aside of the point and not above it: "
        f"a lateral shift of {aside:g} nm shows as {at(curves, 'depth_rmse_nm', 'shift x')} nm in depth, and the "
        f"good reconstruction's 1 nm as {undegraded} nm.",
        f"Tangents and length see jitter ({at(curves, 'tangent_error_deg', 'jitter')}°, "
        f"{at(curves, 'length_ratio', 'jitter')} times the length) long before precision does "
        f"({at(curves, 'precision', 'jitter')}).",
        f"Of masks, clDice forgives width ({at(masks, 'cldice', 'thick')} where F is {at(masks, 'f_score', 'thick')}) "
        f"and no shift ({at(masks, 'cldice', 'shift x')}).",
        f"The topological score counts wrong places, {at(masks, 'topological_score', 'broken', 'spurious', 'speckle')} "
        "a micrometre of line for gaps, false lines and specks at their worst. It hardly sees where a line lies "
        f"({at(masks, 'topological_score', 'shift x')} for the shift) and saturates: most lines gone count as "
        f"{at(masks, 'topological_score', 'removed')}, lines too thick as {at(masks, 'topological_score', 'thick')}. "
        "It was fitted on masks of lines 10 nm wide with gaps of 20 nm (`reports/published/topology-weights`).",
        f"EPE leaves out what has no disparity: with most lines gone {at(disparity, 'epe_px', 'removed')} px, "
        f"over a share of {at(disparity, 'coverage', 'removed')}. The bad shares count what is missing.",
    )
    return "".join(f"- {lesson}\n" for lesson in lessons) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


def _strengths(panel: Answers) -> str:
    rows = [
        (name, way.what, ", ".join(f"{s:g}" for s in way.strengths) + f" {way.unit}".rstrip())
        for name, way in panel.degradations.items()
    ]
    return _table(("degradation", "what is done", "strengths"), rows)


def _words(panel: Answers) -> str:
    """For each score what it sees at the highest strength, what it is blind to, where it improves or has no value."""
    rows = []
    for name, response in zip(panel.rows, panel.response):
        ways = np.array(list(panel.degradations))
        last = response[:, -1]
        silent = np.isnan(response).any(axis=1)
        better = np.nan_to_num(response).min(axis=1) < -BLIND
        blind = np.abs(np.nan_to_num(response)).max(axis=1) < BLIND
        columns = (last >= SEES, blind & ~silent, better, silent)
        rows.append((name, *(", ".join(ways[mask]) or "–" for mask in columns)))
    return _table(("score", "sees", "blind to", "improves with", "no value at some strength"), rows)


def _numbers(panel: Answers) -> str:
    """Each score, undegraded and at the highest strength."""
    rows = []
    for name, metric, values in zip(panel.rows, panel.rows.values(), panel.values):
        unit = f" ({metric.unit})" if metric.unit else ""
        rows.append((f"{name}{unit}", number(values[0, 0]), *(number(v) for v in values[:, -1])))
    return "At the highest strength:\n\n" + _table(("score", "good", *panel.degradations), rows)


def main() -> None:
    """Measure all answers and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parents[1], help="folder of scores.md")
    print(write_page(all_answers(), parser.parse_args().out))


if __name__ == "__main__":
    main()
