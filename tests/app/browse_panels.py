"""Panels of a session: the planner before it, a tilted pair after it; and windows that give way to new ones."""

from __future__ import annotations

import asyncio
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from veristem.bench.app import front

sys.path.insert(0, str(Path(__file__).parents[1]))
from test_registration import CASES, curves, drawn


def test_a_plan(user, tmp_path):
    """Its page, what is recommended, files and the command; what is wrong is a line; one of its recipes is imaged."""
    me = user()
    me.page.click("#tab-plan")
    me.page.fill("#plan-dose", "much")
    me.press("#plan").told("#trouble", "'much' found, 1 number allowed")
    me.page.fill("#plan-dose", "1")
    me.press("#plan").told("#trouble", "dose_per_nm2: 1 electrons/nm² found")
    me.page.fill("#plan-dose", "20000")
    me.press("#plan").told("#plan-command", "veristem plan cantor-stereo --microscope themis-4d")
    assert me.text("#trouble") == ""
    assert "Plan for CoCrFeMnNi" in me.page.frame_locator("#plan-page").locator("h1").inner_text()
    assert me.page.locator("#plan-rows tbody tr").count() > 0
    assert "--dose-per-nm2 20000 -o plan-1" in me.text("#plan-command")
    with me.page.expect_download() as got:
        me.page.click("#plan-files a:text-is('recipe-1.toml')")
    got.value.save_as(tmp_path / "recipe.toml")
    assert "current_nA" in (tmp_path / "recipe.toml").read_text("utf-8")
    assert {"plan.html", "plan.md", "plan.json"} <= set(me.page.locator("#plan-files a").all_inner_texts())


def test_a_simulation_is_begun_and_stopped(user):
    """By the dialog of its button, which asks for the recipe."""
    me = user()
    me.page.click("#simulate")
    me.choose("Recipe", "cantor-small")
    me.page.click("#simulate-recipe")
    me.told("#busy", "Simulation")
    me.page.click("#stop")
    me.told("#note", "Simulation: stopped")


def test_a_tilted_pair(user, tmp_path):
    """Two images and what is known of them: registered, played with the points that were tracked, reconstructed."""
    pair, _ = drawn(curves(1), CASES["one turned"])
    for name, view in zip(("left", "right"), pair.views):
        Image.fromarray(view.astype(np.uint16)).save(tmp_path / f"{name}.tif")
    me = user().drop(tmp_path / "left.tif", tmp_path / "right.tif")
    me.page.fill("#pair-angle", "8")
    me.page.fill("#pair-pixel", "2")
    me.page.click("text=The specimen was tilted")
    me.page.fill(".v-text-field:has(label:text-is('Tilt axis from x towards y (°), or find')) input", "90")
    me.press("#use-pair").told("#opened", "left.tif and right.tif")
    me.page.click("#tab-registration")
    me.press("#register").told("#registration-text", "Registered: view 1 is turned by +2.3")
    assert me.page.locator("img[alt^=residuals]").count() == 1
    me.page.click("#tab-series")
    me.told("#film-text", "view 0 (0 to 1): tilt -4.00°")
    me.press("#track").told(".series-line", "points lie")
    assert len(re.findall("M", me.page.get_attribute("#film .tracked", "d"))) > 30
    me.page.click("#play")
    me.told("#film-text", "view 1").told("#film-text", "view 0")
    me.page.click("#play")
    assert me.text("#trouble") == ""


def test_a_left_window_gives_way(monkeypatch):
    """The only one that is allowed here, which no browser has come to; its process ends, and the new one answers."""
    monkeypatch.setattr(front, "_MOST", 1)

    async def opened() -> None:
        address: list[str] = []
        windows = front._Front([])
        serving = asyncio.create_task(windows.run(0, False, address.append))
        while not address:
            await asyncio.sleep(0.05)
        where = re.findall(r"http\S+", address[0])[0]
        first = await asyncio.to_thread(requests.get, where, timeout=60)
        assert "/index.html" in first.url
        assert "windows are in use" in (await asyncio.to_thread(requests.get, where, timeout=60)).text
        monkeypatch.setattr(front, "_LEFT_S", 0.0)
        gone = windows.children[0].process
        there = await asyncio.to_thread(requests.get, where, timeout=60)
        assert "/index.html" in there.url != first.url
        await asyncio.wait_for(gone.wait(), 60)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    with ThreadPoolExecutor(1) as thread:  # in this one Playwright has a loop of its own
        thread.submit(asyncio.run, opened()).result(180)
