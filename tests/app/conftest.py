"""`veristem app` in a process, and Chromium to use it with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

STARTS_S, WORKS_S = 60.0, 120.0
_HOSTS = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")


class User:
    """One user before one window: opens, presses, waits.

    Parameters
    ----------
    page : playwright Page
        Of a context of its own.
    address : str
        That `veristem app` printed.
    """

    def __init__(self, page, address: str):
        self.page, self.asked, self.said = page, [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.set_default_timeout(1e3 * WORKS_S)
        page.goto(address)
        page.wait_for_selector("#open", timeout=1e3 * STARTS_S)

    def text(self, selector: str) -> str:
        """What stands there; nothing where it is not shown."""
        found = self.page.locator(selector)
        return found.first.inner_text() if found.count() else ""

    def told(self, selector: str, words: str) -> User:
        """Wait until words stand there."""
        self.page.locator(selector, has_text=words).first.wait_for()
        return self

    def at_rest(self) -> User:
        """Wait until nothing runs."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector("#busy", state="detached", timeout=1e3 * WORKS_S)
        return self

    def press(self, selector: str) -> User:
        """Press a button, and wait until what it began has ended."""
        self.page.click(selector)
        return self.at_rest()

    def open(self, path: Path) -> User:
        """Open a path that is typed."""
        self.page.fill("#path", str(path))
        return self.press("#open")

    def drop(self, *paths: Path) -> User:
        """Choose files in the field that takes files."""
        self.page.click("#tab-start")
        self.page.set_input_files("#drop", [str(path) for path in paths])
        return self.at_rest()

    def choose(self, field: str, name: str) -> User:
        """Choose from a list."""
        item = self.page.locator(f".v-overlay--active .v-list-item-title:text-is('{name}')")
        for _ in range(20):  # a click on what still moves, or is drawn anew, opens nothing
            if item.count():
                break
            self.page.click(f".v-select:has(label:text-is('{field}')) .v-field", force=True)
            self.page.wait_for_timeout(1000)
        item.click()
        self.page.wait_for_timeout(300)
        return self


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A browser; tests are skipped on machines without one."""
    found = next((b for b in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if b), None)
    if found is None:
        pytest.skip("no chromium or google-chrome on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")  # a window that was left is kept for a while, and there are twelve at most
def app(tmp_path_factory) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of `veristem app`."""
    log = (tmp_path_factory.mktemp("app") / "said").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", "from veristem.bench.cli import main; main()", "app", "--no-browser"],
        stdout=subprocess.PIPE, stderr=log, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    yield re.findall(r"http\S+", line)[0], psutil.Process(process.pid)
    process.terminate()
    assert process.wait(STARTS_S) is not None
    log.seek(0)
    assert "Traceback" not in re.sub(
        r"(?s)Task exception was never.*?Cannot write to closing transport\n", "", log.read()
    )


@pytest.fixture
def user(app, chromium) -> Iterator[Callable[[], User]]:
    """A function that brings a new user, with a browser of its own; nothing they ask for leaves the machine."""
    contexts, users = [], []

    def come(**how) -> User:
        contexts.append(chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True, **how))
        contexts[-1].route(lambda url: not url.startswith(_HOSTS), lambda route: route.abort())
        users.append(User(contexts[-1].new_page(), app[0]))
        return users[-1]

    yield come
    for one in users:
        assert [url for url in one.asked if not url.startswith(_HOSTS)] == []
        assert one.said == []
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder with a small simulation: acquisition.h5, truth.h5, truth.vtp."""
    import veristem as vs

    folder = tmp_path_factory.mktemp("made")
    vs.simulate("cantor-small", folder)
    return folder
