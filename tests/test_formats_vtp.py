"""Networks and curves in .vtp: exact, and quiet on damaged files."""

import numpy as np
import pytest
import pyvista as pv
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from veristem.datasets import CurveSet, DislocationNetwork, InputError
from veristem.datasets.formats import read_curves, read_network
from veristem.datasets.formats.vtp import read_vtp, write_vtp

_NUMBER = st.floats(-1e9, 1e9)
_SIGMA = st.floats(min_value=0, allow_infinity=False) | st.just(np.nan)


@st.composite
def networks(draw):
    count, segments = draw(st.integers(2, 6)), draw(st.integers(0, 6))
    return DislocationNetwork(
        draw(hnp.arrays(float, (count, 3), elements=_NUMBER)),
        draw(st.lists(st.permutations(range(count)).map(lambda p: p[:2]), min_size=segments, max_size=segments)),
        draw(hnp.arrays(float, (segments, 3), elements=_NUMBER)),
        draw(hnp.arrays(bool, count)),
        None,
        draw(st.none() | hnp.arrays(float, (segments, 3), elements=_NUMBER)),
    )


@st.composite
def curve_sets(draw):
    sizes = draw(st.lists(st.integers(2, 5), max_size=4))
    return CurveSet(
        tuple(draw(hnp.arrays(float, (n, 3), elements=_NUMBER)) for n in sizes),
        tuple(draw(hnp.arrays(float, n, elements=_SIGMA)) for n in sizes),
        draw(st.none() | hnp.arrays(float, (3, 3), elements=st.floats(-1, 1))),
    )


@settings(deadline=None, max_examples=50)
@given(networks())
def test_networks_come_back_exactly(tmp_path_factory, network):
    """Bit for bit: a truth written for people is the truth."""
    path = tmp_path_factory.getbasetemp() / "n.vtp"
    write_vtp(path, network)
    again = read_network(path)
    for field in ("nodes_nm", "segments", "burgers_nm", "pinned", "box_nm", "plane_normals"):
        np.testing.assert_array_equal(getattr(again, field), getattr(network, field))


