"""Every kind of file that a window opens, and every kind of bad one: a line in the window, never a dead page."""

from __future__ import annotations

import re

import numpy as np
import pytest

import veristem as vs
from veristem.datasets import DislocationNetwork, ParticleDispersion, Volume, formats


def test_a_real_pair(user, tmp_path):
    """Two images that are dropped: asked for what they do not say, then as `veristem convert` has them."""
    from PIL import Image

    grey = np.random.default_rng(0).integers(0, 255, (2, 48, 64)).astype(np.uint8)
    for name, image in zip(("left.png", "right.png"), grey):
        Image.fromarray(image).save(tmp_path / name)
    me = user().drop(tmp_path / "left.png", tmp_path / "right.png")
    me.press("#use-pair")
    assert "a stereo pair needs pair angle deg" in me.text("#trouble")
    me.page.fill("#pair-angle", "8")
    me.page.fill("#pair-pixel", "1.5")
    me.press("#use-pair")
    assert me.text("#opened") == "left.png and right.png"
    assert "two views of one scan" in me.text("#note")
    assert me.page.locator("svg[data-side] image").count() == 2
    me.page.click("#tab-export")
    command = "veristem convert left.png right.png run-1/acquisition.h5 --pair-angle-deg 8 --pixel-nm 1.5"
    assert command in me.text("#commands")
    me.drop(tmp_path / "left.png")
    assert "open it together with the other one" in me.text("#trouble")


def test_a_network_is_imaged(user, tmp_path, network_of_one_line):
    """With a recipe; the recipe is there to be run again."""
    me = user().open(network_of_one_line)
    me.page.wait_for_selector("#image-specimen")
    me.choose("with the recipe", "cantor-small").choose("Material; guessed from the file if none", "CoCrFeMnNi")
    me.press("#image-specimen")
    assert me.text("#trouble") == ""
    assert me.page.locator("svg[data-side] image").count() == 2
    me.page.click("#tab-export")
    assert "veristem simulate run-1/recipe.toml -o run-1" in me.text("#commands")
    assert "recipe.toml" in me.text("#files")


@pytest.fixture
def network_of_one_line(tmp_path):
    """A line through a foil, as a file."""
    line = np.array([[20.0, 100.0, 0.0], [200.0, 150.0, 100.0]])
    formats.write(tmp_path / "line.vtp", DislocationNetwork.from_polyline(line, np.array([0.18, 0.18, 0.0])))
    return tmp_path / "line.vtp"


def test_particles_are_asked_about(user, tmp_path):
    """Particles are no result here: a specimen to be imaged."""
    particles = ParticleDispersion([[10.0, 12, 8], [30, 20, 9]], [3.0, 4], [50.0, 40, 20])
    formats.write(tmp_path / "gold.csv", particles)
    me = user().drop(tmp_path / "gold.csv")
    me.page.wait_for_selector("#image-specimen")
    assert me.text("#trouble") == ""


def test_slices_of_a_volume(user, tmp_path):
    """The slider goes through it."""
    values = np.random.default_rng(0).random((6, 8, 10)).astype(np.float32)
    formats.write(tmp_path / "volume.mrc", Volume(values, 2.0))
    me = user().open(tmp_path / "volume.mrc")
    assert "slice 4 of 6, z = 7.00 nm" in me.text("#slice-text")
    before = me.page.get_attribute("img.slice", "src")
    me.page.locator("#slice [role=slider], [role=slider]").first.press("ArrowRight")
    me.page.wait_for_function("document.querySelector('#slice-text').textContent.includes('slice 5 of 6')")
    assert me.page.get_attribute("img.slice", "src") != before
    me.page.click("button:has-text('across x')")
    me.page.wait_for_function("document.querySelector('#slice-text').textContent.includes('of 10, x')")


