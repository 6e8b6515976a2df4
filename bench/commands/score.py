"""A reconstruction against the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.datasets.errors import InputError


def score(
    truth: Annotated[
        Path,
        typer.Argument(
            help="truth.h5, a network or curves as .vtp, .data or .ca, or particles as .csv or .xyz; or, without a"
            " truth, the images"
        ),
    ],
    reconstruction: Annotated[Path, typer.Argument(help="curves, .vtp, or points, .csv")],
    acquisition: Annotated[Path | None, typer.Option(help="for the epipolar direction, if the truth is no .h5")] = None,
    tolerance_nm: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="a point within this distance is matched; 10 nm, or a particle's radius, if not given"),
    ] = None,
    burgers_magnitude_nm: Annotated[Optional[float], typer.Option(help="unit of length of a .data truth")] = None,  # noqa: UP045
    full_limits: Annotated[
        bool,
        typer.Option(
            help="limits of lines where contrast that changes with depth tells too: images the truth twice more"
        ),
    ] = False,
    junctions: Annotated[
        bool, typer.Option("--junctions", help="count junctions too, by the Burgers vectors that meet there")
    ] = False,
    reproject: Annotated[
        Optional[list[float]],  # noqa: UP045
        typer.Option(help="tilt of the specimen [deg] at which both sides are compared as images too; repeatable"),
    ] = None,
    metric: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="a metric of your own, module:function beside a METRIC; repeatable"),
    ] = None,
    of: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="masks or disparity: score lines as pixels; RECONSTRUCTION may then be an image too"),
    ] = None,
    view: Annotated[int, typer.Option(min=0, help="of the masks")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="every score, not the twelve first")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")] = False,
) -> None:
    """Compare a reconstruction with the truth.

    Prints twelve scores, over all lines, over the visible ones, and over those steeper than 25 degrees to the epipolar
    direction; --all prints every one, --json under the names that `veristem list metrics` explains.

    --reproject tells how well lines lie on the true ones in an image of the specimen tilted by an angle, about the
    axis of its recipe or across the epipolar direction: errors of depth, which a pair hides, show there.

    *_over_limit is the error over the smallest that the counted electrons allow: of a particle, or of 20 nm of line.
    That of lines where parallax alone tells of depth comes with every truth.h5; with --full-limits also the one where
    contrast does.

    With images instead of a truth: how far the lines lie in each view from those that a ridge filter finds there. Views
    of several scans are registered first, so that lines have to come from all of them.

    Example: veristem score run/truth.h5 run/mine.vtp --tolerance-nm 20 --full-limits
    """
    import veristem as vs
    from veristem.bench.commands.score_images import score_in_images
    from veristem.bench.commands.score_text import score_lines
    from veristem.bench.files.scores import sides
    from veristem.bench.metrics.extents import mismatch
    from veristem.bench.scoring import TOLERANCE_NM, junction_table, score_reprojected
    from veristem.datasets import Acquisition, CurveSet, DislocationNetwork, LineTruth, formats
    from veristem.datasets.kinds import TRUTHS
    from veristem.reports.words import label, number

    given = formats.read(truth, *TRUTHS, Acquisition, burgers_magnitude_nm=burgers_magnitude_nm)
    if isinstance(given, Acquisition):
        if of is not None or junctions or reproject or full_limits or metric:
            raise InputError(
                f"{truth}: images found, a truth needed for --of, --junctions, --reproject, --full-limits, --metric"
            )
        score_in_images(truth, given, reconstruction, as_json)
        return
    if of is not None:
        if junctions or reproject:
            other = "junctions" if junctions else "reproject"
            raise InputError(f"--of and --{other}: both found, one allowed; pixels have neither")
        scores, table, tilted = vs.score(given, reconstruction, of=of, view=view), {}, []
    else:
        there, found = sides(given, reconstruction)
        if junctions and not isinstance(there, LineTruth | DislocationNetwork):
            raise InputError(f"--junctions: {truth} found, a network or a truth.h5 of lines allowed")
        if reproject and not isinstance(found, CurveSet):
            raise InputError(f"--reproject: {reconstruction} found, lines allowed")
        how = {"acquisition": acquisition, "full_limits": full_limits, "metrics": metric or ()}
        scores = vs.score(there, found, tolerance_nm=tolerance_nm, **how)
        if warning := mismatch(there, found):
            typer.echo(f"warning: {warning}", err=True)
        table = junction_table(there, found, tolerance_nm=scores["tolerance_nm"]) if junctions else {}
        tilted = []
        if reproject:
            directions = None if acquisition is None else formats.read(acquisition, Acquisition).directions_rad
            within = TOLERANCE_NM if tolerance_nm is None else tolerance_nm
            tilted = score_reprojected(there, found, reproject, tolerance_nm=within, directions_rad=directions)
    kinds = [{"burgers_nm": b, "there": count, "found": hit} for b, (count, hit) in sorted(table.items())]
    if as_json:
        more = {"junctions": kinds} if junctions else {}
        typer.echo(json.dumps(scores | more | ({"reprojected": tilted} if tilted else {})))
        return
    for line in score_lines(scores, everything or of is not None):
        typer.echo(line)
    for seen in tilted:
        shares = ", ".join(f"{label(name)} {number(seen[name])}" for name in ("f_score", "precision", "recall"))
        typer.echo(f"image at {seen['tilt_deg']:g} deg: {shares}, {number(seen['rms_nm'])} nm rms")
    for kind in kinds:
        vectors = " ".join("[" + " ".join(f"{b:.3g}" for b in vector) + "]" for vector in kind["burgers_nm"])
        typer.echo(f"junctions of b (nm) {vectors}: {kind['found']} of {kind['there']} found")