@settings(deadline=None, max_examples=50)
@given(curve_sets())
def test_curves_come_back_exactly(tmp_path_factory, curves):
    """Bit for bit, NaN uncertainties and an empty set too."""
    path = tmp_path_factory.getbasetemp() / "c.vtp"
    write_vtp(path, curves)
    again = read_curves(path)
    assert len(again.curves_nm) == len(curves.curves_nm)
    for a, b in zip(again.curves_nm + again.sigma_nm, curves.curves_nm + curves.sigma_nm, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(again.crystal_from_specimen, curves.crystal_from_specimen)


def test_further_values_of_the_segments(tmp_path, network):
    """g.b and visibility stand in the file for ParaView, and a wrong length is refused."""
    write_vtp(tmp_path / "n.vtp", network, {"g_dot_b": np.arange(3.0), "visible": np.array([True, False, True])})
    arrays = pv.read(tmp_path / "n.vtp").cell_data
    assert set(arrays) == {"burgers_nm", "g_dot_b", "visible"}
    np.testing.assert_array_equal(arrays["visible"], [1, 0, 1])
    with pytest.raises(InputError, match="g_dot_b: 2 values found, one for each of the 3 lines"):
        write_vtp(tmp_path / "n.vtp", network, {"g_dot_b": np.zeros(2)})


def test_points_in_the_crystal_frame(tmp_path):
    """points_crystal_nm are the points turned by the rotation that stands beside them."""
    import pyvista

    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    write_vtp(tmp_path / "c.vtp", CurveSet(([[1, 0, 0], [2, 0, 5]],), crystal_from_specimen=turn))
    np.testing.assert_allclose(pyvista.read(tmp_path / "c.vtp").point_data["points_crystal_nm"], [[0, 1, 0], [0, 2, 5]])


def test_foreign_files(tmp_path, network):
    """Polylines of another program are curves, in ASCII and float32 too; without lines the file is refused."""
    import pyvista

    path = tmp_path / "foreign.vtp"
    points = np.array([[0, 0, 0], [1, 0, 0], [2, 1, 0]], np.float32)
    pyvista.PolyData(points, lines=[3, 0, 1, 2]).save(path, binary=False)
    curves = read_curves(path)
    np.testing.assert_array_equal(curves.curves_nm[0], points)
    assert np.isnan(curves.sigma_nm[0]).all()
    with pytest.raises(InputError, match="a network allowed"):
        read_network(path)
    pyvista.PolyData(points, verts=[1, 0]).save(path)
    with pytest.raises(InputError, match=r"foreign\.vtp: no lines found"):
        read_vtp(path)
    write_vtp(path, network)
    with pytest.raises(InputError, match="a network found"):
        read_curves(path)


@pytest.mark.parametrize("mode", ["ascii", "binary", "appended base64", "appended raw"])
@pytest.mark.parametrize("compressor", ["None", "ZLib", "LZMA"])
@pytest.mark.parametrize(("order", "header"), [("LittleEndian", 32), ("BigEndian", 64)])
def test_what_vtk_writes_is_read(tmp_path, network, mode, compressor, order, header):
    """Every way in which VTK's writer stores arrays, in one block or in many, gives what was written."""
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLPolyDataWriter

    path = tmp_path / "n.vtp"
    line = DislocationNetwork.from_polyline(np.random.default_rng(0).normal(size=(2000, 3)), np.array([0.1, 0.2, 0.3]))
    write_vtp(path, line)
    reader, writer = vtkXMLPolyDataReader(), vtkXMLPolyDataWriter()
    reader.SetFileName(str(path))
    reader.Update()
    writer.SetInputData(reader.GetOutput())
    writer.SetFileName(str(path))
    for call in (*mode.title().split(), *(f"Compressor{compressor}",) * 1, order):
        {
            "Ascii": writer.SetDataModeToAscii, "Binary": writer.SetDataModeToBinary,
            "Appended": writer.SetDataModeToAppended, "Base64": lambda: writer.SetEncodeAppendedData(1),
            "Raw": lambda: writer.SetEncodeAppendedData(0), "CompressorNone": writer.SetCompressorTypeToNone,
            "CompressorZLib": writer.SetCompressorTypeToZLib, "CompressorLZMA": writer.SetCompressorTypeToLZMA,
            "LittleEndian": writer.SetByteOrderToLittleEndian, "BigEndian": writer.SetByteOrderToBigEndian,
        }[call]()  # fmt: skip
    writer.SetHeaderTypeToUInt32() if header == 32 else writer.SetHeaderTypeToUInt64()
    writer.SetBlockSize(4096)
    writer.Write()
    again = read_network(path)
    np.testing.assert_allclose(again.nodes_nm, line.nodes_nm, rtol=0 if mode != "ascii" else 1e-6, atol=1e-9)
    np.testing.assert_allclose(again.burgers_nm, line.burgers_nm, rtol=1e-6)
    for field in ("segments", "pinned"):
        np.testing.assert_array_equal(getattr(again, field), getattr(line, field))


ARRAYS = (
    '<PointData></PointData><CellData></CellData><Points><DataArray type="Float64" NumberOfComponents="{width}" '
    'format="ascii">50 50 20 60 60 30 70 70 40</DataArray></Points><Lines><DataArray type="Int64" Name="connectivity" '
    'format="ascii">0 1 2</DataArray><DataArray type="Int64" Name="offsets" format="ascii">3</DataArray></Lines>'
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": "&#49;00000000000"}, "0 values found|9 values found, 100000000000 times 3"),
        ({"points": "+3"}, r"NumberOfPoints='\+3' of Piece found, a whole number"),
        ({"points": "&n;", "doctype": '<!DOCTYPE a [<!ENTITY n "100000000000">]>'}, "a document type found, none"),
        ({"lines": "&#57;99999999999"}, "array offsets: 1 values found, 999999999999 times 1"),
        ({"width": "-3"}, "NumberOfComponents='-3' of DataArray found"),
        ({"width": "&#50;000000000"}, "9 values found, 3 times 2000000000 allowed"),
        ({"encoding": "utf-16", "points": "100000000000"}, "9 values found"),
        ({"declared": "ISO-8859-1"}, "encoding ISO-8859-1 found, UTF-8 allowed"),
        (
            {"field": '<DataArray type="Float64" Name="box_nm" NumberOfTuples="&#49;0000000000">1 2</DataArray>'},
            "box_nm: 2",
        ),
        (
            {"field": '<DataArray type="Float64" Name="sigma_nm" format="binary">AAAAgP///38AAAAAAAAAAA==</DataArray>'},
            "array sigma_nm: fewer than .* bytes found; the file is cut short",
        ),
        (
            {"field": '<DataArray type="Float64" Name="sigma_nm" format="binary">AQAAAP///38AAAAAAAAAAA==</DataArray>'},
            "array sigma_nm: 2147483647 bytes promised",
        ),
        ({"field": '<DataArray type="Float64" Name="s" format="appended" offset="-1"/>'}, "offset='-1' of DataArray"),
        ({"field": '<DataArray type="Float64" Name="s" format="other"/>'}, "format 'other' found"),
        ({"field": "<a>" * 30}, "in 20 others"),
        ({"field": "<a/>" * 20000}, "over 10000 elements"),
    ],
)
def test_false_promises_are_refused(tmp_path, changes, message):
    """Each ended the process in VTK: it takes the memory before it looks for the numbers."""
    told = {"points": "3", "lines": "1", "width": "3", "doctype": "", "declared": "UTF-8", "field": ""} | changes
    text = (
        f'<?xml version="1.0" encoding="{told["declared"]}"?>{told["doctype"]}<VTKFile type="PolyData" '
        f'compressor="vtkZLibDataCompressor"><PolyData><FieldData>{told["field"]}</FieldData><Piece NumberOfPoints='
        f'"{told["points"]}" NumberOfLines="{told["lines"]}">{ARRAYS.format(width=told["width"])}'
        "</Piece></PolyData></VTKFile>"
    )
    path = tmp_path / "x.vtp"
    path.write_text(text, encoding=changes.get("encoding", "utf-8"))
    with pytest.raises(InputError, match=rf"x\.vtp: .*({message})") as caught:
        read_vtp(path)
    assert "\n" not in str(caught.value)


