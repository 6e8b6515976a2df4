"""A window for those who do not type commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.datasets.errors import InputError


def app(
    files: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(help="to open: images (.h5), a 4D scan, a network, particles, or the two images of a pair"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of this machine; any free one for 0")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open it in a browser")] = True,
) -> None:
    """Open VeriSTEM in a browser: look at images, reconstruct, turn what was found in 3D, measure, export.

    Open a file by its path, from a list, or by dropping it: images (acquisition.h5), the two images of a real pair, a
    4D scan, a network or particles to be imaged, curves, points or a volume. Without one, simulate a recipe, or ask the
    planner what to choose in a session. Every button runs what a command does; the window shows the commands, to run
    them again without it.

    Only this machine reaches it, by the address printed. Each window has a process of its own, and so has what it
    computes, which its stop button ends. A window whose browser has gone is kept for an hour, or until a new one needs
    its place. Ctrl-C here ends all.

    Example: veristem app run/acquisition.h5
    """
    from veristem.bench.app.front import serve

    for path in files or []:
        if not path.exists():
            raise InputError(f"{path}: no such file; give one to open, or none")
    try:
        serve(files or [], port, browser, typer.echo)
    except OSError as error:
        raise InputError(
            f"`port`: {port} found, which cannot be used ({error.strerror}); leave it out for a free one"
        ) from None
