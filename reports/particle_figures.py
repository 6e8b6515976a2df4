"""Figures of particles: images, plan and side view, errors against their limits, pair correlation, calibration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.reports import style
from veristem.reports.figures import WIDTH_IN, grey_label, new_figure, open_figure, scale_bar, styled
from veristem.reports.particles import CURVES, ParticleScene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CURVE_COLOURS = {"truth": "0.35", "blurred": "#E69F00", "reconstruction": "#0072B2"}
_CURVE_NAMES = {
    "truth": "truth", "blurred": "truth, blurred by the reported covariance", "reconstruction": "reconstruction"
}  # fmt: skip
_BANDS = (3, "0.92"), (1, "0.8")  # factors of the limit, and their greys
_BINS = 9  # of depth, for mean errors
_FEWEST = 5  # errors in such a bin, for a mean
_IN_SIDE = 60  # particles in the slab of the side view


def particle_figures(scene: ParticleScene) -> dict[str, Figure]:
    """The flat figures of a scene by name; what nothing is known for is left out."""
    figures = {"views": views(scene), "plan": plan(scene)}
    if scene.truth is not None:
        figures["plan-without-truth"] = plan(scene, with_truth=False)
    figures["side"] = side(scene)
    matched = scene.is_matched
    if matched.any():
        figures["errors"] = errors(scene)
        if np.isfinite(scene.points.sigma_nm[matched]).all(axis=1).any():
            figures["calibration"] = calibration(scene)
    if scene.radial is not None and any(getattr(scene.radial, name) is not None for name in CURVES):
        figures["radial"] = radial(scene)
    return figures


@styled
def views(scene: ParticleScene) -> Figure:
    """The whole field in the first view, and the middle of it in each, on one grey scale."""
    acquisition, window = scene.acquisition, scene.window_nm
    count = min(len(acquisition.views), 4)
    crops = [_crop(view, acquisition.pixel_nm, window) for view in acquisition.views[:count]]
    low, high = np.percentile(crops, [0.1, 99.9])
    how: dict[str, Any] = {"cmap": "gray", "vmin": low, "vmax": high}
    rows, columns = -(-count // 2), min(count, 2)
    figure = open_figure((WIDTH_IN, 0.7 + 6.0 * rows / (rows + columns)))
    grid = figure.add_gridspec(rows, rows + columns)
    ax = figure.add_subplot(grid[:, :rows])
    width, height = acquisition.field_nm
    # averaged over the pixels that a printed dot holds, or single ones would stand for all
    ax.imshow(acquisition.views[0], extent=(0, width, height, 0), interpolation="antialiased", **how)
    ax.set(xlabel="x (nm)", ylabel="y (nm)", title=f"whole field, θ = {_direction(acquisition.directions_rad[0])}")
    _frame(ax, window)
    scale_bar(ax)
    shown, small = None, []
    for index, crop in enumerate(crops):
        ax = figure.add_subplot(grid[index // 2, rows + index % 2])
        small.append(ax)
        left, right, upper, lower = window
        shown = ax.imshow(crop, extent=(left, right, lower, upper), interpolation="nearest", **how)
        ax.set_title(_direction(acquisition.directions_rad[index]), fontsize=8)
        ax.set_xticks([])
        ax.set_yticks([])
        scale_bar(ax, 0.5)
    assert shown is not None
    figure.colorbar(shown, ax=small, aspect=30, label=grey_label(acquisition))
    return figure


@styled
def plan(scene: ParticleScene, with_truth: bool = True) -> Figure:
    """Points and true particles along the beam: the whole field, and the middle of it on the first view.

    Without the truth, if it is to be left out, points stand alone and nothing tells which of them are false.
    """
    acquisition, window = scene.acquisition, scene.window_nm
    if not with_truth:
        scene = replace(scene, truth=None, errors_nm=None, limits_nm=None, found=None)
    figure, ((whole, near),) = new_figure((WIDTH_IN, 4.1), 2)
    _plan_marks(whole, scene, scene.points.points_nm, None if scene.truth is None else scene.truth.particles.centers_nm)
    width, height = acquisition.field_nm
    whole.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="x (nm)", ylabel="y (nm)")
    whole.set_title("whole field, along the beam")
    _frame(whole, window, "black")
    left, right, upper, lower = window
    crop = _crop(acquisition.views[0], acquisition.pixel_nm, window)
    low, high = np.percentile(crop, [0.2, 99.8])
    near.imshow(crop, extent=(left, right, lower, upper), cmap="gray", vmin=low - 0.5 * (high - low), vmax=high)
    places = acquisition.project(scene.points.points_nm, 0)
    true = None
    if scene.truth is not None:
        true = scene.truth.project(scene.truth.particles.centers_nm, 0)
    _plan_marks(near, scene, places, true, to_scale=True)
    near.set(xlim=(left, right), ylim=(lower, upper), xlabel="x (nm)", ylabel="y (nm)")
    near.set_title("projected onto the first view")
    scale_bar(near)
    _legend(figure, scene)
    return figure


@styled
def side(scene: ParticleScene) -> Figure:
    """A slab through the film from the side: x against depth to scale, with the deviations that the method reports."""
    width, height, thickness = scene.size_nm
    long = min(width, 1.6 * thickness)
    left = (width - long) / 2
    true = np.zeros((0, 3)) if scene.truth is None else scene.truth.particles.centers_nm
    points = scene.points.points_nm
    usual = true if len(true) else points
    within = np.abs(usual[:, 0] - width / 2) <= long / 2
    deep = float(np.clip(height * _IN_SIDE / max(within.sum(), 1), min(5.0, height), height))
    figure, ((ax,),) = new_figure((WIDTH_IN, 1.7 + min(6.3 * thickness / long, 5.0)), 1)

    def shown(places: np.ndarray) -> np.ndarray:
        away = np.abs(places[:, :2] - np.array([width / 2, height / 2]))
        return np.asarray((away <= np.array([long / 2, deep / 2])).all(axis=1))

    if scene.truth is not None:
        radii, missed = scene.truth.particles.radii_nm, scene.is_missed
        for mask, colour in ((~missed, style.FOUND), (missed, style.MISSED)):
            mask = mask & shown(true)
            _circles(ax, true[mask][:, [0, 2]], radii[mask], colour, dashed=colour == style.MISSED, fill=True)
    # a point stands in the slab if its particle does
    off = 0.0 if scene.errors_nm is None else np.nan_to_num(scene.errors_nm)
    here, sigma = shown(points - off), np.nan_to_num(scene.points.sigma_nm[:, 2])
    for mask, colour, marker, size in ((~scene.is_false, "black", "o", 1.8), (scene.is_false, style.FALSE, "x", 6.0)):
        mask = mask & here
        where = points[mask]
        ax.errorbar(
            where[:, 0],
            where[:, 2],
            sigma[mask],
            fmt=marker,
            ms=size,
            color=colour,
            elinewidth=0.9,
            capsize=1.5,
            mew=1.2,
        )
    for face in (0.0, thickness) if scene.knows_thickness else ():
        ax.axhline(face, color=style.FOIL, lw=0.8)
    margin = 0.06 * thickness
    ax.set(xlim=(left, left + long), ylim=(thickness + margin, -margin), aspect="equal")
    ax.set(xlabel="x (nm)", ylabel="depth z (nm)")
    upper, lower = (height - deep) / 2, (height + deep) / 2
    ax.set_title(f"slab {deep:.0f} nm wide along y, from {upper:.0f} to {lower:.0f} nm; depth to scale", pad=10)
    _legend(figure, scene, bars=bool(np.isfinite(scene.points.sigma_nm[:, 2]).any()))
    return figure


@styled
def errors(scene: ParticleScene) -> Figure:
    """Depth error against depth over the limit, and the lateral errors in units of theirs."""
    figure, ((depth, lateral),) = new_figure((WIDTH_IN, 3.6), 2, width_ratios=(1.45, 1))
    _depth_errors(depth, scene)
    _lateral_errors(lateral, scene)
    named = dict(zip(*reversed(depth.get_legend_handles_labels())))
    for handle, name in zip(*lateral.get_legend_handles_labels()):
        named.setdefault(name, handle)
    figure.legend(list(named.values()), list(named), loc="outside upper left", ncols=5, columnspacing=1.4)
    return figure


def _depth_errors(ax, scene: ParticleScene) -> None:
    assert scene.errors_nm is not None
    matched, thickness = scene.is_matched, scene.size_nm[2]
    error = np.asarray(scene.errors_nm, float)[matched]
    z = scene.points.points_nm[matched, 2] - error[:, 2]  # the true depth
    edges = np.linspace(0, thickness, _BINS + 1)
    middle, which = (edges[1:] + edges[:-1]) / 2, np.clip(np.digitize(z, edges) - 1, 0, _BINS - 1)
    most = 1.15 * np.quantile(np.abs(error[:, 2]), 0.98)
    if scene.limits_nm is not None:
        limit = np.asarray(scene.limits_nm, float)[matched, 2]
        known = np.isfinite(limit)
        if known.any():
            order = np.argsort(z[known])
            at, band = z[known][order], _running_median(limit[known][order])
            for factor, grey in _BANDS:
                ax.fill_between(at, -factor * band, factor * band, color=grey, lw=0, label=f"±{factor} × limit")
            most = max(most, 3.3 * float(band.max()))
    inside = np.abs(error[:, 2]) <= most
    ax.plot(z[inside], error[inside, 2], ".", color=style.FOUND, mew=0, **_dots(scene), label="particle")
    out = error[~inside]
    if len(out):
        beyond = {"ms": 5, "color": style.FALSE, "clip_on": False, "label": "beyond the axes"}
        ax.plot(z[~inside], np.sign(out[:, 2]) * most, "x", **beyond)
    held = [k for k in range(_BINS) if (which == k).sum() >= _FEWEST]
    mean = [error[which == k, 2].mean() for k in held]
    spread = [2 * error[which == k, 2].std(ddof=1) / np.sqrt((which == k).sum()) for k in held]
    how = {"fmt": "D", "ms": 4, "color": "black", "mfc": "white", "elinewidth": 1, "capsize": 2}
    ax.errorbar(middle[held], mean, spread, label="mean ± 2 standard errors", **how)
    ax.axhline(0, color="0.3", lw=0.6)
    ax.set(xlim=(0, thickness), ylim=(-most, most), xlabel="true depth z (nm)", ylabel="depth error (nm)")


def _dots(scene: ParticleScene) -> dict[str, float]:
    """The size and strength of many dots: the more, the smaller and fainter."""
    crowd = float(np.clip(20 / np.sqrt(max(len(scene.points.points_nm), 1)), 0.35, 1.0))
    return {"ms": 5 * crowd, "alpha": 0.6 * max(crowd, 0.75)}


def _lateral_errors(ax, scene: ParticleScene) -> None:
    from matplotlib.patches import Circle

    assert scene.errors_nm is not None
    xy, unit, least = np.asarray(scene.errors_nm, float)[scene.is_matched, :2], " (nm)", 1e-9
    limits = None if scene.limits_nm is None else np.asarray(scene.limits_nm, float)[scene.is_matched, :2]
    if limits is not None and np.isfinite(limits).all(axis=1).any():
        xy, unit, least = xy / limits, " / limit", 3.4
        xy = xy[np.isfinite(xy).all(axis=1)]
        for factor, grey in _BANDS:
            ax.add_patch(Circle((0, 0), factor, color=grey, lw=0))
    most = max(1.15 * float(np.quantile(np.abs(xy), 0.98)), least)
    outside = np.abs(xy).max(axis=1) > most
    ax.plot(*xy[~outside].T, ".", color=style.FOUND, mew=0, **_dots(scene), label="particle")
    if outside.any():
        beyond = {"ms": 5, "color": style.FALSE, "clip_on": False, "label": "beyond the axes"}
        ax.plot(*np.clip(xy[outside], -most, most).T, "x", **beyond)
    ax.axhline(0, color="0.3", lw=0.6)
    ax.axvline(0, color="0.3", lw=0.6)
    ax.set(xlim=(-most, most), ylim=(most, -most), aspect="equal")
    ax.set(xlabel="error in x" + unit, ylabel="error in y" + unit)


@styled
def radial(scene: ParticleScene) -> Figure:
    """Pair correlation g(r) with its first peaks, and the potential of mean force that follows from it."""
    curves = scene.radial
    assert curves is not None
    figure, ((g_axis, u_axis),) = new_figure((WIDTH_IN, 3.5), 2)
    edges = np.append(curves.r_nm - curves.bin_nm / 2, curves.r_nm[-1:] + curves.bin_nm / 2)
    at = np.repeat(edges, 2)[1:-1]
    if curves.band is not None:
        low, high = np.repeat(curves.band, 2, axis=1)
        how = {"color": _CURVE_COLOURS["reconstruction"], "alpha": 0.25, "lw": 0}
        g_axis.fill_between(at, low, high, label="95 % interval of the reconstruction", **how)
        u_axis.fill_between(at, -np.log(np.maximum(high, 1e-9)), -np.log(np.maximum(low, 1e-9)), **how)
    for name, width, dashes in zip(CURVES, (1.4, 1.2, 1.4), ("-", (0, (4, 2)), "-")):
        g = getattr(curves, name)
        if g is None:
            continue
        how = {"color": _CURVE_COLOURS[name], "lw": width, "ls": dashes}
        peak = curves.first_peak_nm.get(name)
        text = _CURVE_NAMES[name] + (f", first peak at {peak:.1f} nm" if peak else "")
        g_axis.plot(at, np.repeat(g, 2), label=text, **how)
        u_axis.plot(at, np.repeat(-np.log(g, where=g > 0, out=np.full(g.shape, np.nan)), 2), **how)
        if peak:
            height = float(np.nan_to_num(g)[np.argmin(np.abs(curves.r_nm - peak))])
            g_axis.plot(peak, height, "v", ms=7, color=how["color"], mec="white", mew=0.8, clip_on=False, zorder=4)
    known = np.concatenate([g[np.isfinite(g)] for name in CURVES if (g := getattr(curves, name)) is not None])
    most = float(known.max(initial=1.0))
    g_axis.axhline(1, color="0.6", lw=0.7, zorder=0)
    u_axis.axhline(0, color="0.6", lw=0.7, zorder=0)
    end = float(edges[-1])
    g_axis.set(xlim=(0, end), ylim=(0, 1.2 * most), xlabel="r (nm)", ylabel="g(r)")
    u_axis.set(xlim=(0, end), ylim=(-1.4 * max(np.log(most), 0.4), 2.2), xlabel="r (nm)", ylabel="U(r) / kT = −ln g(r)")
    for ax in (g_axis, u_axis):
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(*g_axis.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


@styled
def calibration(scene: ParticleScene) -> Figure:
    """How many standard deviations, as reported, the errors are: they should follow the standard normal."""
    assert scene.errors_nm is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.asarray(scene.errors_nm, float) / scene.points.sigma_nm
    scaled = scaled[np.isfinite(scaled).all(axis=1)]
    edges = np.linspace(-4, 4, 4 * int(np.clip(np.sqrt(len(scaled)) / 2, 2, 8)) + 1)
    at = np.linspace(-4, 4, 161)
    figure, (axes,) = new_figure((WIDTH_IN, 2.6), 3, sharey=True)
    for ax, name, values in zip(axes, "xyz", scaled.T):
        # the first and the last bin hold what lies beyond
        density = np.histogram(np.clip(values, -4, 4), edges)[0] / len(values) / (edges[1] - edges[0])
        ax.stairs(density, edges, fill=True, color=style.FOUND, alpha=0.35)
        ax.stairs(density, edges, color=style.FOUND, lw=1.0)
        ax.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), color="black", lw=1.2, ls=(0, (4, 2)))
        ax.set(xlim=(-4, 4), xticks=(-4, -2, 0, 2, 4), xlabel=f"error / deviation in {name}")
        ax.set_title(
            f"{name}: mean {round(np.mean(values), 2) + 0.0:+.2f}, rms {np.sqrt(np.mean(values**2)):.2f}".replace(
                "-", "−"
            )
        )
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("density")
    return figure


def _plan_marks(ax, scene: ParticleScene, places: np.ndarray, true: np.ndarray | None, to_scale: bool = False) -> None:
    """Found and missed particles as circles, points as dots and crosses; ``to_scale`` as large as they are."""
    size = 7.0 if to_scale else float(np.clip(60 / np.sqrt(max(len(places), 1)), 0.8, 3.0))
    false = scene.is_false
    if scene.truth is not None and true is not None:
        radii, missed = scene.truth.particles.radii_nm, scene.is_missed
        for mask, colour, large in (
            (~missed & scene.truth.inside, style.FOUND, size),
            (missed, style.MISSED, 5.5),
        ):
            if to_scale:
                _circles(ax, true[mask, :2], 1.25 * radii[mask], colour, dashed=colour == style.MISSED)
            else:
                ring = {"mfc": "none", "mec": colour, "mew": 0.25 * large, "zorder": 2 + (large > size)}
                ax.plot(*true[mask, :2].T, "o", ms=large, **ring)
    ax.plot(*places[~false, :2].T, "o", ms=size / 3, color="white" if to_scale else "black", mew=0)
    ax.plot(*places[false, :2].T, "x", ms=8 if to_scale else 5, color=style.FALSE, mew=1.6, zorder=4)


def _circles(ax, centers, radii, colour: str, *, dashed: bool, fill: bool = False) -> None:
    from matplotlib.collections import EllipseCollection

    sizes = 2 * np.asarray(radii)
    # what is missed is drawn wider and dashed, so that it shows in print without colour
    sizes = 1.3 * sizes if dashed else sizes
    rings = EllipseCollection(
        sizes, sizes, np.zeros(len(sizes)), units="xy", offsets=centers, offset_transform=ax.transData,
        facecolors=(colour, 0.25) if fill else "none", edgecolors=colour, linewidths=1.8 if dashed else 1.1,
        linestyles="--" if dashed else "-",
    )  # fmt: skip
    ax.add_collection(rings, autolim=False)


def _legend(figure, scene: ParticleScene, bars: bool = False) -> None:
    from matplotlib.lines import Line2D

    def mark(marker, colour, text, **how):
        return Line2D([], [], ls="none", marker=marker, color=colour, label=text, **how)

    hollow = {"mfc": "none", "ms": 7}
    handles = [mark("o", "black", "point" + (", with the standard deviation reported" if bars else ""), ms=3)]
    if scene.truth is not None:
        known = scene.found is not None
        name = f"found particle ({int((scene.truth.inside & ~scene.is_missed).sum())})" if known else "true particle"
        handles.insert(0, mark("o", style.FOUND, name, **hollow))
        if known:
            handles.append(mark("o", style.MISSED, f"missed particle ({int(scene.is_missed.sum())})", mew=2, **hollow))
    if scene.errors_nm is not None:
        handles.append(mark("x", style.FALSE, f"false point ({int(scene.is_false.sum())})", ms=6, mew=1.6))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), handletextpad=0.3, columnspacing=1.4)


def _frame(ax, window, colour: str = "white") -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    left, right, upper, lower = window
    edge = [withStroke(linewidth=3, foreground="black")] if colour == "white" else []
    box = Rectangle((left, upper), right - left, lower - upper, fill=False, ec=colour, lw=1.4, path_effects=edge)
    ax.add_patch(box)


def _crop(view: np.ndarray, pixel_nm: float, window) -> np.ndarray:
    left, right, upper, lower = (round(edge / pixel_nm) for edge in window)
    return view[upper:lower, left:right]


def _direction(direction_rad: np.ndarray) -> str:
    angles = ", ".join(f"{round(1e3 * a, 1) + 0.0:+.1f}" for a in direction_rad)
    return f"({angles}) mrad".replace("-", "−")


def _running_median(values: np.ndarray) -> np.ndarray:
    from scipy.ndimage import median_filter

    return median_filter(values, min(len(values), max(5, len(values) // 10)), mode="nearest")
