"""Volumes as .mrc, what IMOD, tomviz, Chimera and ETSpy open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import named
from veristem.datasets.formats.mrc import read_volume_stack
from veristem.datasets.volume import Volume

_ANGSTROM = 0.1  # nm
_MOST_VOXELS = 2**30


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write a volume (Z, Y, X) as float32, its voxel and the corner of the first one in the header.

    Section 0 lies highest, on the side of the entrance face. The same data give the same bytes.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    import mrcfile

    with atomic_path(path) as temporary, mrcfile.new(temporary, overwrite=True) as file:
        file.set_data(volume.values)
        file.set_volume()
        file.voxel_size = volume.voxel_nm / _ANGSTROM
        header: Any = file.header
        for axis, corner in zip("xyz", volume.origin_nm / _ANGSTROM):
            header.origin[axis] = corner
        header.label[:] = b""  # the first one holds a date
        header.label[0] = b"VeriSTEM volume"
        header.nlabl = 1


def read_volume(path: str | Path) -> Volume:
    """A volume of real numbers whose voxels are cubes.

    Raises
    ------
    InputError
        For a file that is cut short or no MRC, a tilt series, or one that does not tell the size of its voxels.
    """
    path = Path(path)
    data, sides, origin = read_volume_stack(path)
    if data.size > _MOST_VOXELS:
        raise InputError(f"{path}: {data.size} voxels found, at most {_MOST_VOXELS} allowed; bin it")
    if sides is None:
        raise InputError(
            f"{path}: no size of a voxel found in its header, one allowed; set it, by alterheader of IMOD say"
        )
    if np.ptp(sides) > 0.01 * max(sides):
        raise InputError(
            f"{path}: voxels of {' x '.join(f'{s:g}' for s in sides)} nm found, cubes allowed; resample it"
        )
    with named(path):
        return Volume(np.array(data, np.float32), float(sides[0]), origin)


FORMAT = Format(".mrc", (Volume,), (Volume,), read_volume, write_volume)
