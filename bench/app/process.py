"""The process of one window."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from threading import Thread
from typing import Any

from veristem.bench.app.window import Window

_KEEPS_S = 3600  # without a browser, unless it gives way to a new window: a browser may put a tab to sleep


def serve() -> None:
    """Serve one window; its first line on standard input says to whom, and its end ends the window."""
    asked = json.loads(sys.stdin.readline())
    folder = Path(tempfile.mkdtemp(prefix="veristem-"))
    windows: list[Window] = []

    def end(code: int = 0) -> None:
        for window in windows:
            window.job.end()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(code)

    def watch() -> None:
        while sys.stdin.readline():
            pass
        end()

    try:
        Thread(target=watch, daemon=True).start()
        windows.append(make_window(folder, asked))
        windows[0].server.start(
            port=0, host="127.0.0.1", open_browser=False, show_connection_info=False, disable_logging=True,
            timeout=_KEEPS_S,
        )  # fmt: skip
    except BaseException:
        traceback.print_exc()
        end(1)
    end()


def make_window(folder: Path, asked: dict[str, Any]) -> Window:
    """A window that answers only those who show the cookie, and opens the files that it was given."""
    from aiohttp import web
    from trame.app import get_server

    from veristem.bench.app.front import HERE, LEFT, guard
    from veristem.bench.app.layout import lay_out

    server: Any = get_server(client_type="vue3")
    window = Window(server, folder)
    server.enable_module({"serve": {"files": str(folder)}})
    opening = lay_out(window)
    sockets: list[web.Request] = []
    said = [LEFT]

    def tell(**_) -> None:
        """Say whether a browser or work is here, when that changes."""
        if (word := HERE if sockets or window.state.busy else LEFT) != said[0]:
            said[0] = word
            print(word.decode(), end="", flush=True)

    server.state.change("busy")(tell)

    @web.middleware
    async def present(request: web.Request, handler):
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return await handler(request)
        sockets.append(request)
        tell()
        try:
            return await handler(request)
        finally:
            sockets.remove(request)
            tell()

    @server.controller.add("on_server_bind")
    def guarded(wslink_server) -> None:
        wslink_server.app.middlewares.extend([guard(asked["cookie"], asked["key"]), present])

    @server.controller.add("on_server_ready")
    def ready(**_) -> None:
        print(f"port {server.port}", flush=True)
        if asked["files"]:
            opening([Path(name) for name in asked["files"]])

    return window
