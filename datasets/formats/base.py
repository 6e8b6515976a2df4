"""What a format tells about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Format:
    """One format of files. Each file of this folder that has a ``FORMAT`` is found by `formats.read` and `write`.

    Parameters
    ----------
    suffix : str
        Of its files, in small letters.
    reads, writes : tuple of types
        What a file may hold when it is read, and what can be written.
    read : function of a path and options, optional
        Returns one of ``reads``.
    write : function of a path, an object and options, optional
        Writes one of ``writes``, whole or not at all.
    options : tuple of str
        Keywords that both take, when given; other formats need not know them.
    holds : function of a path, optional
        Whether a file is of this format, where several share a suffix and nothing else tells.
    """

    suffix: str
    reads: tuple[type, ...] = ()
    writes: tuple[type, ...] = ()
    read: Callable[..., Any] | None = None
    write: Callable[..., Any] | None = None
    options: tuple[str, ...] = ()
    holds: Callable[[Path], bool] | None = None
