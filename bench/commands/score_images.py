"""A reconstruction against the images alone, in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import typer

from veristem.datasets import Acquisition, CurveSet, InputError, formats


def score_in_images(path: Path, images: Acquisition, reconstruction: Path, as_json: bool) -> None:
    """Print how far projected lines lie from those of each view, a line a view.

    Raises
    ------
    InputError
        For images of particles, or a reconstruction that holds no curves.
    """
    from veristem.bench.pages.residuals import NEAR_PX, reprojection_residuals

    if images.kind != "dislocations":
        raise InputError(f"{path}: images of {images.kind} found, of dislocations allowed without a truth")
    found = reprojection_residuals(images, formats.read(reconstruction, CurveSet))
    rows = found.per_view
    if as_json:
        typer.echo(json.dumps({"images": rows}))
        return
    for row in rows:
        tilt = "" if images.tilts_rad is None else f" at {np.degrees(images.tilts_rad[row['view']]):g} deg"
        if row["rms_px"] is None:
            typer.echo(f"view {row['view']}{tilt}: nothing of the reconstruction lies in it")
            continue
        seen = (
            "no lines seen there" if row["explained"] is None else f"{row['explained']:.0%} of what is seen there found"
        )
        typer.echo(
            f"view {row['view']}{tilt}: {row['rms_px']:.1f} pixels rms, {row['within_3px']:.0%} within "
            f"{NEAR_PX:g} pixels of a line, {seen}"
        )
    typer.echo(
        "lines of a view are those that a ridge filter finds, not the truth; a wrong depth of a line that runs "
        "along the epipolar direction does not show"
    )
    if found.moved_nm.any():
        x, y, z = found.moved_nm
        typer.echo(
            f"as these views are of several scans and tell no origin, the lines were moved as a whole by {x:.0f} "
            f"{y:.0f} {z:.0f} nm to where they fit best"
        )
