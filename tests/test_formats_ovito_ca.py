"""OVITO files: a made-up one with a junction, in each version, and damaged ones."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from veristem.datasets import InputError
from veristem.datasets.formats import read_network

A = 3.6  # lattice parameter [Angstrom]
LINES = [  # burgers in lattice units, points in Angstrom; the first ends where the others begin
    ([0.5, 0.5, 0.0], [[0, 0, 0], [10, 0, 1], [20, 0, 0]]),
    ([0.5, 0.0, 0.5], [[20, 0, 0], [30, 10, 0]]),
    ([0.0, 0.5, -0.5], [[20, 0, 0], [30, -10, 0]]),
]
RINGS = ["0 1", "0 0", "1 1", "0 2", "1 2", "1 0"]  # next end for (line 0, last), (line 0, first), ...


def make(path, version=6, lines=LINES, rings=RINGS, pbc="0 0 0", replace=("", "")):
    """Write a file as OVITO lays it out; the cluster is turned by 90 degrees about z."""
    rows = [[0, -A, 0], [A, 0, 0], [0, 0, A]]
    text = [f"CA_FILE_VERSION {version}", "CA_LIB_VERSION 0.0.0", "STRUCTURE_TYPES 1", "STRUCTURE_TYPE 1", "NAME fcc"]
    text += ["BURGERS_VECTOR_FAMILIES 1", "BURGERS_VECTOR_FAMILY ID 0", "Other", "0 0 0", "1 0 0", "END_STRUCTURE_TYPE"]
    text += ["SIMULATION_CELL_ORIGIN -50 -50 -50", "SIMULATION_CELL_MATRIX", "100 0 0", "0 100 0", "0 0 100"]
    text += [f"PBC_FLAGS {pbc}", "CLUSTERS 1"]
    if version == 4:
        text += ["CLUSTER 1", "1 0", "1", "1000", "0 0 0", " ".join(str(x) for row in rows for x in row)]
    else:
        text += ["CLUSTER 1", "CLUSTER_STRUCTURE 1", "CLUSTER_ORIENTATION"]
        text += [" ".join(map(str, row)) for row in rows] + ["END_CLUSTER"]
    text += ["CLUSTER_TRANSITIONS 0", f"DISLOCATIONS {len(lines)}"]
    for i, (b, points) in enumerate(lines):
        text += [str(i), " ".join(map(str, b)), "0" if version == 4 else "1", str(len(points))]
        text += [" ".join(map(str, p)) + (" 5" if version == 5 else "") for p in points]
        text += ["5"] * len(points) if version == 4 else []
    text += ["DISLOCATION_JUNCTIONS", *rings]
    text += ["METADATA SIMULATION_TIMESTEP 100", "SLIP_SURFACE_VERTICES 0"] if version == 7 else []
    text += ["DEFECT_MESH_VERTICES 1", "0 0 0", ""]
    path.write_text("\n".join(text).replace(*replace, 1) if replace[0] else "\n".join(text))
    return path


@pytest.mark.parametrize("version", [4, 5, 6, 7])
def test_junction_becomes_one_node(tmp_path, version):
    """Angstrom become nm, lattice vectors turn with the cluster, three ends become one node, far ends are pinned."""
    network = read_network(make(tmp_path / "x.ca", version))
    assert (len(network.nodes_nm), len(network.segments), network.pinned.sum()) == (5, 4, 3)
    np.testing.assert_allclose(network.burgers_nm[0], [-0.18, 0.18, 0.0], atol=1e-12)
    assert network.lengths_nm.sum() == pytest.approx(2 * np.sqrt(1.01) + 2 * np.sqrt(2))
    junction = np.flatnonzero(np.all(np.isclose(network.nodes_nm, [2, 0, 0]), axis=1))
    assert len(junction) == 1
    assert not network.pinned[junction[0]]
    assert network.box_nm is None


def test_line_through_a_periodic_cell(tmp_path):
    """A straight line as long as the cell closes on itself and keeps its length."""
    lines = [([0.5, 0.5, 0.0], [[-50, 0, 0], [50, 0, 0]])]
    network = read_network(make(tmp_path / "x.ca", lines=lines, rings=["0 0", "1 0"], pbc="1 1 1"))
    assert network.lengths_nm.sum() == pytest.approx(10.0)
    assert not network.pinned.any()
    np.testing.assert_allclose(network.box_nm, [[-5] * 3, [5] * 3])


def test_ends_that_meet_only_across_another_cell_are_pinned(tmp_path):
    """Where the cell cannot be kept, joining such ends would draw a line through the whole specimen."""
    lines = [([0.5, 0.5, 0.0], [[-50, 0, 0], [50, 0, 0]])]
    network = read_network(make(tmp_path / "x.ca", lines=lines, rings=["0 0", "1 0"], pbc="1 1 0"))
    assert network.lengths_nm.sum() == pytest.approx(10.0)
    assert network.pinned.all()


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (("CA_FILE_VERSION 6", "CA_FILE_VERSION 3"), "line 1: CA_FILE_VERSION 3 found, 4 to 7"),
        (("CA_FILE_VERSION", "ITEM: TIMESTEP"), "line 1: 'ITEM:' found"),
        (("CA_FILE_VERSION 6", "PBCCA_FILE_VERSION 3"), "line 1: PBCCA_FILE_VERSION 3 found, 4 to 7"),
        (("DISLOCATIONS 3", "DISLOCATIONS 1000000000000"), "whole number from 0 .* of dislocation 4 of 1000000000000"),
        (("\n3\n0 0 0\n", "\n3000000000000\n0 0 0\n"), "point 4 of 3000000000000 of dislocation 1"),
        (("10 0 1", "10 inf 1"), "inf found, a finite number"),
        (("0.5 0.0 0.5\n1\n", "0.5 0.0 0.5\n7\n"), "cluster 7 found, allowed are 1"),
        (("0.5 0.0 0.5\n", "0.5 0.0 0.0\n"), "node .* Burgers vectors sum to"),
        (("0 1\n0 0\n1 1", "0 1\n0 0\n0 1"), "rings"),
        (("0 1\n0 0\n1 1", "0 9\n0 0\n1 1"), "'0 9' found"),
        (("DISLOCATION_JUNCTIONS", "JUNCTIONS"), "no section DISLOCATION_JUNCTIONS"),
    ],
)
def test_faults_name_the_line(tmp_path, replace, message):
    """One line that names the file and, but for conservation, the line."""
    path = make(tmp_path / "x.ca", replace=replace)
    with pytest.raises(InputError, match=message) as caught:
        read_network(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_header_of_another_name_is_read_as_the_same(tmp_path):
    """Files whose first word is PBCCA_FILE_VERSION hold the same sections."""
    usual = read_network(make(tmp_path / "usual.ca"))
    other = read_network(make(tmp_path / "other.ca", replace=("CA_FILE_VERSION", "PBCCA_FILE_VERSION")))
    np.testing.assert_array_equal(other.nodes_nm, usual.nodes_nm)
    np.testing.assert_array_equal(other.burgers_nm, usual.burgers_nm)


def test_cut_at_any_line(tmp_path):
    """A file cut after any line before the end of the junctions is refused."""
    text = make(tmp_path / "x.ca").read_text()
    lines = text[: text.index("DEFECT_MESH")].splitlines(keepends=True)
    for count in range(len(lines)):
        (tmp_path / "x.ca").write_text("".join(lines[:count]))
        with pytest.raises(InputError):
            read_network(tmp_path / "x.ca")


TURN = Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix()


def rewritten(path, orientations, structures=("fcc",), of=(1, 1, 1), burgers=None, pbc="0 0 0"):
    """The file with clusters of these orientations [Angstrom] and structures, of which each line has one."""
    lines = LINES if burgers is None else [(b, points) for b, (_, points) in zip(burgers, LINES, strict=True)]
    text = make(path, lines=lines, pbc=pbc).read_text()
    head, rest = text.split("STRUCTURE_TYPE 1\nNAME fcc\n")[0], text[text.index("SIMULATION_CELL_ORIGIN") :]
    types = "".join(f"STRUCTURE_TYPE {i + 1}\nNAME {name}\nEND_STRUCTURE_TYPE\n" for i, name in enumerate(structures))
    clusters = ""
    for i, matrix in enumerate(orientations):
        rows = "".join(f"{' '.join(map(str, row))}\n" for row in matrix)
        structure = min(i, len(structures) - 1) + 1
        clusters += f"CLUSTER {i + 1}\nCLUSTER_STRUCTURE {structure}\nCLUSTER_ORIENTATION\n{rows}END_CLUSTER\n"
    before, after = rest[: rest.index("CLUSTERS 1")], rest[rest.index("CLUSTER_TRANSITIONS") :]
    for (b, _), number in zip(lines, of, strict=True):
        b = " ".join(map(str, b))
        after = after.replace(f"\n{b}\n1\n", f"\n{b}\n{number}\n", 1)
    path.write_text(f"{head}{types}{before}CLUSTERS {len(orientations)}\n{clusters}{after}")
    return path


def test_the_crystal_may_lie_in_any_way(tmp_path):
    """In crystal axes Burgers vectors are what the file says, in the cell's they are turned; positions stay."""
    strained = A * TURN @ np.diag([1.01, 0.99, 1.0])
    network = read_network(rewritten(tmp_path / "x.ca", [strained]))
    assert network.crystal_from_network is not None
    np.testing.assert_allclose(network.crystal_from_network, TURN.T, atol=1e-9)
    in_crystal = network.burgers_nm @ network.crystal_from_network.T
    np.testing.assert_allclose(in_crystal[0], [0.1818, 0.1782, 0], atol=1e-9)
    np.testing.assert_allclose(network.nodes_nm.max(axis=0)[:2], [3, 1])


