"""What each generator promises about its lines, in a wide field and in crystals of several kinds."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import numpy as np
import pytest

from veristem.datasets import InputError, load_material
from veristem.datasets.geometry import rotation_about
from veristem.sim.networks import GENERATORS, load_generator
from veristem.sim.networks.cell_walls import cell_walls
from veristem.sim.networks.pile_up import positions
from veristem.sim.networks.population import Faulted, Population
from veristem.sim.networks.tangles import tangles
from veristem.sim.statistics import line_statistics

WIDE = np.array([2000.0, 2000.0, 200.0])
DENSE = 1.6e14  # per m^2: 130 µm of line in the wide field, more than 1e4 segments where lines bend
SPARSE = 1.0e13
LINES = [
    g for g in GENERATORS if not getattr(import_module(load_generator(g).__module__), "ONE_SHEET", False)
]  # a boundary is one sheet, the b of one sign


def population(material: str = "Al", size=WIDE, density: float = DENSE) -> Population:
    """Slip systems of a crystal turned askew, so that no plane and no line is parallel to an axis."""
    crystal = load_material(material)
    rotation = rotation_about([1, 2, 3], 0.7)
    normals, burgers = (np.array(v) @ rotation.T for v in zip(*crystal.slip_systems()))
    g = rotation @ crystal.reciprocal_per_nm(crystal.g)
    ways = tuple(way.rotated(rotation) for way in crystal.dissociations())
    return Population(normals, burgers, g, size, 1e-18 * density, 0.8, dissociations=ways)


@cache
def network(generator: str, material: str = "Al", density: float = DENSE):
    """A network in the wide field; the seed is 0."""
    made = load_generator(generator)(population(material, density=density), np.random.default_rng(0))
    return Faulted.of(made).network


def parts(net):
    """Label (N,) of the connected part that each node belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(net.nodes_nm)
    joined = coo_array((np.ones(len(net.segments)), net.segments.T), (count, count))
    return connected_components(joined, directed=False)[1]


def ends_within(net):
    """Nodes (K,) at which a line ends between the faces, inside the field."""
    degree = np.bincount(net.segments.ravel(), minlength=len(net.nodes_nm))
    margin = [1e-6, 1e-6, 1e-6]
    return np.flatnonzero((degree == 1) & ((net.nodes_nm > margin) & (net.nodes_nm < WIDE - margin)).all(axis=1))


@pytest.mark.parametrize("generator", LINES)
def test_a_wide_field_holds_many_segments(generator):
    """Networks for large images: the density is met, the Burgers vectors are conserved, bends are finely cut."""
    net = network(generator)
    assert population().length_of(net) == pytest.approx(population().length_nm, rel=0.05 + 1e-9)
    net.check_conservation()
    bends = np.bincount(net.segments.ravel()) == 2  # straight lines have none, and need no more than their ends
    assert not bends.any() or 5 < np.median(net.lengths_nm[bends[net.segments].any(axis=1)]) < 13


@pytest.mark.parametrize("generator", LINES)
def test_both_signs_occur(generator):
    """Lines of one sign only would bend the crystal: up through the foil, as much b as -b."""
    net = network(generator)
    up = net.burgers_nm * np.sign(net.vectors_nm[:, 2:])
    for b in population().burgers_nm[:3]:
        same, other = (net.lengths_nm[np.abs(up - sign * b).max(axis=1) < 1e-9].sum() for sign in (1, -1))
        assert same + other == 0 or 0.1 < same / (same + other) < 0.9


@pytest.mark.parametrize(
    ("generator", "material"),
    [(generator, material) for generator in LINES for material in ("alpha-Fe", "gamma-TiAl", "GaN", "Ti")],
)
def test_every_crystal(generator, material):
    """Only Burgers vectors of the lattice occur, in every structure, or one line says that this one cannot."""
    try:
        net = network(generator, material, 2e13)
    except InputError as error:
        assert str(error).startswith(f"specimen.network.generator: {generator!r} found")  # noqa: PT017
        return
    net.check_conservation()
    lattice = population(material).burgers_nm
    found = np.unique(np.round(net.burgers_nm, 9), axis=0)
    off = np.linalg.norm(np.concatenate([lattice, -lattice])[None] - found[:, None], axis=2).min(axis=1)
    assert off.max() < 1e-6


@pytest.mark.parametrize("generator", ["kinked", "frank_read", "pile_up"])
def test_glide_lines_lie_in_a_slip_plane(generator):
    """Bows, kinks and loops leave no slip plane: each connected part lies in one that holds its Burgers vector."""
    net, given = network(generator, density=SPARSE), population()
    label = parts(net)[net.segments[:, 0]]
    for k in range(label.max() + 1):
        own = label == k
        planes = given.normals[np.abs(given.normals @ net.burgers_nm[own][0]) < 1e-9]
        assert np.abs(net.vectors_nm[own] @ planes.T).max(axis=0).min() < 1e-6


