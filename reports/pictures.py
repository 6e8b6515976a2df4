"""All pictures of a scene and of a chart as bytes, for a page or for files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veristem.reports import line_page, particle_page, scenes
from veristem.reports.particles import ParticleScene
from veristem.reports.png import png
from veristem.reports.scenes import Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_FONTS = ["DejaVu Sans", "Verdana", "Geneva", "Arial", "sans-serif"]

AnyScene = Scene | ParticleScene
SHOWN: dict[str, Any] = {"dislocations": line_page, "particles": particle_page}  # how a page shows each kind


def scene_renders(scene: AnyScene, truth_too: bool = True) -> tuple[dict[str, bytes], dict[str, str]]:
    """The 3D pictures of a scene by name, as PNG, and its packed 3D scenes."""
    room = SHOWN[scene.kind]
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
    """A figure as the bytes of a file; the same figure gives the same bytes. Text of an SVG stays text."""
    from matplotlib import rc_context
    from PIL import Image

    buffer = io.BytesIO()
    if kind == "svg":
        # to be searched, read aloud and edited; Verdana has the widths of DejaVu Sans, where that is not installed
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "veristem", "font.sans-serif": _FONTS}):
            figure.savefig(buffer, format=kind, metadata={"Date": None})
        return buffer.getvalue()
    figure.savefig(buffer, format="png", dpi=dpi)
    return png(np.asarray(Image.open(buffer).convert("RGB")))
