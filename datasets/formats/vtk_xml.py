"""Lines, grids and arrays of VTK's XML files (.vtp, .vti), decoded here.

VTK's own reader sets memory aside for what a file promises, in attributes and in the headers of its blocks, and ends
the process when it gets none. Here nothing is believed before the bytes are there. Source: the VTK file formats, in
the VTK user's guide: arrays as text, as base64 within their element or after the underscore of AppendedData, or there
as bare bytes; each begins with its size, or with the number and sizes of its compressed blocks.
"""

from __future__ import annotations

import base64
import binascii
import lzma
import re
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.regular import regular_file

_MOST_BYTES = 2**28  # of a file
_MOST_UNPACKED = 2**30  # of its arrays together
_MOST_ELEMENTS = 10_000
_TYPES = {
    "Int8": "i1", "UInt8": "u1", "Int16": "i2", "UInt16": "u2", "Int32": "i4", "UInt32": "u4", "Int64": "i8",
    "UInt64": "u8", "Float32": "f4", "Float64": "f8",
}  # fmt: skip
_COMPRESSORS = ("", "vtkZLibDataCompressor", "vtkLZMADataCompressor")
_ORDERS = {"LittleEndian": "<", "BigEndian": ">"}
_APPENDED = re.compile(rb"<AppendedData\b[^<>]*>")


class _Fault(Exception):
    """What is wrong with a file, without its name."""


@dataclass
class PolyData:
    """Points (N, 3), and lines by offsets (M + 1,) into the indices of their points; named arrays of each.

    ``field`` holds what belongs to the whole, texts as str.
    """

    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    lines: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    point: dict[str, np.ndarray] = field(default_factory=dict)
    cell: dict[str, np.ndarray] = field(default_factory=dict)
    field: dict[str, np.ndarray | str] = field(default_factory=dict)


@dataclass
class ImageData:
    """A grid: points along x, y and z, the first of them and their distances; named arrays of points and of cells."""

    points: tuple[int, int, int]
    origin: np.ndarray
    spacing: np.ndarray
    point: dict[str, np.ndarray] = field(default_factory=dict)
    cell: dict[str, np.ndarray] = field(default_factory=dict)


def read_polydata(path: str | Path) -> PolyData:
    """The polygonal data of a file of one piece.

    Raises
    ------
    InputError
        For what is no such file, is cut short, or contradicts itself.
    """
    return _read(path, "PolyData", lambda reader: reader.data())


def read_imagedata(path: str | Path) -> ImageData:
    """The grid of a file of one piece; errors as of `read_polydata`."""
    return _read(path, "ImageData", lambda reader: reader.image())


def _read(path: str | Path, kind: str, get: Callable[[_Reader], Any]) -> Any:
    regular_file(Path(path))
    try:
        if (size := Path(path).stat().st_size) > _MOST_BYTES:
            raise InputError(f"{path}: {size} bytes found, at most {_MOST_BYTES} allowed; write less into one file")
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a file that can be read") from None
    try:
        return get(_Reader(content, kind))
    except _Fault as fault:
        raise InputError(f"{path}: {fault}") from None


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str]
    children: list[_Element]
    text: list[str]

    def all(self, tag: str) -> list[_Element]:
        return [child for child in self.children if child.tag == tag]

    def one(self, tag: str) -> _Element:
        """The child of that tag, an empty one if there is none."""
        found = self.all(tag)
        if len(found) > 1:
            raise _Fault(f"{len(found)} elements {tag} in {self.tag} found, one allowed; save one piece")
        return found[0] if found else _Element(tag, {}, [], [])

    def whole(self, name: str, default: int, least: int = 0) -> int:
        """An attribute that is a whole number."""
        text = self.attributes.get(name, str(default)).strip()
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < least:
            raise _Fault(f"{name}={text[:40]!r} of {self.tag} found, a whole number from {least} on allowed")
        return int(text)


