"""Frames of a detector as a scan: frames in a row put into rows, and axes of length one left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError


class Rows:
    """Frames (N, rows, columns) in the order of the scan, as (scan rows, scan columns, rows, columns), read when asked.

    Parameters
    ----------
    frames : array-like
        As h5py, dask or numpy hold it.
    scan_shape : (int, int)
        Rows and columns of the scan.
    first, between : int
        Frames before the first row, and after each row.
    """

    chunks = None

    def __init__(self, frames: Any, scan_shape: tuple[int, int], first: int, between: int):
        self.frames, self.first, self.step = frames, first, scan_shape[1] + between
        self.shape = (*scan_shape, *frames.shape[1:])
        self.dtype = frames.dtype

    def __getitem__(self, part) -> np.ndarray:
        """Frames of slices of rows and columns."""
        rows, columns = (range(*s.indices(n)) for s, n in zip(part, self.shape, strict=False))
        starts = [self.first + row * self.step for row in rows]
        read = [self.frames[start + columns.start : start + columns.stop] for start in starts]
        return np.stack(
            [np.asarray(one.compute(scheduler="synchronous") if hasattr(one, "compute") else one) for one in read]
        )


class WithoutOnes:
    """An array on disk without some axes of length one."""

    def __init__(self, data: Any, dropped: set[int]):
        self.data, self.dropped = data, dropped
        self.shape = self._kept(data.shape)
        self.dtype = data.dtype
        self.chunks = None if data.chunks is None else self._kept(data.chunks)

    def _kept(self, values) -> tuple:
        return tuple(value for axis, value in enumerate(values) if axis not in self.dropped)

    def __getitem__(self, part) -> Any:
        """A part, by slices of the first axes."""
        parts = iter(part if isinstance(part, tuple) else (part,))
        return self.data[
            tuple(0 if axis in self.dropped else next(parts, slice(None)) for axis in range(self.data.ndim))
        ]


def without_ones(data: Any, axes: int) -> Any:
    """The array with so many axes, if there are enough of length one; those nearest to the detector go first."""
    dropped: set[int] = set()
    for axis in (*range(len(data.shape) - 3, -1, -1), len(data.shape) - 1, len(data.shape) - 2):
        if len(data.shape) - len(dropped) > axes and data.shape[axis] == 1:
            dropped.add(axis)
    if not dropped:
        return data
    if hasattr(data, "reshape"):
        return data.reshape([n for axis, n in enumerate(data.shape) if axis not in dropped])
    return WithoutOnes(data, dropped)


def in_rows(path, data: Any, scan_shape: tuple[int, int], first: int = 0, last: int = 0, between: int = 0) -> Any:
    """Frames in a row, or a scan of another shape, as a scan of that shape.

    Parameters
    ----------
    path : str or Path
        For messages.
    data : array-like
        (…, rows, columns).
    scan_shape : (int, int)
        Rows and columns of the scan.
    first, last, between : int
        Frames to leave out before the first row, after the last, and after each row; those after the last row need not
        be there.

    Raises
    ------
    InputError
        When the number of frames does not go with that.
    """
    frames = math.prod(data.shape[:-2])
    rows, columns = scan_shape
    wanted = first + rows * (columns + between) + last
    if frames not in (wanted, wanted - between):
        left_out = f" and {wanted - rows * columns} left out" if wanted > rows * columns else ""
        extra, rest = divmod(frames - first - last, rows)
        hint = "give the shape that was scanned"
        if frames > wanted:
            hint = "`skip_first`, `skip_last` and `skip_per_row` leave frames out"
        if not rest and extra > columns and not between:
            hint = f"`skip_per_row` = {extra - columns} leaves out what flies back"
        raise InputError(f"{path}: {frames} patterns found, {rows} x {columns}{left_out} = {wanted} allowed; {hint}")
    if tuple(data.shape[:-2]) == tuple(scan_shape):
        return data
    if hasattr(data, "reshape"):
        data = data.reshape((frames, *data.shape[-2:]))
    if len(data.shape) != 3:
        raise InputError(
            f"{path}: a scan of {' x '.join(map(str, data.shape[:-2]))} found, no other shape allowed; leave out "
            "`scan_shape`"
        )
    return Rows(data, scan_shape, first, between)
