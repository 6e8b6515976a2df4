"""Figures as matplotlib objects, without global state: images and overlays.

Image axes run as on the microscope's screen: x to the right, y down, in nm.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.datasets import Acquisition, InputError
from veristem.datasets.geometry import widest_pair
from veristem.reports import style
from veristem.reports.scenes import Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_IN = 7.2
_STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.linewidth": 0.6, "axes.titlesize": 9, "legend.fontsize": 8, "legend.frameon": False,
    "legend.title_fontsize": 8}  # fmt: skip


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw with the style of the house."""

    @wraps(draw)
    def drawn(*args, **kwargs):
        from matplotlib import rc_context

        with rc_context(_STYLE):
            return draw(*args, **kwargs)

    return drawn


def pair(acquisition: Acquisition) -> tuple[int, int] | None:
    """Indices (left eye, right eye) of the two views furthest apart; None for a single view.

    The rays of the left eye come from the left: its theta_x is the larger one (theta_y for a pair along y).
    """
    directions = acquisition.directions_rad
    if np.ptp(directions, axis=0).max() < 1e-6:
        return None
    first, second = widest_pair(directions)
    across = directions[first] - directions[second]
    return (second, first) if across[np.argmax(np.abs(across))] < 0 else (first, second)


@styled
def stereo_pair(acquisition: Acquisition) -> Figure:
    """The two views side by side on one grey scale, with scale bar, direction of g and view angles."""
    chosen = pair(acquisition) or (0,)
    limits = np.percentile(acquisition.views[list(chosen)], [0.2, 99.8])
    figure, (axes,) = new_figure((3.3 * len(chosen) + 0.5, 3.5), len(chosen))
    shown = None
    for ax, index, side in zip(axes, chosen, ("left", "right")):
        shown = _show(ax, acquisition, acquisition.views[index], cmap="gray", vmin=limits[0], vmax=limits[1])
        angles = ", ".join(f"{a:+z.2f}°" for a in np.degrees(acquisition.directions_rad[index]))
        ax.set_title(f"{side if len(chosen) > 1 else 'view'}: θ = ({angles})".replace("-", "−"))
        scale_bar(ax)
    if acquisition.g_azimuth_rad is not None:
        _g_arrow(axes[0], acquisition)
    _colour_bar(axes[-1], shown, grey_label(acquisition))
    return figure


@styled
def anaglyph(acquisition: Acquisition) -> Figure:
    """The pair for red-cyan glasses, turned so that the parallax is horizontal.

    Raises
    ------
    InputError
        When there are no two views in different directions.
    """
    from scipy.ndimage import rotate

    chosen = pair(acquisition)
    if chosen is None:
        raise InputError("anaglyph: one view direction found, two allowed")
    across = np.subtract(*np.tan(acquisition.directions_rad[list(chosen)]))
    angle = np.degrees(np.arctan2(across[1], across[0]))
    low, high = np.percentile(acquisition.views[list(chosen)], [0.5, 99.5])
    grey = np.clip((acquisition.views[list(chosen)] - low) / max(high - low, 1e-9), 0, 1)
    if abs(angle) > 1:
        grey = np.clip(rotate(grey, angle, axes=(2, 1), order=1, cval=1.0), 0, 1)
    figure, ((ax,),) = new_figure((3.4, 3.3), 1)
    _show(ax, acquisition, np.stack([grey[0], grey[1], grey[1]], axis=-1))
    if abs(angle) > 1:
        ax.set_axis_off()
        ax.set_title(f"turned by {angle:.0f}° to make the parallax horizontal")
    scale_bar(ax)
    return figure


@styled
def overlay_plan(scene: Scene, with_truth: bool = True) -> Figure:
    """Reconstruction and, unless it is to be left out, truth projected onto the left image."""
    acquisition, shade = scene.acquisition, scene.shade
    index = (pair(acquisition) or (0,))[0]
    low, high = np.percentile(acquisition.views[index], [0.2, 99.8])
    figure, ((ax,),) = new_figure((4.4, 3.5), 1)
    # a darker image than the pair's, so that white lines show on it
    _show(ax, acquisition, acquisition.views[index], cmap="gray", vmin=low, vmax=high + 0.6 * (high - low))
    if scene.truth is not None and with_truth:
        first, second = (scene.truth.project(end, index) for end in scene.truth.network.ends_nm())
        _truth_lines(ax, scene, first, second, "white")
    registered = scene.registration
    places = acquisition.project if registered is None else partial(registered.project, acquisition)
    _shaded_lines(ax, [places(c, index) for c in scene.curves.curves_nm], shade)
    scale_bar(ax)
    return figure


@styled
def overlay_depth(scene: Scene) -> Figure:
    """Reconstruction and truth seen edge-on, x against depth z, the depth stretched when the foil is thin."""
    width, _, thickness = scene.size_nm
    top, bottom = (0.0, thickness) if scene.thickness_nm is not None else scene.reached_nm
    thickness = max(bottom - top, 0.02 * width)  # or axes without anything would be stretched beyond all measure
    stretch = max(1.0, round(2 * 0.45 * width / thickness) / 2)
    figure, ((ax,),) = new_figure((6.2, 0.9 + min(5.2 * thickness * stretch / width, 4.0)), 1)
    if scene.truth is not None:
        first, second = scene.truth.network.ends_nm()
        _truth_lines(ax, scene, first[:, [0, 2]], second[:, [0, 2]], "0.55")
    _shaded_lines(ax, [c[:, [0, 2]] for c in scene.curves.curves_nm], scene.shade)
    for face in (top, bottom) if scene.knows_thickness else ():
        ax.axhline(face, color=style.FOIL, lw=0.8)
    reached = [c[:, 2] for c in scene.curves.curves_nm]
    low, high = min([top, *map(np.min, reached)]), max([bottom, *map(np.max, reached)])
    margin = 0.04 * thickness
    # a wild vertex must not squeeze the foil to a line
    ax.set_ylim(min(high, bottom + 0.5 * thickness) + margin, max(low, top - 0.5 * thickness) - margin)
    ax.set_xlim(0, width)
    ax.set_aspect(stretch)
    ax.set_xlabel("x (nm)")
    ax.set_ylabel("depth z (nm)")
    ax.set_title("depth to scale" if stretch == 1 else f"depth stretched × {stretch:g}")
    return figure


