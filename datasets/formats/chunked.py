"""Arrays in chunks, one a file, as zarr of format 2 has them: read in parts, by any thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Chunked:
    """An array on disk, read by integers and slices as one of NumPy is; every chunk must have its full size.

    Parameters
    ----------
    read : callable
        Content of a file by its name.
    name : str
        Of the array's folder.
    shape, chunks : tuple of int
        Of the array, and of each chunk.
    dtype : numpy.dtype
        Of the values.
    order, separator : str
        Of the axes in a chunk, "C" or "F", and between the numbers in its name.
    unpack : callable
        The bytes of a chunk from the content of its file.
    """

    read: Callable[[str], bytes]
    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    order: Any
    separator: str
    unpack: Callable[[bytes], Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(-(-n // size) for n, size in zip(self.shape, self.chunks))

    @property
    def chunk_bytes(self) -> int:
        """Size of a chunk in memory."""
        return math.prod(self.chunks) * self.dtype.itemsize

    def file(self, index: tuple[int, ...]) -> str:
        """Name of the file of a chunk."""
        return f"{self.name}/{self.separator.join(map(str, index))}"

    def chunk(self, index: tuple[int, ...]) -> np.ndarray:
        """A whole chunk, read-only.

        Raises
        ------
        ValueError
            When it has another size.
        """
        found = np.frombuffer(self.unpack(self.read(self.file(index))), np.uint8)
        if len(found) != self.chunk_bytes:
            raise ValueError(f"{len(found)} bytes in a chunk of {self.chunk_bytes} found")
        return found.view(self.dtype).reshape(self.chunks, order=self.order)

    def __getitem__(self, part: Any) -> np.ndarray:
        """Values of integers and slices of positive steps, copied from whatever chunks they lie in.

        Raises
        ------
        IndexError
            For a place that is not there, or a negative step.
        """
        part = part if isinstance(part, tuple) else (part,)
        if ... in part:
            at = part.index(...)
            part = (*part[:at], *[slice(None)] * (self.ndim + 1 - len(part)), *part[at + 1 :])
        part = (*part, *[slice(None)] * (self.ndim - len(part)))
        asked = [range(n)[one] for n, one in zip(self.shape, part, strict=True)]
        ranges = [one if isinstance(one, range) else range(one, one + 1) for one in asked]
        if min(one.step for one in ranges) < 0:
            raise IndexError("slices backwards cannot be read")
        values = np.empty([len(one) for one in ranges], self.dtype)
        touched = [range(one[0] // size, one[-1] // size + 1) if one else () for one, size in zip(ranges, self.chunks)]
        for index in product(*touched):
            there, here = zip(*map(_overlap, ranges, index, self.chunks))
            if values[there].size:
                values[there] = self.chunk(index)[here]
        return values.reshape([len(one) for one in asked if isinstance(one, range)])


def _overlap(asked: range, number: int, size: int) -> tuple[slice, slice]:
    """Where the values asked for of a chunk, of so many along an axis, stand among all that are asked, and in it."""
    step, offset = asked.step, asked.start - number * size
    first = max(0, -(offset // step))
    stop = min(len(asked), -((offset - size) // step))
    return slice(first, stop), slice(offset + first * step, offset + (stop - 1) * step + 1, step)
