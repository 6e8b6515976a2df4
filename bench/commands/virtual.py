"""Views from a 4D scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import check_suffix, say
from veristem.bench.commands.progress import progress


def virtual(
    scan: Annotated[Path, typer.Argument(help="a 4D scan: .zspy, .hspy, .mib, .blo, .emd, .dm4, .h5, ...")],
    out: Annotated[Path, typer.Option("-o", "--out", help="acquisition to write, .h5")],
    vacuum: Annotated[Optional[Path], typer.Option(help="scan of the same detector without a specimen")] = None,  # noqa: UP045
    pair_angle_deg: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="between the outermost discs; what the file says, or 1.2 convergence semi-angles"),
    ] = None,
    radius_mrad: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="of each disc; what the file says, or a fifth of the convergence semi-angle"),
    ] = None,
    views: Annotated[int, typer.Option(min=1, max=256, help="discs at equal distances along the Kikuchi line")] = 2,
    ring: Annotated[bool, typer.Option("--ring", help="discs on a ring about the axis, as wide as the pair")] = False,
    offset_mrad: Annotated[float, typer.Option(help="of the discs from the axis, across the Kikuchi line")] = 0.0,
    azimuth_deg: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="direction of the pair on the detector, from x towards y, instead of the Kikuchi line's"),
    ] = None,
    rotation_deg: Annotated[float, typer.Option(help="azimuth of the detector's x axis in the image")] = 0.0,
    convergence_mrad: Annotated[Optional[float], typer.Option(help="convergence semi-angle")] = None,  # noqa: UP045
    mrad_per_pixel: Annotated[Optional[float], typer.Option(help="instead of what the rim gives")] = None,  # noqa: UP045
    center_px: Annotated[
        Optional[tuple[float, float]],  # noqa: UP045
        typer.Option(help="X Y of the pixel that the axis meets, instead of the middle of the rim"),
    ] = None,
    pixel_nm: Annotated[Optional[float], typer.Option(help="scan step")] = None,  # noqa: UP045
    energy_keV: Annotated[Optional[float], typer.Option("--energy-keV", help="beam energy")] = None,  # noqa: UP045
    thickness_nm: Annotated[Optional[float], typer.Option(help="of the foil")] = None,  # noqa: UP045
    scan_shape: Annotated[
        Optional[tuple[int, int]],  # noqa: UP045
        typer.Option(help="ROWS COLUMNS of the scan, for frames in a row"),
    ] = None,
    dataset: Annotated[Optional[str], typer.Option(help="name of the array in an HDF5 file with several")] = None,  # noqa: UP045
    skip_first: Annotated[int, typer.Option(min=0, help="frames to leave out before the first row")] = 0,
    skip_last: Annotated[int, typer.Option(min=0, help="frames to leave out after the last row")] = 0,
    skip_per_row: Annotated[
        int, typer.Option(min=0, help="frames to leave out after each row, while the beam flies back")
    ] = 0,
) -> None:
    """Make views from a 4D scan, simulated or real.

    The centre and the angle of a pixel come from the rim of the bright-field disc, in the vacuum scan if there is one,
    the direction of the views from the Kikuchi line in the patterns; particles, which have none, are seen along x. The
    scan is read once, in parts.

    Example: veristem virtual run/scan.zspy --vacuum run/vacuum.zspy --pair-angle-deg 5 --radius-mrad 12 -o run/views.h5
    """
    given = locals()  # the options, by name
    from veristem.bench.files.virtual import ViewOptions, write_views

    check_suffix(out, ".h5")
    asked = ViewOptions(**{name: given[name] for name in ViewOptions.__dataclass_fields__})
    for line in write_views(scan, vacuum, out, asked, lambda rows, total: progress(rows, total, "rows")):
        say(line)
    typer.echo(out)
