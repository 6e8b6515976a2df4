"""What `veristem view` shows: files of any kind together in one scene."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

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
    Volume,
)
from veristem.datasets.formats.atomic import atomic_path, together
from veristem.reports import axes, scenes, style
from veristem.reports.crystal_axes import LEGEND, add_crystal_axes
from veristem.reports.particles import radii_or_default
from veristem.reports.wide import wide_picture

# Okabe and Ito's palette, neighbours as different as it has them
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MOST_VOXELS = 160  # of a volume along an axis: its surface is drawn from means of larger ones


def view(
    objects: Sequence,
    *,
    names: Sequence[str] = (),
    png: str | Path | None = None,
    html: str | Path | None = None,
    gltf: str | Path | None = None,
    width_px: int | None = None,
) -> list[str]:
    """Show objects together: in a window, or written as a picture, a page or a scene for other programs.

    One alone is coloured by what it holds: a truth by what is visible, curves and particles by depth. Several get a
    colour each and a legend. Of curves whose orientation is known the crystal's axes are drawn at a corner.

    Parameters
    ----------
    objects : sequence of DislocationNetwork, LineTruth, CurveSet, ParticleDispersion, ParticleTruth, PointSet,
        Volume or Acquisition. What to show; all in nm in the specimen frame. Points of unknown radius are as large as
        the others, or 2.5 nm.
    names : sequence of str
        What the legend calls them.
    png, html, gltf : path, optional
        Where to write; a window opens when none is given.
    width_px : int, optional
        Of the picture, which is about 1400 pixels wide if not given.

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
    written = [path for path in (png, html, gltf) if path is not None]
    plotter = scenes.new_plotter(off_screen=bool(written))
    try:
        objects = [spheres(item) for item in objects]
        low, high = corners_nm(objects)
        drawn = [item for item in objects if not isinstance(item, Acquisition)]
        known = next((item.crystal_from_specimen for item in objects if isinstance(item, CurveSet)), None)
        axes = [] if known is None else [colour for _, colour in LEGEND]
        colours = [colour for colour in COLOURS if colour not in axes]  # nothing looks like an axis of the crystal
        legend, notes = [], []
        for item, name in zip(objects, names, strict=True):
            colour = colours[len(legend) % len(colours)] if len(drawn) > 1 else None
            if left_out := _shown(item).add(plotter, item, colour, tuple(high - low), float(high[2])):
                notes.append(
                    f"{name}: {left_out} lines or particles left out, the smallest; there are too many to show"
                )
            if colour and not isinstance(item, Acquisition):
                legend.append((name, colour))
            elif isinstance(item, LineTruth):
                legend = [("visible with this g", style.VISIBLE)] * bool(item.visible.any())
                legend += [("invisible", style.INVISIBLE)] * bool((~item.visible).any())
        scenes.add_foil(plotter, high - low, low)
        if add_crystal_axes(plotter, known, high - low, low):
            legend += LEGEND
        with together():
            if html is not None:
                _write(html, _page(scenes.packed(plotter), legend).encode())
            if gltf is not None:
                _write(gltf, _gltf(plotter))
            if png is not None:
                picture = wide_picture(plotter, width_px, legend) if width_px else None
                _write(png, picture or scenes.picture(plotter, legend=legend))
        if not written:
            _open(plotter, legend)
    finally:
        plotter.close()
    return notes


class _Shown(NamedTuple):
    """How one kind of object is shown.

    add: function of plotter, object, colour or None, size of everything and its depth [nm]; returns how much it left
    out. corners: (K, 3) points of the object whose box holds all of it [nm].
    """

    add: Callable[..., int]
    corners: Callable[[Any], np.ndarray]


def _add_truth(plotter, truth: LineTruth, colour, size_nm, deepest_nm) -> int:
    visible = truth.visible if colour is None else None
    return scenes.add_network(plotter, truth.network, visible, size_nm=size_nm, color=colour)


def _add_network(plotter, network: DislocationNetwork, colour, size_nm, deepest_nm) -> int:
    return scenes.add_network(plotter, network, size_nm=size_nm, color=colour)


def _add_curves(plotter, curves: CurveSet, colour, size_nm, deepest_nm) -> int:
    shade = style.shade(curves, None, 1.0, deepest_nm) if colour is None else None
    return scenes.add_curves(plotter, curves, shade, size_nm=size_nm, color=colour)


def _add_spheres(plotter, particles: ParticleDispersion, colour, size_nm, deepest_nm) -> int:
    return scenes.add_particles(plotter, particles, color=colour)


def _add_images(plotter, acquisition: Acquisition, colour, size_nm, deepest_nm) -> int:
    scenes.add_images(plotter, acquisition, deepest_nm)
    return 0


