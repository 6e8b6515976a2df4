"""4D scans as HyperSpy's .zspy, which is zarr of format 2: JSON and one file a chunk; written so that nothing is lost.

Own lines read and write it, so that no file reaches what zarr can do beside: other codecs, links, chunks that are not
there or shorter than they should be [1]_.

References
----------
.. [1] Zarr storage specification version 2, https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.chunked import Chunked

_CODECS = ("blosc", "zlib", "gzip", "bz2", "lz4", "zstd")  # no pickle
_MOST = 2**30  # bytes of a chunk
_LONGEST = 1000  # values of a list in the metadata
_NOTE = "made-by.json"  # beside the data: the key of what made them
_SIGNAL = "Experiments/__unnamed__"
_BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 1, "shuffle": 2, "blocksize": 0}  # 2: of bits


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
        HyperSpy's: numbers, texts, lists of numbers, and tables of them.
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
        from numcodecs import get_codec

        self.path, self.partial = path, path.with_name(path.name + ".partial")
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.codec: Any = get_codec(_BLOSC)
        self.complete = _key(path) == key
        if self.complete:
            self.partial = path
        self.data = self.partial / _SIGNAL / "data"
        try:
            if not self.complete and _key(self.partial) != key:
                shutil.rmtree(self.partial, ignore_errors=True)
                signal = {"package": "veristem", "package_version": "", "metadata": metadata, "original_metadata": {}}
                signal |= {"learning_results": {}, "attributes": {"_lazy": False, "ragged": False}}
                signal |= {f"axis-{number}": axis for number, axis in enumerate(axes)}
                root = {"file_format": "ZSpy", "file_format_version": "3.3", "Experiments": {"__unnamed__": signal}}
                _put_group(self.partial, root)
                _put_array(self.data, shape, (1, min(columns, shape[1]), *shape[2:]), self.dtype, _BLOSC)
                _put_json(self.data / ".zattrs", {"signal_axes": [2, 3]})
                _put_json(self.partial / _NOTE, {"key": key})
            for left in self.partial.rglob("*.partial"):  # half a chunk of a run that was killed
                left.unlink()
            self.columns = json.loads((self.data / ".zarray").read_bytes())["chunks"][1]
        except OSError as error:
            raise self.failed(error) from None

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
        there = set(os.listdir(self.data))
        for row in range(self.shape[0]):
            for number, start in enumerate(range(0, self.shape[1], self.columns)):
                if f"{row}.{number}.0.0" not in there:
                    yield row, slice(start, min(start + self.columns, self.shape[1]))

    def write(self, row: int, columns: slice, counts: np.ndarray) -> None:
        """Write one chunk, counts (columns, detector rows, detector columns); from any thread."""
        whole = np.ascontiguousarray(counts, self.dtype)
        if len(whole) < self.columns:  # chunks at the edge are whole ones too
            whole = np.concatenate([whole, np.zeros((self.columns - len(whole), *whole.shape[1:]), self.dtype)])
        try:
            _put(self.data / f"{row}.{columns.start // self.columns}.0.0", self.codec.encode(whole))
        except OSError as error:
            raise self.failed(error) from None

    def finish(self) -> None:
        """Give the file its name; nothing has it before.

        Raises
        ------
        InputError
            When a chunk is missing, or the disk refuses.
        """
        if self.complete:
            return
        if (part := next(self.parts(), None)) is not None:
            raise InputError(f"{self.partial}: no counts of scan row {part[0]} found, all allowed; run the same again")
        try:
            tables = (p for p in self.partial.rglob(".z*") if p.name != ".zmetadata")
            every = {p.relative_to(self.partial).as_posix(): json.loads(p.read_bytes()) for p in sorted(tables)}
            _put_json(self.partial / ".zmetadata", {"metadata": every, "zarr_consolidated_format": 1})
            if self.path.is_dir():
                shutil.rmtree(self.path)
            os.replace(self.partial, self.path)
        except OSError as error:
            raise self.failed(error) from None


def _put(place: Path, content: bytes) -> None:
    """Write a file of which nobody sees half."""
    half = place.with_name(place.name + ".partial")
    half.write_bytes(content)
    os.replace(half, place)


def _put_json(place: Path, table: dict[str, Any]) -> None:
    _put(place, json.dumps(table, indent=1).encode())


def _put_group(folder: Path, table: dict[str, Any]) -> None:
    """A table as HyperSpy has it: tables in it are groups, lists are arrays, all else is an attribute."""
    folder.mkdir()
    _put_json(folder / ".zgroup", {"zarr_format": 2})
    attributes = {}
    for name, value in table.items():
        if isinstance(value, dict):
            _put_group(folder / name, value)
        elif isinstance(value, list):
            values = np.array(value)
            _put_array(folder / f"_list_{name}", values.shape, values.shape, values.dtype, None)
            _put(folder / f"_list_{name}" / "0", values.tobytes())
        else:
            attributes[name] = value
    _put_json(folder / ".zattrs", attributes)


def _put_array(folder: Path, shape: tuple, chunks: tuple, dtype: np.dtype, compressor: dict[str, Any] | None) -> None:
    """The description of an array, without its chunks."""
    folder.mkdir()
    about = {"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": dtype.str, "compressor": compressor}
    _put_json(folder / ".zarray", about | {"fill_value": 0, "order": "C", "filters": None})


def bytes_in(folder: Path) -> int:
    """Size of all files in a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _key(folder: Path) -> str | None:
    try:
        return json.loads((folder / _NOTE).read_text())["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_data(path: Path) -> tuple[Chunked, dict[str, Any]]:
    """The only array called ``data`` of a .zspy, a folder or a zip, whose chunks are all there; its axes and metadata.

    Raises
    ------
    InputError
        For what is no such file, code or links in it, or chunks that are missing.
    """
    try:
        sizes, read = _opened(path)
        found = [name for name in sizes if name.endswith("/data/.zarray") and name.count("/") == 3]
        found = [name.removesuffix("data/.zarray") for name in found if name.startswith("Experiments/")]
        if len(found) != 1:
            raise InputError(f"{path}: {len(found)} signals found, one allowed; save the scan alone")
        data = _array(path, read, f"{found[0]}data")
        _check_chunks(path, data, sizes)
        axes = [f"{found[0]}axis-{axis}/.zattrs" for axis in range(data.ndim)]
        signal = {"axes": [json.loads(read(name)) for name in axes if name in sizes]}
        return data, signal | {"metadata": _metadata(path, read, sorted(sizes), f"{found[0]}metadata/")}
    except InputError:
        raise
    except Exception as error:  # of whatever stands there instead of tables
        raise InputError(f"{path}: no readable .zspy found ({' '.join(str(error).split())[:100]})") from None


def _opened(path: Path) -> tuple[dict[str, int], Callable[[str], bytes]]:
    """Sizes of the files in a folder or zip, and what reads one of them."""
    sizes: dict[str, int] = {}
    if path.is_dir():
        for folder, folders, files in os.walk(path):
            for place in (Path(folder, name) for name in (*folders, *files)):
                name, status = place.relative_to(path).as_posix(), os.lstat(place)
                if stat.S_ISREG(status.st_mode):
                    sizes[name] = status.st_size
                elif not stat.S_ISDIR(status.st_mode):
                    raise InputError(f"{path}: {name} is a link or a device, folders and regular files allowed")
        read = lambda name: (path / name).read_bytes()  # noqa: E731
    elif zipfile.is_zipfile(path):
        file = zipfile.ZipFile(path)
        sizes, read = {one.filename: one.file_size for one in file.infolist()}, file.read
    else:
        raise InputError(f"{path}: no folder of chunks found, a .zspy allowed")
    if large := [name for name, size in sizes.items() if size > 2 * _MOST]:
        raise InputError(f"{path}: {large[0]}: {sizes[large[0]]} bytes found, at most 2 GiB allowed")
    return sizes, read


def _check_chunks(path: Path, data: Chunked, names: Collection[str]) -> None:
    """Raise InputError for chunks that are too large or missing."""
    if data.chunk_bytes > _MOST:
        raise InputError(f"{path}: chunks of {' x '.join(map(str, data.chunks))} found, at most 1 GiB allowed")
    count = math.prod(data.grid)
    wanted = np.ndindex(*data.grid) if count <= len(names) else ()
    missing = [index for index in wanted if data.file(index) not in names]
    if count > len(names) or missing:
        found = f"the first of scan row {missing[0][0] * data.chunks[0]}; " if missing else ""
        raise InputError(
            f"{path}: {max(len(missing), count - len(names))} of {count} chunks missing, {found}all allowed, as "
            "missing ones read as zeros; copy the file again"
        )


def _metadata(path: Path, read: Callable[[str], bytes], names: list[str], root: str) -> dict[str, Any]:
    """Attributes of the groups below one as tables in tables, with the short lists of numbers of our own."""
    metadata: dict[str, Any] = {}
    for name in (name for name in names if name.startswith(root)):
        *way, last = name.removeprefix(root).split("/")
        if last == ".zattrs":
            table = metadata
            for key in way:
                table = table.setdefault(key, {})
            table.update(json.loads(read(name)))
        elif last == ".zarray" and len(way) == 2 and way[0] == "VeriSTEM":
            values = _array(path, read, name.removesuffix("/.zarray"))
            if max(math.prod(values.shape), math.prod(values.chunks)) <= _LONGEST:
                key = way[1].removeprefix("_list_").removeprefix("_tuple_")
                metadata.setdefault("VeriSTEM", {})[key] = values[...].tolist()
    return metadata


def _array(path: Path, read: Callable[[str], bytes], name: str) -> Chunked:
    """An array by its description, if it is of numbers and needs no other program's code."""
    from numcodecs import get_codec

    where = f"{path}: {name}/.zarray"
    try:
        one = json.loads(read(f"{name}/.zarray"))
        filters, packed = [each["id"] for each in one["filters"] or ()], one["compressor"]
        codec = packed["id"] if packed else None
        if not filters and codec in (None, *_CODECS):
            shape, chunks = (tuple(int(n) for n in one[key]) for key in ("shape", "chunks"))
            dtype, order, separator = np.dtype(one["dtype"]), one["order"], one.get("dimension_separator", ".")
            as_said = len(shape) == len(chunks) and min(shape) >= 0 and min(chunks) > 0 and dtype.kind in "biuf"
            if as_said and order in ("C", "F") and separator in (".", "/"):
                unpack = get_codec(packed).decode if packed else bytes
                return Chunked(read, name, shape, chunks, dtype, order, separator, unpack)
            raise ValueError
    except Exception:  # JSON, NumPy and codecs raise anything on what they were not made for
        raise InputError(f"{where}: no description of an array of numbers found; copy the file again") from None
    if filters:
        raise InputError(f"{where}: codec {str(filters[0])[:40]!r} found as a filter, none allowed; save it again")
    raise InputError(f"{where}: codec {str(codec)[:40]!r} found, {', '.join(_CODECS)} allowed")
