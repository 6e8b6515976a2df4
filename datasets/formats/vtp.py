"""Networks and curves as VTK polygonal data (.vtp): what ParaView, PyVista and our own commands open.

docs/files.md lists the arrays. Numbers are stored as binary float64, so that they come back exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import named
from veristem.datasets.formats.vtk_xml import PolyData, read_polydata
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth

_KIND = "veristem_kind"


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
        if obj.crystal_from_network is not None:
            fields["crystal_from_network"] = obj.crystal_from_network
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
    data = read_polydata(path)
    kind = data.field.get(_KIND)
    with named(path):
        if isinstance(kind, str) and kind == "network":
            return _network(data)
        if kind is None and len(data.offsets) == 1:
            raise InputError("no lines found, polylines allowed; save curves or a network as lines")
        return _curves(data)


def _network(data: PolyData) -> DislocationNetwork:
    offsets, lines = _cells(data)
    if (np.diff(offsets) != 2).any():
        raise InputError("a line of more than two points found, segments of two points allowed in a network")
    if "burgers_nm" not in data.cell:
        raise InputError("no cell array burgers_nm found, one in a network allowed; write the file again")
    return DislocationNetwork(
        data.points,
        lines.reshape(-1, 2),
        data.cell["burgers_nm"],
        data.point.get("pinned"),  # type: ignore[arg-type]
        _field(data, "box_nm"),
        data.cell.get("plane_normal"),
        _field(data, "crystal_from_network"),
    )


def _curves(data: PolyData) -> CurveSet:
    offsets, lines = _cells(data)
    if len(lines) and not (lines.min() >= 0 and lines.max() < len(data.points)):
        raise InputError(f"points {lines.min()}..{lines.max()} found in the lines, 0..{len(data.points) - 1} allowed")
    sigma = data.point.get("sigma_nm", np.full(len(data.points), np.nan))
    parts = [lines[a:b] for a, b in pairwise(offsets)]
    return CurveSet(
        tuple(data.points[p] for p in parts),
        tuple(sigma[p] for p in parts),
        _field(data, "crystal_from_specimen"),
    )


def _cells(data: PolyData) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (M + 1,) and point indices of the lines."""
    offsets, lines = data.offsets, data.lines
    if lines.ndim > 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any() or offsets[-1] != len(lines):
        raise InputError("offsets of lines that do not rise to the number of their points found; write the file again")
    return offsets, lines


def _field(data: PolyData, name: str) -> np.ndarray | None:
    """An array of the whole file."""
    values = data.field.get(name)
    if isinstance(values, str):
        raise InputError(f"{name}: {values[:40]!r} found, numbers allowed")
    return values


def _to_vtk(values, name: str | None):
    from vtkmodules.util.numpy_support import numpy_to_vtk

    values = np.ascontiguousarray(values)
    array = numpy_to_vtk(values.astype(np.uint8) if values.dtype == bool else values, deep=True)
    if name:
        array.SetName(name)
    return array


def _write(path: str | Path, thing: DislocationNetwork | CurveSet | LineTruth) -> None:
    if isinstance(thing, LineTruth):
        write_vtp(path, thing.network, thing.per_segment())
    else:
        write_vtp(path, thing)


FORMAT = Format(".vtp", (DislocationNetwork, CurveSet), (DislocationNetwork, CurveSet, LineTruth), read_vtp, _write)