def test_kinks():
    """Steps of 5 to 20 nm beside the valley, several every 100 nm: the line turns more than a bowed one."""
    given = population(density=SPARSE)
    kinked, glide = (
        line_statistics(load_generator(name)(given, np.random.default_rng(1)), WIDE, given.g_per_nm)
        for name in ("kinked", "glide")
    )
    assert kinked["mean_curvature_per_um"] > 2 * glide["mean_curvature_per_um"]
    net = network("kinked", density=SPARSE)
    steps, length = 0, 0.0
    for line in net.chains():
        reach = np.linalg.norm(line[-1] - line[0])
        b = given.burgers_nm / np.linalg.norm(given.burgers_nm, axis=1)[:, None]
        if reach < 100:
            continue
        valley = b[np.argmax(np.abs(b @ (line[-1] - line[0])))]
        slope = np.arccos(
            np.clip(np.abs(np.diff(line, axis=0) @ valley) / np.linalg.norm(np.diff(line, axis=0), axis=1), 0, 1)
        )
        steps += np.count_nonzero(np.diff((slope > np.radians(12)).astype(int)) == 1)
        length += reach
    assert 1 < 100 * steps / length < 5


def test_a_source_is_held_at_two_points():
    """Each Frank-Read source has two pinned ends within the foil, 50 to 120 nm apart, and both stages occur."""
    net = network("frank_read", density=SPARSE)
    ends = ends_within(net)
    assert net.pinned[ends].all()
    degree_one_rings = set(parts(net)) - set(parts(net)[ends])
    assert degree_one_rings  # emitted loops
    label = parts(net)[ends]
    lone = []
    for k in np.unique(label):
        pair = net.nodes_nm[ends[label == k]]
        if len(pair) == 2:
            assert 45 < np.linalg.norm(pair[1] - pair[0]) < 121
        else:
            lone.append(k)  # a face cuts the arc in two, one held end each
    assert len(ends) % 2 == 0
    assert len(lone) < 0.2 * len(np.unique(label))


def test_a_helix_winds_about_its_burgers_vector():
    """Every point of a helix is as far from its axis, which lies along b, and it turns evenly."""
    net = network("helix", density=SPARSE)
    label = parts(net)
    seen = 0
    for k in range(label.max() + 1):
        own = net.segments[label[net.segments[:, 0]] == k]
        if len(own) < 40:
            continue
        b = net.burgers_nm[label[net.segments[:, 0]] == k][0]
        points = net.nodes_nm[np.concatenate([own[:, 0], own[-1:, 1]])][1:-1]
        along = points @ b / np.linalg.norm(b)
        u = np.linalg.svd(np.eye(3) - np.outer(b, b) / (b @ b))[0][:, :2]
        flat = points @ u
        center = np.linalg.lstsq(np.column_stack([2 * flat, np.ones(len(flat))]), (flat**2).sum(axis=1), rcond=None)[0][
            :2
        ]
        radius = np.linalg.norm(flat - center, axis=1)
        assert np.ptp(radius) < 1e-6
        assert 10 <= radius[0] <= 30
        angle = np.unwrap(np.arctan2(*(flat - center).T[::-1]))
        pitch = np.abs(2 * np.pi * np.diff(along) / np.diff(angle))
        assert np.ptp(pitch) < 1e-6
        assert 2.5 <= pitch[0] / radius[0] <= 5
        seen += 1
    assert seen > 5


def test_positions_in_a_pile_up():
    """The roots of L_n'(x): 3 ± sqrt(3) for n = 3; of x^3 - 12 x^2 + 36 x - 24 for n = 4."""
    assert positions(3) == pytest.approx(np.array([0, 3 - 3**0.5, 3 + 3**0.5]) / (3 + 3**0.5))
    roots = np.sort(np.roots([1, -12, 36, -24]))
    assert positions(4) == pytest.approx(np.array([0, *roots]) / roots[-1])
    x = positions(12) * 39.0
    force = [1 / (x[k] - np.delete(x, k)) for k in range(1, 12)]
    total = np.array([f.sum() for f in force])
    assert total == pytest.approx(total[0])  # every free line feels the one stress


def test_pile_ups_stand_in_equilibrium():
    """Lines of one b, parallel and spaced as the roots; from pile-up to pile-up the sign changes."""
    net = network("pile_up", density=SPARSE)
    label = parts(net)[net.segments[:, 0]]
    first, last = (np.unique(lab, return_index=True)[1] for lab in (label, label[::-1]))
    start, stop = net.nodes_nm[net.segments[first, 0]], net.nodes_nm[net.segments[len(label) - 1 - last, 1]]
    b = net.burgers_nm[first]
    runs = np.split(np.arange(len(first)), np.flatnonzero(np.abs(np.diff(b, axis=0)).max(axis=1) > 1e-9) + 1)
    whole = 0
    for run in (r for r in runs if 5 <= len(r) <= 12):
        chord = stop[run[0]] - start[run[0]]
        x = np.linalg.norm(np.cross(start[run] - start[run[0]], chord / np.linalg.norm(chord)), axis=1)
        whole += bool(np.allclose(x / x[-1], positions(len(run)), atol=1e-6) and 199 < x[-1] < 501)
    assert whole >= 2  # the others are cut by the sides, or two of one b follow each other
    heads = np.array([b[r[0]] for r in runs])
    assert any(np.abs(heads + v).max(axis=1).min() < 1e-9 for v in heads)


