"""Commands and functions of VeriSTEM in processes of their own, which a button ends with all that they have started."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from veristem.bench.commands.progress import WATCHED, in_lines
from veristem.datasets.errors import InputError
from veristem.datasets.text import printable, told

_START = [sys.executable, "-c", "from veristem.bench.cli import main; main()"]
_KEPT = 1 << 16  # characters of what a command says
_MOST = 1 << 26  # bytes of what it prints
_APART = get_context("spawn")  # a fork of a window would hold its sockets


class Stopped(Exception):
    """The user has ended it."""


def command_text(words: Sequence[str]) -> str:
    """A command as it is typed into a terminal."""
    return shlex.join(["veristem", *words])


def share_done(line: str) -> float | None:
    """How much of the work is done, in per cent, by a line of `commands.progress`; None for any other."""
    found = re.match(r"(\d+) of (\d+) .*\bs left$", line)
    return None if found is None else round(100 * int(found[1]) / max(int(found[2]), 1))


class Job:
    """One command or function at a time.

    Parameters
    ----------
    folder : Path
        Where commands run.
    """

    def __init__(self, folder: Path):
        self.folder, self.stopped = folder, False
        self.pid: int | None = None  # of what runs

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
            When it was stopped, or was to be before it began.
        """
        self.check()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *_START, *words, cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MPLBACKEND": "Agg", WATCHED: "1"},
        )  # fmt: skip
        self.pid = process.pid
        try:
            out, said = await asyncio.gather(_whole(process.stdout), _lines(process.stderr, say))
            code = await process.wait()
            self.pid = None
        finally:
            self.end()
        self.check()
        if code:
            raise InputError(said[-1].removeprefix("error: ") if said else f"{words[0]}: ended with {code}")
        return out, said

    async def call(self, function: Callable, *args, say: Callable[[str], object] | None = None) -> Any:
        """What a function of a module returns, or raises; both pass through a pipe, so that they should be small.

        Parameters
        ----------
        function : function of the arguments, and of ``progress`` when ``say`` is given
            What wraps its loop over (items, their number).
        say : callable
            Gets a line on how far it is.

        Raises
        ------
        Stopped
            When it was stopped, or was to be before it began.
        """
        self.check()
        ours, theirs = _APART.Pipe(duplex=False)
        process = _APART.Process(target=_answer, args=(theirs, function, args, say is not None))
        await asyncio.to_thread(process.start)
        theirs.close()  # so that the end of the process is the end of the pipe
        self.pid = process.pid
        try:
            while (answer := await asyncio.to_thread(_received, ours))[0] == "said":
                if say is not None:
                    say(answer[1])
            await asyncio.to_thread(process.join)
            self.pid = None
        finally:
            self.end()
        self.check()
        how, found = answer
        if how == "failed":
            raise found
        return found

    def begin(self) -> None:
        """Forget that something was stopped: a new task begins."""
        self.stopped = False

    def check(self) -> None:
        """Raise Stopped if the user wished so."""
        if self.stopped:
            raise Stopped

    def stop(self) -> None:
        """End it, as the user wishes."""
        self.stopped = True
        self.end()

    def end(self) -> None:
        """End the process, and all that it has started."""
        pid, self.pid = self.pid, None
        if pid is None:
            return
        with suppress(psutil.Error):
            family = psutil.Process(pid)
            for one in [*family.children(recursive=True), family]:
                with suppress(psutil.Error):
                    one.kill()


def _answer(pipe: Connection, function: Callable, args: tuple, tells: bool) -> None:
    """In its process: what it says, then whether the function ended well, and with what."""
    try:
        if tells:
            how = {"things": "steps", "say": lambda line: pipe.send(("said", line)), "often_s": 0}
            function = partial(function, progress=partial(in_lines, **how))
        pipe.send(("found", function(*args)))
    except (InputError, OSError) as error:
        pipe.send(("failed", error))
    except Exception as error:
        traceback.print_exc()
        pipe.send(("failed", RuntimeError(told(error))))


def _received(pipe: Connection) -> tuple[str, Any]:
    try:
        return pipe.recv()
    except EOFError:
        return "failed", RuntimeError("its process has ended before it was done; its memory may have run out")


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
