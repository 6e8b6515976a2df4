"""Curves or points from images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import TimeLimit, check_suffix
from veristem.datasets.errors import InputError


def reconstruct(
    acquisition: Annotated[Path, typer.Argument(help="acquisition.h5")],
    out: Annotated[Path, typer.Option("-o", "--out", help="file to write: .vtp for curves, .csv for points")],
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="registered name, module:function, or the path of an executable; our own if not given"),
    ] = None,
    timeout_s: TimeLimit = None,
) -> None:
    """Reconstruct curves or points in 3D from the images alone.

    Example: veristem reconstruct run/acquisition.h5 --method my_package:reconstruct -o run/mine.vtp
    """
    from veristem.datasets import Acquisition, formats
    from veristem.datasets.kinds import KINDS
    from veristem.datasets.text import told
    from veristem.recon import apart
    from veristem.recon.methods import load_method

    loaded = formats.read(acquisition, Acquisition)
    kind = KINDS[loaded.kind]
    check_suffix(out, kind.suffix)
    method = kind.method if method is None else method
    load_method(method)
    try:
        found, _ = apart.reconstruct(method, loaded, timeout_s)
    except InputError:
        raise
    except apart.MethodError as error:
        if "--debug" in sys.argv:
            typer.echo(error.trace, err=True)
        raise InputError(f"method {method}: {_first_line(str(error))}; --debug shows where") from None
    except (Exception, SystemExit) as error:
        if "--debug" in sys.argv:
            raise
        raise InputError(f"method {method}: {_first_line(told(error))}; --debug shows where") from None
    formats.write(out, found)
    typer.echo(f"{found.size_text()}: {out}")


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[0][:2000]
