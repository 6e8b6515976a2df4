"""What is opened is a file: reading a FIFO or a device would wait, or fill the memory, for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from veristem.datasets.errors import InputError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def regular_file(path: str | Path) -> None:
    """Check that a path leads, also through links, to a regular file.

    Raises
    ------
    InputError
        When there is nothing, or something else.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}; give a file that can be read") from None
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: {_KINDS.get(stat.S_IFMT(mode), 'something else')} found, a regular file allowed")
