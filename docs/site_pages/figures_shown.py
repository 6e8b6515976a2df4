"""Figures that a tutorial makes without pyplot, put where the block that made them ends."""

from __future__ import annotations

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst  # pyright: ignore[reportMissingImports]  # of the extra docs

from veristem.reports.pictures import drawn


class Shown:
    """A scraper of sphinx-gallery: every new Matplotlib figure of a block, in the order in which they were made."""

    def __repr__(self) -> str:
        return "Shown"

    def __call__(self, block, block_vars, gallery_conf) -> str:
        """Save the figures that the block left in variables, and return the text that shows them."""
        paths = []
        for name, thing in block_vars["example_globals"].items():
            if isinstance(thing, Figure) and not name.startswith("_") and not getattr(thing, "shown", False):
                thing.shown = True  # type: ignore[attr-defined]
                path = next(block_vars["image_path_iterator"])
                with open(path, "wb") as file:
                    file.write(drawn(thing, "png", 160))
                paths.append(path)
        return figure_rst(paths, gallery_conf["src_dir"])
