"""What `veristem view` writes, and that a scene stays small however much it holds."""

from __future__ import annotations

import io

import numpy as np
import pytest

from veristem.datasets import CurveSet, DislocationNetwork, ParticleDispersion
from veristem.datasets.formats.acquisition_h5 import write_acquisition
from veristem.datasets.formats.particles_csv import write_particles
from veristem.datasets.formats.truth_h5 import write_truth
from veristem.datasets.formats.vtp import write_vtp
from veristem.reports import scenes, show, style
from veristem.reports.scenes import MOST_SPHERES, MOST_VERTICES

SIZE_NM = (2000.0, 2000.0, 300.0)
MOST_PACKED = 1_500_000  # characters of one packed scene: a page holds two, its pictures and the viewer


def wandering(lines: int, vertices: int) -> list[np.ndarray]:
    """Lines of random steps, the worst that compression can meet."""
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(0, 5, (lines, vertices, 3)), axis=1)
    return list(rng.uniform(0, 1, (lines, 1, 3)) * SIZE_NM + steps)


def dispersion(count: int) -> ParticleDispersion:
    rng = np.random.default_rng(0)
    return ParticleDispersion(rng.uniform(0, 1, (count, 3)) * SIZE_NM, rng.lognormal(2, 0.3, count), SIZE_NM)


@pytest.fixture
def files(tmp_path, network, truth, acquisition):
    """One file of every kind by name."""
    write_vtp(tmp_path / "network.vtp", network)
    write_vtp(tmp_path / "curves.vtp", CurveSet(([[10.0, 20, 30], [30, 20, 90]],)))
    write_particles(tmp_path / "particles.csv", ParticleDispersion([[20.0, 20, 50]], [8.0], [40.0, 32.0, 200.0]))
    write_acquisition(tmp_path / "images.h5", acquisition)
    write_truth(tmp_path / "truth.h5", truth)
    return {p.name: p for p in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["network.vtp", "curves.vtp", "particles.csv", "images.h5", "truth.h5"])
def test_every_kind_alone(cli, files, tmp_path, name):
    png, html = tmp_path / "a.png", tmp_path / "a.html"
    assert cli("view", files[name], "--png", png, "--html", html) == (0, "", "")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "OfflineLocalView.load(document.body" in html.read_text("utf-8")


def test_several_files_have_a_colour_each_and_a_legend(cli, files, tmp_path):
    html = tmp_path / "a.html"
    assert cli("view", *files.values(), "--html", html).code == 0
    text = html.read_text("utf-8").rsplit("insertAdjacentHTML", 1)[1]
    lines = [name for name in files if name != "images.h5"]
    assert [text.index(name) for name in lines] == sorted(text.index(name) for name in lines)
    assert all(colour in text for colour in show.COLOURS[: len(lines)])
    assert "images.h5" not in text


@pytest.mark.parametrize("display", ["", ":77"])
def test_a_window_without_a_display(cli, files, monkeypatch, display):
    """One line that says what to do; VTK alone would show nothing, say nothing and end well."""
    import pyvista

    plain = pyvista.Plotter(off_screen=True)
    if plain.render_window.GetClassName() not in ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"):
        pytest.skip("this machine has a display")
    monkeypatch.setenv("DISPLAY", display)
    done = cli("view", files["network.vtp"])
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: view: no display found for a window; write a picture, --png, or a page, --html"
    ]


def test_a_file_that_cannot_be_shown(cli, tmp_path):
    done = cli("view", tmp_path / "a.png", "--png", tmp_path / "b.png")
    assert done.code == 2
    assert "suffix '.png' found, a network as .ca, .data or .vtp; curves as .vtp" in done.err


def test_pictures_of_two_cameras_differ(network):
    """A plotter renders again for its second picture."""
    plotter = scenes.new_plotter()
    scenes.add_network(plotter, network, size_nm=(200, 200, 100))
    along, aside = scenes.picture(plotter, "beam"), scenes.picture(plotter, "edge")
    assert along != aside
    assert scenes.picture(plotter, "beam") == along
    plotter.close()


