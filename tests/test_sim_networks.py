"""Generators, cutting and reading: every specimen is one that a crystal could hold."""

from __future__ import annotations

import dataclasses
import itertools
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import DislocationNetwork, InputError, load_material
from veristem.datasets.formats.vtp import write_vtp
from veristem.datasets.geometry import rotation_about
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.sim.networks import GENERATORS, load_generator
from veristem.sim.networks.foil import clip, cut_foil, place_of, richest_center, sparse_note
from veristem.sim.networks.from_file import crystal_from, guess_material, read_bulk
from veristem.sim.specimen import make_specimen, orientation

SIZE = np.array([512.0, 512.0, 200.0])


def make(generator: str, seed: int, density: float = 6.0e13):
    """Specimen and recipe of a generator."""
    recipe = Recipe.from_table({"recipe": {"name": "test"}}, "test").with_values(
        {"specimen.network.generator": generator, "specimen.network.density_per_m2": density}
    )
    return make_specimen(recipe, np.random.default_rng(seed)), recipe


@pytest.fixture(scope="module", params=list(itertools.product(GENERATORS, (0, 1))), ids=lambda p: f"{p[0]}-{p[1]}")
def made(request):
    """One specimen a generator and seed."""
    return make(*request.param)


def test_density_is_met(made):
    """Studies over density would be wrong by as much as the specimens are."""
    specimen, recipe = made
    density = 1e18 * specimen.foil_network().lengths_nm.sum() / SIZE.prod()
    assert density == pytest.approx(recipe.specimen.network.density_per_m2, rel=0.1)


def test_burgers_vectors_are_conserved_and_of_the_crystal(made):
    """No line changes its Burgers vector on the way, and none has one that the lattice does not."""
    specimen, recipe = made
    specimen.network.check_conservation()
    specimen.foil_network().check_conservation()
    partials = [way.burgers_nm for way in specimen.material.dissociations()]
    lattice = np.concatenate([specimen.material.burgers_vectors_nm(), *partials]) @ orientation(recipe).T
    for b in np.unique(np.round(specimen.network.burgers_nm, 9), axis=0):
        assert min(np.linalg.norm(np.concatenate([lattice - b, lattice + b]), axis=1)) < 1e-6


def test_lines_end_on_the_faces_or_beyond_the_sides(made):
    """A line cannot end within a crystal, unless pinned; one that ends in the field draws a false image there."""
    network, recipe = made[0].network, made[1]
    degree = np.bincount(network.segments.ravel(), minlength=len(network.nodes_nm))
    ends = network.nodes_nm[degree == 1]
    on_face = np.isclose(ends[:, 2], 0, atol=1e-6) | np.isclose(ends[:, 2], SIZE[2], atol=1e-6)
    beyond = ((ends[:, :2] <= 1e-6) | (ends[:, :2] >= SIZE[:2] - 1e-6)).any(axis=1)
    module = import_module(load_generator(recipe.specimen.network.generator).__module__)
    pinned = network.pinned[degree == 1] & getattr(module, "ENDS_WITHIN", False)
    assert (on_face | beyond | pinned).all()
    assert (network.nodes_nm[:, 2] >= -1e-6).all()
    assert (network.nodes_nm[:, 2] <= SIZE[2] + 1e-6).all()


