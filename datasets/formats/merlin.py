"""Frames of a Merlin detector (.mib), each with a header of its own; rosettasciio guesses the shape of the scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError

_WIDTHS = {"U08": 1, "U16": 2, "U32": 4}
_COUNTER, _COLOUR = 11, 12  # fields of a header
_PROBED = 4  # headers in which the counters are looked up


def merlin_frames(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Frames (N, rows, columns) mapped where they lie, upside up as rosettasciio gives them, and what is to be said.

    Of two counters that alternate, the first is taken: it counts what exceeds the lower threshold.

    Raises
    ------
    InputError
        For a file that is cut short, raw, in colour, of a mixture of counters, or unlike its .hdr.
    """
    with path.open("rb") as file:
        head = file.read(384).decode("latin-1").split(",")
    try:
        if head[0] not in ("MQ1", "HDR") or len(head) < 8:
            raise ValueError
        header, columns, rows, kind = int(head[2]), int(head[4]), int(head[5]), head[6].strip()
        if not (0 < header < 10**5 and 0 < columns < 10**5 and 0 < rows < 10**5):
            raise ValueError
    except (ValueError, IndexError):
        raise InputError(f"{path}: no Merlin header found at the beginning, a .mib allowed") from None
    if kind == "R64":
        raise InputError(
            f"{path}: raw Merlin data (R64) found, processed data (U08, U16, U32) allowed; export them again"
        )
    if kind not in _WIDTHS:
        raise InputError(f"{path}: no Merlin header found at the beginning, a .mib allowed")
    frame = header + rows * columns * _WIDTHS[kind]
    frames, rest = divmod(path.stat().st_size, frame)
    if rest or not frames:
        raise InputError(
            f"{path}: cut short; {frames} patterns of {rows} x {columns} and {rest} of {frame} bytes of another "
            "found, whole ones allowed; copy the file again"
        )
    _check_hdr(path, frames, kind)
    layout = np.dtype([("header", np.void, header), ("data", f">u{_WIDTHS[kind]}", (rows, columns))])
    mapped = np.memmap(path, layout, "r", shape=(frames,))
    data = mapped["data"][:, ::-1]
    return _one_counter(path, data, [mapped["header"][n].tobytes() for n in range(min(frames, _PROBED))])


def _one_counter(path: Path, data: np.ndarray, headers: list[bytes]) -> tuple[np.ndarray, tuple[str, ...]]:
    """The frames of the first counter, by what the first headers say."""
    fields = [header.decode("latin-1").split(",") for header in headers]
    if any(len(one) > _COLOUR and one[0] == "MQ1" and one[_COLOUR].strip() == "1" for one in fields):
        raise InputError(f"{path}: colour mode found, one image a shot allowed; export one threshold of it")
    counters = [one[_COUNTER].strip() if len(one) > _COUNTER else "" for one in fields]
    if len(set(counters)) == 1:
        return data, ()
    if counters != ["0", "1"] * (len(counters) // 2) or len(data) % 2:
        raise InputError(
            f"{path}: {len(data)} frames of counters {' '.join(counters)} ... found, one counter or 0 1 0 1 ... allowed"
        )
    return data[::2], (
        f"two counters: {len(data) // 2} frames of the first one are taken, those of the second are not",
    )


def _check_hdr(path: Path, frames: int, kind: str) -> None:
    """Raise InputError where the .hdr beside a .mib contradicts it."""
    beside = path.with_suffix(".hdr")
    if not beside.is_file():
        return
    said = {}
    with beside.open("rb") as file:
        text = file.read(2**20).decode("latin-1")
    for line in text.splitlines():
        name, _, value = line.partition(":\t")
        said[name.split(" (")[0].strip()] = value.strip()
    try:
        announced = int(said.get("Frames in Acquisition", 0))
        depth = int(said.get("Counter Depth", 0))
    except ValueError:
        raise InputError(f"{beside}: a number of frames or counter depth that is no number found") from None
    if announced and frames not in (announced, 2 * announced):  # the second with two counters
        raise InputError(
            f"{beside}: {announced} frames found, the {frames} of {path.name} allowed; copy both again or take the "
            ".hdr away and give `scan_shape`"
        )
    if depth and _WIDTHS[kind] != (1 if depth <= 6 else 2 if depth <= 12 else 4):
        raise InputError(
            f"{beside}: a counter depth of {depth} bit found, one that goes with {kind} in {path.name} allowed"
        )


def guessed_shape(path: Path, frames: int) -> tuple[int, int] | None:
    """Rows and columns of the scan by the triggers in the .hdr or the times of frames; None if they do not tell."""
    from rsciio.quantumdetector import file_reader

    (signal,) = file_reader(str(path), lazy=True)
    shape: Any = signal["data"].shape[:-2]
    return shape if len(shape) == 2 and shape[0] * shape[1] == frames else None
