"""ParaDiS files: real ones read right, damaged ones give one clear line."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import DislocationNetwork, InputError
from veristem.datasets.formats import read_network
from veristem.datasets.formats.paradis import burgers_unit_nm, read_data, write_data

FILES = {  # name -> nodes, segments, pinned nodes, largest |b| in units of burgMag
    "Al": (2679, 2679, 0, 1.0),
    "bcc_loading_1e3": (3151, 3169, 0, np.sqrt(4 / 3)),
    "bcc_screws": (744, 744, 0, 1.0),
    "form_binaryjunc": (6, 4, 4, np.sqrt(3)),
    "frank_read_src": (3, 2, 2, 1.0),
    "shearloopBCC_LinCS": (200, 200, 0, 1.0),
    "ta-elemental-single": (26, 27, 0, np.sqrt(4 / 3)),
}

TINY = """dataFileVersion =   4
numFileSegments =   1
minCoordinates = [
  -100. -100. -100. ]
maxCoordinates = [
  100.
  100.
  100.
  ]
nodeCount =   3
nodalData =
# a comment
 0,   12  0. 0. 0. 2 0
   0,13  1.0 0.0 0.0
         0. 0. 1.
   0,14 -1.0 0.0 0.0
         0. 0. 1.
 0,13 10. 0. 0. 1 7
   0,12 -1.0 0.0 0.0
         0. 0. 1.
 0,14 0. 10. 0. 1 7
   0,12  1.0 0.0 0.0
         0. 0. 1.
