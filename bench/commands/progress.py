"""Progress of long work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable

WATCHED = "VERISTEM_WATCHED"  # in the environment of a command whose lines somebody sees as they come: the window


def progress(items, total: int, things: str = "cells"):
    """Go through the items with a bar and the time left on a terminal, with plain lines otherwise."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn

        # the last of the default ones is the time left
        columns = (*Progress.get_default_columns(), TextColumn("left,"), MofNCompleteColumn(), TextColumn(things))
        with Progress(*columns, console=Console(stderr=True)) as bar:
            yield from bar.track(items, total=total, description="")
        return
    often_s = 1 if WATCHED in os.environ else 10
    yield from in_lines(items, total, things, lambda line: print(line, file=sys.stderr, flush=True), often_s)


def in_lines(items: Iterable, total: int, things: str, say: Callable[[str], object], often_s: float):
    """Go through the items, and say now and then how many are done and how long the others take."""
    start = shown = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - shown > often_s or done == total:
            left = (now - start) / done * (total - done)
            say(f"{done} of {total} {things}, {left:.0f} s left")
            shown = now
