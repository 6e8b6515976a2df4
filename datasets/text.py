"""Text from outside, made fit to be stored and printed."""

from __future__ import annotations

import re

_ODD = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """The text with control characters, halves of surrogate pairs and what XML forbids replaced by U+FFFD."""
    return _ODD.sub("\ufffd", text)


def told(error: BaseException) -> str:
    """``Type: message`` of an exception, fit to be stored, whatever its own ``__str__`` does."""
    try:
        text = str(error)
    except BaseException:
        text = "(its message cannot be told)"
    return printable(f"{type(error).__name__}: {text}")
