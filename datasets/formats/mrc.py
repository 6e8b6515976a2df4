"""Images and tilt series as stacks (.mrc), for ETSpy, IMOD and tomviz."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.base import Format
from veristem.datasets.formats.regular import regular_file

_TEXT = 10**7  # bytes of a file of angles
_SERIALEM_FLAGS = 61  # tilt, stage, magnification, intensity and dose: seven int16, of which only the tilt is set
_UNKNOWN_NM = 0.1  # what programs write that do not know the pixel


class Stack(NamedTuple):
    """Sections (V, Y, X), mapped where they lie; pixel [nm] and tilts (V,) [deg], None where nothing says them."""

    data: np.ndarray
    pixel_nm: float | None
    tilts_deg: np.ndarray | None


def read_stack(path: Path) -> Stack:
    """Sections of a .mrc with what its headers and the files beside it say.

    Angles are those of the extended header of SerialEM or FEI, else of a .rawtlt, .tlt or .mdoc of the same name. A
    pixel of exactly 1 Angstrom is not believed.

    Raises
    ------
    InputError
        For a file that is cut short or no MRC, complex numbers, or angles that do not go with the sections.
    """
    data, header, extended = _sections(path)
    angles, pixel_nm = _extended(header, extended, len(data))
    pixel_nm, tilts = pixel_nm or _pixel_nm(path, header), _tilts_beside(path, len(data)) if angles is None else angles
    return Stack(data, pixel_nm, tilts)


def read_volume_stack(path: Path) -> tuple[np.ndarray, tuple[float, ...] | None, np.ndarray]:
    """Sections of a .mrc that is no tilt series, sides (3,) of a voxel [nm], None if unknown, and its corner (3,) [nm].

    Raises
    ------
    InputError
        For a file that is cut short or no MRC, complex numbers, or sections with tilts.
    """
    data, header, extended = _sections(path)
    if _extended(header, extended, len(data))[0] is not None:
        raise InputError(f"{path}: a tilt series found, a volume allowed; reconstruct it first")
    counts = [float(header[name]) for name in ("mx", "my", "mz")]
    lengths = [float(header["cella"][axis]) / 10 for axis in "xyz"]
    known = all(count > 0 and 0 < length < np.inf for count, length in zip(counts, lengths))
    sides = tuple(length / count for count, length in zip(counts, lengths)) if known else None
    origin = np.array([float(header["origin"][axis]) for axis in "xyz"]) / 10
    return data, sides, origin


def _sections(path: Path) -> tuple[np.ndarray, Any, bytes]:
    """Sections (V, Y, X) of real numbers, mapped where they lie, the header, and the extended header."""
    from mrcfile.utils import data_dtype_from_header

    regular_file(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        header = _header(path, file.read(1024))
        extra, shape = int(header["nsymbt"]), tuple(int(header[name]) for name in ("nz", "ny", "nx"))
        try:
            dtype = data_dtype_from_header(header)
        except ValueError:
            dtype = np.dtype("V")
        if min(shape) < 1 or extra < 0 or dtype.kind not in "fiu":
            found = f"{' x '.join(map(str, shape))} numbers of mode {header['mode']}"
            raise InputError(f"{path}: {found} found, images of real numbers allowed")
        if 1024 + extra + math.prod(shape) * dtype.itemsize > size:
            raise InputError(f"{path}: cut short; {' x '.join(map(str, shape))} pixels announced; copy the file again")
        extended = file.read(extra)
    return np.memmap(path, dtype, "r", 1024 + extra, shape), header, extended


def _header(path: Path, head: bytes) -> Any:
    """The main header, in the byte order in which its mode makes sense."""
    from mrcfile.dtypes import HEADER_DTYPE

    if len(head) == 1024:
        for order in ">" if head[212] == 0x11 else "<", "<", ">":
            header = np.rec.array(np.frombuffer(head, HEADER_DTYPE.newbyteorder(order)))[0]
            if 0 <= header["mode"] < 200:
                return header
    raise InputError(f"{path}: no header of an MRC file found, an image or a stack allowed")


def _pixel_nm(path: Path, header: Any) -> float | None:
    """Side of a pixel by the main header."""
    sizes = []
    for axis, count in (("x", "mx"), ("y", "my")):
        length, number = float(header["cella"][axis]), int(header[count])
        sizes.append(length / number / 10 if number > 0 and 0 < length < np.inf else 0.0)
    if abs(sizes[0] - sizes[1]) > 0.01 * max(sizes):
        raise InputError(f"{path}: pixels of {sizes[0]:g} x {sizes[1]:g} nm found, square ones allowed; resample it")
    return None if not sizes[0] or abs(sizes[0] - _UNKNOWN_NM) < 1e-6 else sizes[0]


def _extended(header: Any, extended: bytes, count: int) -> tuple[np.ndarray | None, float | None]:
    """Tilts [deg] and pixel [nm] of the extended header of FEI or SerialEM, where there is one that makes sense."""
    from mrcfile.dtypes import get_ext_header_dtype

    order = header["mode"].dtype.byteorder
    try:
        if (dtype := get_ext_header_dtype(bytes(header["exttyp"]), order)) is not None:
            of_section = int(np.frombuffer(extended[:4], np.dtype("i4").newbyteorder(order))[0])
            rows = [np.frombuffer(extended, dtype, 1, k * of_section)[0] for k in range(count)]
            metre = float(rows[0]["Pixel size X"])
            return _plausible([row["Alpha tilt"] for row in rows]), 1e9 * metre if 0 < metre < 1e-3 else None
        if len(extended) == 1024 * 128:  # of FEI before it had a name: 128 bytes a section, 44 before the pixel
            rows = np.frombuffer(extended, np.dtype("f4").newbyteorder(order)).reshape(1024, 32)[:count]
            metre = float(rows[0, 11])
            return _plausible(rows[:, 0]), 1e9 * metre if 1e-12 < metre < 1e-3 else None
        of_section, flags = np.frombuffer(
            header["extra2"].tobytes()[16:20], np.dtype("i2").newbyteorder(order)
        ).tolist()
        if flags & 1 and of_section >= 2:
            first = [
                np.frombuffer(extended, np.dtype("i2").newbyteorder(order), 1, k * of_section) for k in range(count)
            ]
            return _plausible(np.concatenate(first) / 100), None
    except (ValueError, KeyError, IndexError):  # too short for what it announces
        pass
    return None, None


def _plausible(tilts) -> np.ndarray | None:
    """Angles [deg] of which at least two differ and none is beyond a quarter turn."""
    tilts = np.asarray(tilts, float)
    return tilts if np.isfinite(tilts).all() and np.abs(tilts).max() < 90 and len(np.unique(tilts)) > 1 else None


def _tilts_beside(path: Path, count: int) -> np.ndarray | None:
    """Angles [deg] of a text file of the same name."""
    for suffix in (".rawtlt", ".tlt", ".mrc.mdoc", ".mdoc"):
        beside = path.with_suffix(suffix)
        if not beside.is_file():
            continue
        text = beside.read_bytes()[:_TEXT].decode("latin-1")
        words = (
            re.findall(r"^\s*TiltAngle\s*=\s*(\S+)", text, re.MULTILINE) if suffix.endswith("mdoc") else text.split()
        )
        try:
            tilts = np.array([float(word) for word in words])
        except ValueError:
            raise InputError(f"{beside}: a word that is no number found, one angle [deg] a line allowed") from None
        if len(tilts) != count or not np.isfinite(tilts).all() or np.abs(tilts).max() >= 90:
            raise InputError(f"{beside}: {len(tilts)} angles found, {count} below 90 deg as in {path.name} allowed")
        return tilts
    return None


def write_tilt_series(path: str | Path, acquisition: Acquisition) -> Path:
    """Write the views as a stack (V, Y, X) of float32 with their pixel, and the nominal tilts [deg], one a line.

    The tilts also stand in an extended header as SerialEM writes it, to a hundredth of a degree: ETSpy looks there.
    Views are in the order of their tilts. Row 0 comes first: HyperSpy and ImageJ show it on top, IMOD at the bottom.
    The same data give the same bytes. Returns the path of the angles.

    Raises
    ------
    InputError
        For views that are no tilt series of one detector region, or when a file cannot be written.
    """
    import mrcfile

    if acquisition.tilts_rad is None or len(acquisition.tilts_rad) < 2:
        raise InputError(
            "tilts_rad: no tilt series found, one allowed; `veristem simulate` makes one with stage.tilts_deg"
        )
    order = np.argsort(acquisition.tilts_rad, kind="stable")
    tilts = np.degrees(acquisition.tilts_rad[order])
    if np.diff(tilts).min() < 1e-9:
        raise InputError("tilts_rad: several views at one tilt found, one allowed; an annular detector gives one")
    angles = Path(path).with_suffix(".rawtlt")
    with atomic_path(path) as temporary, atomic_path(angles) as text:
        with mrcfile.new(temporary, overwrite=True) as file:
            file.set_data(acquisition.views[order])
            file.set_image_stack()
            rows = np.zeros((len(tilts), 7), "<i2")
            rows[:, 0] = np.rint(100 * tilts)
            file.set_extended_header(rows)
            file.voxel_size = 10 * acquisition.pixel_nm  # Angstrom
            header: Any = file.header
            header.exttyp = b"SERI"
            fields = bytearray(header.extra2.tobytes())
            fields[16:20] = np.array([rows.strides[0], _SERIALEM_FLAGS], "<i2").tobytes()
            header.extra2 = np.void(bytes(fields))
            header.label[:] = b""  # the first one holds a date
            header.label[0] = f"VeriSTEM {acquisition.id}".encode()
            header.nlabl = 1
        text.write_text("".join(f"{tilt:.2f}\n" for tilt in tilts), encoding="utf-8")
    return angles


FORMAT = Format(".mrc", writes=(Acquisition,), write=write_tilt_series)
