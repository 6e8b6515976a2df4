"""What `veristem view` shows: files of any kind together in one scene."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from veristem.datasets import (
    Acquisition,
    CurveSet,
    DislocationNetwork,
    InputError,
    LineTruth,
    ParticleDispersion,
    ParticleTruth,
    PointSet,
)
from veristem.datasets.formats.atomic import atomic_path
from veristem.reports import scenes, style
from veristem.reports.particles import radii_or_default

# Okabe and Ito's palette, neighbours as different as it has them
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def view(
    objects: Sequence, *, names: Sequence[str] = (), png: str | Path | None = None, html: str | Path | None = None
) -> list[str]:
    """Show objects together: in a window, or written as a picture or a page.

    One alone is coloured by what it holds: a truth by what is visible, curves and particles by depth. Several get a
    colour each and a legend.

    Parameters
    ----------
    objects : sequence of DislocationNetwork, LineTruth, CurveSet, ParticleDispersion, ParticleTruth, PointSet or
        Acquisition. What to show; all in nm in the specimen frame. Points of unknown radius are as large as the others,
        or 2.5 nm.
    names : sequence of str
        What the legend calls them.
    png, html : path, optional
        Where to write; a window opens when neither is given.

    Returns
    -------
    list of str
        What was left out, because there is too much of it for a page.

    Raises
    ------
    InputError
        On an object of another kind, a file that cannot be written, or a window without a display.
    """
    names = list(names) or [f"{type(item).__name__} {n}" for n, item in enumerate(objects, 1)]
    plotter = scenes.new_plotter(off_screen=png is not None or html is not None)
    try:
        objects = [_spheres(item) for item in objects]
        low, high = _corners_nm(objects)
        drawn = [item for item in objects if not isinstance(item, Acquisition)]
        legend, notes = [], []
        for item, name in zip(objects, names, strict=True):
            colour = COLOURS[len(legend) % len(COLOURS)] if len(drawn) > 1 else None
            if left_out := _add(plotter, item, colour, tuple(high - low), float(high[2])):
                notes.append(
                    f"{name}: {left_out} lines or particles left out, the smallest; there are too many to show"
                )
            if colour and not isinstance(item, Acquisition):
                legend.append((name, colour))
            elif isinstance(item, LineTruth):
                legend = [("visible with this g", style.VISIBLE), ("invisible", style.INVISIBLE)]
        scenes.add_foil(plotter, high - low, low)
        if html is not None:  # before the legend: the viewer of a page has none, so the page itself shows it
            _write(html, _page(scenes.packed(plotter), legend).encode())
        if legend:
            size = (0.3, 0.035 * len(legend))
            plotter.renderer.add_legend(labels=legend, face="rectangle", loc="upper left", size=size)
        if png is not None:
            _write(png, scenes.picture(plotter))
        if png is None and html is None:
            _open(plotter)
    finally:
        plotter.close()
    return notes


def _add(plotter, item, colour: str | None, size_nm: tuple[float, float, float], deepest_nm: float) -> int:
    """Add one object; returns how much of it was left out."""
    if isinstance(item, LineTruth):
        visible = item.visible if colour is None else None
        return scenes.add_network(plotter, item.network, visible, size_nm=size_nm, color=colour)
    if isinstance(item, DislocationNetwork):
        return scenes.add_network(plotter, item, size_nm=size_nm, color=colour)
    if isinstance(item, CurveSet):
        shade = style.shade(item, None, 1.0, deepest_nm) if colour is None else None
        return scenes.add_curves(plotter, item, shade, size_nm=size_nm, color=colour)
    if isinstance(item, ParticleDispersion):
        return scenes.add_particles(plotter, item, color=colour)
    if isinstance(item, Acquisition):
        scenes.add_images(plotter, item, deepest_nm)
        return 0
    raise InputError(
        f"view: {type(item).__name__} found; a network, curves, particles, points or an acquisition allowed"
    )


def _spheres(item):
    """Particles of a truth and points as spheres; anything else as it is."""
    if isinstance(item, ParticleTruth):
        return item.particles
    if isinstance(item, PointSet):
        places, radii = item.points_nm, radii_or_default(item.radii_nm)
        box = (places + radii[:, None]).max(axis=0, initial=1e-3)
        return ParticleDispersion(places, radii, box)
    return item


def _corners_nm(objects) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (3,) of a box around everything and the origin [nm]."""
    corners = [np.zeros((1, 3))]
    for item in objects:
        if isinstance(item, Acquisition):
            corners.append(np.array([[*item.field_nm, item.thickness_nm or 0.0]]))
        elif isinstance(item, LineTruth):
            corners.append(np.array([[*item.field_nm, item.thickness_nm]]))
        elif isinstance(item, ParticleDispersion):
            reach = item.radii_nm[:, None]
            corners += [item.box_nm[None], item.centers_nm - reach, item.centers_nm + reach]
        elif isinstance(item, DislocationNetwork):
            corners += [item.nodes_nm] if item.box_nm is None else [item.nodes_nm, item.box_nm]
        elif isinstance(item, CurveSet):
            corners += item.curves_nm
    points = np.concatenate(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    return low, np.maximum(high, low + max(1e-3 * float((high - low).max()), 1e-6))


def _open(plotter) -> None:
    # VTK takes one of these where it finds no display, and then shows nothing and says nothing
    if plotter.render_window.GetClassName() in ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"):
        raise InputError(
            "view: no display found for a window; write a picture with --png FILE or a page with --html FILE"
        )
    scenes.aim(plotter, "tilted")
    plotter.show()


def _page(scene: str, legend: list[tuple[str, str]]) -> str:
    """The page of one scene, with its legend over it."""
    rows = "".join(
        f'<div><span style="display:inline-block;width:1.2em;height:.7em;margin-right:.5em;background:{colour}">'
        f"</span>{escape(name)}</div>"
        for name, colour in legend
    )
    style_ = "position:fixed;top:1em;left:1em;z-index:1;font:16px sans-serif;pointer-events:none"
    div = json.dumps(f'<div style="{style_}">{rows}</div>').replace("</", "<\\/")
    before, after = scenes.viewer_html(scene).rsplit("</body>", 1)
    # not in the body, which the viewer empties
    return f'{before}<script>document.documentElement.insertAdjacentHTML("beforeend", {div})</script></body>{after}'


def _write(path: str | Path, content: bytes) -> None:
    with atomic_path(path) as partial:
        partial.write_bytes(content)
