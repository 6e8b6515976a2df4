"""The address that a browser opens: each window gets a process of its own, so that two users never mix.

Loopback only. Whoever opens it shows a key, once in the address and then as a cookie that no other site is sent;
without it nothing is answered, and neither under a name that another site may have given to this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
import webbrowser
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

HOST = "127.0.0.1"
_MOST = 12  # windows at a time
_STARTS_S = 60.0
_ENDS_S = 5.0
_LEFT_S = 60.0  # without a browser until a window may give way to a new one: pages are loaded anew
HERE, LEFT = b"here\n", b"left\n"  # what a window's process says when a browser or work comes, and when none is left
_NAMES = (HOST, "localhost")


def cookie_name(port: int) -> str:
    """Of the cookie of a front: cookies do not know ports, so that its name must."""
    return f"veristem-app-{port}"


def guard(name: str, key: str):
    """A middleware that answers only requests to this machine by name, from its own pages, with the cookie."""

    @web.middleware
    async def checked(request: web.Request, handler):
        own = request.url.host in _NAMES and request.headers.get("Origin", str(request.url.origin())) == str(
            request.url.origin()
        )
        if not own or not secrets.compare_digest(request.cookies.get(name, "").encode(), key.encode()):
            raise web.HTTPForbidden(text="Open the address that `veristem app` has printed.")
        return await handler(request)

    return checked


def serve(
    files: Sequence[Path],
    port: int = 0,
    browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Answer until Ctrl-C; every window opens the files.

    Parameters
    ----------
    files : sequence of Path
        To open.
    port : int
        Of this machine; any free one for 0.
    browser : bool
        Whether to open it in a browser.
    say : callable
        Gets the address.

    Raises
    ------
    OSError
        When the port is taken.
    """
    asyncio.run(_Front([str(path.absolute()) for path in files]).run(port, browser, say))


@dataclass
class _Child:
    """A window's process, and since when neither a browser nor work has been there [s]; None while one is."""

    process: asyncio.subprocess.Process
    left_s: float | None = None

    async def end(self) -> None:
        """End it with its work and its files, which the end of its standard input does; kill it if it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), _ENDS_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class _Front:
    """Windows, and the processes behind them."""

    def __init__(self, files: list[str]):
        self.files, self.key, self.name = files, secrets.token_urlsafe(24), ""
        self.children: list[_Child] = []
        self.tasks: set[asyncio.Task] = set()

    async def run(self, port: int, browser: bool, say) -> None:
        app = web.Application()
        app.add_routes([web.get("/", self.window)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            port = runner.addresses[0][1]
            self.name = cookie_name(port)
            address = f"http://{HOST}:{port}/?key={self.key}"
            say(f"VeriSTEM is at {address} on this machine alone; Ctrl-C ends it")
            if browser:
                webbrowser.open(address)
            await asyncio.Event().wait()
        finally:
            await asyncio.gather(*(child.end() for child in self.children))
            await runner.cleanup()

    async def window(self, request: web.Request) -> web.StreamResponse:
        """A process for a new window, and the way to it."""
        given = request.query.get("key", request.cookies.get(self.name, ""))
        if request.url.host not in _NAMES or not secrets.compare_digest(given.encode(), self.key.encode()):
            raise web.HTTPForbidden(text="Open the address that `veristem app` has printed.")
        self.children = [child for child in self.children if child.process.returncode is None]
        if len(self.children) >= _MOST and not self.give_way():
            return web.Response(text=f"{_MOST} windows are in use; close one, and open this again in a minute")
        try:
            port = await asyncio.wait_for(self.start(), _STARTS_S)
        except (TimeoutError, ValueError):
            return web.Response(text="The window did not start; its error stands where `veristem app` was started")
        response = web.HTTPFound(f"http://{request.url.host}:{port}/index.html")
        response.set_cookie(self.name, self.key, httponly=True, samesite="Strict")
        return response

    def give_way(self) -> bool:
        """End the window that was left longest ago; False when all are in use, or were a moment ago."""
        until = time.monotonic() - _LEFT_S
        left = {child.left_s: child for child in self.children if child.left_s is not None and child.left_s <= until}
        if not left:
            return False
        longest = left[min(left)]
        self.children.remove(longest)
        self.keep(longest.end())
        return True

    def keep(self, work: Coroutine) -> None:
        """Let something go on beside requests."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def listen(self, child: _Child) -> None:
        """Note whether somebody is there, until the process ends."""
        assert child.process.stdout is not None
        with contextlib.suppress(ValueError):  # a line too long to be one of those
            while line := await child.process.stdout.readline():
                if line in (HERE, LEFT):
                    child.left_s = time.monotonic() if line == LEFT else None

    async def start(self) -> int:
        """Start a window's process; its port."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from veristem.bench.app.process import serve; serve()",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "WSLINK_READY_MSG": ""},
        )  # fmt: skip
        one = _Child(child)
        self.children.append(one)
        assert child.stdin is not None
        assert child.stdout is not None
        # by its standard input, which nobody else can read; its end is the end of the window
        child.stdin.write(json.dumps({"cookie": self.name, "key": self.key, "files": self.files}).encode() + b"\n")
        await child.stdin.drain()
        while line := await child.stdout.readline():
            if line.startswith(b"port "):
                one.left_s = time.monotonic()
                self.keep(self.listen(one))
                return int(line.split()[1])
        raise ValueError
