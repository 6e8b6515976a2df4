"""Curves, points or a volume from images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import TimeLimit, say
from veristem.datasets.errors import InputError


def reconstruct(
    acquisition: Annotated[Path, typer.Argument(help="acquisition.h5")],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="file to write: .vtp for curves, .csv for points, .mrc or .vti for a volume"),
    ],
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="registered name, module:function, or the path of an executable; our own if not given"),
    ] = None,
    timeout_s: TimeLimit = None,
) -> None:
    """Reconstruct curves or points in 3D, or with tomo-wbp and tomo-sirt a volume, from the images alone.

    Example: veristem reconstruct run/acquisition.h5 --method my_package:reconstruct -o run/mine.vtp
    """
    import veristem as vs
    from veristem.datasets.text import told
    from veristem.recon import apart

    name = f"method {method}" if method else "our own method"
    try:
        found = vs.reconstruct(acquisition, method, out=out, timeout_s=timeout_s, say=say, tell=say)
    except InputError:
        raise
    except apart.MethodError as error:
        if "--debug" in sys.argv:
            typer.echo(error.trace, err=True)
        raise InputError(f"{name}: {_first_line(str(error))}; --debug shows where") from None
    except (Exception, SystemExit) as error:
        if "--debug" in sys.argv:
            raise
        raise InputError(f"{name}: {_first_line(told(error))}; --debug shows where") from None
    typer.echo(f"{found.size_text()}: {out}")
    if not len(found.places_nm):
        say(
            "nothing found, which does not say that the specimen is empty: what is there may lie below the noise, or"
            f" the views may not match (shifted, turned, another angle); `veristem view {acquisition}` shows them"
        )


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[0][:2000]
