"""Generators, cutting and reading: every specimen is one that a crystal could hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import DislocationNetwork, InputError, load_material
from veristem.datasets.geometry import rotation_about
from veristem.datasets.recipe import Recipe
from veristem.sim.networks import GENERATORS, load_generator
from veristem.sim.networks.foil import clip, cut_foil, richest_center, sparse_note
from veristem.sim.networks.from_file import guess_material, read_bulk
from veristem.sim.specimen import make_specimen, orientation

SIZE = np.array([512.0, 512.0, 200.0])
PINNED = ("frank_read",)  # a source is held where its line leaves the slip plane: an arm that cannot move is left out


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
    pinned = network.pinned[degree == 1] & (recipe.specimen.network.generator in PINNED)
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


def test_sparse_note_names_a_field_that_would_do(bulk):
    """A field far too small for the network's density is said so, with one that is not; a rich one gives no note."""
    network, _, rotation = bulk
    width = network.box_nm[1, 0] - network.box_nm[0, 0]
    assert sparse_note(network, rotation, (width, width, width / 2)) == []
    lone = DislocationNetwork.from_polyline(np.array([[0.0, 0, 0], [30, 0, 0]]), np.array([0.25, 0, 0]))
    (note,) = sparse_note(lone, np.eye(3), (100.0, 100.0, 50.0))
    assert "a field of 50 nm would do" in note


def test_an_unknown_generator_names_the_known():
    """Bad input is one line that says what is allowed."""
    with pytest.raises(InputError, match="glide, helix, junctions, kinked, loops, net"):
        load_generator("nets")
