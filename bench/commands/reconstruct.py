"""Curves or points from images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import check_suffix
from veristem.datasets.errors import InputError


def reconstruct(
    acquisition: Annotated[Path, typer.Argument(help="acquisition.h5")],
    out: Annotated[Path, typer.Option("-o", "--out", help="file to write: .vtp for curves, .csv for points")],
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="registered name, module:function, or the path of an executable; our own if not given"),
    ] = None,
) -> None:
    """Reconstruct curves or points in 3D from the images alone.

    Example: veristem reconstruct run/acquisition.h5 --method my_package:reconstruct -o run/mine.vtp
    """
    from veristem.datasets import Acquisition, formats
    from veristem.datasets.kinds import KINDS
    from veristem.recon.methods import load_method, run_method
    from veristem.recon.rectify import registration_warning

    loaded = formats.read(acquisition, Acquisition)
    kind = KINDS[loaded.kind]
    check_suffix(out, kind.suffix)
    method = kind.method if method is None else method
    load_method(method)
    if warning := registration_warning(loaded):
        typer.echo(warning, err=True)
    try:
        found = run_method(method, loaded)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        if "--debug" in sys.argv:
            raise
        text = (str(error).splitlines() or ["no message"])[0]
        raise InputError(f"method {method}: {type(error).__name__}: {text}; --debug shows where") from None
    formats.write(out, found)
    typer.echo(f"{found.size_text()}: {out}")