def test_junctions_balance():
    """Three arms meet in each node: two lines on two planes, and what they zipped into, at no cost of b squared."""
    net = network("junctions", density=SPARSE)
    given = population()
    degree = np.bincount(net.segments.ravel(), minlength=len(net.nodes_nm))
    triple = np.flatnonzero(degree == 3)
    assert len(triple) > 10
    for node in triple:
        arms = np.flatnonzero((net.segments == node).any(axis=1))
        out = np.where(net.segments[arms, 0] == node, 1, -1)[:, None]
        b, u = out * net.burgers_nm[arms], out * net.vectors_nm[arms] / net.lengths_nm[arms, None]
        assert np.abs(b.sum(axis=0)).max() < 1e-9
        slips = (np.abs(u @ given.normals.T) < 1e-3) & (np.abs(b @ given.normals.T) < 1e-9)
        strength = (b**2).sum(axis=1)
        gain = strength.sum() - 2 * strength  # of each arm as what the other two zipped into
        assert any(np.delete(slips.any(axis=1), k).all() and gain[k] >= -1e-9 for k in range(3))


def test_cross_slipped_lines_stay_on_planes_that_hold_b():
    """Every segment lies on a slip plane of its b, each line on two of them by turns."""
    net, given = network("cross_slipped", density=SPARSE), population()
    u = net.vectors_nm / net.lengths_nm[:, None]
    normals = np.unique(np.round(given.normals, 9), axis=0)
    on = (np.abs(u @ normals.T) < 1e-6) & (np.abs(net.burgers_nm @ normals.T) < 1e-9)
    whole = net.lengths_nm > 1  # of shorter ones, cut at a face, the direction is not exact
    assert on[whole].any(axis=1).all()
    one = on & (on.sum(axis=1) == 1)[:, None]  # a pure screw lies on both
    label = parts(net)[net.segments[:, 0]]
    planes = np.array([one[label == k].any(axis=0).sum() for k in range(label.max() + 1)])
    assert planes.max() == 2
    assert (planes == 2).mean() > 0.5


def test_tangles_crowd():
    """Within a seventh of the field lies most of the line, about the centres of the tangles."""
    centers, _ = tangles(WIDE, np.random.default_rng(0))
    net = network("tangles")
    middle = np.mean(net.ends_nm(), axis=0)
    inside = ((middle > 0) & (middle < WIDE)).all(axis=1)

    def near(points):
        return np.linalg.norm(points[:, None, :2] - centers[:, :2], axis=2).min(axis=1) < 200

    held = net.lengths_nm[inside & near(middle)].sum() / net.lengths_nm[inside].sum()
    free = near(np.random.default_rng(1).uniform(0, 1, (4000, 3)) * WIDE).mean()
    assert held > 0.55
    assert held > 1.8 * free


def test_lines_keep_to_the_walls_of_cells():
    """Nearly all lies within 50 nm of a wall's middle, a small part of the field; 1e15 per m^2 can be met."""
    walls = cell_walls(WIDE, np.random.default_rng(0))

    def off(points):
        a, d = walls[:, 0], walls[:, 1] - walls[:, 0]
        t = np.clip(((points[:, None] - a) * d).sum(axis=2) / (d**2).sum(axis=1), 0, 1)
        return np.linalg.norm(points[:, None] - a - t[..., None] * d, axis=2).min(axis=1)

    net = network("cell_walls")
    assert net.lengths_nm[off(np.mean(net.ends_nm(), axis=0)[:, :2]) < 50].sum() > 0.95 * net.lengths_nm.sum()
    assert (off(np.random.default_rng(1).uniform(0, 1, (4000, 2)) * WIDE[:2]) < 50).mean() < 0.4
    small = population(size=np.array([512.0, 512.0, 200.0]), density=1e15)
    dense = load_generator("cell_walls")(small, np.random.default_rng(0))
    assert small.length_of(dense) == pytest.approx(small.length_nm, rel=0.05 + 1e-9)


@pytest.mark.parametrize("generator", ["junctions", "cross_slipped"])
def test_a_crystal_that_cannot_says_so(generator):
    """One slip system neither reacts nor cross-slips: one line that says which key to change."""
    with pytest.raises(InputError, match=rf"^specimen.network.generator: '{generator}' found, but no two slip .*\Z"):
        load_generator(generator)(population().of_systems([0]), np.random.default_rng(0))
