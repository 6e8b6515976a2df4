"""HDF5 files opened in a process of its own: a damaged one can make the C library crash or run for ever.

Run as a program it answers requests, one a line of JSON on stdin, as long as that is open. It must not import the rest
of VeriSTEM, so that it starts fast.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import h5py
import numpy as np

_DEFLATE = 1100  # gzip shrinks no more than 1032 times, so a file cannot hold more than this times its size
_DENSE = 50  # counts and grey levels shrink less
_SMALL = 2**30  # bytes that any file may unpack to
_TEXT = 2**24  # letters


class Refused(Exception):
    """What is wrong with a file, after its path."""


def contents(path: str, data: bool) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Attributes and datasets of a file, and its numbers if asked for.

    Returns
    -------
    told : dict
        ``attributes`` of the root: values, or ``{"type": …}`` of what is neither numbers nor a text; names of
        ``groups``; ``datasets`` by name: ``shape``, ``type``, ``text`` if it is one, ``chunks`` and ``missing`` (number
        of chunks that are not stored), ``at`` (first byte of what lies in one piece and in numbers as numpy has them).
    arrays : list
        Of the datasets of numbers, in order.

    Raises
    ------
    Refused
        For a file that leads to other files, or promises more than it can hold.
    """
    size = _size(path)
    most = max(_SMALL, _DENSE * size)
    promised = 0
    told: dict[str, Any] = {"attributes": {}, "groups": [], "datasets": {}}
    arrays = []
    with h5py.File(path, "r") as file:
        links: list[tuple[str, Any]] = []
        file.visititems_links(lambda name, link: links.append((name, link)))
        for name, link in links:
            if not isinstance(link, h5py.HardLink):
                kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
                if data or kind == "an external" or _in_a_circle(file, name):
                    raise Refused(f"{name}: {kind} link found, the data themselves allowed; copy them into this file")
                continue
            item = file[name]
            for key in item.attrs:  # so that one that cannot be read shows here
                _attribute(item.attrs, key)
            if isinstance(item, h5py.Group):
                told["groups"].append(name)
            if isinstance(item, h5py.Dataset):
                told["datasets"][name] = _dataset(name, item)
                if item.shape is not None and item.nbytes > max(_DEFLATE * size, 0 if data else _SMALL):
                    raise Refused(f"{name}: shape {item.shape} found, more than the file can hold; it is damaged")
                if item.dtype.kind in "fiub" and item.shape is not None and data:
                    chunk = math.prod(item.chunks or ()) * item.dtype.itemsize
                    promised += math.prod(item.shape) * max(8, item.dtype.itemsize)  # most are kept as float64
                    if max(promised, chunk) > most:
                        raise Refused(f"{name}: shape {item.shape} found, more than the file can hold; it is damaged")
                    told["datasets"][name]["array"] = len(arrays)
                    arrays.append(np.asarray(item[()]))
        for key in file.attrs:
            told["attributes"][key] = _attribute(file.attrs, key)
    return told, arrays


def _in_a_circle(file: h5py.File, name: str) -> bool:
    """Whether a link leads to a group that it lies in: readers follow it until the stack ends."""
    try:
        target = file[name]
    except (KeyError, OSError, RuntimeError):  # it leads nowhere
        return False
    parts = name.split("/")[:-1]
    return any(file["/".join(parts[:k]) or "/"] == target for k in range(len(parts) + 1))


def _size(path: str) -> int:
    with open(path, "rb") as file:
        return file.seek(0, 2)


def _dataset(name: str, item: h5py.Dataset) -> dict[str, Any]:
    """What is said of a dataset before its numbers are read."""
    if item.is_virtual:
        raise Refused(f"{name}: a virtual dataset found, the data themselves allowed; copy them into this file")
    if item.external:
        raise Refused(f"{name}: data in another file found, the data themselves allowed; copy them into this file")
    if item.shape is None:
        return {"shape": [0], "type": "nothing"}
    one: dict[str, Any] = {
        "shape": item.shape,
        "type": item.dtype.str if item.dtype.kind in "fiub" else str(item.dtype),
    }
    if item.shape == () and h5py.check_string_dtype(item.dtype) is not None:
        one["text"] = item.asstr(errors="replace")[()]
        if len(one["text"]) > _TEXT:
            raise Refused(f"{name}: a text of {len(one['text'])} letters found, at most {_TEXT} allowed")
    if item.dtype.kind not in "fiub" or not item.size:
        return one
    if item.chunks is not None:
        one["chunks"] = item.chunks
        count = math.prod(-(-length // step) for length, step in zip(item.shape, item.chunks, strict=True))
        one["missing"] = count - item.id.get_num_chunks()
    elif item.id.get_offset() is not None and h5py.h5t.py_create(item.dtype).equal(item.id.get_type()):
        one["at"] = item.id.get_offset()
    elif not item.id.get_storage_size():
        one["missing"] = 1
    return one


def _attribute(attrs, key: str) -> Any:
    """A text, a number or a list; texts of fixed length and arrays of one value, as Matlab and C write, made plain."""
    value = attrs[key]
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "fiub" and value.size < 10**4:
        return value.tolist()
    return {"type": str(getattr(value, "dtype", type(value).__name__))}


def main() -> None:
    """Answer until stdin ends: a line of JSON, then the numbers as they lie in memory."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        request = json.loads(line)
        arrays = []
        try:
            told, arrays = contents(request["path"], request["data"])
        except Refused as error:
            told = {"refused": str(error)}
        except MemoryError:
            told = {"refused": "more than the memory holds found"}
        except Exception as error:  # h5py raises anything on damaged files
            told = {"damaged": str(error)[:200]}
        out.write(json.dumps(told).encode() + b"\n")
        for array in arrays:
            out.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        out.flush()


if __name__ == "__main__":
    main()