def new_figure(size_in, columns: int, rows: int = 1, **how):
    """A figure and its axes, an array of rows."""
    figure = open_figure(size_in)
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def open_figure(size_in) -> Figure:
    """A figure without axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def show_view(ax, acquisition: Acquisition, image: np.ndarray, **how) -> None:
    """An image of an acquisition in nm, with a scale bar and, where it is known, the direction of g."""
    _show(ax, acquisition, image, **how)
    scale_bar(ax)
    if acquisition.g_azimuth_rad is not None:
        _g_arrow(ax, acquisition)


def _show(ax, acquisition: Acquisition, image: np.ndarray, **how):
    height, width = np.multiply(image.shape[:2], acquisition.pixel_nm)
    ax.set_xlabel("x (nm)")
    ax.set_ylabel("y (nm)")
    return ax.imshow(image, extent=(0, width, height, 0), interpolation="nearest", **how)


def scale_bar(ax, share: float = 0.25) -> None:
    """A bar of a round length, at most a share of the width, in the lower right corner of axes in nm."""
    from matplotlib.patheffects import withStroke

    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    length = round_length((right - left) * share)
    x, y = right - 0.05 * (right - left) - length, bottom - 0.05 * (bottom - top)
    edge = [withStroke(linewidth=5, foreground="black")]
    ax.plot([x, x + length], [y, y], color="white", lw=3, path_effects=edge, solid_capstyle="butt")
    edge = [withStroke(linewidth=2.5, foreground="black")]
    middle, above = x + length / 2, y - 0.02 * (bottom - top)
    ax.text(middle, above, f"{length:g} nm", color="white", ha="center", va="bottom", weight="bold", path_effects=edge)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)


def round_length(most: float) -> float:
    """The largest of 1, 2 or 5 times a power of ten that is not above ``most``."""
    decade = 10.0 ** np.floor(np.log10(most))
    return float(max(f * decade for f in (1, 2, 5) if f * decade <= most))


def grey_label(acquisition: Acquisition) -> str:
    """What the grey scale of images is."""
    return "counted electrons per pixel" if acquisition.electrons_per_pixel is not None else "grey level"


def _g_arrow(ax, acquisition: Acquisition) -> None:
    from matplotlib.patheffects import withStroke

    assert acquisition.g_azimuth_rad is not None
    size = min(acquisition.field_nm)
    along = np.array([np.cos(acquisition.g_azimuth_rad), np.sin(acquisition.g_azimuth_rad)])
    center, reach = np.full(2, 0.11 * size), 0.07 * size
    edge = [withStroke(linewidth=3, foreground="black")]
    arrow = {"arrowstyle": "-|>", "color": "white", "lw": 1.5, "shrinkA": 0, "shrinkB": 0, "path_effects": edge}
    ax.annotate("", center + reach * along, center - reach * along, arrowprops=arrow)
    aside = center + 0.05 * size * np.array([-along[1], along[0]])
    how = {"ha": "center", "va": "center", "style": "italic", "weight": "bold", "path_effects": edge}
    ax.text(*aside, "g", color="white", **how)


def _truth_lines(ax, scene: Scene, first: np.ndarray, second: np.ndarray, colour: str) -> None:
    from matplotlib.collections import LineCollection

    assert scene.truth is not None
    segments = np.stack([first, second], axis=1)
    for mask, how in ((scene.truth.visible, {"lw": 3.2}), (~scene.truth.visible, {"lw": 1.2, "ls": ":"})):
        ax.add_collection(LineCollection(list(segments[mask]), colors=colour, capstyle="round", **how), autolim=False)


def _shaded_lines(ax, curves: list[np.ndarray], shade: style.Shade) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize

    paint = ScalarMappable(Normalize(*shade.limits), shade.colours)
    for curve, values in zip(curves, shade.values):
        segments = np.stack([curve[:-1], curve[1:]], axis=1)
        middle = (values[:-1] + values[1:]) / 2
        lines = LineCollection(list(segments), colors=paint.to_rgba(middle), lw=1.5, capstyle="round")
        ax.add_collection(lines, autolim=False)
    if not curves:
        return  # no colours, no scale
    over = any((v > shade.limits[1]).any() for v in shade.values)
    label = shade.label + ("; line: limit" if shade.marked else "")
    bar = _colour_bar(ax, paint, label, extend="max" if over else "neither")
    if shade.marked:
        bar.ax.axhline(shade.limit, color="white", lw=1.6)


def _colour_bar(ax, painted, label: str, **how):
    # an inset is as high as the picture, whatever its aspect
    return ax.figure.colorbar(painted, cax=ax.inset_axes((1.03, 0, 0.035, 1)), label=label, **how)
