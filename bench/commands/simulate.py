"""A specimen and its images."""

from __future__ import annotations

from typing import Annotated

import typer

from veristem.bench.commands.options import Out, Sets, say, values_of
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
    import veristem as vs
    from veristem.reports.words import views_text

    made = vs.simulate(recipe, out, values=values_of(sets), progress=_bar, tell=say)
    for note in made.notes:
        say(note)
    if made.acquisition is not None:
        say(views_text(made.acquisition.directions_rad))
    for path in made.paths:
        typer.echo(path)


def _bar(items, total: int):
    """Rows of a 4D scan or tilts; a single tilt has no bar."""
    return progress(items, total, "rows or tilts") if total > 1 else items