def test_discs_are_dragged_on_the_mean_pattern(user, tmp_path, recipe_4d, written):
    """What is read off is what the command is told; the views are those of `veristem virtual`."""
    written(recipe_4d(), tmp_path)
    me = user().open(tmp_path / "scan.zspy")
    me.page.wait_for_selector("#pattern")
    before = [float(n) for n in re.findall(r"-?[\d.]+", me.text("#disc-text"))]
    first = me.page.locator("#disc-first").bounding_box()
    pattern = me.page.locator("#pattern").bounding_box()
    at = first["x"] + first["width"] / 2, first["y"] + first["height"] / 2
    me.page.mouse.move(*at)
    me.page.mouse.down()
    for step in (0.3, 0.6, 1.0):
        me.page.mouse.move(at[0], at[1] + step * pattern["height"] / 24)
    me.page.mouse.up()
    me.page.wait_for_function(  # the window is told of every step of the mouse, and answers each
        "y => Math.abs(document.querySelector('#disc-text').textContent.match(/-?[\\d.]+/g)[4] - y) < 0.8",
        arg=before[4] + 3.0,
    )
    after = [float(n) for n in re.findall(r"-?[\d.]+", me.text("#disc-text"))]
    assert after[1] == before[1]  # the radius
    assert abs(after[4] - before[4] - 3.0) < 0.8  # two pixels of 1.5 mrad further down
    me.press("#make-views")
    assert me.text("#trouble") == ""
    assert me.page.locator("svg[data-side] image").count() == 2
    me.page.click("#tab-export")
    assert f"--pair-angle-deg {after[0]:.2f}"[:-1] in me.text("#commands")


def test_bad_files(user, cases):
    """A file of each fault that was found, opened one after the other; the window still works after each."""
    me = user()
    told = {}
    files = [path for path in sorted((cases / "faults").rglob("*")) if path.is_file() and path.name != "README"]
    slow = "h5-bitflip-hang"  # refused too, after the 20 s that a reader gets
    paths = {path.parent: path for path in files if path.parent.name != slow}.values()
    for path in paths:
        me.page.fill("#path", str(path))
        me.press("#open")
        told[path] = me.text("#trouble")
        assert "A fault of VeriSTEM" not in told[path], path
        assert "Traceback" not in told[path]
        assert len(told[path].splitlines()) < 2
        me.page.keyboard.press("Escape")
        me.page.keyboard.press("Escape")
    assert sum(map(bool, told.values())) > len(told) / 3


def test_wrong_kinds(user, tmp_path, made):
    """An empty file, text, a folder, nothing, a truth without images, curves without images."""
    me = user()
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "letter.txt").write_text("Dear microscope")
    (tmp_path / "odd.png").write_text("no picture")
    for path, line in (
        (tmp_path / "empty.h5", "empty.h5"),
        (tmp_path / "letter.txt", "letter.txt"),
        (tmp_path / "missing.h5", "no such file"),
        (tmp_path, "no acquisition.h5 found"),
        (made / "truth.h5", "open the images first"),
        ("", "no path found"),
    ):
        me.open(path)
        assert line in me.text("#trouble")
    me.drop(tmp_path / "odd.png", tmp_path / "letter.txt")
    me.press("#use-pair")
    assert me.text("#trouble") != ""
    me.page.keyboard.press("Escape")
    me.open(made)
    assert me.text("#trouble") == ""
    assert vs.load(made / "acquisition.h5").kind == "dislocations"
    me.page.click("button:text-is('Parameters')")
    me.page.fill(".v-text-field:has(label:text-is('depth_margin_nm')) input", "deep")
    me.press("#reconstruct")
    assert "depth_margin_nm: 'deep' found, a finite number allowed" in me.text("#trouble")


def test_only_who_has_the_address_gets_in(app):
    """Neither without the key, nor under another name, nor from another site's page."""
    import requests

    address = app[0].partition("/?")[0]
    assert requests.get(address, timeout=10).status_code == 403
    assert requests.get(app[0], headers={"Host": "evil.example"}, timeout=10).status_code == 403
    session = requests.Session()
    there = session.get(app[0], timeout=60)
    assert there.status_code == 200
    assert "VeriSTEM" not in requests.get(there.url, timeout=10).text
    assert requests.get(there.url, timeout=10).status_code == 403
    assert session.get(there.url, headers={"Origin": "http://evil.example"}, timeout=10).status_code == 403
