"""A 4D scan on disk with its nominal calibration: read in blocks, never whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError

_BLOCK_BYTES = 32e6


@dataclass(frozen=True, eq=False)
class Scan4D:
    """Patterns of a pixelated detector, one a scan pixel.

    Parameters
    ----------
    path : str
        Where they lie, for messages.
    data : array-like
        (scan rows, scan columns, detector rows, detector columns), as zarr, h5py, dask or numpy hold it.
    pixel_nm : float or None
        Scan step [nm].
    energy_keV, convergence_rad : float or None
        Beam energy [keV] and convergence semi-angle [rad].
    nominal : dict
        What else the file says of specimen and beam, under the names of recipe keys.

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

    def __post_init__(self):
        shape = tuple(self.data.shape)
        if len(shape) != 4 or min(shape) < 1:
            raise InputError(
                f"{self.path}: axes of {' x '.join(map(str, shape)) or 'one number'} found, a scan of patterns with "
                "four axes allowed; give --scan-shape ROWS COLUMNS for frames in a row"
            )
        if np.dtype(self.data.dtype).kind not in "uif":
            raise InputError(f"{self.path}: values of type {self.data.dtype} found, numbers allowed")

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

    def read(self, row: int, columns: slice) -> np.ndarray:
        """Patterns (columns, detector rows, detector columns) of a part of a scan row, in the machine's byte order.

        Raises
        ------
        InputError
            Where the file cannot be read.
        """
        try:
            part = self.data[row, columns]
            part = np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "compute") else part)
        except (OSError, RuntimeError, ValueError) as error:  # of whatever library holds the data
            raise InputError(
                f"{self.path}: scan row {row} cannot be read ({' '.join(str(error).split())[:100]}); copy the file "
                "again"
            ) from None
        return np.ascontiguousarray(part, part.dtype.newbyteorder("="))

    def parts(self, every: int = 1) -> list[tuple[int, slice]]:
        """Rows, or every n-th of them, in parts of a size that memory bears and that files are chunked by."""
        chunks = getattr(self.data, "chunks", None)
        width = chunks[1] if chunks is not None else 0
        width = max(width) if isinstance(width, tuple) else int(width or 0)
        width = max(1, min(width or self.scan_shape[1], int(_BLOCK_BYTES / self.frame_bytes) or 1))
        starts = range(0, self.scan_shape[1], width)
        return [(row, slice(s, s + width)) for row in range(0, self.scan_shape[0], every) for s in starts]

    def each(self, work: Callable[[np.ndarray, int, slice], Any], every: int = 1, threads: int = 2) -> Iterator[int]:
        """Read once, call ``work`` (patterns, row, columns) on each part from any thread, and name each finished row.

        Raises
        ------
        InputError
            Where the file cannot be read.
        """
        from collections import deque
        from concurrent.futures import ThreadPoolExecutor

        def one(row: int, columns: slice) -> int:
            work(self.read(row, columns), row, columns)
            return row

        parts = iter(self.parts(every))
        with ThreadPoolExecutor(threads) as pool:
            waiting = deque(pool.submit(one, *part) for _, part in zip(range(2 * threads), parts))
            last = -1
            try:
                while waiting:
                    row = waiting.popleft().result()
                    if last not in (-1, row):
                        yield last
                    last = row
                    if (part := next(parts, None)) is not None:
                        waiting.append(pool.submit(one, *part))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            if last >= 0:
                yield last
