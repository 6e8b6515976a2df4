"""One window: its state, its folder, and the process that both live in."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from veristem.bench.app.jobs import Job, Stopped, command_text, share_done
from veristem.datasets.errors import InputError
from veristem.datasets.text import told

_MOST_LETTERS = 500  # of a line


class Window:
    """What one user sees.

    Parameters
    ----------
    server : trame Server
        Its state is what the browser shows.
    folder : Path
        For the files of this window; commands run there.
    """

    def __init__(self, server, folder: Path):
        self.server, self.state, self.folder = server, server.state, folder
        self.job = Job(folder)
        self.run = ""  # name of the folder of what is open now
        self.acquisition: Any = None
        self.truth: Any = None
        self.found: Any = None
        self.lies: Any = None  # where views of several scans lie, once it is known
        self.script: list[str] = []
        self.hooks: dict[str, list[Callable]] = {}
        self.tasks: set[asyncio.Task] = set()
        self.state.update(
            {
                "trouble": "",
                "note": "",
                "said": "",
                "busy": "",
                "elapsed": 0,
                "done": None,
                "tab": "start",
                "opened": "",
            }
        )

    # what happens, and who wants to know

    def on(self, event: str, function: Callable) -> None:
        """Call a function when something has happened: ``opened``, ``found`` or ``volume``."""
        self.hooks.setdefault(event, []).append(function)

    async def happened(self, event: str) -> None:
        """Tell all who want to know."""
        for function in self.hooks.get(event, []):
            if asyncio.iscoroutine(result := function()):
                await result

    # what the user asks for

    def action(self, what: str) -> Callable[[Callable], Callable[..., None]]:
        """A decorator of what a button does: one at a time, and whatever goes wrong is one line in the window."""

        def decorate(function: Callable) -> Callable[..., None]:
            async def acted(*args, **kwargs) -> None:
                if self.state.busy:
                    with self.state:
                        self.state.trouble = f"{self.state.busy} is still at work; wait, or press Stop"
                    return
                with self.state:
                    self.state.update({"busy": what, "trouble": "", "note": "", "said": "", "elapsed": 0, "done": None})
                self.job.begin()
                clock = asyncio.create_task(self.tick(time.monotonic()))
                trouble, note = "", ""
                try:
                    await function(*args, **kwargs)
                except Stopped:
                    note = f"{what}: stopped"
                except (InputError, OSError) as error:
                    trouble = self.line(error)
                except Exception as error:
                    traceback.print_exc()
                    trouble = f"A fault of VeriSTEM, not of yours: {told(error)}"
                clock.cancel()
                with self.state:
                    self.state.update({"busy": "", "said": ""})
                    self.state.trouble = _short(trouble)
                    self.state.note = note or self.state.note

            @functools.wraps(function)
            def begin(*args, **kwargs) -> None:
                # not awaited: before it has answered, the server hears nothing else from the browser, no stop button
                task = asyncio.get_running_loop().create_task(acted(*args, **kwargs))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

            return begin

        return decorate

    def line(self, error: Exception) -> str:
        """What is wrong, with files and options as the user knows them."""
        text = str(error).replace(f"{self.folder}{os.sep}", "").replace("`", "")
        return re.sub(r"(?<!\S)--([a-z][A-Za-z-]*)", lambda option: option[1].replace("-", " "), text)

    async def tick(self, start: float) -> None:
        """Count the seconds."""
        while True:
            await asyncio.sleep(1)
            with self.state:
                self.state.elapsed = round(time.monotonic() - start)

    def say(self, line: str) -> None:
        """A line on how it goes; what needs attention stays."""
        with self.state:
            self.state.said = _short(line)
            self.state.done = share_done(line)
            if line.startswith("warning: "):
                self.state.note = _short(line.replace("`", ""))

    async def command(self, *words: str | Path) -> tuple[str, list[str]]:
        """Run a command of VeriSTEM, and note it for who wants to do the same without a window."""
        texts = [str(word) for word in words]
        done = await self.job.run(texts, self.say)
        self.script.append(command_text(texts))
        return done

    async def aside(self, function: Callable, *args) -> Any:
        """What a function returns that is soon done, as readers are: it cannot be ended, only what comes after it."""
        found = await asyncio.to_thread(function, *args)
        self.job.check()
        return found

    async def apart(self, function: Callable, *args, tells: bool = False) -> Any:
        """What a function of a module returns that may take long, from a process that the stop button ends.

        With ``tells`` it gets ``progress``, which wraps a loop over (items, their number).
        """
        return await self.job.call(function, *args, say=self.say if tells else None)

    # files

    def new_folder(self, what: str) -> str:
        """Name of a new folder."""
        number = 1
        while (place := self.folder / f"{what}-{number}").exists() and any(place.iterdir()):
            number += 1
        place.mkdir(exist_ok=True)
        return place.name

    def new_run(self) -> str:
        """Name of a new folder for what is opened now; the files of what was open stay."""
        place = self.new_folder("run")
        self.script = [f"mkdir -p {place}"]
        return place

    def path(self, name: str) -> Path:
        """A file of what is open."""
        return self.folder / self.run / name

    def href(self, name: str, place: str = "") -> str:
        """Where the browser finds a file of what is open, or of another folder; another address after each change."""
        place = place or self.run
        return f"files/{place}/{name}?{(self.folder / place / name).stat().st_mtime_ns}"

    async def show(self, run: str) -> None:
        """Show what lies in a folder: acquisition.h5, truth.h5, a reconstruction or a volume."""
        import veristem as vs

        place = self.folder / run
        loaded: dict[str, Any] = {"acquisition.h5": None, "truth.h5": None}
        for name in loaded:
            if (place / name).exists():
                loaded[name] = await self.aside(vs.load, place / name)
        self.run, self.found = run, None
        self.acquisition, self.truth = loaded.values()
        await self.happened("opened")


def _short(line: str) -> str:
    one = " ".join(line.split())
    return one if len(one) <= _MOST_LETTERS else one[: _MOST_LETTERS - 1] + "…"
