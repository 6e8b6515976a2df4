"""Progress of long work."""

from __future__ import annotations

import os
import sys
import time


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
    start = shown = time.monotonic()
    often_s = 1 if "VERISTEM_WATCHED" in os.environ else 10  # the window shows it; a log is not to be filled
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - shown > often_s or done == total:
            left = (now - start) / done * (total - done)
            print(f"{done} of {total} {things}, {left:.0f} s left", file=sys.stderr, flush=True)
            shown = now
