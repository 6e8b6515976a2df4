"""All pictures of a scene and of a chart as bytes, for a page or for files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veristem.reports import figures, particles, scenes
from veristem.reports.particle_figures import particle_figures
from veristem.reports.particles import ParticleScene
from veristem.reports.png import png
from veristem.reports.scenes import Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scene_figures(scene: Scene | ParticleScene) -> dict[str, Figure]:
    """The flat figures of a scene by name; no anaglyph of a single view."""
    if isinstance(scene, ParticleScene):
        return particle_figures(scene)
    drawn = {"pair": figures.stereo_pair(scene.acquisition)}
    if figures.pair(scene.acquisition) is not None:
        drawn["anaglyph"] = figures.anaglyph(scene.acquisition)
    return drawn | {"plan": figures.overlay_plan(scene), "depth": figures.overlay_depth(scene)}


def scene_renders(scene: Scene | ParticleScene, truth_too: bool = True) -> tuple[dict[str, bytes], dict[str, str]]:
    """The 3D pictures of a scene by name, as PNG, and its packed 3D scenes."""
    room: Any = particles if isinstance(scene, ParticleScene) else scenes
    plotters: dict[str, tuple[Any, scenes.Camera]] = {"reconstruction": (room.reconstruction_plotter, "edge")}
    if scene.truth is not None and truth_too:
        plotters["truth"] = (room.truth_plotter, "beam")
    pictures, packs = {}, {}
    for name, (make, second) in plotters.items():
        plotter = make(scene)
        pictures[f"{name}_{second}"] = scenes.picture(plotter, second)
        pictures[name] = scenes.picture(plotter, "tilted")
        packs[name] = scenes.packed(plotter)
        plotter.close()
    return pictures, packs


def drawn(figure: Figure, kind: Literal["png", "svg"], dpi: int = 200) -> bytes:
    """A figure as the bytes of a file; the same figure gives the same bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    if kind == "svg":
        figure.savefig(buffer, format=kind, metadata={"Date": None})
        return buffer.getvalue()
    figure.savefig(buffer, format="png", dpi=dpi)
    return png(np.asarray(Image.open(buffer).convert("RGB")))
