"""A text file read line by line, so that every fault can name its line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from veristem.datasets.errors import InputError
from veristem.datasets.formats.regular import regular_file

_MOST_BYTES = 2**28  # a million nodes; a file's lines as Python texts take several times its size
_LARGEST = 1e30


class Lines:
    """The lines of a file that hold something, one after the other.

    Parameters
    ----------
    path : str or Path
        A UTF-8 text.
    comment : str or None
        What begins a comment.

    Raises
    ------
    InputError
        When the file is no regular one, larger than 256 MiB, or no text.
    """

    def __init__(self, path: str | Path, comment: str | None = None):
        self.path = path
        self.comment = comment
        self.number = 0
        regular_file(Path(path))
        try:
            if (size := Path(path).stat().st_size) > _MOST_BYTES:
                raise InputError(f"{path}: {size} bytes found, at most {_MOST_BYTES} allowed; split the file")
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; give a file that can be read") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: byte {error.start} is not text, a UTF-8 text file allowed") from None
        self.ended = text.endswith("\n")
        self._lines = text.splitlines()

    def next(self, wanted: str) -> str:
        """The next line that is not empty; ``wanted`` says in the error what is missing when the file ends."""
        line = self.next_or_none()
        if line is None:
            raise self.error(f"end of file found, {wanted} allowed; the file is cut short")
        return line

    def next_or_none(self) -> str | None:
        """The next line that is not empty, None at the end."""
        while self.number < len(self._lines):
            self.number += 1
            line = self._lines[self.number - 1]
            if self.comment:
                line = line.split(self.comment, 1)[0]
            if line := line.strip():
                return line
        return None

    def error(self, message: str, number: int | None = None) -> InputError:
        """An error at the current line, or at line ``number``."""
        return InputError(f"{self.path}, line {number or self.number}: {message}")

    def numbers(self, text: str, count: int, wanted: str) -> list[float]:
        """``count`` finite numbers in ``text``, split at spaces.

        Raises
        ------
        InputError
            For another count, a word that is no number, or a number that is not finite or so large that it is none of
            any unit, and its square overflows.
        """
        words = text.split()
        if len(words) != count:
            raise self.error(f"{len(words)} values found, {count} allowed ({wanted})")
        values = []
        for word in words:
            try:
                value = float(_plain(word))
            except ValueError:
                raise self.error(f"{word[:40]!r} found, a number allowed ({wanted})") from None
            if not math.isfinite(value):
                raise self.error(f"{word[:40]} found, a finite number allowed ({wanted})")
            if abs(value) > _LARGEST:
                raise self.error(f"{word[:40]} found, at most {_LARGEST:g} allowed ({wanted})")
            values.append(value)
        return values

    def whole(self, text: str, wanted: str, least: int = 0) -> int:
        """One whole number not below ``least``."""
        try:
            value = int(_plain(text)) if len(text) <= 30 else least - 1
        except ValueError:
            value = least - 1
        if value < least:
            raise self.error(f"{text[:40]!r} found, a whole number from {least} on allowed ({wanted})")
        return value


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """What is wrong with the object of a file is told with the file's name."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _plain(word: str) -> str:
    """The word; ValueError for what Python reads as a number, but no other program: 1_000, digits of other scripts."""
    if "_" in word or not word.isascii():
        raise ValueError
    return word
