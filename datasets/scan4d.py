"""A 4D scan on disk with its nominal calibration: read in blocks, never whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError

_BLOCK_BYTES = 32e6
_FRAME_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Scan4D:
    """Patterns of a pixelated detector, one a scan pixel.

    Parameters
    ----------
    path : str
        Where they lie, for messages.
    data : array-like
        (scan rows, scan columns, detector rows, detector columns), as h5py, dask or numpy hold it.
    pixel_nm : float or None
        Scan step [nm].
    energy_keV, convergence_rad : float or None
        Beam energy [keV] and convergence semi-angle [rad].
    nominal : dict
        What else the file says of specimen and beam, under the names of recipe keys.
    notes : tuple of str
        What should be said of how the file was read.

    Raises
    ------
    InputError
        For another number of axes, an empty one, or values that are no counts or grey levels.
    """

    path: str
    data: Any
    pixel_nm: float | None = None
    energy_keV: float | None = None
    convergence_rad: float | None = None
    nominal: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        shape = tuple(self.data.shape)
        if len(shape) != 4 or min(shape) < 1:
            raise InputError(
                f"{self.path}: axes of {' x '.join(map(str, shape)) or 'one number'} found, a scan of patterns with "
                "four axes allowed; give `scan_shape`, rows and columns, for frames in a row"
            )
        if np.dtype(self.data.dtype).kind not in "uif":
            raise InputError(f"{self.path}: values of type {self.data.dtype} found, numbers allowed")
        if self.frame_bytes > _FRAME_BYTES:
            raise InputError(f"{self.path}: patterns of {shape[2]} x {shape[3]} found, at most 1 GiB each allowed")

    @property
    def scan_shape(self) -> tuple[int, int]:
        """Rows and columns of the scan."""
        return self.data.shape[0], self.data.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the detector."""
        return self.data.shape[2], self.data.shape[3]

    @property
    def frame_bytes(self) -> int:
        """Size of a pattern."""
        return int(np.prod(self.shape)) * np.dtype(self.data.dtype).itemsize

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Patterns (rows, columns, detector rows, detector columns) of a part, in the machine's byte order.

        Raises
        ------
        InputError
            Where the file cannot be read, or a value is not finite.
        """
        try:
            part = self.data[rows, columns]
            part = np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "compute") else part)
        except Exception as error:  # of whatever library holds the data
            raise InputError(
                f"{self.path}: scan row {rows.start} cannot be read ({' '.join(str(error).split())[:100]}); copy the "
                "file again"
            ) from None
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            row, column, y, x = np.argwhere(~np.isfinite(part))[0]
            raise InputError(
                f"{self.path}: {part[row, column, y, x]} found in the pattern of scan row {rows.start + row}, column "
                f"{columns.start + column}, at pixel X Y = {x} {y}; finite counts allowed: put the mean of its "
                "neighbours there"
            )
        return np.ascontiguousarray(part, part.dtype.newbyteorder("="))

    def parts(self) -> list[tuple[slice, slice]]:
        """The scan in parts of rows and columns: whole chunks of what is stored in chunks, else of 32 MB."""
        chunks, steps = getattr(self.data, "chunks", None), (1, max(1, int(_BLOCK_BYTES / self.frame_bytes)))
        if chunks is not None and not isinstance(chunks[0], tuple):  # those of dask cost nothing to divide
            steps = chunks[:2]
        rows, columns = (
            [slice(s, s + step) for s in range(0, size, step)] for size, step in zip(self.scan_shape, steps)
        )
        return [(row, column) for row in rows for column in columns]

    def each(self, work: Callable[[np.ndarray, int, slice], Any], every: int = 1, threads: int = 2) -> Iterator[int]:
        """Read every n-th row once, call ``work`` (patterns, row, columns) from any thread, and name finished rows.

        Raises
        ------
        InputError
            Where the file cannot be read.
        """
        from collections import deque
        from concurrent.futures import ThreadPoolExecutor

        def wanted(rows: slice) -> list[int]:
            return [row for row in range(rows.start, min(rows.stop, self.scan_shape[0])) if row % every == 0]

        def one(rows: slice, columns: slice) -> None:
            read = self.read(rows, columns)
            for row in wanted(rows):
                work(read[row - rows.start], row, columns)

        parts = [part for part in self.parts() if wanted(part[0])]
        with ThreadPoolExecutor(threads) as pool:
            waiting = deque((part[0], pool.submit(one, *part)) for part in parts[: 2 * threads])
            try:
                for ahead in range(2 * threads, len(parts) + 2 * threads):
                    if not waiting:
                        break
                    rows, job = waiting.popleft()
                    job.result()
                    if not (waiting and waiting[0][0] == rows):
                        yield from wanted(rows)
                    if ahead < len(parts):
                        waiting.append((parts[ahead][0], pool.submit(one, *parts[ahead])))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