def _add_volume(plotter, volume: Volume, colour, size_nm, deepest_nm) -> int:
    """The surface within which values are above half of what only the brightest thousandth exceeds."""
    import pyvista as pv

    step = max(1, -(-max(volume.values.shape) // _MOST_VOXELS))
    z, y, x = (max(1, n // step) * step for n in volume.values.shape)
    if min(z, y, x) > min(volume.values.shape):
        return 0  # thinner than a step
    values = volume.values[:z, :y, :x].reshape(z // step, step, y // step, step, x // step, step).mean(axis=(1, 3, 5))
    voxel = step * volume.voxel_nm
    grid = pv.ImageData(dimensions=values.shape[::-1], spacing=(voxel,) * 3, origin=volume.origin_nm + voxel / 2)
    grid["value"] = values.ravel()
    surface = grid.contour([float(np.quantile(values, 0.999)) / 2], scalars="value") if min(values.shape) > 1 else None
    if surface is not None and surface.n_points:
        plotter.add_mesh(surface, color=colour or COLOURS[0], opacity=0.6, smooth_shading=True)
    return 0


def _of_spheres(item: ParticleDispersion) -> np.ndarray:
    reach = item.radii_nm[:, None]
    return np.concatenate([item.box_nm[None], item.centers_nm - reach, item.centers_nm + reach])


def _of_network(item: DislocationNetwork) -> np.ndarray:
    return item.nodes_nm if item.box_nm is None else np.concatenate([item.nodes_nm, item.box_nm])


_SHOWN = {
    LineTruth: _Shown(_add_truth, lambda item: np.array([[*item.field_nm, item.thickness_nm]])),
    DislocationNetwork: _Shown(
        _add_network,
        lambda item: np.concatenate([item.nodes_nm, np.zeros((0, 3)) if item.box_nm is None else item.box_nm]),
    ),
    CurveSet: _Shown(_add_curves, lambda item: item.places_nm),
    ParticleDispersion: _Shown(_add_spheres, _of_spheres),
    Volume: _Shown(_add_volume, lambda item: item.places_nm),
    Acquisition: _Shown(_add_images, lambda item: np.array([[*item.field_nm, item.thickness_nm or 0.0]])),
}


def _shown(item) -> _Shown:
    """How an object is shown; InputError for one of another kind."""
    if type(item) not in _SHOWN:
        raise InputError(
            f"view: {type(item).__name__} found; a network, curves, particles, points, a volume or an acquisition "
            "allowed"
        )
    return _SHOWN[type(item)]


def spheres(item):
    """Particles of a truth and points as spheres; anything else as it is."""
    if isinstance(item, ParticleTruth):
        return item.particles
    if isinstance(item, PointSet):
        places, radii = item.points_nm, radii_or_default(item.radii_nm)
        box = (places + radii[:, None]).max(axis=0, initial=1e-3)
        return ParticleDispersion(places, radii, box)
    return item


def corners_nm(objects) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (3,) of a box around everything and the origin [nm]."""
    points = np.concatenate([np.zeros((1, 3)), *(_shown(item).corners(item) for item in objects)])
    low, high = points.min(axis=0), points.max(axis=0)
    return low, np.maximum(high, low + max(1e-3 * float((high - low).max()), 1e-6))


def _open(plotter, legend: list[tuple[str, str]]) -> None:
    # VTK takes one of these where it finds no display, and then shows nothing and says nothing
    if plotter.render_window.GetClassName() in ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"):
        raise InputError("view: no display found for a window; write a picture, `png`, or a page, `html`")
    scenes.aim(plotter, "tilted")
    _add_axes(plotter)
    if legend:
        plotter.renderer.add_legend(labels=legend, face="rectangle", loc="upper left", size=(0.3, 0.035 * len(legend)))
    plotter.show()


def _add_axes(plotter) -> None:
    """Axes and scale of a window, which nobody letters afterwards."""
    foil, bar = scenes.foil_nm(plotter), scenes.bar_of(plotter)
    if foil is not None:
        titles = {f"{axis}title": f"{axis} (nm)" for axis in axes.NAMES}
        plotter.show_bounds(bounds=foil.T.ravel(), fmt="%.3g", color="black", location="outer", **titles)
    if bar is not None:
        plotter.add_scalar_bar(title=bar.title, vertical=True)


def _page(scene: dict[str, Any], legend: list[tuple[str, str]]) -> str:
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


def _gltf(plotter) -> bytes:
    """A plotter as glTF 2.0, all in one file; lengths in nm."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scene.gltf")
        plotter.export_gltf(file, inline_data=True)
        return file.read_bytes()


def _write(path: str | Path, content: bytes) -> None:
    with atomic_path(path) as partial:
        partial.write_bytes(content)
