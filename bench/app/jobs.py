"""Commands of VeriSTEM in processes of their own, which a button ends with all that they have started."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from veristem.datasets.errors import InputError
from veristem.datasets.text import printable

_START = [sys.executable, "-c", "from veristem.bench.cli import main; main()"]
_KEPT = 1 << 16  # characters of what a command says
_MOST = 1 << 26  # bytes of what it prints


class Stopped(Exception):
    """The user has ended it."""


def command_text(words: Sequence[str]) -> str:
    """A command as it is typed into a terminal."""
    return shlex.join(["veristem", *words])


class Job:
    """One command at a time.

    Parameters
    ----------
    folder : Path
        Where it runs.
    """

    def __init__(self, folder: Path):
        self.folder, self.stopped = folder, False
        self.process: asyncio.subprocess.Process | None = None

    async def run(self, words: Sequence[str], say: Callable[[str], object]) -> tuple[str, list[str]]:
        """Run a command to its end.

        Parameters
        ----------
        words : sequence of str
            Those after ``veristem``.
        say : callable
            Gets every line for people as it comes.

        Returns
        -------
        out : str
            What it printed.
        said : list of str
            The lines for people, the first of the last ones.

        Raises
        ------
        InputError
            With the line that it ended with, when it did not end well.
        Stopped
            When it was stopped.
        """
        self.stopped = False
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *_START, *words, cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MPLBACKEND": "Agg"},
        )  # fmt: skip
        try:
            out, said = await asyncio.gather(_whole(self.process.stdout), _lines(self.process.stderr, say))
            code = await self.process.wait()
        finally:
            self.end()
            self.process = None
        if self.stopped:
            raise Stopped
        if code:
            raise InputError(said[-1].removeprefix("error: ") if said else f"{words[0]}: ended with {code}")
        return out, said

    def stop(self) -> None:
        """End it, as the user wishes."""
        self.stopped = True
        self.end()

    def end(self) -> None:
        """End the process, and all that it has started."""
        if self.process is None or self.process.returncode is not None:
            return
        with suppress(psutil.Error):
            family = psutil.Process(self.process.pid)
            for one in [*family.children(recursive=True), family]:
                with suppress(psutil.Error):
                    one.kill()


async def _whole(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    data = bytearray()
    while piece := await stream.read(1 << 16):
        data += piece[: max(0, _MOST - len(data))]
    return data.decode(errors="replace")


async def _lines(stream: asyncio.StreamReader | None, say: Callable[[str], object]) -> list[str]:
    assert stream is not None
    rest, said = "", []
    while piece := await stream.read(1 << 16):
        *lines, rest = re.split(r"[\r\n]+", (rest + piece.decode(errors="replace"))[-_KEPT:])
        for line in filter(str.strip, lines):
            said = [*said[-50:], printable(line)]
            say(said[-1])
    return [*said, *([printable(rest)] if rest.strip() else [])]
