"""Only regular files are read: a FIFO would wait for ever, a device never end."""

from __future__ import annotations

import stat
from pathlib import Path

from veristem.datasets.errors import InputError

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def regular_file(path: str | Path) -> None:
    """Raise InputError unless the path leads to a regular file; of a missing one the reader itself tells.

    Raises
    ------
    InputError
        Naming what was found.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: {_KINDS.get(stat.S_IFMT(mode), 'no file')} found, a regular file allowed")
