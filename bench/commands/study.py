"""Conditions, seeds and methods, one by one."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import Out, Sets, TimeLimit, command_line, say, values_of
from veristem.bench.commands.progress import progress
from veristem.datasets.errors import InputError


def study(
    study: Annotated[str, typer.Argument(help="study file or name; `veristem list studies` shows the names")],
    out: Out,
    method: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="instead of the study's own; repeatable; KEY=VALUE parameters may follow the name"),
    ] = None,
    metric: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="a metric of your own, module:function beside a METRIC; repeatable"),
    ] = None,
    sets: Sets = None,
    seeds: Annotated[Optional[int], typer.Option(min=1, help="specimens, instead of the study's number")] = None,  # noqa: UP045
    workers: Annotated[int, typer.Option(min=1, help="processes on this machine")] = 1,
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="address of a Dask scheduler instead, tcp://HOST:PORT; its workers must see the same files. It has no "
            "password: whoever reaches it runs code on them"
        ),
    ] = None,
    method_version: Annotated[
        str,
        typer.Option(
            help="state of methods from outside: another text runs their cells again, where a change cannot be "
            "seen in their module, package or program itself"
        ),
    ] = "",
    timeout_s: TimeLimit = None,
) -> None:
    """Run all conditions, seeds and methods; resumes.

    What is finished is kept and never run again, however the study was stopped, unless what it depends on has changed:
    recipe, sources, parameters, weights. A failure of a method is a result; a failure of the machine (a killed worker,
    a full memory) is tried again by the next run. `veristem report` makes a page of the folder.

    Example: veristem study conditions -o results --workers 2 --method stereo-classical --method my_package:reconstruct
    """
    import veristem as vs
    from veristem.bench.study.examples import save_examples
    from veristem.datasets.recipe import load_recipe, load_study
    from veristem.reports.studies import summary_lines

    if scheduler and workers > 1:
        raise InputError("--workers and --scheduler: both found, one allowed; a cluster brings its own workers")
    values = values_of(sets)
    table = vs.study(
        study, out, methods=method or (), values=values, seeds=seeds, metrics=metric or (), workers=workers,
        scheduler=scheduler, method_version=method_version, timeout_s=timeout_s, progress=progress,
        command=command_line(),
    )  # fmt: skip
    for line in summary_lines(table):
        typer.echo(line)
    for note in save_examples(table, load_recipe(load_study(study).recipe).with_values(values), out, timeout_s):
        say(note)
    failed = sum(isinstance(error, str) for error in table["error"])
    typer.echo(f"{len(table)} rows, {failed} failed: {out / 'results.parquet'}")
