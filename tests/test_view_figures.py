"""Figures for papers: pictures of a width, vectors, scenes for other programs, and two methods on one foil."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from veristem.bench.pages.compared import compared
from veristem.datasets import CurveSet, DislocationNetwork, InputError, ParticleDispersion
from veristem.datasets.formats import write
from veristem.reports import draw

LINE = np.array([[10.0, 20, 30], [60, 20, 90]])


def line(aside_nm: float) -> CurveSet:
    """The line, moved across itself."""
    return CurveSet((LINE + np.array([0, aside_nm, 0]),))


@pytest.fixture
def files(tmp_path):
    """A truth, and two reconstructions of it: 2 and 8 nm aside."""
    write(tmp_path / "truth.vtp", DislocationNetwork.from_polyline(LINE, [0.2, 0, 0]))
    for name, aside in (("near", 2.0), ("far", 8.0)):
        write(tmp_path / f"{name}.vtp", line(aside))
    return tmp_path


def test_a_picture_is_as_wide_as_asked(cli, files):
    """Printers count pixels: neither what is cut off nor the legend may change the width."""
    from PIL import Image

    png = files / "a.png"
    assert cli("view", files / "truth.vtp", files / "near.vtp", "--png", png, "--width-px", 701) == (0, "", "")
    assert Image.open(png).width == 701


def test_a_scene_for_other_programs(cli, files):
    """One file with all in it, which holds both lines and the edges of the box."""
    gltf = files / "a.gltf"
    assert cli("view", files / "truth.vtp", files / "near.vtp", "--gltf", gltf).code == 0
    scene = json.loads(gltf.read_text())
    assert scene["asset"]["version"] == "2.0"
    assert len(scene["meshes"]) >= 3
    assert all(buffer["uri"].startswith("data:") for buffer in scene["buffers"])


@pytest.mark.parametrize(("width", "mm"), [("column", 85), ("page", 170)])
def test_a_figure_in_vectors_is_as_wide_as_a_column_or_a_page(cli, files, width, mm):
    """Lines are paths and words are text, in a file as wide as what it is printed in."""
    svg = files / "a.svg"
    assert cli("view", files / "near.vtp", "--svg", svg, "--width", width) == (0, "", "")
    root = ET.parse(svg).getroot()
    assert float(root.attrib["width"].removesuffix("pt")) * 25.4 / 72 == pytest.approx(mm, abs=0.1)
    assert "depth z (nm)" in "".join(root.itertext())


def test_errors_of_two_methods_are_compared(cli, files):
    """One call: a panel each, named, the same colours for the same error."""
    svg, png = files / "a.svg", files / "a.png"
    names = [files / f"{name}.vtp" for name in ("truth", "near", "far")]
    assert cli("view", *names, "--error", "--svg", svg, "--png", png, "--width-px", 900) == (0, "", "")
    text = "".join(ET.parse(svg).getroot().itertext())
    assert all(word in text for word in ("near.vtp", "far.vtp", "error (nm)"))
    from PIL import Image

    assert Image.open(png).width == 900


def test_colours_say_how_far_a_line_is_off():
    """2 nm and 8 nm of 10: the line's own colour in the scale's order."""
    truth = DislocationNetwork.from_polyline(LINE, [0.2, 0, 0])
    figure = compared(truth, {"near": line(2.0), "far": line(8.0)})
    from veristem.reports.style import plasma

    for ax, share in zip(figure.axes[:4:2], (0.2, 0.8)):
        lines = ax.collections[-1]
        np.testing.assert_allclose(lines.get_colors()[0], plasma()(share), atol=0.02)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["truth.vtp", "--error", "--svg", "a.svg"], "a truth alone found"),
        (["truth.vtp", "near.vtp", "--error"], "--error: a flat figure; give --svg or --png"),
        (["truth.vtp", "near.vtp", "--error", "--html", "a.html"], "--error: a flat figure; give --svg or --png"),
        (
            ["truth.vtp", "truth.vtp", "--error", "--svg", "a.svg"],
            "compare: DislocationNetwork found",
        ),
        (["near.vtp", "--width-px", "800", "--html", "a.html"], "--width-px: found without a picture"),
        (["near.vtp", "--svg", "a.pdf"], "suffix '.pdf' found, .svg allowed"),
    ],
)
def test_what_cannot_be_drawn_is_told(cli, files, monkeypatch, given, told):
    monkeypatch.chdir(files)
    done = cli("view", *given)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert told in done.err
    assert not list(files.glob("a.*"))


def test_particles_are_drawn_as_large_as_they_are():
    figure = draw([ParticleDispersion([[20.0, 20, 50]], [8.0], [40.0, 32.0, 200.0])])
    (circles,) = figure.axes[0].collections
    np.testing.assert_allclose(circles.get_widths(), 16.0)
    with pytest.raises(InputError, match="str found; a network, curves"):
        draw(["a"])
    figure.savefig(io.BytesIO(), format="svg")
