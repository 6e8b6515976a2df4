"""A reconstruction against the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from veristem.datasets.errors import InputError


def score(
    truth: Annotated[
        Path, typer.Argument(help="truth.h5, a network or curves as .vtp, .data or .ca, or particles as .csv or .xyz")
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
    metric: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="a metric of your own, module:function beside a METRIC; repeatable"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")] = False,
) -> None:
    """Compare a reconstruction with the truth.

    *_over_limit is the error over the smallest that the counted electrons allow: of a particle, or of 20 nm of line.
    That of lines where parallax alone tells of depth comes with every truth.h5; with --full-limits also the one where
    contrast does.

    Example: veristem score run/truth.h5 run/mine.vtp --tolerance-nm 20 --full-limits
    """
    from veristem.bench.files.simulation import read_truth_file
    from veristem.bench.limits.lines import full_line_limits, line_limits
    from veristem.bench.metrics.extents import mismatch
    from veristem.bench.scoring import junction_table
    from veristem.bench.scoring import score as run
    from veristem.datasets import Acquisition, formats
    from veristem.datasets.kinds import KINDS
    from veristem.datasets.network import DislocationNetwork
    from veristem.datasets.reconstruction import CurveSet
    from veristem.datasets.truth import LineTruth

    if tolerance_nm is not None and not 0 < tolerance_nm < float("inf"):
        raise InputError(f"--tolerance-nm: {tolerance_nm} found, a positive length allowed")
    loaded = read_truth_file(truth, burgers_magnitude_nm)
    directions = formats.read(acquisition, Acquisition).directions_rad if acquisition else None
    found = formats.read(reconstruction, *(kind.result for kind in KINDS.values()))
    limits: dict[str, Any] = {}
    if isinstance(loaded, LineTruth):
        limits = {"limits": full_line_limits(loaded) if full_limits else line_limits(loaded)}
    elif full_limits:
        raise InputError(f"--full-limits: {truth} found, a truth.h5 of lines allowed, which tells how it was imaged")
    scores = run(loaded, found, tolerance_nm=tolerance_nm, directions_rad=directions, metrics=metric or (), **limits)
    if warning := mismatch(loaded, found):
        typer.echo(f"warning: {warning}", err=True)
    kinds = []
    if junctions:
        if not (isinstance(loaded, LineTruth | DislocationNetwork) and isinstance(found, CurveSet)):
            raise InputError(f"--junctions: {truth} found, a network or a truth.h5 of lines allowed")
        table = junction_table(loaded, found, tolerance_nm=scores["tolerance_nm"])
        kinds = [{"burgers_nm": b, "there": there, "found": hit} for b, (there, hit) in sorted(table.items())]
    if as_json:
        typer.echo(json.dumps(scores | {"junctions": kinds} if junctions else scores))
        return
    for key, value in scores.items():
        typer.echo(f"{key:46s} {'–' if value is None else f'{value:.4g}'}")
    for kind in kinds:
        vectors = " ".join("[" + " ".join(f"{b:.3g}" for b in vector) + "]" for vector in kind["burgers_nm"])
        typer.echo(f"junctions of b (nm) {vectors}: {kind['found']} of {kind['there']} found")