"""


@pytest.fixture
def tiny(tmp_path):
    """Write TINY, changed by replacing one text by another, and return its path."""

    def write(old="", new=""):
        path = tmp_path / "tiny.data"
        path.write_text(TINY.replace(old, new, 1) if old else TINY)
        return path

    return write


@pytest.mark.parametrize("name", FILES)
def test_every_real_file_reads(cases, name):
    """Header styles, tags with spaces, junctions and periodic lines of seven files; all conserve b at free nodes."""
    nodes, segments, pinned, largest = FILES[name]
    network = read_data(cases / f"networks/{name}.data", burgers_magnitude_nm=0.25)
    assert (len(network.nodes_nm), len(network.segments), network.pinned.sum()) == (nodes, segments, pinned)
    assert np.linalg.norm(network.burgers_nm, axis=1).max() == pytest.approx(0.25 * largest, rel=1e-6)
    assert network.box_nm is not None
    assert np.abs(network.vectors_nm).max() <= (network.box_nm[1] - network.box_nm[0]).max() / 2
    network.check_conservation()


@pytest.mark.parametrize("name", ["Al", "form_binaryjunc", "ta-elemental-single", "bcc_loading_1e3"])
def test_round_trip_of_real_files(cases, tmp_path, name):
    """What is written reads back the same to 1e-12, in the same order, also where two nodes share two arms."""
    first = read_data(cases / f"networks/{name}.data", 0.25)
    write_data(tmp_path / "again.data", first, 0.25)
    again = read_data(tmp_path / "again.data", 0.25)
    for field in ("nodes_nm", "burgers_nm", "box_nm", "plane_normals"):
        np.testing.assert_allclose(getattr(again, field), getattr(first, field), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(again.segments, first.segments)
    np.testing.assert_array_equal(again.pinned, first.pinned)


def test_density_of_the_control_file_is_reproduced(cases):
    """Periodic segments, each counted once, give the density that ParaDiS itself printed with seven digits."""
    path = cases / "networks/bcc_loading_1e3.data"
    printed = re.search(r"disloDensity\s*=\s*(\S+)", path.with_suffix(".ctrl").read_text())
    assert printed
    network = read_data(path)
    assert network.box_nm is not None
    density = network.lengths_nm.sum() / np.prod(network.box_nm[1] - network.box_nm[0]) * 1e18
    assert f"{density:.6e}" == printed[1]
    assert density == pytest.approx(float(printed[1]), rel=1e-8)


def test_unit_comes_from_the_control_file_unless_given(cases, tiny):
    """burgMag beside the file, else the argument, else an error that says what to pass."""
    folder = cases / "networks"
    assert burgers_unit_nm(folder / "Al.data") == pytest.approx(0.286)
    assert burgers_unit_nm(folder / "form_binaryjunc.data") is None
    assert read_network(folder / "Al.data").box_nm[1, 0] == pytest.approx(6000 * 0.286)
    with pytest.raises(InputError, match=r"tiny\.data: no unit of length.*burgers_magnitude_nm"):
        read_data(tiny())
    tiny().with_suffix(".ctrl").write_text("# made up\nburgMag = -1\n")
    with pytest.raises(InputError, match=r"tiny\.ctrl, line 2: burgMag = -1"):
        read_data(tiny())


def test_sense_of_the_burgers_vector(tiny):
    """A segment runs from the node that lists it, with the vector listed there."""
    network = read_data(tiny(), 0.5)
    np.testing.assert_array_equal(network.segments, [[0, 1], [0, 2]])
    np.testing.assert_array_equal(network.burgers_nm, [[0.5, 0, 0], [-0.5, 0, 0]])


def test_two_arms_between_the_same_nodes(tmp_path):
    """Each arm finds its own mirror, so a dipole between two nodes stays two segments."""
    b = [[0.3, 0, 0], [0, 0.3, 0], [-0.3, -0.3, 0]]
    dipole = DislocationNetwork([[0, 0, 0], [9, 0, 0]], [[0, 1]] * 3, b)
    write_data(tmp_path / "dipole.data", dipole, 0.3)
    again = read_data(tmp_path / "dipole.data", 0.3)
    np.testing.assert_allclose(again.burgers_nm, b, rtol=1e-15)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  0,13  1.0", "  0,13  0.5", r"line 14: node 0,12: arm to node 0,13 whose mirror arm has another"),
        ("0,14 0. 10. 0. 1 7\n   0,12  1.0 0.0 0.0\n         0. 0. 1.\n", "0,14 0. 10. 0. 0 7\n", "node 0,12: arm to"),
        ("0. 0. 0. 2 0", "0. 0. 0. 3 0", r"line 18: 7 values found, 5 allowed \(arm 3 of 3 of node 0,12"),
        ("0. 0. 0. 2 0", "0. 0. 0. 1000000000000 0", r"line 18: 7 values found, 5 allowed \(arm 3 of 1000000000000"),
        ("nodeCount =   3", "nodeCount =   1000000000000", "end of file found, node 4 of nodeCount = 1000000000000"),
        ("nodeCount =   3", "nodeCount =   2", "line 21: more nodes found, nodeCount = 2 allowed"),
        ("nodeCount =   3", "nodeCount =   -3", r"line 10: '-3' found, a whole number from 0 on"),
        ("dataFileVersion =   4", "dataFileVersion =   2", "line 1: dataFileVersion = 2 found, 4 or 5 allowed"),
        ("numFileSegments =   1", "numFileSegments =   4", "line 2: numFileSegments = 4 found, 1 allowed"),
        ("0,13 10.", "0,13 nan", "line 18: nan found, a finite number allowed"),
        ("0,13 10.", "0,13 1x", "line 18: '1x' found, a number allowed"),
        ("0,13 10.", "0,12 10.", "line 18: node 0,12 found again"),
        ("   0,14 -1.0", "   0,99 -1.0", "line 16: arm to node 0,99 found, no such node"),
        ("10. 0. 0. 1 7", "10. 0. 0. 1 0", "line 18: node 0,13: Burgers vectors of its arms sum to 0.25 nm"),
        ("  100.\n  100.\n  100.", "  -100.\n  100.\n  100.", "a cell with a volume"),
        ("nodeCount", "nodeNumber", "no nodeCount found before nodalData"),
    ],
)
def test_faults_name_the_line(tiny, old, new, message):
    """One line: the file, the line, what was found, what is allowed; nothing is set aside for a false count."""
    path = tiny(old, new)
    with pytest.raises(InputError, match=message) as caught:
        read_data(path, 0.25)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text(tmp_path):
    """A missing, an empty and a binary file."""
    path = tmp_path / "x.data"
    with pytest.raises(InputError, match="No such file"):
        read_data(path, 0.25)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="end of file"):
        read_data(path, 0.25)
    path.write_bytes(b"\x89HDF\r\n\xff\xfe")
    with pytest.raises(InputError, match="is not text"):
        read_data(path, 0.25)


def read_or_message(path) -> tuple[DislocationNetwork | None, str]:
    """The network and no message, or no network and the message."""
    try:
        return read_data(path, 0.25), ""
    except InputError as error:
        return None, str(error)


def test_a_file_cut_anywhere_is_refused_or_whole(cases, tmp_path):
    """Cut at any byte: an error with the line, or (only zeros or blanks of the last number cut) the same network."""
    for name in ("frank_read_src", "form_binaryjunc"):
        content = (cases / f"networks/{name}.data").read_bytes()
        whole = read_data(cases / f"networks/{name}.data", 0.25)
        path = tmp_path / "cut.data"
        for size in (*range(0, len(content), 7), *range(len(content) - 80, len(content))):
            path.write_bytes(content[:size])
            network, message = read_or_message(path)
            if network is None:
                assert re.search(r"cut\.data, line \d+", message) or size == 0
                continue
            np.testing.assert_array_equal(network.nodes_nm, whole.nodes_nm)
            np.testing.assert_array_equal(network.burgers_nm, whole.burgers_nm)
            np.testing.assert_array_equal(network.plane_normals, whole.plane_normals)


def test_a_number_cut_in_the_last_plane_normal_is_seen(cases, tmp_path):
    """-5.77e-01 cut to -5.77e-0 is still a number; the mirror arm gives it away."""
    content = (cases / "networks/Al.data").read_bytes().rstrip()
    (tmp_path / "cut.data").write_bytes(content)
    read_data(tmp_path / "cut.data", 0.25)
    (tmp_path / "cut.data").write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"line 13425: .*cut short"):
        read_data(tmp_path / "cut.data", 0.25)


_COORDINATE = st.floats(-1e4, 1e4, allow_nan=False)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[_COORDINATE] * 3), min_size=2, max_size=12, unique=True), st.booleans())
def test_round_trip_of_any_line(tmp_path_factory, points, closed):
    """Any open or closed line comes back with the same nodes, ends and vectors, the cell being made for it."""
    network = DislocationNetwork.from_polyline(np.array(points), np.array([0.1, -0.2, 0.3]), closed)
    path = tmp_path_factory.getbasetemp() / "any.data"
    write_data(path, network, 0.25)
    again = read_data(path, 0.25)
    np.testing.assert_allclose(again.nodes_nm, network.nodes_nm, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(again.pinned, network.pinned)
    assert again.lengths_nm.sum() == pytest.approx(network.lengths_nm.sum(), rel=1e-12)


LAB = "burgMag = 2.86e-10\nuseLabFrame = 1\nrotationMatrix =\n [\n {} ]\n"
LAB_X_111 = "0.57735 0.57735 0.57735\n -0.816497 0.408248 0.408248\n 0 -0.707107 0.707107\n"


@pytest.mark.parametrize(
    ("name", "text", "unit"),
    [
        ("tiny", "burgMag = 2.5e-10", 0.25),
        ("tiny.ctrl", "BURGMAG = 2.5e-10;\n", 0.25),
        ("tiny.ctrl", "burgmag = 2.5e-10 # m\nburgMag = 3e-10", 0.3),
        ("tiny", "a picture of 1e-10\n", None),
    ],
)
def test_control_files_as_paradis_writes_and_reads_them(tiny, name, text, unit):
    """Restarts have no suffix, keys have any case, the last of two counts; another file of that name says nothing."""
    path = tiny()
    path.with_name(name).write_text(text)
    assert burgers_unit_nm(path) == (unit if unit is None else pytest.approx(unit))


def test_a_file_without_suffix_that_is_no_text_is_no_control_file(tiny):
    """A program or an image may have that name."""
    path = tiny()
    path.with_name("tiny").write_bytes(b"\x7fELF\xff")
    assert burgers_unit_nm(path) is None


@pytest.mark.parametrize("metres", ["0.286", "2.86", "2.86e-11", "1.1e-9", "0", "-2.86e-10"])
def test_a_unit_that_is_no_burgers_vector_is_refused(tiny, metres):
    """burgMag in nm by mistake made specimens of 10^8 nm."""
    path = tiny()
    path.with_suffix(".ctrl").write_text(f"burgMag = {metres}\n")
    with pytest.raises(InputError, match=r"tiny\.ctrl, line 1: burgMag = .* in m, 1e-10 to 1e-9, allowed"):
        read_data(path)
    for call in (lambda: read_data(path.rename(path.with_name("b.data")), 286.0), lambda: write_data(path, None, 1e9)):  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"burgers_magnitude_nm`: .* 0\.1 to 1 nm, allowed"):
            call()


@pytest.mark.parametrize(
    "text",
    [
        LAB.format(LAB_X_111),
        LAB.format(LAB_X_111).replace("0.57735", "1.0").upper().replace("USELABFRAME", "useLabframe"),
        "useLabFrame = 1\nlabFrameXDir = [ 1 1 1 ]\nlabFrameYDir = [\n -2\n 1\n 1\n]\n",
    ],
)
def test_the_laboratory_frame(tiny, text):
    """Lab axes are the rows, of any length: what is [1 0 0] in the lab is along [1 1 1] of the crystal."""
    path = tiny()
    path.with_suffix(".ctrl").write_text(text)
    network = read_data(path, 0.286)
    assert network.crystal_from_network is not None
    np.testing.assert_allclose(network.crystal_from_network @ np.array([1, 0, 0]), np.full(3, 3**-0.5), atol=1e-5)
    path.with_suffix(".ctrl").write_text(text.replace("useLabFrame = 1", "useLabFrame = 0").replace("useLabframe", "x"))
    assert read_data(path, 0.286).crystal_from_network is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [("1 0 0 0 1 0 0 0 -1", "a rotation allowed"), ("1 0 0 1 1 0 0 0 1", "a rotation allowed"), ("1 0 0", "3 values")],
)
def test_a_frame_that_is_none_is_refused(tiny, rows, message):
    """Left-handed, oblique, or cut."""
    path = tiny()
    path.with_suffix(".ctrl").write_text(LAB.format(rows))
    with pytest.raises(InputError, match=rf"tiny\.ctrl, line \d: .*{message}"):
        read_data(path)


def test_the_laboratory_frame_is_written_and_read_again(tiny, tmp_path):
    """A network whose crystal is turned takes its control file along; one that says otherwise is not overwritten."""
    path = tiny()
    path.with_suffix(".ctrl").write_text(LAB.format(LAB_X_111))
    first = read_data(path)
    write_data(tmp_path / "again.data", first, 0.286)
    again = read_data(tmp_path / "again.data")
    assert first.crystal_from_network is not None
    assert again.crystal_from_network is not None
    np.testing.assert_allclose(again.crystal_from_network, first.crystal_from_network, atol=1e-12)
    np.testing.assert_allclose(again.burgers_nm, first.burgers_nm, rtol=1e-12)
    write_data(tmp_path / "again.data", first, 0.286)
    for other, unit in ((dataclasses.replace(first, crystal_from_network=None), 0.286), (first, 0.25)):
        with pytest.raises(InputError, match=r"again\.ctrl: another burgMag or orientation found than again\.data"):
            write_data(tmp_path / "again.data", other, unit)


def test_a_line_by_two_nodes_of_half_the_cell_each_is_refused(tmp_path):
    """llnl/ParaDiS issue 11: both arms became the same segment with opposite b, 200 nm of line without contrast."""
    b = [[0.3, 0, 0]] * 2
    box = [[-100] * 3, [100] * 3]
    nearly = DislocationNetwork([[1, 2, -50], [1, 2, 49.9]], [[0, 1], [1, 0]], b, box_nm=box)
    path = tmp_path / "x.data"
    write_data(path, nearly, 0.25)
    path.write_text(path.read_text().replace(f"{49.9 / 0.25:.16e}", f"{50 / 0.25:.16e}"))
    with pytest.raises(InputError, match=r"x\.data, line 27: node 0,0: arm to node 0,1 of half the cell found"):
        read_data(path, 0.25)


def test_an_arm_to_the_node_itself_is_refused(tiny):
    with pytest.raises(InputError, match="line 14: node 0,12: arm to itself found"):
        read_data(tiny("0,13  1.0", "0,12  1.0"), 0.25)


def test_a_flat_loop_gets_a_cell_that_is_large_against_it(tmp_path):
    """Read again as periodic, one in a cell of its own thickness, 0.5 nm, was a stack of loops without end."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = 10 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1) + [3, 4, 5]
    loop = DislocationNetwork.from_polyline(points, np.array([0, 0, 0.25]), closed=True)
    edge = write_data(tmp_path / "x.data", loop, 0.25)
    again = read_data(tmp_path / "x.data", 0.25)
    assert edge == pytest.approx(200)
    assert again.box_nm is not None
    np.testing.assert_allclose(np.diff(again.box_nm, axis=0), [[200, 200, 200]])
    np.testing.assert_allclose(again.box_nm.mean(axis=0), [3, 4, 5], atol=1e-9)
    assert write_data(tmp_path / "y.data", again, 0.25) is None
