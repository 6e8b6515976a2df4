"""From images to a reconstruction of one's own, as a user does it who types no command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

import veristem as vs


def test_from_images_to_3d_and_away(user, made, tmp_path):
    """Open, reconstruct, look, turn, measure, take along; the commands shown do the same."""
    me = user().open(made)
    assert me.text("#opened") == f"{made.name}/acquisition.h5"
    assert me.page.locator("svg[data-side] image").count() == 2
    assert me.text("#trouble") == ""
    me.choose("Method", "stereo-classical").press("#reconstruct")
    assert me.text("#trouble") == ""
    assert "F =" in me.text("#sentence")
    assert me.page.locator("svg[data-side=left] path.found").count() > 0

    me.page.click("#tab-3d")
    frame = me.page.frame_locator("iframe.scene")
    frame.locator("html[data-scene=loaded]").wait_for(state="attached", timeout=60_000)
    inside = me.page.frames[-1]
    ticks = "[...document.querySelectorAll('html > div > div')].map(d => d.style.left + d.style.top).join()"
    before = inside.evaluate(ticks)
    frame.locator("canvas").first.click(force=True)
    inside.evaluate("window.turn('ArrowLeft')")
    assert inside.evaluate(ticks) != before
    assert "crystal x" in inside.evaluate("document.documentElement.textContent")

    me.page.click("#tab-export")
    with me.page.expect_download() as got:
        me.page.click("#files a:text-is('reconstruction.vtp')")
    got.value.save_as(tmp_path / "window.vtp")
    script = me.text("#commands")
    assert "veristem reconstruct run-1/acquisition.h5 --method stereo-classical -o run-1/reconstruction.vtp" in script
    run(script, tmp_path)
    mine, theirs = vs.load(tmp_path / "window.vtp"), vs.load(tmp_path / "run-1/reconstruction.vtp")
    for one, other in zip(mine.curves_nm, theirs.curves_nm, strict=True):
        np.testing.assert_array_equal(one, other)
    me.press("#figures")
    names = me.page.locator("#files a").all_inner_texts()
    assert {"page.html", "settings.toml", "figures/scene-plan.svg", "figures/scene-plan.png"} <= set(names)


def eventually(true: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether something becomes true in good time."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def run(script: str, folder: Path) -> None:
    """Run the commands of a window in a folder."""
    lines = [re.sub("^veristem ", f"{sys.executable} -c 'from veristem.bench.cli import main; main()' ", line)
             for line in script.splitlines()]  # fmt: skip
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(["sh", "-e"], input="\n".join(lines), cwd=folder, text=True, capture_output=True,
                          env=os.environ | {"PYTHONPATH": path}, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_places_depths_lengths(user, made):
    """The pointer tells where it is, and how deep what was found lies there; two clicks tell a length and an angle."""
    me = user().open(made)
    me.choose("Method", "stereo-classical").press("#reconstruct")
    box = me.page.locator("svg[data-side=left]").bounding_box()

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    curve = max(vs.reconstruct(made / "acquisition.h5", "stereo-classical").curves_nm, key=len)[1:-1]
    first, *_, last = vs.load(made / "acquisition.h5").project(curve, 0) / 256
    me.page.mouse.move(*at(*first))
    assert eventually(lambda: "depth z" in me.text("#pointer-text"))
    me.page.mouse.click(*at(*first))
    me.page.mouse.click(*at(*last))
    assert eventually(lambda: "length" in me.text("#measure-text"))
    told = float(re.findall(r"length ([\d.]+) nm in 3D", me.text("#measure-text"))[0])
    assert abs(told - np.linalg.norm(curve[-1] - curve[0])) < 5
    assert "° to [0 0 1]" in me.text("#measure-text")


def test_contours_are_drawn(user, made):
    """Those of a way that is chosen, on both images."""
    me = user().open(made)
    me.press("button:has-text('Ridges')")
    assert me.page.locator("svg[data-side=left] path.contour").count() > 0
    assert me.page.locator("svg[data-side=right] path.contour").count() > 0


def test_stop_ends_what_runs(user, app, made):
    """The button ends the process and all it has started; the window goes on."""
    me = user().open(made)
    me.choose("Method", "tomo-sirt")
    me.page.click("button:text-is('Parameters')")
    me.page.fill(".v-text-field:has(label:text-is('iterations')) input", "9999")
    me.page.click("#reconstruct")

    def working() -> list[psutil.Process]:
        family = app[1].children(recursive=True)
        return [one for one in family if one.is_running() and "reconstruct" in " ".join(one.cmdline())]

    assert eventually(lambda: bool(working()))
    started = working()
    me.page.click("#stop")
    me.at_rest()
    assert "stopped" in me.text("#note")
    assert eventually(lambda: not any(one.is_running() and one.status() != "zombie" for one in started))
    me.choose("Method", "stereo-classical").press("#reconstruct")
    assert me.text("#trouble") == ""
    assert "F =" in me.text("#sentence")


def test_two_users_do_not_mix(user, made):
    """Each has a process, files and a state of its own; a window that is loaded again is still the same."""
    one, other = user(), user()
    one.open(made)
    assert one.text("#opened") != ""
    assert other.text("#opened") == ""
    assert other.page.url != one.page.url
    one.page.reload()
    one.page.wait_for_selector("#open")
    assert eventually(lambda: one.text("#opened") == f"{made.name}/acquisition.h5")


def test_what_is_known_of_the_crystal_is_said(user, made):
    """Another material and reflection are carried by the images, and change what follows."""
    me = user().open(made)
    me.page.click("#tab-crystal")
    assert "0.3590 nm" in me.text("#facts")
    me.choose("Material", "Al")
    me.press("#crystal-say")
    assert "0.405" in me.text("#facts")
    me.page.click("#tab-export")
    assert "veristem convert run-1/acquisition.h5 run-2/acquisition.h5 --material Al" in me.text("#commands")
    me.page.click("#tab-crystal")
    me.page.fill(".v-text-field:has(label:text-is('Zone axis u v w')) input", "1 1")
    me.press("#crystal-say")
    assert "3 numbers allowed" in me.text("#trouble")
