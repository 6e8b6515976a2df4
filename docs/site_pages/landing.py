"""What the landing page shows: a network to turn, its images, the reconstruction and its error, made at build."""

from __future__ import annotations

from pathlib import Path

import veristem as vs
from veristem.bench.pages.compared import compared
from veristem.bench.pages.lines import headline, make_scene
from veristem.datasets import CurveSet, LineTruth
from veristem.reports import scenes
from veristem.reports.figures import stereo_pair
from veristem.reports.pictures import drawn
from veristem.reports.show import view

METHOD = "stereo-learned"
FOIL = {"scan.shape": [192, 192], "specimen.field_nm": [384.0, 384.0]}


def write(folder: Path, tables: Path) -> None:
    """Write its pictures and scenes, and what they show in a sentence, unless they are as new as this file."""
    sentence = tables / "landing.md"
    if sentence.exists() and sentence.stat().st_mtime > Path(__file__).stat().st_mtime:
        return
    made = vs.simulate("demo-foil", values=FOIL)
    assert made.acquisition is not None
    found = vs.reconstruct(made.acquisition, METHOD)
    assert isinstance(found, CurveSet)
    assert isinstance(made.truth, LineTruth)
    view([made.truth], html=folder / "truth.html")
    scene = make_scene(made.acquisition, found, made.truth, METHOD, None)
    plotter = scenes.reconstruction_plotter(scene)
    (folder / "found.html").write_text(scenes.viewer_html(scenes.packed(plotter)), encoding="utf-8")
    plotter.close()
    for name, figure in (
        ("pair", stereo_pair(made.acquisition)),
        ("error", compared(made.truth, {METHOD: found})),
    ):
        (folder / f"{name}.svg").write_bytes(drawn(figure, "svg"))
    sentence.write_text(f"{headline(scene)}\n", encoding="utf-8")
