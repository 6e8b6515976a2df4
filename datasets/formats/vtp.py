"""Networks and curves as VTK polygonal data (.vtp): what ParaView, PyVista and our own commands open.

docs/files.md lists the arrays. Numbers are stored as binary float64, so that they come back exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth

_KIND = "veristem_kind"
_DEFLATE = 1100  # zlib shrinks no more than 1032 times, so a file cannot hold more than this times its size


def write_vtp(
    path: str | Path, obj: DislocationNetwork | CurveSet, cell_data: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write a network (one line cell a segment) or curves (one polyline each).

    Parameters
    ----------
    path : str or Path
        Ends in .vtp.
    obj : DislocationNetwork or CurveSet
        What to write.
    cell_data : mapping of str to (M, ...) array, optional
        Further values of each segment or curve, say g_dot_b or visible.

    Raises
    ------
    InputError
        For an array of another length, or a file that cannot be written.
    """
    from vtkmodules.vtkCommonCore import vtkPoints, vtkStringArray
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkIOXML import vtkXMLPolyDataWriter

    cells = dict(cell_data or {})
    points_of, fields = {}, {}
    if isinstance(obj, DislocationNetwork):
        points, lines = obj.nodes_nm, obj.segments.ravel()
        offsets = 2 * np.arange(len(obj.segments) + 1)
        cells["burgers_nm"] = obj.burgers_nm
        if obj.plane_normals is not None:
            cells["plane_normal"] = obj.plane_normals
        points_of["pinned"] = obj.pinned.astype(np.uint8)
        if obj.box_nm is not None:
            fields["box_nm"] = obj.box_nm
    else:
        points = np.concatenate([np.zeros((0, 3)), *obj.curves_nm])
        lines = np.arange(len(points))
        offsets = np.cumsum([0, *(len(c) for c in obj.curves_nm)])
        points_of["sigma_nm"] = np.concatenate([np.zeros(0), *obj.sigma_nm])
        if obj.crystal_from_specimen is not None:
            points_of["points_crystal_nm"] = points @ obj.crystal_from_specimen.T
            fields["crystal_from_specimen"] = obj.crystal_from_specimen
    for name, values in cells.items():
        if len(values) != len(offsets) - 1:
            raise InputError(
                f"{name}: {len(values)} values found, one for each of the {len(offsets) - 1} lines allowed"
            )

    data = vtkPolyData()
    vtk_points = vtkPoints()
    vtk_points.SetData(_to_vtk(points, None))
    data.SetPoints(vtk_points)
    vtk_lines = vtkCellArray()
    vtk_lines.SetData(_to_vtk(offsets.astype(np.int64), None), _to_vtk(lines.astype(np.int64), None))
    data.SetLines(vtk_lines)
    for target, arrays in (
        (data.GetCellData(), cells),
        (data.GetPointData(), points_of),
        (data.GetFieldData(), fields),
    ):
        for name, values in arrays.items():
            target.AddArray(_to_vtk(values, name))
    kind = vtkStringArray()
    kind.SetName(_KIND)
    kind.InsertNextValue("network" if isinstance(obj, DislocationNetwork) else "curves")
    data.GetFieldData().AddArray(kind)
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(data)
    writer.SetWriteToOutputString(True)
    writer.Write()
    with atomic_path(path) as temporary:
        temporary.write_text(writer.GetOutputString(), encoding="utf-8")


