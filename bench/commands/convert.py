"""From one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import say
from veristem.datasets.errors import InputError


def convert(
    files: Annotated[list[Path], typer.Argument(help="IN… OUT")],
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data file")] = None,  # noqa: UP045
    pair_angle_deg: Annotated[Optional[float], typer.Option(help="of a real stereo pair: LEFT RIGHT OUT.h5")] = None,  # noqa: UP045
    pixel_nm: Annotated[Optional[float], typer.Option(help="of real images; what the files say")] = None,  # noqa: UP045
    material: Annotated[Optional[str], typer.Option(help="its |b| is the unit of a .data file without a .ctrl")] = None,  # noqa: UP045
    tilt_axis_deg: Annotated[
        float, typer.Option(help="of a tilt series: azimuth of the axis, from x towards y")
    ] = 90.0,
) -> None:
    """Convert between file formats.

    A network: my.data my.vtp. Particles: my.csv my.xyz. An acquisition: acquisition.h5 acquisition.hspy;
    of a tilt series also series.mrc, with series.rawtlt beside it.
    A real stereo pair: left.tif right.tif pair.h5 --pair-angle-deg 8 --pixel-nm 1.5
    A tilt series, with series.rawtlt, .tlt or .mdoc beside it if its header holds no tilts: series.mrc series.h5
    """
    from veristem.bench.files.convert import convert_files

    if len(files) < 2:
        raise InputError("convert: one file found, IN… OUT allowed")
    note = convert_files(
        files[:-1], files[-1], burgers_magnitude_nm, pair_angle_deg, pixel_nm, material, tilt_axis_deg,
        say=say,
    )  # fmt: skip
    typer.echo(f"{files[-1]}" + (f": {note}" if note else ""))
