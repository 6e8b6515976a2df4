"""Lines and particles as a flat figure for print: along the beam and edge-on, to scale, in vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veristem.datasets import CurveSet, DislocationNetwork, InputError, LineTruth, ParticleDispersion
from veristem.reports import style
from veristem.reports.figures import open_figure
from veristem.reports.show import COLOURS, corners_nm, spheres

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Width = Literal["column", "page"]
_LEFT_IN, _RIGHT_IN, _ABOVE_IN, _BELOW_IN, _GAP_IN = 0.45, 0.08, 0.08, 0.36, 0.1  # about the panels
_BAR_IN, _ROW_IN = 0.61, 0.17  # of the scale of colours, of a row of names


def draw(
    objects: Sequence,
    *,
    names: Sequence[str] = (),
    errors_nm: Sequence[tuple[np.ndarray, ...]] | None = None,
    tolerance_nm: float = 10.0,
    width: Width = "column",
) -> Figure:
    """Draw objects along the beam, x to the right and y down, and below edge-on, depth to the same scale.

    Together in one pair of panels: one alone coloured by what it holds, as in `view`, several with a colour each. With
    errors the first object is the truth, in grey, and each of the others has its panels, coloured by its error.

    Parameters
    ----------
    objects : sequence of LineTruth, DislocationNetwork, CurveSet, ParticleDispersion, ParticleTruth or PointSet
        What to draw.
    names : sequence of str
        What they are called.
    errors_nm : sequence of tuples of (K,) float, optional
        Of every object but the first: error of each vertex of its curves [nm].
    tolerance_nm : float
        Where the colours of errors end [nm].
    width : "column" or "page"
        85 mm or 170 mm, with letters to match.

    Raises
    ------
    InputError
        For an object of another kind, or errors of what are no curves.
    """
    from matplotlib import rc_context

    names = list(names) or [f"{type(item).__name__} {n}" for n, item in enumerate(objects, 1)]
    objects = [spheres(item) for item in objects]
    allowed = (LineTruth, DislocationNetwork, CurveSet, ParticleDispersion)
    if wrong := [item for item in objects if not isinstance(item, allowed)]:
        raise InputError(f"draw: {type(wrong[0]).__name__} found; a network, curves, particles or points allowed")
    if errors_nm is not None and not all(isinstance(item, CurveSet) for item in objects[1:]):
        raise InputError("draw: errors of what are no curves found; a truth, then curves allowed")
    if errors_nm is not None and len(objects) < 2:
        raise InputError("draw: a truth alone found; a truth, then curves allowed")
    with rc_context():
        _use(width)
        return _drawn(objects, names, errors_nm, tolerance_nm)


def _use(width: Width) -> None:
    from matplotlib import style as styles

    styles.use(f"veristem.reports.styles.{width}")


def _drawn(objects, names: list[str], errors_nm, tolerance_nm: float) -> Figure:
    from matplotlib.ticker import MaxNLocator

    low, high = corners_nm(objects)
    alone = errors_nm is None
    labels = list(zip(names, cycle(COLOURS))) if alone and len(objects) > 1 else []
    scaled = not alone or (not labels and isinstance(objects[0], CurveSet | ParticleDispersion))
    rows = 0 if alone and not labels else -(-len(labels) // 2) or 1
    figure, axes, bar = _panels(1 if alone else len(objects) - 1, high - low, rows, scaled)
    painted = None
    for column, pair in enumerate(axes):
        if alone:
            for item, colour in zip(objects, [colour for _, colour in labels] or [None]):
                painted = _add(pair, item, colour, _shade(item, colour, high[2]))
        else:
            found = objects[column + 1]
            _add(pair, objects[0], style.TRUTH, None, thin=True)
            painted = _add(pair, found, None, style.shade(found, errors_nm[column], tolerance_nm, None)) or painted
            pair[0].set_title(names[column + 1])
        for ax, across in zip(pair, (1, 2)):
            ax.set(xlim=(low[0], high[0]), ylim=(high[across], low[across]))
            ax.xaxis.set_major_locator(MaxNLocator(5, prune="upper"))  # or it meets the first of the next panel
            if column == 0:
                ax.set_ylabel(f"{'xyz'[across]} (nm)")
            else:
                ax.tick_params(labelleft=False)
        pair[0].tick_params(labelbottom=False)
        pair[1].set_xlabel("x (nm)")
    if labels:
        _legend(figure, labels)
    if painted is not None:
        paint, label, over = painted
        figure.colorbar(paint, cax=bar, label=label, extend="max" if over else "neither")
    elif bar is not None:
        bar.remove()
    return figure


def _panels(count: int, size_nm: np.ndarray, rows: int, scaled: bool):
    """A figure, its pairs of axes and those of the scale of colours: one scale in nm, all of the width used."""
    from matplotlib import rcParams

    whole, letters = float(rcParams["figure.figsize"][0]), float(rcParams["font.size"]) / 7
    left, below, gap = letters * _LEFT_IN, letters * _BELOW_IN, letters * _GAP_IN
    right, above = letters * (_RIGHT_IN + scaled * _BAR_IN), letters * (_ABOVE_IN + rows * _ROW_IN)
    wide = (whole - left - right - (count - 1) * gap) / count
    first, second = wide * size_nm[1] / size_nm[0], wide * size_nm[2] / size_nm[0]
    high = above + first + gap + second + below
    figure = open_figure((whole, high))
    figure.set_layout_engine("none")

    def place(x: float, y: float, width: float, height: float):
        return figure.add_axes((x / whole, y / high, width / whole, height / high))

    columns = [left + n * (wide + gap) for n in range(count)]
    pairs = [(place(x, below + second + gap, wide, first), place(x, below, wide, second)) for x in columns]
    bar = place(whole - right + gap, below, gap, high - above - below) if scaled else None
    return figure, pairs, bar


def _shade(item, colour: str | None, deepest_nm: float) -> style.Shade | None:
    return style.shade(item, None, 1.0, deepest_nm) if colour is None and isinstance(item, CurveSet) else None


def _add(pair, item, colour: str | None, shade: style.Shade | None, thin: bool = False):
    """Add an object to both panels; what its scale of colours needs, or None where it has none."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import EllipseCollection, LineCollection
    from matplotlib.colors import Normalize

    if isinstance(item, ParticleDispersion):
        paint = ScalarMappable(Normalize(0, item.box_nm[2]), "viridis")
        order = np.argsort(-item.centers_nm[:, 2])  # the deepest lie behind
        centers, two = item.centers_nm[order], 2 * item.radii_nm[order]
        colours = colour or paint.to_rgba(centers[:, 2])
        for ax, places in zip(pair, (centers[:, :2], centers[:, ::2])):
            how: dict[str, Any] = {"units": "xy", "offsets": places, "offset_transform": ax.transData}
            ax.add_collection(EllipseCollection(two, two, 0, facecolors=colours, lw=0.2, edgecolors="white", **how))
        return None if colour else (paint, "depth z (nm)", False)
    segments, colours = _segments(item), colour or style.VISIBLE
    told = None
    if shade is not None:
        paint = ScalarMappable(Normalize(*shade.limits), shade.colours)
        values = [(v[:-1] + v[1:]) / 2 for v in shade.values]
        colours = paint.to_rgba(np.concatenate([np.zeros(0), *values]))
        told = paint, shade.label, any((v > shade.limits[1]).any() for v in shade.values)
    elif isinstance(item, LineTruth) and colour is None:
        colours = np.where(item.visible, style.VISIBLE, style.INVISIBLE).tolist()
    for ax, axes in zip(pair, ([0, 1], [0, 2])):
        lines = LineCollection(list(segments[:, :, axes]), colors=colours, lw=0.6 if thin else 1.1, capstyle="round")
        ax.add_collection(lines, autolim=False)
    return told


def _segments(item) -> np.ndarray:
    """The straight pieces (K, 2, 3) of lines [nm]."""
    if isinstance(item, CurveSet):
        return np.concatenate([np.zeros((0, 2, 3)), *(np.stack([c[:-1], c[1:]], axis=1) for c in item.curves_nm)])
    network = item.network if isinstance(item, LineTruth) else item
    return np.stack(network.ends_nm(), axis=1)


def _legend(figure, labels: list[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=name) for name, colour in labels]
    figure.legend(handles=handles, loc="upper center", ncols=2, borderaxespad=0.2)
