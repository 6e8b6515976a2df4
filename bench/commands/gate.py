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
) -> None:
    """Fail when results are worse than a baseline: exit 0 passed, 1 fell short.

    Metric by metric, averaged over the conditions of a specimen; specimens are what varies by chance. With the seeds of
    the baseline they are compared one by one (the same specimens and noise), with others as two groups. Missing runs,
    new failures and lost values fail too. --update writes the results as the baseline, to be reviewed and committed.

    Example: veristem study gate-lines -o results && veristem gate results --baseline gate.json --junit gate.xml
    """
    import numpy as np

    from veristem.bench.gate.costs import costs, facts
    from veristem.bench.gate.outputs import as_object, print_table, write_junit, write_markdown
    from veristem.bench.gate.record import read_record, record_of, write_record
    from veristem.bench.gate.verdict import check_same, compare

    if not 0 < false_alarm < 1:
        raise InputError(f"--false-alarm: {false_alarm:g} found, a chance between 0 and 1 allowed")
    if time_ratio is not None and reference is None:
        raise InputError("--time-ratio: no --reference found, results of a run on this machine allowed")
    if time_ratio is not None and not time_ratio > 0:
        raise InputError(f"--time-ratio: {time_ratio:g} found, a positive number allowed")
    now = record_of(folder)
    if update:
        if now.missing:
            raise InputError(f"{folder}: no row of {now.missing[0]}; run `veristem study` again, which goes on with it")
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
    peak = facts(folder).get("peak_memory_mib")
    memory = f"{peak:.0f} MiB, of the largest process" if isinstance(peak, int | float) else "–"
    slow = [
        f"{cost.method} {cost.ratio:.3g} times as slow as the reference, {time_ratio:g} allowed"
        for cost in spent
        if time_ratio is not None and cost.ratio is not None and cost.ratio > time_ratio
    ]
    if junit:
        write_junit(junit, verdict, spent, slow)
    if markdown:
        write_markdown(markdown, verdict, spent, memory, slow)
    if as_json:
        typer.echo(json.dumps(as_object(verdict, spent, peak, slow)))
    else:
        print_table(verdict, spent, memory, slow)
    if slow or not verdict.passed:
        raise typer.Exit(1)
