"""Which conditions to choose, before a session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import Sets, command_line, say, values_of
from veristem.bench.commands.progress import progress


def plan(
    recipe: Annotated[
        str, typer.Argument(help="recipe of the foil or film and the scan, a file or a name")
    ] = "cantor-stereo",
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "-o", "--out", help="page .html, sheet .md or table .json to write, or a folder for all and recipes"
        ),
    ] = None,
    microscope: Annotated[
        str, typer.Option(help="what can be chosen: a name of `veristem list microscopes`, or a .toml of your own")
    ] = "themis-4d",
    sets: Sets = None,
    dose_per_nm2: Annotated[Optional[float], typer.Option(help="most electrons per nm², all scans together")] = None,  # noqa: UP045
    time_s: Annotated[Optional[float], typer.Option(help="longest time of all scans together, s")] = None,  # noqa: UP045
    drift_nm_per_s: Annotated[float, typer.Option(help="drift of the specimen, nm/s")] = 0.0,
    data_gb: Annotated[Optional[float], typer.Option("--data-GB", help="most data, GB")] = None,  # noqa: UP045
    depth_nm: Annotated[Optional[float], typer.Option(help="wish: largest scatter of depths, nm")] = None,  # noqa: UP045
    completeness: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="wish: least share that is found; 0.5 with --depth-nm or --peak-nm alone"),
    ] = None,
    peak_nm: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="wish for particles: most that the mean distance of neighbours comes out too long, nm"),
    ] = None,
    setup: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="discs, segments, aperture or tilts; repeatable; all that the microscope has if not given"),
    ] = None,
    method: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="that will reconstruct; the learned one if not given"),
    ] = None,
    verify: Annotated[
        int, typer.Option(help="run the method on so many of the best, by halves, and order them anew")
    ] = 0,
) -> None:
    """Say which conditions to choose for a foil or a film of particles, and what to expect of them.

    With a wish (--depth-nm, --completeness, --peak-nm) it looks for the least dose that meets it; without one for the
    least error in depth that the session allows. What the recipe says of the specimen, pixels and scan counts; the
    set-up is what is chosen.

    Examples: veristem plan cantor-stereo --set specimen.material=Al --dose-per-nm2 20000 -o plan.html

    veristem plan --microscope osiris --depth-nm 8 --completeness 0.7 -o plan

    veristem plan particles --peak-nm 0.1 -o film.html
    """
    import veristem as vs
    from veristem.bench.pages.plan import save_plan, sheet

    made = vs.plan(
        recipe, microscope, values=values_of(sets), dose_per_nm2=dose_per_nm2, time_s=time_s, data_GB=data_gb,
        drift_nm_per_s=drift_nm_per_s, depth_nm=depth_nm, completeness=completeness, peak_nm=peak_nm,
        setups=setup or (), method=method,
        verify=verify, progress=lambda groups, total: progress(groups, total, "groups of set-ups"), tell=say,
    )  # fmt: skip
    if out is None:
        typer.echo(sheet(made), nl=False)
        return
    for path in save_plan(made, out, command_line()):
        typer.echo(path)
    say(f"{made.number}: {made.options[0].setup.text}")
