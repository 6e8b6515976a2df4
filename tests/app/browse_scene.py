"""A scene that turns by itself, as on the first page of the site: never against the reader, and without a network."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import DislocationNetwork
from veristem.reports.show import view

_PLACE = """global.renderWindow.getRenderers().find(r => r.getActors().length).getActiveCamera().getPosition()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a scene in a frame, and a long way down."""
    folder = tmp_path_factory.mktemp("scene")
    line = np.array([[20.0, 100.0, 0.0], [200.0, 150.0, 100.0]])
    view([DislocationNetwork.from_polyline(line, np.array([0.18, 0.18, 0.0]))], html=folder / "scene.html")
    frame = '<iframe src="scene.html#turning" style="width:90%;height:400px"></iframe>'
    (folder / "page.html").write_text(f'{frame}<div style="height:4000px"></div>', encoding="utf-8")
    return folder / "page.html"


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_scene_turns_until_it_is_touched(chromium, page, motion):
    """It rests where motion is not wanted, out of sight, and once the reader has taken it."""
    context = chromium.new_context(viewport={"width": 900, "height": 700}, reduced_motion=motion)
    tab, asked, said = context.new_page(), [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(page.as_uri())
    scene = tab.frames[1]
    scene.wait_for_selector("html[data-scene=loaded]", timeout=120_000)

    def turns() -> bool:
        tab.wait_for_timeout(1500)  # what was begun has ended
        before = scene.evaluate(_PLACE)
        tab.wait_for_timeout(3000)
        return scene.evaluate(_PLACE) != before

    assert turns() == (motion == "no-preference")
    if motion == "no-preference":
        tab.evaluate("scrollTo(0, 3000)")
        assert not turns()
        tab.evaluate("scrollTo(0, 0)")
        assert turns()
        tab.mouse.move(400, 200)
        tab.mouse.down()
        tab.mouse.move(430, 210)
        tab.mouse.up()
        assert not turns()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []
    context.close()
