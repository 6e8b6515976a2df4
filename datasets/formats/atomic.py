"""Files are written beside their place and then renamed: nobody ever sees half a file, or half of several."""

from __future__ import annotations

import errno
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4
from zlib import crc32

from veristem.datasets.errors import InputError

_HOST = f"{crc32(platform.node().encode()):08x}"  # folders are shared between machines, numbers of processes are not
_OURS = re.compile(r"\.veristem-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}(\..{1,19})?")
_ABANDONED_S = 86400.0  # nobody writes one file for so long without touching it


_waiting: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("waiting", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Files that `atomic_path` makes within the block get their names one right after the other when it ends well.

    Until then what stood there stays, whether the block fails or the process is killed.

    Raises
    ------
    InputError
        When one of them cannot have its name, before any has.
    """
    if _waiting.get() is not None:  # with those of the block around
        yield
        return
    waiting: list[tuple[Path, Path]] = []
    token = _waiting.set(waiting)
    try:
        yield
        for _, path in waiting:
            check_place(path)
        for temporary, path in waiting:
            try:
                os.replace(temporary, path)
            except OSError as error:
                raise _refused(path, error) from None
    finally:
        _waiting.reset(token)
        for temporary, _ in waiting:
            with suppress(OSError):
                temporary.unlink()


def check_place(path: str | Path) -> None:
    """See that a file can be written, before long work begins.

    Raises
    ------
    InputError
        When its folder is missing or locked, or it is one itself.
    """
    path = Path(path)
    try:
        with TemporaryFile(dir=path.parent):
            pass
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> InputError:
    reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
    return InputError(f"{path}: {reason}; choose a folder that exists, can be written and has space")


@contextmanager
def atomic_path(path: str | Path, sweep: bool = True) -> Iterator[Path]:
    """A temporary path with the same suffix in the same folder, renamed to ``path`` when the block ends well.

    Its name is short, whatever that of the file. Those that killed processes left in that folder are swept away, unless
    ``sweep`` is false: to look for them takes the longer the more files there are.

    Raises
    ------
    InputError
        When the folder is missing or cannot be written, or the disk is full; what stood at ``path`` stays.
    """
    path = Path(path)
    if not path.name:
        raise InputError(f"{path}: no name of a file found; a file in a folder that exists allowed")
    suffix = path.suffix if len(path.suffix) <= 20 else ""
    temporary = path.with_name(f".veristem-{_HOST}-{os.getpid()}-{uuid4().hex[:8]}{suffix}")
    waiting = _waiting.get()
    try:
        temporary.touch()  # so that a missing or locked folder shows here, whatever library writes next
        if sweep:
            _sweep(path.parent)
        yield temporary
        if waiting is None:
            os.replace(temporary, path)
        else:
            waiting.append((temporary, path))
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        if waiting is None or (temporary, path) not in waiting:
            with suppress(OSError):
                temporary.unlink()


def _sweep(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if found := _OURS.fullmatch(entry.name):
                with suppress(OSError):
                    old = entry.stat(follow_symlinks=False).st_mtime < time.time() - _ABANDONED_S
                    if old or (found[1] == _HOST and _ended(int(found[2]))):
                        os.unlink(entry.path)


def _ended(process: int) -> bool:
    """Whether a process of this machine is known to have ended."""
    if os.name != "posix":  # elsewhere signal 0 is not a mere question
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
