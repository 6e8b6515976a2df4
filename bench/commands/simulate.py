"""A specimen and its images."""

from __future__ import annotations

from typing import Annotated

import typer

from veristem.bench.commands.options import Out, Sets, values_of
from veristem.bench.commands.progress import progress


def simulate(
    recipe: Annotated[str, typer.Argument(help="recipe file or name")],
    out: Out,
    sets: Sets = None,
) -> None:
    """Make a specimen and image it.

    Writes acquisition.h5 for a method, and truth.h5 and truth.vtp (truth.csv of particles) apart from it, and says
    where the views look and how far the widest pair is apart. With a pixelated detector it writes the 4D scan,
    scan.zspy, and vacuum.zspy instead of acquisition.h5, which `veristem virtual` makes of them; stopped, it goes on
    where it was.

    Example: veristem simulate cantor-stereo -o run --set recipe.seed=3
    """
    from veristem.bench.files.simulation import save_simulation, save_truth
    from veristem.bench.study.key import scan_key
    from veristem.bench.study.store import make_folder
    from veristem.datasets.recipe import load_recipe
    from veristem.reports.words import views_text
    from veristem.sim.simulate import simulate_4d, simulate_recipe

    loaded = load_recipe(recipe).with_values(values_of(sets))
    make_folder(out)
    if loaded.microscope.detector.kind == "pixelated":
        truth, specimen, paths = simulate_4d(
            loaded, out, scan_key(loaded), lambda rows, total: progress(rows, total, "rows")
        )
        for note in specimen.notes:
            typer.echo(note, err=True)
        for path in (*paths, *save_truth(out, truth)):
            typer.echo(path)
        return
    truth, acquisition, specimen = simulate_recipe(
        loaded, progress=lambda tilts, total: progress(tilts, total, "tilts") if total > 1 else tilts
    )
    for note in (*specimen.notes, views_text(acquisition.directions_rad)):
        typer.echo(note, err=True)
    for path in save_simulation(out, truth, acquisition):
        typer.echo(path)
