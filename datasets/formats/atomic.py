"""Files are written beside their place and then renamed: nobody ever sees half a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from veristem.datasets.errors import InputError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path with the same suffix in the same folder, renamed to ``path`` when the block ends well.

    Raises
    ------
    InputError
        When the folder is missing or cannot be written, or the disk is full; what stood at ``path`` stays.
    """
    path = Path(path)
    if not path.name:
        raise InputError(f"{path}: no name of a file found; a file in a folder that exists allowed")
    temporary = path.with_name(f".{path.stem}.{uuid4().hex[:12]}{path.suffix}")
    try:
        temporary.touch()  # so that a missing or locked folder shows here, whatever library writes next
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]
        raise InputError(f"{path}: {reason}; choose a folder that exists, can be written and has space") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
