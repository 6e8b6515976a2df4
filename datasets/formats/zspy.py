"""4D scans as HyperSpy's zarr files (.zspy), written chunk by chunk; what was written outlasts whatever stops it."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError

_CODECS = ("blosc", "zlib", "gzip", "bz2", "lz4", "zstd")  # no pickle
_OF_TEXTS = ("vlen-utf8", "vlen-bytes", "vlen-array")
_MOST = 2**30  # bytes in a chunk, or in an array beside the data
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


def open_data(path: Path) -> Any:
    """The only array called ``data`` of a .zspy, a folder or a zip, whose chunks are all there and of their size.

    Raises
    ------
    InputError
        For what is no such file, code or links in it, or chunks that are missing.
    """
    import zarr

    if path.is_dir():
        _check_folder(path)
        store: Any = zarr.DirectoryStore(str(path))
    elif zipfile.is_zipfile(path):
        store = zarr.ZipStore(str(path), mode="r")
    else:
        raise InputError(f"{path}: no folder of chunks found, a .zspy allowed")
    try:
        chunks = _check_arrays(path, store)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root: Any = zarr.open_group(store, mode="r")
            groups = [group for _, group in root["Experiments"].groups() if "data" in group]
        if len(groups) != 1:
            raise InputError(f"{path}: {len(groups)} signals found, one allowed; save the scan alone")
        data: Any = groups[0]["data"]
    except InputError:
        raise
    except Exception as error:  # zarr raises anything on damaged metadata
        raise InputError(f"{path}: no readable .zspy found ({' '.join(str(error).split())[:100]})") from None
    if data.filters:
        raise InputError(f"{path}: data with filters found, without allowed; save it again from HyperSpy")
    size = math.prod(data.chunks) * data.dtype.itemsize
    if size > _MOST:
        raise InputError(f"{path}: chunks of {' x '.join(map(str, data.chunks))} found, at most 1 GiB allowed")
    count = math.prod(data.cdata_shape)
    wanted = np.ndindex(*data.cdata_shape) if count <= chunks else ()
    missing = [index for index in wanted if not chunk_exists(data, index)]
    if count > chunks or missing:
        found = f"the first of scan row {missing[0][0] * data.chunks[0]}; " if missing else ""
        raise InputError(
            f"{path}: {max(len(missing), count - chunks)} of {count} chunks missing, {found}all allowed, as missing "
            "ones read as zeros; copy the file again"
        )
    if data.compressor is not None:
        data._compressor = _exact(data.compressor, size)
    return data


def _check_folder(path: Path) -> None:
    """Raise InputError for anything in a folder but folders and regular files."""
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(folder, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                inside = os.path.relpath(os.path.join(folder, name), path)
                raise InputError(f"{path}: {inside} is a link or a device, folders and regular files allowed")


def _check_arrays(path: Path, store) -> int:
    """Raise InputError for arrays that promise too much or need another program's code; returns the number of files."""
    count = 0
    for key in store:
        count += 1
        if not key.endswith(".zarray"):
            continue
        try:
            one = json.loads(store[key])
            filters = [each["id"] for each in one["filters"] or ()]
            compressor = one["compressor"]["id"] if one["compressor"] else None
            shape = [int(n) for n in one["shape"]]
        except (ValueError, KeyError, TypeError, RecursionError, UnicodeDecodeError):
            raise InputError(f"{path}: {key}: no description of an array found; copy the file again") from None
        for codec, allowed in ((compressor, _CODECS), *((each, _OF_TEXTS) for each in filters)):
            if codec not in (None, *allowed):
                raise InputError(f"{path}: {key}: codec {str(codec)[:40]!r} found, {', '.join(allowed)} allowed")
        if not key.endswith("/data/.zarray") and math.prod(shape) * 8 > _MOST:
            raise InputError(f"{path}: {key}: shape {shape} found, at most 1 GiB beside the data allowed")
    return count


def _exact(inner, size: int) -> Any:
    """A codec whose chunks have so many bytes: zarr leaves what a smaller one does not fill as it was in memory."""
    from numcodecs.abc import Codec
    from numcodecs.compat import ensure_contiguous_ndarray, ndarray_copy

    class Exact(Codec):
        codec_id = "veristem-exact"

        def encode(self, buf):
            raise TypeError("a codec for reading alone")

        def decode(self, buf, out=None):
            found = ensure_contiguous_ndarray(inner.decode(buf))
            if found.nbytes != size:
                raise ValueError(f"{found.nbytes} bytes in a chunk of {size} found")
            return found if out is None else ndarray_copy(found, out)

    return Exact()
