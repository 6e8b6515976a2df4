"""4D scans as HyperSpy's zarr files (.zspy), written chunk by chunk; what was written outlasts whatever stops it."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError

_NOTE = "made-by.json"  # beside the data: the key of what made them
_SIGNAL = {
    "original_metadata": {},
    "attributes": {"_lazy": False, "ragged": False},
    "learning_results": {},
    "models": {},
    "package_info": {"package": "veristem", "package_version": ""},
    "tmp_parameters": {},
}


class ScanWriter:
    """A file NAME.partial that becomes NAME when all chunks are in it, each of a part of one row of the scan.

    Parameters
    ----------
    path : Path
        Where the finished scan will stand.
    shape : (4,) int
        Rows and columns of the scan, rows and columns of the detector.
    dtype : numpy.dtype
        Of the counts.
    axes : list of dict
        Of the scan's y and x and of the detector's, as rosettasciio takes them.
    metadata : dict
        HyperSpy's.
    key : str
        Of what makes the counts: chunks that stand there under another key are discarded, a whole scan under this one
        is left as it is.
    columns : int
        Scan pixels of a chunk.

    Raises
    ------
    InputError
        For a folder that cannot be written.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int, int],
        dtype: np.dtype,
        axes: list[dict[str, Any]],
        metadata: dict[str, Any],
        key: str,
        columns: int = 64,
    ):
        from numcodecs import Blosc
        from rsciio.zspy import file_writer

        self.path, self.partial = path, path.with_name(path.name + ".partial")
        self.columns = min(columns, shape[1])
        self.complete = _key(path) == key
        compressor = Blosc(cname="lz4", clevel=1, shuffle=Blosc.BITSHUFFLE)
        try:
            if self.complete:
                self.partial = path
            elif _key(self.partial) != key:
                shutil.rmtree(self.partial, ignore_errors=True)
                signal = {"data": None, "axes": axes, "metadata": metadata, **_SIGNAL}
                with warnings.catch_warnings():  # of a store that only the next version of zarr will do without
                    warnings.simplefilter("ignore", FutureWarning)
                    file_writer(str(self.partial), signal, write_dataset=False, consolidate=False)
                group = self._group()
                group.create_dataset(
                    "data",
                    shape=shape,
                    chunks=(1, self.columns, *shape[2:]),
                    dtype=dtype,
                    compressor=compressor,
                    fill_value=0,
                )
                group["data"].attrs["signal_axes"] = [2, 3]
                note = self.partial / (_NOTE + ".new")
                note.write_text(json.dumps({"key": key}))
                os.replace(note, self.partial / _NOTE)
            for left in self.partial.rglob("*.partial"):  # half a chunk of a run that was killed
                left.unlink()
            self.data: Any = self._group()["data"]
        except OSError as error:
            raise self.failed(error) from None

    def _group(self) -> Any:
        import zarr

        experiments: Any = zarr.open_group(str(self.partial), mode="a")["Experiments"]
        ((_, group),) = experiments.groups()
        return group

    def failed(self, error: OSError) -> InputError:
        """What to say when the disk refuses."""
        reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
        return InputError(
            f"{self.path}: {reason}; finished chunks are kept in {self.partial.name}: make space and run the same "
            "command again"
        )

    def parts(self) -> Iterator[tuple[int, slice]]:
        """Row and columns of every chunk that is not there yet."""
        if self.complete:
            return
        rows, columns = map(int, self.data.shape[:2])
        for row in range(rows):
            for number, start in enumerate(range(0, columns, self.columns)):
                if not chunk_exists(self.data, (row, number, 0, 0)):
                    yield row, slice(start, min(start + self.columns, columns))

    def write(self, row: int, columns: slice, counts: np.ndarray) -> None:
        """Write one chunk, counts (columns, detector rows, detector columns); from any thread."""
        try:
            self.data[row, columns] = counts
        except OSError as error:
            raise self.failed(error) from None

    def finish(self) -> None:
        """Give the file its name; nothing has it before.

        Raises
        ------
        InputError
            When a chunk is missing, or the disk refuses.
        """
        import zarr

        if self.complete:
            return
        if (part := next(self.parts(), None)) is not None:
            raise InputError(f"{self.partial}: no counts of scan row {part[0]} found, all allowed; run the same again")
        try:
            zarr.consolidate_metadata(zarr.DirectoryStore(str(self.partial)))
            if self.path.is_dir():
                shutil.rmtree(self.path)
            os.replace(self.partial, self.path)
        except OSError as error:
            raise self.failed(error) from None


def bytes_in(folder: Path) -> int:
    """Size of all files in a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _key(folder: Path) -> str | None:
    try:
        return json.loads((folder / _NOTE).read_text())["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def chunk_exists(data, index: tuple[int, ...]) -> bool:
    """Whether a chunk of a zarr array is stored; one that is not reads as zeros."""
    return data._chunk_key(index) in data.chunk_store
