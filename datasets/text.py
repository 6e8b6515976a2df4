"""Text from outside, made fit to be stored and printed."""

from __future__ import annotations

import errno
import re

_RAN_OUT = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "ENOMEM", "EAGAIN", "EIO", "EMFILE", "ENFILE", "ESTALE")
    if hasattr(errno, name)
}
_ODD = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """The text with control characters, halves of surrogate pairs and what XML forbids replaced by U+FFFD."""
    return _ODD.sub("\ufffd", text)


def told(error: BaseException) -> str:
    """``Type: message`` of an exception, fit to be stored, whatever its own ``__str__`` does."""
    try:
        text = str(error).strip() or "no message"
    except BaseException:
        text = "(its message cannot be told)"
    return printable(f"{type(error).__name__}: {text}")


def ran_out(error: BaseException) -> bool:
    """Whether memory, disk or handles of the machine ran out, in an error or in what it came from."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _RAN_OUT):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False