def test_net_burgers_vector_is_small():
    """Lines of one sign would bend the whole field, but sources emit both; loops have none, a net is a boundary."""
    shares = []
    for seed in range(6):
        network = make("glide", seed, 1.0e14)[0].network
        degree = np.bincount(network.segments.ravel(), minlength=len(network.nodes_nm))
        start, stop = (degree[network.segments] == 1).T
        z = network.nodes_nm[network.segments, 2]
        enter = (start & (z[:, 0] < 1)).astype(int) - (stop & (z[:, 1] < 1))  # through the entrance face, along +z
        through = enter[:, None] * network.burgers_nm
        shares.append(np.linalg.norm(through.sum(axis=0)) / np.linalg.norm(through, axis=1).sum())
    assert np.mean(shares) < 0.2
    assert max(shares) < 0.35


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_seed_makes_one_specimen(generator):
    """The same seed gives the same specimen, another seed, 0 included, another."""
    first, again, other = (make(generator, seed)[0].network.nodes_nm for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.allclose(first, other)


@pytest.mark.parametrize("generator", GENERATORS)
def test_threads_change_nothing(generator, set_threads):
    """A seed is one specimen on every machine."""
    found = []
    for threads in (1, 2):
        set_threads(threads)
        found.append(make(generator, 3, 2e13)[0].network)
    assert np.array_equal(found[0].nodes_nm, found[1].nodes_nm)
    assert np.array_equal(found[0].burgers_nm, found[1].burgers_nm)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_clip_conserves_length(seed):
    """What is inside a box and what is inside the 26 boxes around it is all there is."""
    rng = np.random.default_rng(seed)
    segments = [rng.permutation(12)[:2] for _ in range(15)]
    network = DislocationNetwork(rng.uniform(-2, 3, (12, 3)), segments, rng.normal(size=(15, 3)))
    edges = [-np.inf, 0.0, 1.0, np.inf]
    total = 0.0
    for cell in itertools.product(range(3), repeat=3):
        part = clip(network, [edges[c] for c in cell], [edges[c + 1] for c in cell])
        total += part.lengths_nm.sum()
        if cell == (1, 1, 1):
            assert ((part.nodes_nm >= 0) & (part.nodes_nm <= 1)).all()
    assert total == pytest.approx(network.lengths_nm.sum(), rel=1e-9)


@pytest.fixture(scope="module")
def bulk(cases):
    """A periodic bcc network, its material and a rotation askew to its axes."""
    path = str(cases / "networks" / "bcc_loading_1e3.data")
    material = load_material(guess_material(path)[0])
    return read_bulk(path, material, None)[0], material, rotation_about([1, 2, 3], 0.7)


def test_a_foil_cut_from_a_periodic_network(bulk):
    """Burgers vectors turn along and stay conserved across the cell's faces; ends lie on the foil's own faces."""
    network, _, rotation = bulk
    assert network.box_nm is not None
    cell = network.box_nm[1] - network.box_nm[0]
    size = cell.min() * np.array([1.5, 1.5, 0.6])
    foil = cut_foil(network, rotation, size, 0.1 * size[0], network.box_nm.mean(axis=0))
    foil.check_conservation()
    turned = np.unique(np.round(network.burgers_nm @ rotation.T, 6), axis=0)
    for b in np.unique(np.round(foil.burgers_nm, 6), axis=0):
        assert np.linalg.norm(turned - b, axis=1).min() < 1e-5
    degree = np.bincount(foil.segments.ravel(), minlength=len(foil.nodes_nm))
    low, high = np.array([-0.1, -0.1, 0]) * size[0], size + np.array([0.1, 0.1, 0]) * size[0]
    ends = foil.nodes_nm[(degree == 1) & foil.pinned]
    on_box = (np.isclose(ends, low, atol=1e-6) | np.isclose(ends, high, atol=1e-6)).any(axis=1)
    assert on_box.mean() > 0.95  # the rest are pinned within the bulk network itself
    density = foil.lengths_nm.sum() / np.prod(high - low)
    assert density == pytest.approx(network.lengths_nm.sum() / cell.prod(), rel=0.4)


def test_an_empty_cut_says_where(bulk):
    """A foil without lines would image as a perfect crystal and score as nothing."""
    line = DislocationNetwork.from_polyline(np.array([[0.0, 0, -1e3], [0, 0, 1e3]]), np.array([0, 0, 0.25]))
    with pytest.raises(InputError, match=r"no line found in the foil about \(900, 0, 0\)"):
        cut_foil(line, np.eye(3), (100.0, 100.0, 50.0), 10.0, (900.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("name", "material"), [("Al.data", "W"), ("bcc_screws.data", "Cu"), ("bcc_screws.data", "GaN")]
)
def test_a_network_of_another_crystal_is_refused(cases, name, material):
    """Its Burgers vectors would be no lattice vectors, so that g·b is no whole number and every image is wrong."""
    with pytest.raises(InputError, match=rf"{name}: Burgers vectors such as .* found, which {material}, "):
        read_bulk(str(cases / "networks" / name), load_material(material), None)


@pytest.mark.parametrize("chosen", [{"plane": [1, 1, 1]}, {"burgers": [0.5, 0, -0.5]}])
def test_a_chosen_slip_system_is_the_only_one(chosen):
    """Lines of one plane have its three Burgers vectors, lines of one Burgers vector that one, of either sign."""
    values = {f"specimen.network.{key}": value for key, value in chosen.items()} | {
        "specimen.network.density_per_m2": 1e14
    }
    recipe = Recipe.from_table({"recipe": {"name": "test"}}, "test").with_values(values)
    network = make_specimen(recipe, np.random.default_rng(0)).network
    burgers = np.unique(np.round(network.burgers_nm, 6), axis=0)
    assert len(burgers) == (2 if "burgers" in chosen else 6)
    if "plane" in chosen:
        normal = orientation(recipe) @ np.ones(3)
        assert np.abs(burgers @ normal).max() < 1e-5


def test_richest_center_finds_the_tangle():
    """A default foil should show something: it goes where most line is, also across a periodic face."""
    rng = np.random.default_rng(0)
    tangle = [
        DislocationNetwork.from_polyline(
            np.array([995.0, 500, 500]) + rng.normal(0, 20, (6, 3)), np.array([0.25, 0, 0])
        )
        for _ in range(10)
    ]
    lone = DislocationNetwork.from_polyline(np.array([[200.0, 100, 100], [200, 400, 100]]), np.array([0.25, 0, 0]))
    union = DislocationNetwork.union([*tangle, lone])
    box = np.array([[0.0, 0, 0], [1000, 1000, 1000]])
    periodic = DislocationNetwork(union.nodes_nm, union.segments, union.burgers_nm, union.pinned, box)
    center, held = richest_center(periodic, np.eye(3), np.array([150.0, 150.0, 150.0]))
    assert np.linalg.norm(center - [995, 500, 500]) < 60
    assert held > 0.8 * sum(t.lengths_nm.sum() for t in tangle)


def test_where_a_node_stands_in_a_periodic_file_does_not_matter():
    """Nodes a thousand cells off are the same network, in the same time; the search went through all cells between."""
    rng = np.random.default_rng(0)
    box = np.array([[0.0, 0, 0], [100, 100, 100]])
    line = DislocationNetwork.from_polyline(rng.uniform(20, 80, (9, 3)), np.array([0.25, 0, 0]))
    near = dataclasses.replace(line, box_nm=box)
    far = dataclasses.replace(near, nodes_nm=line.nodes_nm + 100.0 * rng.integers(-1000, 1000, (9, 3)))
    first, second = (
        cut_foil(network, np.eye(3), (90.0, 90.0, 60.0), 10.0, (50.0, 50.0, 50.0)) for network in (near, far)
    )
    assert second.lengths_nm.sum() == pytest.approx(first.lengths_nm.sum(), rel=1e-9)
    assert len(second.segments) == len(first.segments)


def test_a_cell_or_a_line_beyond_measure_is_refused():
    """A flat loop in a cell of its own thickness, and a node a millimetre off: hours, or all memory."""
    loop = DislocationNetwork.from_polyline(np.eye(3), np.array([0.25, 0, 0]), closed=True)
    tiny = dataclasses.replace(loop, box_nm=np.array([[0.0, 0, 0], [3, 3, 3]]))
    with pytest.raises(InputError, match=r"a periodic cell of 3 x 3 x 3 nm found, of which .* at most 100000 allowed"):
        cut_foil(tiny, np.eye(3), (500.0, 500.0, 200.0), 10.0, (0.0, 0.0, 0.0))
    far = dataclasses.replace(loop, nodes_nm=1e9 * np.eye(3))
    with pytest.raises(InputError, match="nm of line found, at most"):
        place_of(far, np.eye(3), (500.0, 500.0, 200.0), "densest", np.random.default_rng(0))


def test_sparse_note_names_a_field_that_would_do(bulk):
    """A field far too small for the network's density is said so, with one that is not; a rich one gives no note."""
    network, _, rotation = bulk
    width = network.box_nm[1, 0] - network.box_nm[0, 0]
    assert sparse_note(network, rotation, (width, width, width / 2)) == []
    lone = DislocationNetwork.from_polyline(np.array([[0.0, 0, 0], [30, 0, 0]]), np.array([0.25, 0, 0]))
    (note,) = sparse_note(lone, np.eye(3), (100.0, 100.0, 50.0))
    assert "a field of 50 nm would do" in note


PLANE = "0. 0. 1.\n"


def data_file(path, burgers, unit_m=None, further=""):
    """A pinned line of two segments for each Burgers vector, in units of the file, and a control file."""
    rows, count = "", 3 * len(burgers)
    for i, b in enumerate(burgers):
        text, minus = (" ".join(map(repr, (s * np.asarray(b, float)).tolist())) for s in (1, -1))
        rows += f"0,{3 * i} 0 0 {10 * i} 1 7\n0,{3 * i + 1} {text}\n{PLANE}"
        rows += f"0,{3 * i + 1} 50 0 {10 * i} 2 0\n0,{3 * i} {minus}\n{PLANE}0,{3 * i + 2} {text}\n{PLANE}"
        rows += f"0,{3 * i + 2} 99 9 {10 * i} 1 7\n0,{3 * i + 1} {minus}\n{PLANE}"
    head = "dataFileVersion = 4\nminCoordinates = [ -400 -400 -400 ]\nmaxCoordinates = [ 400 400 400 ]\n"
    path.write_text(f"{head}nodeCount = {count}\nnodalData =\n{rows}")
    if unit_m is not None:
        path.with_suffix(".ctrl").write_text(f"burgMag = {unit_m}\n{further}")
    return str(path)


def in_crystal(network):
    """Distinct Burgers vectors in crystal axes [nm]."""
    return np.unique(np.round(network.burgers_nm @ crystal_from(network).T, 6), axis=0)


@pytest.mark.parametrize(
    ("material", "burgers"),
    [
        ("Ta", [1, 1, 1]), ("Ta", [0.5, 0.5, 0.5]), ("Ta", np.full(3, 3**-0.5)),
        ("Al", [1, 1, 0]), ("Al", [0.5, 0.5, 0]), ("Al", [0.5**0.5, 0.5**0.5, 0]),
    ],
)  # fmt: skip
def test_known_ways_of_writing_a_burgers_vector(tmp_path, material, burgers):
    """Of length 1, as [1 1 1] for 1/2[1 1 1], and in units of a: all are the shortest vector of the crystal."""
    crystal = load_material(material)
    path = data_file(tmp_path / "x.data", [burgers], 1e-9 * crystal.shortest_burgers_nm)
    network, notes = read_bulk(path, crystal, None)
    assert np.linalg.norm(network.burgers_nm, axis=1) == pytest.approx(crystal.shortest_burgers_nm, rel=1e-6)
    assert any("multiplied" in note for note in notes) == (np.linalg.norm(burgers) != pytest.approx(1))


@pytest.mark.parametrize(
    ("material", "burgers", "unit_m"),
    [("Ta", 1.1 * np.full(3, 3**-0.5), 2.86e-10), ("W", np.full(3, 3**-0.5), 2.86e-10), ("Ta", [1, 0, 0], 2.86e-10)],
)
def test_no_other_factor_is_taken_out(tmp_path, material, burgers, unit_m):
    """Any factor was: a[100] of the lab frame became a lattice vector, tantalum became tungsten."""
    path = data_file(tmp_path / "x.data", [burgers], unit_m)
    with pytest.raises(InputError, match=rf"x\.data: Burgers vectors such as .* found, which {material}, "):
        read_bulk(path, load_material(material), None)


def test_burgers_vectors_of_a_vtp_are_never_scaled(tmp_path):
    """They are in nm: those of another material, or of another frame, are refused."""
    line = DislocationNetwork.from_polyline(np.diag([9.0, 9, 9]), np.array([0.2859, 0, 0]))
    write_vtp(tmp_path / "x.vtp", line)
    with pytest.raises(InputError, match=r"x\.vtp: Burgers vectors such as .* found, which Ta, "):
        read_bulk(str(tmp_path / "x.vtp"), load_material("Ta"), None)


def test_the_laboratory_frame_of_a_control_file(tmp_path):
    """[1 0 0] of a lab whose x axis is [1 1 1] is 1/2[1 1 1], not a[1 0 0]; positions turn along, also through .vtp."""
    rows = rotation_about([1, 2, 3], 0.9) @ np.linalg.qr(np.array([[1.0, -1, 0], [1, 1, 0], [1, 0, 1]]))[0].T
    rows *= np.sign(np.linalg.det(rows))
    frame = f"useLabFrame = 1\nrotationMatrix = [ {' '.join(map(str, rows.ravel()))} ]\n"
    lab = rows @ np.full(3, 3**-0.5)
    path = data_file(tmp_path / "x.data", [lab], 2.86e-10, frame)
    network, _ = read_bulk(path, load_material("Ta"), None)
    np.testing.assert_allclose(in_crystal(network), [np.full(3, 0.286 / 3**0.5)], atol=1e-6)
    assert guess_material(path)[0] == "Ta"
    write_vtp(tmp_path / "x.vtp", network)
    again, _ = read_bulk(str(tmp_path / "x.vtp"), load_material("Ta"), None)
    np.testing.assert_allclose(in_crystal(again), in_crystal(network), atol=1e-6)


A_C = [[1, 0, 0], [-0.5, 0.75**0.5, 0], [0.5, 0.75**0.5, 1.568], [0, 0, 1.568]]  # a, a, c + a, c of beryllium


def test_a_hexagonal_network(tmp_path):
    """As ParaDiS writes beryllium: in units of a, which lies along x, c along z."""
    beryllium = load_material("Be")
    path = data_file(tmp_path / "x.data", A_C, 2.286e-10)
    assert guess_material(path)[0] == "Be"
    network, notes = read_bulk(path, beryllium, None)
    assert notes == ["unit of length 0.2286 nm, from burgMag of x.ctrl beside it"]
    np.testing.assert_allclose(np.linalg.norm(network.burgers_nm, axis=1)[-1], beryllium.c_nm, rtol=1e-3)
    with pytest.raises(InputError, match="which Ta, bcc, has not"):
        read_bulk(path, load_material("Ta"), None)


def test_a_hexagonal_specimen():
    """The material's own zone axis and reflection show lines of a, and of c + a."""
    titanium = load_material("Ti")
    recipe = Recipe.from_table({"recipe": {"name": "test"}}, "test").with_values(
        {"specimen.material": "Ti", "specimen.zone_axis": list(titanium.zone_axis), "specimen.g": list(titanium.g)}
    )
    specimen = make_specimen(recipe, np.random.default_rng(0))
    g_dot_b = specimen.network.burgers_nm @ specimen.g_per_nm
    assert np.abs(g_dot_b - np.rint(g_dot_b)).max() < 1e-6
    assert (np.abs(g_dot_b) > 0.5).mean() > 0.3


def test_an_unknown_generator_names_the_known():
    """Bad input is one line that says what is allowed."""
    with pytest.raises(InputError, match="glide, helix, junctions, kinked, loops, net"):
        load_generator("nets")


@pytest.mark.parametrize("place", ["densest", "random", [250.0, 250.0, 100.0]])
def test_a_foil_tells_where_it_was_cut_and_how_dense_it_is(tmp_path, place):
    """A bundle of lines in a corner of a large cell: the densest foil is far denser than the file, and says so."""
    rng = np.random.default_rng(5)
    burgers = np.array([0.0, 0.2024, 0.2024])
    lines = [
        DislocationNetwork.from_polyline(np.array([[x, y, 0.0], [x, y, 1000.0]]), burgers)
        for x, y in np.concatenate([rng.uniform(200, 300, (12, 2)), rng.uniform(0, 1000, (6, 2))])
    ]
    path = tmp_path / "bundle.vtp"
    write_vtp(path, DislocationNetwork.union(lines))
    values = {
        "specimen.material": "Al", "specimen.zone_axis": [0, 0, 1], "specimen.g": [0, 2, 0],
        "specimen.network": {"file": str(path), "place": place}, "specimen.thickness_nm": 100.0,
    }  # fmt: skip
    recipe = load_recipe("cantor-small").with_values(values)
    foils = [make_specimen(recipe, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    (note,) = [text for text in foils[0].notes if text.startswith("foil cut")]
    assert "of the whole file" in note
    density = 1e18 * foils[0].foil_network().lengths_nm.sum() / np.prod([*recipe.specimen.field_nm, 100.0])
    assert f"{density:.3g} of line per m2" in note
    assert foils[0].notes == foils[1].notes
    assert (foils[0].notes == foils[2].notes) == (place != "random")
    if place == "densest":
        assert float(note.split("m2, ")[1].split(" times")[0]) > 1