class _Reader:
    """One file; its elements are read before any array."""

    def __init__(self, content: bytes, wanted: str):
        self.left = _MOST_UNPACKED
        self.appended, self.encoding = memoryview(b""), "base64"
        # bare bytes are no XML: what follows the underscore is taken out before
        if begin := _APPENDED.search(content):
            start, stop = content.find(b"_", begin.end()), content.rfind(b"</AppendedData>")
            if not begin.end() <= start < stop:
                raise _Fault("no whole AppendedData found, one that begins with _ allowed; the file is cut short")
            self.appended = memoryview(content)[start + 1 : stop]
            self.encoding = "raw" if b"raw" in begin[0] else "base64"
            content = content[: begin.end()] + content[stop:]
        root = _parsed(content, wanted)
        kind, attributes = root.attributes.get("type"), root.attributes
        if root.tag != "VTKFile" or kind != wanted:
            raise _Fault(f"{root.tag[:40]} of type {str(kind)[:40]!r} found, a VTKFile of type {wanted!r} allowed")
        self.compressor = attributes.get("compressor", "")
        if self.compressor not in _COMPRESSORS:
            raise _Fault(f"compressor {self.compressor[:40]!r} found, zlib, lzma or none allowed; save the file again")
        try:
            self.order = _ORDERS[attributes.get("byte_order", "LittleEndian")]
            self.header = np.dtype(
                self.order + {"UInt32": "u4", "UInt64": "u8"}[attributes.get("header_type", "UInt32")]
            )
        except KeyError as unknown:
            raise _Fault(f"{str(unknown)[:40]} found, LittleEndian or BigEndian, UInt32 or UInt64 allowed") from None
        self.body = root.one(wanted)

    def data(self) -> PolyData:
        """All that is used of the file."""
        piece, data = self.body.one("Piece"), PolyData()
        counts = {name: piece.whole(f"NumberOf{name}", 0) for name in ("Points", "Verts", "Lines", "Strips", "Polys")}
        if counts["Points"]:
            element = piece.one("Points").one("DataArray")
            data.points = self._array(element, counts["Points"]).reshape(counts["Points"], -1).astype(float)
        if counts["Lines"]:
            arrays = {e.attributes.get("Name"): e for e in piece.one("Lines").all("DataArray")}
            if not {"connectivity", "offsets"} <= set(arrays):
                raise _Fault("lines without connectivity or offsets found, both allowed; write the file again")
            ends = self._array(arrays["offsets"], counts["Lines"])
            data.offsets = np.concatenate([[0], ends]).astype(np.int64)
            data.lines = self._array(arrays["connectivity"], None).astype(np.int64)
        cells = sum(counts.values()) - counts["Points"]
        for place, found, count in (("PointData", data.point, counts["Points"]), ("CellData", data.cell, cells)):
            for element in piece.one(place).all("DataArray"):
                if element.attributes.get("type") in _TYPES:  # bits and texts are passed over
                    found[element.attributes.get("Name", "")] = self._array(element, count)
        for element in self.body.one("FieldData").children:
            name, kind = element.attributes.get("Name", ""), element.attributes.get("type")
            if kind == "String":  # letters, each text with a zero after it
                letters = self._values(element, name[:40], np.dtype("u1")).tobytes()
                if element.whole("NumberOfTuples", letters.count(0)) != letters.count(0):
                    raise _Fault(f"array {name[:40]}: {letters.count(0)} texts found, other than NumberOfTuples says")
                data.field[name] = letters.split(b"\0")[0].decode("ascii", "replace")
            elif kind in _TYPES:
                data.field[name] = self._array(element, None)
        return data

    def image(self) -> ImageData:
        """The grid with its arrays, axes along those of space."""
        extent = self._numbers(self.body, "WholeExtent", 6)
        if (
            "Direction" in self.body.attributes
            and (self._numbers(self.body, "Direction", 9) != np.eye(3).ravel()).any()
        ):
            raise _Fault("a grid that is turned (Direction) found, one along x, y and z allowed; resample it")
        low, points = extent[::2], extent[1::2] - extent[::2] + 1
        if not ((np.abs(extent) < _MOST_BYTES) & (extent % 1 == 0)).all() or points.min() < 1:
            raise _Fault(f"WholeExtent={self.body.attributes['WholeExtent'][:40]!r} found, whole numbers allowed")
        piece, spacing = self.body.one("Piece"), self._numbers(self.body, "Spacing", 3)
        if (self._numbers(piece, "Extent", 6) != extent).any():
            raise _Fault("a piece of the grid found, all of it in one piece allowed; save it again")
        origin = self._numbers(self.body, "Origin", 3) + low * spacing
        nx, ny, nz = (int(n) for n in points)
        data = ImageData((nx, ny, nz), origin, spacing)
        for place, found, count in (
            ("PointData", data.point, nx * ny * nz),
            ("CellData", data.cell, max(nx - 1, 0) * max(ny - 1, 0) * max(nz - 1, 0)),
        ):
            for element in piece.one(place).all("DataArray"):
                if element.attributes.get("type") in _TYPES:
                    found[element.attributes.get("Name", "")] = self._array(element, count)
        return data

    def _numbers(self, element: _Element, name: str, count: int) -> np.ndarray:
        """An attribute that is so many finite numbers."""
        text = element.attributes.get(name, "")
        try:
            values = np.array([float(word) for word in text.split()])
        except ValueError:
            values = np.zeros(0)
        if len(values) != count or not np.isfinite(values).all():
            raise _Fault(f"{name}={text[:40]!r} of {element.tag or 'Piece'} found, {count} numbers allowed")
        return values

    def _array(self, element: _Element, count: int | None) -> np.ndarray:
        """The values of an array: ``count`` tuples, as many as there are where that is None."""
        attributes = element.attributes
        name, kind = attributes.get("Name", element.tag)[:40], attributes.get("type", "")
        if kind not in _TYPES:
            raise _Fault(f"array {name}: type {kind[:40]!r} found, allowed are {', '.join(_TYPES)}")
        width = element.whole("NumberOfComponents", 1, 1)
        if count is None and "NumberOfTuples" in attributes:
            count = element.whole("NumberOfTuples", 0)
        values = self._values(element, name, np.dtype(self.order + _TYPES[kind]))
        if len(values) % width or (count is not None and len(values) != count * width):
            wanted = f"whole tuples of {width}" if count is None else f"{count} times {width}"
            raise _Fault(
                f"array {name}: {len(values)} values found, {wanted} allowed; the file is cut short or damaged"
            )
        return values.reshape(-1, width) if width > 1 else values

    def _values(self, element: _Element, name: str, dtype: np.dtype) -> np.ndarray:
        form = element.attributes.get("format", "ascii")
        if form == "ascii":
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy only warns of a text that is no number
                try:
                    number = np.float64 if dtype.kind == "f" else np.int64
                    return np.fromstring("".join(element.text), number, sep=" ").astype(dtype.newbyteorder("="))
                except (ValueError, DeprecationWarning, RuntimeWarning):
                    raise _Fault(f"array {name}: a text that is no {dtype.name} found, numbers allowed") from None
        if form == "binary":
            content = self._unpacked(memoryview("".join(element.text).strip().encode()), "base64", name)
        elif form == "appended":
            offset = element.whole("offset", 0)
            content = self._unpacked(self.appended[offset:], self.encoding, name)
        else:
            raise _Fault(f"array {name}: format {form[:40]!r} found, ascii, binary or appended allowed")
        if len(content) % dtype.itemsize:
            raise _Fault(f"array {name}: {len(content)} bytes found, a multiple of {dtype.itemsize} allowed")
        return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))

    def _unpacked(self, content: memoryview, encoding: str, name: str) -> bytes:
        """The bytes of an array: sizes first, in base64 a text of their own if blocks are compressed."""
        size = self.header.itemsize
        if not self.compressor:
            (count,) = self._sizes(content, encoding, 1, name)
            self._take(min(count, len(content)), name)
            return _decoded(content, encoding, size, count, name)
        blocks = self._sizes(content, encoding, 1, name)[0]
        if not blocks:
            return b""
        sizes = self._sizes(content, encoding, 3 + blocks, name)
        whole, last, packed = sizes[1], sizes[2], sizes[3:]
        self._take(whole * (blocks - 1) + (last or whole), name)
        skip = size * (3 + blocks)
        if encoding == "base64":  # the sizes fill whole groups of letters; then a text begins anew
            content, skip = content[4 * -(-skip // 3) :], 0
        unread, parts = memoryview(_decoded(content, encoding, skip, sum(packed), name)), []
        for n, length in enumerate(packed):
            part, unread = unread[:length], unread[length:]
            parts.append(self._inflated(part, (last or whole) if n == blocks - 1 else whole, name))
        return b"".join(parts)

    def _take(self, count: int, name: str) -> None:
        """Count the bytes of an array before there is memory for them."""
        self.left -= count
        if self.left < 0:
            raise _Fault(
                f"array {name}: {count} bytes promised, {_MOST_UNPACKED} for all arrays allowed; the file is damaged"
            )

    def _sizes(self, content: memoryview, encoding: str, count: int, name: str) -> list[int]:
        """The first ``count`` numbers of a block's header."""
        return np.frombuffer(_decoded(content, encoding, 0, count * self.header.itemsize, name), self.header).tolist()

    def _inflated(self, part: memoryview, size: int, name: str) -> bytes:
        packer = zlib.decompressobj() if "ZLib" in self.compressor else lzma.LZMADecompressor()
        try:
            found = packer.decompress(part, size + 1)
        except (zlib.error, lzma.LZMAError, EOFError, MemoryError):
            found = b""
        if len(found) != size:
            raise _Fault(f"array {name}: a block that does not unpack to {size} bytes found; the file is damaged")
        return found


def _decoded(content: memoryview, encoding: str, skip: int, count: int, name: str) -> bytes:
    """``count`` bytes after the first ``skip``."""
    if encoding == "base64":
        letters = content[: 4 * -(-(skip + count) // 3)] if skip + count <= len(content) else b""
        try:
            content = memoryview(base64.b64decode(letters, validate=True))
        except binascii.Error:
            raise _Fault(f"array {name}: a text that is no base64 found; the file is damaged") from None
    if len(content) < skip + count:
        raise _Fault(f"array {name}: fewer than {count} bytes found; the file is cut short or damaged")
    return bytes(content[skip : skip + count])


def _parsed(content: bytes, wanted: str) -> _Element:
    """The tree of elements; no document types, entities or encodings but UTF-8."""
    top = _Element("", {}, [], [])
    open_, count = [top], 0
    parser = expat.ParserCreate("UTF-8")
    parser.buffer_text = True

    def start(tag, attributes):
        nonlocal count
        count += 1
        if len(open_) > 20 or count > _MOST_ELEMENTS:
            raise _Fault(f"over {_MOST_ELEMENTS} elements, or one in 20 others, found; this is no VTK file")
        open_.append(_Element(tag, attributes, [], []))
        open_[-2].children.append(open_[-1])

    def refuse(*_):
        raise _Fault("a document type found, none allowed in a VTK file")

    def declaration(_version, encoding, _alone):
        if encoding and encoding.upper() not in ("UTF-8", "ASCII", "US-ASCII"):
            raise _Fault(f"encoding {encoding[:40]} found, UTF-8 allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: open_.pop()
    parser.CharacterDataHandler = lambda text: open_[-1].text.append(text)
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.XmlDeclHandler = declaration
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "no XML")
        suffix = ".vtp" if wanted == "PolyData" else ".vti"
        raise _Fault(
            f"no whole VTK {wanted} found (line {error.lineno}: {what}), a {suffix} file allowed; "
            "it is cut short or of another kind"
        ) from None
    return top.children[0]