def read_vtp(path: str | Path) -> DislocationNetwork | CurveSet:
    """A network or curves; the polylines of a .vtp from elsewhere are curves.

    Raises
    ------
    InputError
        For a file that is no .vtp, is cut short, or holds no lines; or on a wrong array.
    """
    data = _load(path)
    kind = data.GetFieldData().GetAbstractArray(_KIND)
    kind = kind.GetValue(0) if kind is not None and kind.GetNumberOfValues() else None
    try:
        if kind == "network":
            return _network(data)
        if kind is None and not data.GetNumberOfLines():
            raise InputError("no lines found, polylines allowed; save curves or a network as lines")
        return _curves(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _network(data) -> DislocationNetwork:
    offsets, lines = _cells(data)
    if (np.diff(offsets) != 2).any():
        raise InputError("a line of more than two points found, segments of two points allowed in a network")
    burgers = _array(data.GetCellData(), "burgers_nm")
    if burgers is None:
        raise InputError("no cell array burgers_nm found, one in a network allowed; write the file again")
    pinned = _array(data.GetPointData(), "pinned")
    return DislocationNetwork(
        _points(data),
        lines.reshape(-1, 2),
        burgers,
        pinned,  # type: ignore[arg-type]
        _array(data.GetFieldData(), "box_nm"),
        _array(data.GetCellData(), "plane_normal"),
    )


def _curves(data) -> CurveSet:
    offsets, lines = _cells(data)
    points = _points(data)
    if len(lines) and not (lines.min() >= 0 and lines.max() < len(points)):
        raise InputError(f"point {lines.max()} found in a line, 0..{len(points) - 1} allowed")
    sigma = _array(data.GetPointData(), "sigma_nm")
    if sigma is None:
        sigma = np.full(len(points), np.nan)
    parts = [lines[a:b] for a, b in pairwise(offsets)]
    return CurveSet(
        tuple(points[p] for p in parts),
        tuple(sigma[p] for p in parts),
        _array(data.GetFieldData(), "crystal_from_specimen"),
    )


def _cells(data) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (M + 1,) and point indices of the lines."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    cells = data.GetLines()
    offsets = vtk_to_numpy(cells.GetOffsetsArray()).astype(np.int64)
    lines = vtk_to_numpy(cells.GetConnectivityArray()).astype(np.int64)
    if not len(offsets):
        offsets = np.zeros(1, np.int64)
    if offsets[0] != 0 or (np.diff(offsets) < 0).any() or offsets[-1] != len(lines):
        raise InputError("offsets of lines that do not rise to the number of their points found; write the file again")
    return offsets, lines


def _points(data) -> np.ndarray:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    points = data.GetPoints()
    return np.zeros((0, 3)) if points is None else vtk_to_numpy(points.GetData()).astype(np.float64)


def _array(attributes, name: str) -> np.ndarray | None:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    array = attributes.GetArray(name)
    return None if array is None else vtk_to_numpy(array).copy()


def _to_vtk(values, name: str | None):
    from vtkmodules.util.numpy_support import numpy_to_vtk

    values = np.ascontiguousarray(values)
    array = numpy_to_vtk(values.astype(np.uint8) if values.dtype == bool else values, deep=True)
    if name:
        array.SetName(name)
    return array


def _load(path: str | Path):
    """The polygonal data of a file."""
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a .vtp file that can be read") from None
    # VTK sets memory aside for what the header promises and ends the process when it gets none
    for name, number in re.findall(rb'\b(NumberOf\w+)\s*=\s*["\']\s*(\d+)', content):
        if int(number[:20]) > _DEFLATE * len(content):
            raise InputError(
                f"{path}: {name.decode()} = {number[:20].decode()} found, more than {len(content)} bytes can hold; "
                "the file is damaged, write it again"
            )
    with _quiet() as failed:
        reader = vtkXMLPolyDataReader()
        reader.SetFileName(str(path))
        reader.Update()
        if reader.GetErrorCode() or failed():
            raise InputError(
                f"{path}: no whole VTK polygonal data found, a .vtp file allowed; it is cut short or of another kind"
            )
        return reader.GetOutput()


@contextmanager
def _quiet() -> Iterator:
    """Within the block VTK writes nothing to stderr; the yielded function tells whether it had an error to report."""
    from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

    window, before, level = (
        vtkStringOutputWindow(),
        vtkOutputWindow.GetInstance(),
        vtkLogger.GetCurrentVerbosityCutoff(),
    )

    vtkOutputWindow.SetInstance(window)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield lambda: "ERROR" in window.GetOutput()
    finally:
        vtkLogger.SetStderrVerbosity(level)
        vtkOutputWindow.SetInstance(before)


def _write(path: str | Path, thing: DislocationNetwork | CurveSet | LineTruth) -> None:
    if isinstance(thing, LineTruth):
        write_vtp(path, thing.network, thing.per_segment())
    else:
        write_vtp(path, thing)


FORMAT = Format(".vtp", (DislocationNetwork, CurveSet), (DislocationNetwork, CurveSet, LineTruth), read_vtp, _write)
