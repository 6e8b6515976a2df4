"""The page of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from veristem.bench.commands.options import command_line


def report(
    folder: Annotated[Path, typer.Argument(help="folder of a simulation, a demo or a study")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="page to write; DIR/page.html if not given")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="png, svg and csv, with commas: also into figures/ beside the page")
    ] = "",
) -> None:
    """Write the page of a folder, one file to open, print or send.

    A study: findings, how methods compare, curves, maps, the best and the worst run, failures. A simulation or a demo:
    its specimen, images and reconstruction. Without a truth: how far the reconstruction lies from the images' contours.

    --format png,svg writes every figure as a file (png with 300 dpi), csv all rows (results.csv) and the means of
    every condition and method (summary.csv).

    Example: veristem report results -o page.html --format svg,csv
    """
    from veristem.bench.pages.folder import write_folder_page
    from veristem.reports.export import read_formats

    known = read_formats(formats)
    typer.echo(write_folder_page(folder, out or folder / "page.html", command=command_line(), formats=known))
