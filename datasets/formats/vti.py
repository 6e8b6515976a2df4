"""Volumes as VTK image data (.vti): what ParaView, PyVista and 3D Slicer open."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import named
from veristem.datasets.formats.vtk_xml import read_imagedata
from veristem.datasets.volume import Volume

_NAME = "value"


def write_vti(path: str | Path, volume: Volume) -> None:
    """Write a volume as a grid of points, the middles of its voxels, with float32 values.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

    data = vtkImageData()
    data.SetDimensions(*volume.values.shape[::-1])
    data.SetSpacing(*[volume.voxel_nm] * 3)
    data.SetOrigin(*(volume.origin_nm + volume.voxel_nm / 2))
    values = numpy_to_vtk(volume.values.ravel(), deep=False)
    values.SetName(_NAME)
    data.GetPointData().SetScalars(values)
    writer = vtkXMLImageDataWriter()
    writer.SetInputData(data)
    with atomic_path(path) as temporary:
        writer.SetFileName(str(temporary))
        if not writer.Write():
            raise OSError("cannot be written")


def read_vti(path: str | Path) -> Volume:
    """A grid with one array of numbers, of its points or of its cells.

    Raises
    ------
    InputError
        For a file that is no .vti or cut short, voxels that are no cubes, or not one array of single numbers.
    """
    data = read_imagedata(path)
    spacing, of_points = data.spacing, bool(data.point)
    arrays = data.point or data.cell
    with named(path):
        if len(arrays) != 1 and _NAME not in arrays:
            raise InputError(f"{len(arrays)} arrays found, one, or one named {_NAME}, allowed")
        values = arrays[_NAME] if _NAME in arrays else next(iter(arrays.values()))
        if values.ndim != 1:
            raise InputError(f"{values.shape[1]} numbers a voxel found, one allowed")
        if np.ptp(spacing) > 0.01 * np.abs(spacing).max():
            raise InputError(f"voxels of {' x '.join(f'{s:g}' for s in spacing)} nm found, cubes allowed; resample it")
        shape = tuple(n - (not of_points) for n in data.points[::-1])
        return Volume(values.reshape(shape), float(spacing[0]), data.origin - of_points * spacing[0] / 2)


FORMAT = Format(".vti", (Volume,), (Volume,), read_vti, write_vti)
