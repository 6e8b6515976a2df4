"""Files in 3D, or as a figure."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from veristem.bench.commands.options import check_suffix, say
from veristem.datasets.errors import InputError


class Width(StrEnum):
    """What a figure is for."""

    column = "column"
    page = "page"


def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="networks (.vtp .data .ca), truths, images (.h5), curves, points (.csv .xyz), volumes (.mrc .vti)"
        ),
    ],
    png: Annotated[Optional[Path], typer.Option(help="write a picture instead of a window")] = None,  # noqa: UP045
    html: Annotated[Optional[Path], typer.Option(help="write a page to turn in a browser, no window")] = None,  # noqa: UP045
    svg: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="write a flat figure in vectors, along the beam and edge-on, to scale"),
    ] = None,
    gltf: Annotated[Optional[Path], typer.Option(help="write the scene for Blender, PowerPoint, a browser")] = None,  # noqa: UP045
    width_px: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=100, max=10_000, help="width of the picture; about 1400 if not given"),
    ] = None,
    width: Annotated[
        Width, typer.Option(help="of a flat figure: that of a column, 85 mm, or of a page, 170 mm")
    ] = Width.column,
    error: Annotated[
        bool,
        typer.Option("--error", help="TRUTH CURVES…: a flat figure of each, coloured by its error; with svg or png"),
    ] = False,
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data file")] = None,  # noqa: UP045
) -> None:
    """Show files in 3D, together in one box with axes in nm, or draw them as a figure for print.

    One file is coloured by what it holds: a truth.h5 by which lines are visible, curves and particles by depth. Several
    get a colour each, with a legend. The beam runs down, along z.

    --error compares methods on one foil: veristem view run/truth.h5 a.vtp b.vtp --error --svg compared.svg

    Example: veristem view run/truth.vtp run/mine.vtp --html both.html
    """
    import veristem as vs
    from veristem.bench.pages.compared import compared
    from veristem.datasets.formats.atomic import atomic_path, together
    from veristem.reports import draw, pictures
    from veristem.reports import view as show

    for path, suffix in ((png, ".png"), (html, ".html"), (svg, ".svg"), (gltf, ".gltf")):
        check_suffix(path, suffix)
    if width_px is not None and png is None:
        raise InputError("`width_px`: found without a picture; give it with `png`")
    if error and (html or gltf or not (svg or png)):
        raise InputError("`error`: a flat figure; give `svg` or `png` with it, and no other file")
    same = len({f.name for f in files}) < len(files)
    names = [str(f) if same else f.name for f in files]
    objects = [vs.load(f, burgers_magnitude_nm=burgers_magnitude_nm) for f in files]
    with together():
        if svg is not None or error:
            found = dict(zip(names[1:], objects[1:]))
            how: dict[str, Any] = {"width": width.value}
            figure = compared(objects[0], found, **how) if error else draw(objects, names=names, **how)
            dpi = (width_px or 2000) / figure.get_size_inches()[0]
            for path in filter(None, (svg, png if error else None)):
                with atomic_path(path) as partial:
                    partial.write_bytes(pictures.drawn(figure, "svg" if path is svg else "png", dpi))
        if not error and (svg is None or png or html or gltf):
            for note in show(objects, names=names, png=png, html=html, gltf=gltf, width_px=width_px):
                say(note)
