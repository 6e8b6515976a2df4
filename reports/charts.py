"""Charts of a study: scores against every varied axis, and maps over pairs of axes.

Drawn 7.2 inches wide with letters of 8 points or more: printed 17 cm wide, the smallest are above 7 points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.datasets import InputError
from veristem.datasets.results import Metric
from veristem.reports import style
from veristem.reports.bars import Bars, fit_bars, mark_clipped
from veristem.reports.chart_limits import dashes, draw_limit, limits_under
from veristem.reports.comparison import mean_interval
from veristem.reports.figures import WIDTH_IN, new_figure, styled
from veristem.reports.rows import StudyResult, has, is_geometric, possible
from veristem.reports.studies import CHIEF, F_ENOUGH
from veristem.reports.words import counted, fixed, label, parts, value_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPPED = ("f_score", "depth_rmse_nm")
MOST_PAIRS = 6
_BESIDE = 28  # characters of names that stand beside each other below a panel


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure for a page or a file.

    Parameters
    ----------
    name : str
        For a file, without a suffix.
    figure : Figure
        7.2 inches wide.
    alt, caption : str
        What it shows, in short and at length.
    fold : str
        Heading under which a page folds it away; empty when it stands open.
    """

    name: str
    figure: Figure
    alt: str
    caption: str
    fold: str = ""


def study_charts(result: StudyResult) -> Iterator[Chart]:
    """All charts of a study, the chief ones first; none where nothing was varied."""
    yield from curve_charts(result)
    yield from map_charts(result)


def curve_charts(result: StudyResult) -> Iterator[Chart]:
    """Every score against every axis."""
    seeds = len(set(result.rows["seed"]))
    bars = f"Means over {counted(seeds, 'seed')}" + (
        ", bars: 95 % intervals over seeds (Student's t)" if seeds > 1 else ""
    )
    bars += ", an arrowhead where one leaves its panel" if seeds > 1 else ""
    bars += "; axes that are not shown are averaged over." if len(result.free_axes) > 1 else "."
    if result.suffix:
        bars += f" Scores are over {result.things}."
    others = tuple(score for score in result.metrics if score not in CHIEF)
    for fold, scores in (("", CHIEF), ("All other scores", others)):
        known = [score for score in scores if result.knows(score)]
        for axes in _portions(result.free_axes, 3):
            for part in _portions(known, 6):
                text = bars + _caption(result, part)
                name = f"curves-{'other' if fold else 'chief'}-{part[0]}-{_key(axes[0])}"
                alt = f"{result.name}: {', '.join(map(label, part))} against {', '.join(map(label, axes))}"
                yield Chart(file_name(f"{result.name}-{name}"), score_curves(result, part, axes), alt, text, fold)


