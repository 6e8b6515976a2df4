"""The page of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import command_line
from veristem.datasets.errors import InputError


def report(
    folder: Annotated[Path, typer.Argument(help="folder of a simulation, a demo or a study")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="page to write; DIR/page.html if not given")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="png, svg and csv, with commas: also into figures/ beside the page")
    ] = "",
    tolerance_nm: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="a point within it is matched; 10 nm for lines, a particle's radius, if not given"),
    ] = None,
) -> None:
    """Write the page of a folder, one file to open, print or send.

    A study: findings, how methods compare, curves, maps, the best and the worst run, failures. A simulation or a demo:
    its specimen, images and reconstruction: reconstruction.vtp (.csv of particles) or the one other such file.
    Without a truth: how far the reconstruction lies from the images' contours.

    --format png,svg writes every figure as a file (png with 300 dpi), csv all rows (results.csv) and the means of
    every condition and method (summary.csv).

    Example: veristem report results -o page.html --format svg,csv
    """
    from veristem.bench.pages.folder import write_folder_page
    from veristem.reports.export import read_formats

    known = read_formats(formats)
    if tolerance_nm is not None and not 0 < tolerance_nm < float("inf"):
        raise InputError(f"--tolerance-nm: {tolerance_nm} found, a positive length allowed")
    page = out or folder / "page.html"
    typer.echo(write_folder_page(folder, page, command_line(), tolerance_nm, known))
