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
    material: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="of a specimen in real images; of a .data file without a .ctrl, whose unit is its |b|"),
    ] = None,
    tilt_axis_deg: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="azimuth of the axis about which the specimen was tilted, from x towards y, or find (of a pair); a "
            "pair without it is of one scan, a series without it tilted about y"
        ),
    ] = None,
    thickness_nm: Annotated[Optional[float], typer.Option(help="of the foil in real images")] = None,  # noqa: UP045
    zone_axis: Annotated[
        Optional[tuple[float, float, float]],  # noqa: UP045
        typer.Option(help="U V W along the beam, between the views of a pair; with the next three and material"),
    ] = None,
    g: Annotated[Optional[tuple[float, float, float]], typer.Option("--g", help="H K L of the reflection")] = None,  # noqa: UP045
    g_azimuth_deg: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="direction of g in the images, from x towards y"),
    ] = None,
    energy_keV: Annotated[Optional[float], typer.Option("--energy-keV", help="beam energy")] = None,  # noqa: UP045
    tilt_off_bragg_deg: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="from the Bragg condition towards positive excitation error; 0 if nothing tells it"),
    ] = None,
) -> None:
    """Convert between file formats.

    What is known of images: acquisition.h5 known.h5 --material Al --zone-axis 1 1 0 --g 0 0 2 --g-azimuth-deg 90.
    A network: my.data my.vtp. Particles: my.csv my.xyz. An acquisition: acquisition.h5 acquisition.hspy;
    of a tilt series also series.mrc, with series.rawtlt beside it.
    A real stereo pair: left.tif right.tif pair.h5 --pair-angle-deg 8 --pixel-nm 1.5; of a specimen that was tilted
    between them also --tilt-axis-deg 90, or find: then they need not be aligned, methods register them.
    A tilt series, with series.rawtlt, .tlt or .mdoc beside it if its header holds no tilts: series.mrc series.h5
    """
    from veristem.bench.files.convert import convert_files

    if len(files) < 2:
        raise InputError("convert: one file found, IN… OUT allowed")
    known = {
        "tilt_axis_deg": tilt_axis_deg, "thickness_nm": thickness_nm, "zone_axis": zone_axis, "g": g,
        "g_azimuth_deg": g_azimuth_deg, "energy_keV": energy_keV, "tilt_off_bragg_deg": tilt_off_bragg_deg,
    }  # fmt: skip
    note = convert_files(
        files[:-1], files[-1], burgers_magnitude_nm, pair_angle_deg, pixel_nm, material, say=say, **known
    )
    typer.echo(f"{files[-1]}" + (f": {note}" if note else ""))
