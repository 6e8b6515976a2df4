"""Files in 3D."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import check_suffix, say


def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="networks (.vtp .data .ca), truths, images (.h5), curves, points (.csv .xyz), volumes (.mrc .vti)"
        ),
    ],
    png: Annotated[Optional[Path], typer.Option(help="write a picture instead of a window")] = None,  # noqa: UP045
    html: Annotated[Optional[Path], typer.Option(help="write a page to turn in a browser, no window")] = None,  # noqa: UP045
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data file")] = None,  # noqa: UP045
) -> None:
    """Show files in 3D, together in one box with axes in nm.

    One file is coloured by what it holds: a truth.h5 by which lines are visible, curves and particles by depth. Several
    get a colour each, with a legend. The beam runs down, along z.

    Example: veristem view run/truth.vtp run/mine.vtp --html both.html
    """
    import veristem as vs
    from veristem.reports import view as show

    check_suffix(png, ".png")
    check_suffix(html, ".html")
    same = len({f.name for f in files}) < len(files)
    names = [str(f) if same else f.name for f in files]
    objects = [vs.load(f, burgers_magnitude_nm=burgers_magnitude_nm) for f in files]
    for note in show(objects, names=names, png=png, html=html):
        say(note)