@styled
def score_curves(result: StudyResult, scores: Sequence[str] = CHIEF, axes: Sequence[str] = ()) -> Figure:
    """Scores (rows) against varied axes (columns), with bars of 95 % over seeds; one axis alone fills rows.

    Lines are methods when several ran, else the values of another axis. The limits of errors, where known, are dashed
    (of lines, by parallax) and dotted.

    Raises
    ------
    InputError
        When no axis takes more than one value.
    """
    axes = tuple(axes) or result.free_axes
    if not axes:
        raise InputError("score curves: no axis with more than one value found, at least one allowed")
    if len(axes) == 1:
        cells = [[(score, axes[0]) for score in part] for part in _portions(scores, min(3, len(scores)))]
    else:
        cells = [[(score, axis) for axis in axes] for score in scores]
    columns = len(cells[0])
    size = (WIDTH_IN if columns > 1 else 4.2, (1.55 if columns > 1 else 2.6) * len(cells) + 1.0)
    # conditions without a score keep their place: panels of an axis share it
    shared = {"sharex": "col", "sharey": "row"} if len(axes) > 1 else {"sharex": "all"}
    figure, grid = new_figure(size, columns, len(cells), **shared)
    bars: dict[Any, list[Bars]] = {}
    for row, line in enumerate(cells):
        for column, (score, axis) in enumerate(line):
            ax, lines_are = grid[row][column], _line_axis(result, axis)
            bars[ax] = _curves(ax, result, axis, lines_are, score)
            if column == 0 or len(axes) == 1:
                ax.set_ylabel(_wrapped(label(score)))
            last = row == len(cells) - 1
            if len(axes) == 1 or last:
                ax.set_xlabel(label(axis))
                ax.tick_params(labelbottom=True)
            if row == 0 and lines_are not in (None, "method"):
                handles, names = ax.get_legend_handles_labels()
                names = [fill(name, 30) for name in names]
                columns_of = max(1, 28 // (max(map(len, names)) + 4))
                where = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": columns_of}
                ax.legend(handles, names, title=label(lines_are), **where)
        together = [[*zip(grid[row], line)]] if len(axes) > 1 else [[one] for one in zip(grid[row], line)]
        for panels in together:  # after all are drawn: limits are shared along a row
            drawn = [one for ax, _ in panels for one in bars[ax]]
            for ax, (score, _) in panels:
                fit_bars(ax, drawn)
                _dress(ax, score, result.metrics.get(score))
            for ax, _ in panels:
                mark_clipped(ax, bars[ax])
        for ax in grid[row][len(line) :]:
            ax.set_axis_off()
    figure.align_ylabels(grid)
    if len(set(result.rows["method"])) > 1:
        handles, names = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=max(1, 90 // (max(map(len, names)) + 8)))
    return figure


@styled
def heat_maps(result: StudyResult, method: str, pairs) -> Figure:
    """F and depth RMSE of a method over pairs of axes: means over seeds and the other axes.

    The best cell of each map is framed; a cell without a value is hatched.
    """
    rows = result.rows[result.rows["method"] == method]
    figure, grid = new_figure((WIDTH_IN, 2.3 * len(pairs) + 0.8), 2, len(pairs))
    for column, score in enumerate(MAPPED):
        tables = [_pair_table(rows, score, pair) for pair in pairs]
        known = np.concatenate([table.ravel() for _, _, table in tables])
        known = known[np.isfinite(known)]
        limits = (known.min(), known.max()) if len(known) and np.ptp(known) > 0 else (0.0, 1.0)
        shown = None
        for ax, pair, table in zip(grid[:, column], pairs, tables):
            shown = _map(ax, score, pair, *table, limits, _is_better_high(result, score))
        assert shown is not None
        bar = figure.colorbar(shown, ax=list(grid[:, column]), location="top", aspect=30)
        of_all = result.rows  # limits are of conditions, whatever the method
        means = {name: float(np.nanmean(of_all[of])) for of, name in limits_under(result, score).items()}
        told = [f"mean {name}: {fixed(mean, score)}" for name, mean in means.items()]
        bar.set_label("\n".join([label(score), *told]))
        for mean in means.values():
            if limits[0] <= mean <= limits[1]:
                bar.ax.axvline(mean, color="white", lw=2)
                bar.ax.axvline(mean, color="black", lw=0.8)
    return figure


def axis_pairs(result: StudyResult) -> list[tuple[str, str]]:
    """Pairs of axes that change independently, the one with more values first."""

    def most_first(pair) -> tuple[str, str]:
        a, b = sorted(pair, key=lambda axis: -len(_values(result.rows, axis)))
        return a, b

    return [most_first(pair) for pair in combinations(result.free_axes, 2)]


def map_charts(result: StudyResult) -> Iterator[Chart]:
    """F and depth RMSE over every pair of axes, a method at a time."""
    pairs = axis_pairs(result)
    flat = [method for method in _best_first(result) if _is_flat(result, method)]
    drawn = [method for method in _best_first(result) if method not in flat]
    for place, method in enumerate(drawn):
        for part in _portions(pairs[:MOST_PAIRS], 3):
            text = (
                f"F and depth RMSE of {method} over pairs of conditions: means over seeds and the other axes. Light is "
                "better; framed, where cells differ: the best cell of each map."
            )
            own = result.rows[result.rows["method"] == method]
            if any(np.isnan(_pair_table(own, score, pair)[2]).any() for score in MAPPED for pair in part):
                text += " Hatched grey: no value."
            text += f" Scores are over {result.things}." if result.suffix else ""
            text += " Line in the scale: the mean limit, as with the curves." if limits_under(result, MAPPED[1]) else ""
            if len(pairs) > MOST_PAIRS:
                text += f" {MOST_PAIRS} of {len(pairs)} pairs of axes are drawn."
            if flat and place == 0:
                text += f" No map of {', '.join(flat)}: F is the same everywhere, and no depth is known."
            name = file_name(f"{result.name}-maps-{place + 1}-{'-'.join(map(_key, part[0]))}")
            over = " and over ".join(f"{label(a)} and {label(b)}" for a, b in part)
            alt = f"{result.name}: maps of F and depth RMSE of {method} over {over}"
            yield Chart(name, heat_maps(result, method, part), alt, text, f"Maps of {method}" if place else "")


def _is_flat(result: StudyResult, method: str) -> bool:
    rows = result.rows.loc[result.rows["method"] == method]
    return len(set(rows["f_score"].dropna())) < 2 and not has(rows, "depth_rmse_nm")


def _best_first(result: StudyResult) -> list[str]:
    means = {str(method): rows["f_score"].mean() for method, rows in result.rows.groupby("method")}
    return sorted(means, key=lambda method: -np.nan_to_num(means[method]))


def _caption(result: StudyResult, scores) -> str:
    text = f" Grey and dashed: F = {F_ENOUGH:g}." if "f_score" in scores else ""
    drawn = {column for score in scores for column in limits_under(result, score)}
    if drawn and result.of_particles:
        text += " Dotted with the errors: their limits, the smallest that any unbiased method can have."
    elif drawn:
        text += (
            " With the errors: limits of 20 nm of line steeper than 25° to the epipolar direction, the smallest that "
            "any unbiased method can have which is given so much"
        )
        by_parallax = {column for column in drawn if "parallax" in column}
        text += "; dashed: which sees depth by parallax alone" if by_parallax else ""
        text += "; dotted: which knows how contrast changes with depth as well" if drawn > by_parallax else ""
        text += (
            ". Of lines whose limit is within the tolerance: errors beyond it are not seen either, and the limit of "
            "all of them is larger. A smooth curve over a longer line may lie below, as does what is found where it is "
            "easy."
        )
    return text + _failure_text(result)


def _failure_text(result: StudyResult) -> str:
    failed = result.failed
    if not failed:
        return ""
    return (
        f" A run in which the method fails counts as F = recall = 0 and has no other score; one in which the "
        f"simulation or the machine fails is left out ({failed:,} of {len(result.rows):,} failed)."
    )


def _curves(ax, result: StudyResult, axis: str, lines_are: str | None, score: str) -> list[Bars]:
    """Draw a panel, and return its means and bars."""
    from matplotlib.ticker import LogLocator
    from matplotlib.transforms import ScaledTranslation

    values, found = _values(result.rows, axis), []
    numeric = all(isinstance(v, (int, float, np.number)) for v in values)
    at = [float(v) for v in values] if numeric else list(range(len(values)))
    groups: list[tuple[Any, Any]] = (
        [("", result.rows)] if lines_are is None else list(result.rows.groupby(lines_are, sort=lines_are != "method"))
    )
    of_methods = lines_are in (None, "method")
    colours = list(style.METHODS) * len(groups) if of_methods else style.spread(len(groups))
    for i, ((name, rows), colour) in enumerate(zip(groups, colours)):
        # the other axes are averaged within a seed, so that the bars are over independent specimens
        by_seed = rows.pivot_table(score, index=axis, columns="seed", aggfunc="mean").reindex(values)
        mean, low, high = np.array(
            [mean_interval(v, *possible(result.metrics.get(score))) for v in by_seed.to_numpy(float)]
        ).T
        # side by side, a few points apart, or bars would hide each other
        beside = ScaledTranslation(3.0 * (i - (len(groups) - 1) / 2) / 72, 0, ax.figure.dpi_scale_trans)
        bars = np.nan_to_num([mean - low, high - mean])
        how = {"color": colour, "marker": style.MARKERS[i % len(style.MARKERS)], "ms": 3.5, "lw": 1.2}
        drawn = ax.errorbar(at, mean, bars, capsize=1.8, elinewidth=0.9, label=value_text(name), **how)
        for artist in drawn.get_children():
            artist.set_transform(ax.transData + beside)
        found.append(Bars(at, mean, low, high, colour, ax.transData + beside))
        if not of_methods or i == 0:
            whose, paint = (result.rows, "0.2") if of_methods else (rows, colour)
            for column, name in limits_under(result, score).items():
                draw_limit(ax, whose, axis, values, at, (column, name, paint, dashes(column)))
    ax.update_datalim([(x, 0) for x in at], updatey=False)  # a place without a score is a place all the same
    if numeric and is_geometric(at):
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    if len(at) <= 6 or not numeric:
        names = [fill(value_text(value), 14) for value in values]
        crowded = not numeric and sum(map(len, names)) > _BESIDE
        ax.set_xticks(at, names, **({"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if crowded else {}))
        ax.minorticks_off()
    if not numeric:
        ax.set_xlim(-0.4, len(at) - 0.6)
    return found


def _dress(ax, score: str, metric: Metric | None) -> None:
    if metric is not None and metric.is_share:
        ax.set_ylim(-0.04, 1.04)
        ax.set_yticks([0, 0.5, 1])
    elif "_bias_" not in score:
        # counts that are all 0 get room; a length may be far below 1 nm
        ax.set_ylim(0, max(0.0 if parts(score)[1] else 1.0, ax.get_ylim()[1]))
    if (wanted := _wanted(score, metric)) is not None:
        ax.axhline(wanted, color="0.5", lw=0.8, ls=(0, (4, 3)), zorder=0)
    ax.grid(color="0.9", lw=0.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.margins(x=0.08)


def _is_better_high(result: StudyResult, score: str) -> bool:
    return score in result.metrics and result.metrics[score].better == "higher"


def _wanted(score: str, metric: Metric | None) -> float | None:
    """The value to look at: what is enough of F, and what is perfect where that lies within the scale."""
    if score == "f_score":
        return F_ENOUGH
    if metric is None or metric.is_share or not (metric.better == "closer" or metric.good > 0):
        return None
    return metric.good


def _pair_table(rows, score: str, pair) -> tuple[list, list, np.ndarray]:
    """Values of both axes, and the means (second axis, first axis)."""
    across, down = (_values(rows, axis) for axis in pair)
    by_seed = rows.pivot_table(score, index=[pair[1], pair[0]], columns="seed", aggfunc="mean")
    table = np.full((len(down), len(across)), np.nan)
    for (y, x), value in by_seed.mean(axis=1).items():
        table[down.index(y), across.index(x)] = value
    return across, down, table


def _map(ax, score: str, pair, across, down, table, limits, high_is_better: bool):
    from matplotlib.patches import Rectangle

    colours = "viridis" if high_is_better else "viridis_r"
    ax.patch.set(facecolor="0.92", hatch="////", edgecolor="0.65")
    shown = ax.imshow(table, cmap=colours, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto")
    for values, ticks in ((across, ax.set_xticks), (down, ax.set_yticks)):
        step = -(-len(values) // 8)
        ticks(range(0, len(values), step), [fill(value_text(value), 18) for value in values[::step]])
    ax.tick_params(length=0)
    ax.set_xlabel(label(pair[0]))
    ax.set_ylabel(_wrapped(label(pair[1])))
    known = np.argwhere(np.isfinite(table))
    if len(across) <= 7 and len(down) <= 8:
        for y, x in known:
            pale = np.dot(shown.to_rgba(table[y, x])[:3], (0.3, 0.59, 0.11)) > 0.5
            ax.text(x, y, fixed(table[y, x], score), ha="center", va="center", fontsize=8, color="k" if pale else "w")
    if len(known) and np.nanmin(table) < np.nanmax(table):
        best = np.nanargmax(table if high_is_better else -table)
        y, x = np.unravel_index(best, table.shape)
        for colour, width in (("white", 4.0), ("black", 1.8)):
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, ec=colour, lw=width, clip_on=False, zorder=3))
    return shown


def _line_axis(result: StudyResult, axis: str) -> str | None:
    if len(set(result.rows["method"])) > 1:
        return "method"
    counts = {a: len(_values(result.rows, a)) for a in result.free_axes if a != axis}
    return min((a for a in counts if counts[a] <= 5), key=counts.__getitem__, default=None)


def _values(rows, axis: str) -> list:
    return sorted(set(rows[axis].dropna()), key=lambda v: (isinstance(v, str), v))


def _portions(items, most: int) -> list:
    """Items in as few groups as fit, of even size."""
    count = -(-len(items) // most)
    size = -(-len(items) // max(count, 1))
    return [items[i : i + size] for i in range(0, len(items), size)] if size else []


def _key(axis: str) -> str:
    return axis.rsplit(".", 1)[-1]


def _wrapped(text: str) -> str:
    return "\n".join(fill(line, 18) for line in text.replace(" (", "\n(").split("\n")) if len(text) > 14 else text


def file_name(text: str) -> str:
    """Text as the name of a file."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)