def test_two_clusters_of_one_crystal(tmp_path):
    """Turned by a symmetry of the lattice and bent by two degrees, they are one: b is that of the lattice."""
    quarter = Rotation.from_rotvec([0, 0, np.pi / 2]).as_matrix()
    bend = Rotation.from_rotvec([np.radians(2), 0, 0]).as_matrix()
    burgers = [LINES[0][0], (quarter.T @ LINES[1][0]).round(3) + 0.0, LINES[2][0]]
    path = rewritten(tmp_path / "x.ca", [A * TURN, 1.01 * A * bend @ TURN @ quarter], of=(1, 2, 1), burgers=burgers)
    network = read_network(path)
    again = read_network(rewritten(path, [A * TURN]))
    np.testing.assert_allclose(network.burgers_nm, again.burgers_nm, atol=1e-9)


@pytest.mark.parametrize(
    ("orientations", "structures", "message"),
    [
        (
            [A * np.eye(3), A * Rotation.from_rotvec([0, 0, 0.5]).as_matrix()],
            ("fcc",),
            "turned by 28.6 degrees against",
        ),
        ([-A * np.eye(3)], ("fcc",), "right-handed lattice of 1.5 to 12 Angstrom allowed"),
        ([np.diag([A, A, 0])], ("fcc",), "axes of 3.6, 3.6, 0 Angstrom found"),
        ([1e9 * np.eye(3)], ("bcc",), "axes of 1e"),
    ],
)
def test_crystals_that_are_not_one_are_refused(tmp_path, orientations, structures, message):
    """One zone axis and one reflection cannot hold for two grains."""
    path = rewritten(tmp_path / "x.ca", orientations, structures, of=(1, len(orientations), 1))
    with pytest.raises(InputError, match=rf"x\.ca, line \d+: .*{message}"):
        read_network(path)


