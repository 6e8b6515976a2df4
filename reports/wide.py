"""Pictures of a scene as wide as print wants them."""

from __future__ import annotations

import numpy as np

from veristem.reports import scenes
from veristem.reports.png import png


def wide_picture(plotter, width_px: int, legend: list[tuple[str, str]] | None = None) -> bytes:
    """A plotter as PNG of that width, everything in it as large as in `picture`, of a page.

    How wide a picture becomes is known once its letters are placed; the few pixels that the second still lacks, or has
    too many, are white.
    """
    from PIL import Image

    size, pixels = np.array(plotter.window_size), scenes.pixels_of(plotter, legend=legend)
    density = width_px / pixels.shape[1]
    plotter.window_size = np.ceil(size * density).astype(int).tolist()
    for actor in plotter.actors.values():
        if hasattr(actor, "prop") and hasattr(actor.prop, "line_width"):
            actor.prop.line_width *= density
    pixels = scenes.pixels_of(plotter, legend=legend, density=density)
    canvas = Image.new("RGB", (width_px, pixels.shape[0]), "white")
    canvas.paste(Image.fromarray(pixels), ((width_px - pixels.shape[1]) // 2, 0))
    return png(np.asarray(canvas))