def test_damaged_files_give_one_line_and_a_quiet_stderr(tmp_path, network, capfd):
    """Cut, empty or other files, and a header that promises 10^12 points (on which VTK would end the process)."""
    path = tmp_path / "x.vtp"
    write_vtp(path, network)
    content = path.read_bytes()
    damaged = [content[: len(content) * k // 20] for k in range(20)]
    damaged += [b"solid stl", b"<VTKFile type='ImageData'/>"]
    damaged.append(content.replace(b'NumberOfPoints="4"', b'NumberOfPoints="9"'))
    for name in (b"NumberOfPoints", b"NumberOfLines", b"NumberOfTuples"):
        damaged.append(content.replace(name + b'="', name + b'="1000000000000'))
    for bad in damaged:
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"x\.vtp: ") as caught:
            read_vtp(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        read_vtp(tmp_path / "none.vtp")
    assert capfd.readouterr() == ("", "")


def test_nothing_half_written(tmp_path, network):
    """A missing folder or a full disk is one line; what stood there stays, and no temporary file is left."""
    with pytest.raises(InputError, match="No such file or directory; choose a folder"):
        write_vtp(tmp_path / "no/x.vtp", network)
    path = tmp_path / "x.vtp"
    path.write_bytes(b"before")
    with pytest.raises(InputError):
        write_vtp(path, network, {"bad": np.zeros(1)})
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["x.vtp"]