def test_a_stacking_fault_is_no_second_crystal(tmp_path):
    """Lines in its hcp cluster are taken as they lie in space."""
    hcp = A * np.array([[0.5**0.5, 6**-0.5, 3**-0.5], [-(0.5**0.5), 6**-0.5, 3**-0.5], [0, -((2 / 3) ** 0.5), 3**-0.5]])
    burgers = [LINES[0][0], list(np.linalg.solve(hcp, A * np.array(LINES[1][0]))), LINES[2][0]]
    path = rewritten(tmp_path / "x.ca", [A * np.eye(3), hcp], ("fcc", "hcp"), of=(1, 2, 1), burgers=burgers)
    np.testing.assert_allclose(np.unique(np.round(np.abs(read_network(path).burgers_nm), 9)), [0, 0.18])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("30 10 0", "30 1e9 0", "cells apart found, at most 100 allowed"),
        ("30 10 0", "30 1e30 0", "cells apart found, at most 100 allowed"),
        ("SIMULATION_CELL_MATRIX\n100", "SIMULATION_CELL_MATRIX\n1e-6", "a periodic cell of 1e-06 Angstrom found"),
    ],
)
def test_points_far_off_a_periodic_cell_are_refused(tmp_path, old, new, message):
    """So many points were put between them as there are cells."""
    with pytest.raises(InputError, match=message) as caught:
        read_network(make(tmp_path / "x.ca", pbc="1 1 1", replace=(old, new)))
    assert str(caught.value).count("x.ca") == 1


def test_a_point_beyond_measure_is_refused(tmp_path):
    """Without a cell too: its square is infinite."""
    for number, message in (
        ("1e300", r"line 40: 1e300 found, at most 1e\+30 allowed"),
        ("1e12", r": nodes_nm: 1e\+11 nm"),
    ):
        with pytest.raises(InputError, match=rf"x\.ca.*{message}"):
            read_network(make(tmp_path / "x.ca", replace=("30 10 0", f"30 {number} 0")))