def test_axes_keep_their_labels_whatever_was_drawn_before():
    """Also the axis that the first picture showed end on."""
    from matplotlib.image import imread

    ink = []
    for before in ("tilted", "beam"):
        plotter = scenes.new_plotter()
        scenes.add_foil(plotter, SIZE_NM)
        scenes.picture(plotter, before)
        ink.append((imread(io.BytesIO(scenes.picture(plotter, "tilted"))) < 0.3).sum())
        plotter.close()
    assert ink[1] == pytest.approx(ink[0], rel=0.02)


def test_the_box_holds_what_lies_before_the_origin():
    """A bulk network about the origin, and its periodic cell."""
    network = DislocationNetwork.from_polyline(np.array([[-50.0, 0, 0], [50, 20, 0]]), [0.2, 0, 0])
    low, high = show.corners_nm([network])
    np.testing.assert_array_equal(low, [-50, 0, 0])
    assert (high >= [50, 20, 0]).all()
    assert (high > low).all()


@pytest.mark.parametrize(("lines", "vertices"), [(750, 41), (5000, 41), (60_000, 2), (2, 100_000)])
def test_a_big_network_makes_a_small_scene(lines, vertices):
    """Up to 200 000 segments, in long lines, short ones and single segments."""
    network = DislocationNetwork.union(
        [DislocationNetwork.from_polyline(p, [0.2, 0, 0]) for p in wandering(lines, vertices)]
    )
    plotter = scenes.new_plotter()
    left_out = scenes.add_network(plotter, network, size_nm=SIZE_NM)
    assert sum(actor.mapper.dataset.n_points for actor in plotter.actors.values()) <= MOST_VERTICES
    assert len(scenes.packed(plotter)) < MOST_PACKED
    assert (left_out > 0) == (lines * 2 > MOST_VERTICES)
    plotter.close()


@pytest.mark.parametrize("vertices", [1240, 4980, 200_000])
def test_big_curves_make_a_small_scene(vertices):
    """With tubes of both kinds and without, coloured by their depth."""
    curves = CurveSet(wandering(20, vertices // 20))
    plotter = scenes.new_plotter()
    assert scenes.add_curves(plotter, curves, style.shade(curves, None, 10.0, 300.0), size_nm=SIZE_NM) == 0
    assert len(scenes.packed(plotter)) < MOST_PACKED
    plotter.close()


def test_many_particles_make_a_small_scene():
    """The largest are shown."""
    plotter = scenes.new_plotter()
    assert scenes.add_particles(plotter, dispersion(10_000)) == 10_000 - MOST_SPHERES
    assert len(scenes.packed(plotter)) < 2 * MOST_PACKED
    plotter.close()


def test_thinned_lines_keep_their_ends_and_the_longest_stay():
    import pyvista as pv

    lines = wandering(3, 60_000)
    cells = [[len(p), *range(n * len(p), (n + 1) * len(p))] for n, p in enumerate(lines)]
    mesh, left_out = scenes._thinned(pv.PolyData(np.concatenate(lines), lines=np.concatenate(cells)))
    assert left_out == 0
    for thin, full in zip(_polylines(mesh), lines, strict=True):
        np.testing.assert_allclose(thin[[0, -1]], full[[0, -1]], atol=1e-3)
    lengths = np.arange(1.0, MOST_VERTICES + 1)
    points = np.zeros((2 * len(lengths), 3))
    points[1::2, 0] = lengths
    mesh, left_out = scenes._thinned(pv.line_segments_from_points(points))
    assert left_out == len(lengths) - MOST_VERTICES // 2
    assert min(np.ptp(p[:, 0]) for p in _polylines(mesh)) == lengths[left_out]


def _polylines(mesh) -> list[np.ndarray]:
    return [mesh.get_cell(n).points for n in range(mesh.n_cells)]
