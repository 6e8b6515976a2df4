"""The whole chain, shown on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import Sets, command_line, values_of
from veristem.bench.commands.progress import progress


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for the page and its files")] = Path("demo"),
    network: Annotated[Optional[Path], typer.Option(help="a network of your own: .data, .ca or .vtp")] = None,  # noqa: UP045
    material: Annotated[Optional[str], typer.Option(help="its material; guessed if not given")] = None,  # noqa: UP045
    particles: Annotated[Optional[Path], typer.Option(help="particles of your own: .csv or .xyz")] = None,  # noqa: UP045
    sets: Sets = None,
) -> None:
    """Truth, images, reconstruction, score: ends in a page.

    The whole chain on dislocation lines and on gold particles in ice, and a small study of imaging conditions around
    each. A network or material of your own, or --set, shows lines alone; --particles shows particles alone.

    Example: veristem demo --network my_network.data --material Ta --out my-demo
    """
    from veristem.bench.pages.demo import run_demo

    page = run_demo(
        out, network, material, particles, values_of(sets), command_line(), say=typer.echo, progress=progress
    )
    typer.echo(f"open {page}")
