"""A page in a real browser without a window."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def browsed(page: Path, text: str) -> tuple[str, str]:
    """The page as a browser leaves it, and what the browser says."""
    browser = next((b for b in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if b), None)
    if browser is None:
        pytest.skip("no chromium or google-chrome on this machine")
    copy = page.with_name("browsed.html")
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader",
         "--disable-background-networking", "--enable-logging=stderr", "--virtual-time-budget=20000",
         "--window-size=1200,9000", f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", copy.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr
