"""Results against a baseline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.datasets.errors import InputError


def gate(
    folder: Annotated[Path, typer.Argument(help="results folder of `veristem study`")],
    baseline: Annotated[Path, typer.Option(help="baseline, .json, kept with the code")],
    update: Annotated[bool, typer.Option("--update", help="write the results into the baseline instead")] = False,
    false_alarm: Annotated[
        float, typer.Option(help="chance that any metric is called worse though nothing has changed")
    ] = 0.01,
    junit: Annotated[Optional[Path], typer.Option(help="JUnit XML to write")] = None,  # noqa: UP045
    markdown: Annotated[Optional[Path], typer.Option(help="markdown to write, for a pull request")] = None,  # noqa: UP045
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")] = False,
    reference: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="results of the same study by the code to compare times with, run on this machine"),
    ] = None,
    time_ratio: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="fail where reconstructions take longer than this times the reference's"),
    ] = None,
    memory_ratio: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="fail where the largest process takes more memory than this times the reference's"),
    ] = None,
) -> None:
    """Fail when results are worse than a baseline: exit 0 passed, 1 fell short, 2 bad input.

    Metric by metric, averaged over the conditions of a specimen; specimens are what varies by chance. With the seeds of
    the baseline they are compared one by one (the same specimens and noise), with others as two groups. On the same
    specimens a loss counts when nearly all of them lose, or when the mean moves twice as far as other specimens would
    move it. Missing runs, new failures and lost values fail too. --update writes the results as the
    baseline, to be reviewed and committed.

    Example: veristem study gate-lines -o results && veristem gate results --baseline gate.json --junit gate.xml
    """
    import numpy as np

    from veristem.bench.gate.costs import costs
    from veristem.bench.gate.outputs import as_object, print_table, write_junit, write_markdown
    from veristem.bench.gate.record import read_record, record_of, write_record
    from veristem.bench.gate.verdict import check_enough, check_same, compare
    from veristem.datasets.formats.atomic import together

    if not 0 < false_alarm < 1:
        raise InputError(f"--false-alarm: {false_alarm:g} found, a chance between 0 and 1 allowed")
    for option, ratio in (("--time-ratio", time_ratio), ("--memory-ratio", memory_ratio)):
        if ratio is not None and reference is None:
            raise InputError(f"{option}: no --reference found, results of a run on this machine allowed")
        if ratio is not None and not ratio > 0:
            raise InputError(f"{option}: {ratio:g} found, a positive number allowed")
    now = record_of(folder)
    if update:
        if now.missing:
            raise InputError(f"{folder}: no row of {now.missing[0]}; run `veristem study` again, which goes on with it")
        if junit or markdown or reference:
            raise InputError("--update: --junit, --markdown or --reference found beside it; it compares nothing")
        check_enough(now, false_alarm)
        write_record(baseline, now)
        failed = sum(len(cell.failed) for cell in now.cells)
        warned = f", {failed} of them failed" if failed else ""
        typer.echo(f"{len(now.cells)} cells x {len(now.seeds)} seeds{warned}: {baseline}", err=as_json)
        if as_json:
            typer.echo(json.dumps({"updated": str(baseline), "cells": len(now.cells), "seeds": len(now.seeds)}))
        return
    before = read_record(baseline)
    check_same(before, now, str(baseline))
    verdict = compare(before, now, np.random.default_rng(0), false_alarm)
    spent = costs(folder, reference)
    *times, memory = spent
    over = [line for cost in times for line in cost.over(time_ratio)] + memory.over(memory_ratio)
    with together():
        if junit:
            write_junit(junit, verdict, spent, over)
        if markdown:
            write_markdown(markdown, verdict, spent, over)
    if as_json:
        typer.echo(json.dumps(as_object(verdict, spent, over)))
    else:
        print_table(verdict, spent, over)
    if over or not verdict.passed:
        raise typer.Exit(1)
