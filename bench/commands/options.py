"""What several commands take, and how they read it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from veristem.datasets.errors import InputError

Out = Annotated[Path, typer.Option("-o", "--out", help="folder to write; made when it does not exist")]
Sets = Annotated[
    Optional[list[str]],  # noqa: UP045  (typer reads the annotation itself)
    typer.Option("--set", help="KEY=VALUE, a dotted path into the recipe, e.g. scan.dwell_us=100; repeatable"),
]
TimeLimit = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(min=0.1, max=1e7, help="seconds after which a method is ended that has not returned"),
]


def check_suffix(path: Path | None, suffix: str) -> None:
    """Refuse, with InputError, a file to write whose name does not end as its format's."""
    if path is not None and path.suffix.lower() != suffix:
        raise InputError(f"{path}: suffix {path.suffix!r} found, {suffix} allowed")


def values_of(sets: list[str] | None) -> dict[str, Any]:
    """Values by dotted path, of texts KEY=VALUE; InputError if one is none."""
    from veristem.datasets.reading import key_value

    return dict(key_value(text, "--set") for text in sets or [])


def as_options(text: str) -> str:
    """A message with the parameters that it names, ``pixel_nm`` in backquotes, as the options of the command line."""
    return re.sub("`([a-z][A-Za-z_]*)`", lambda found: "--" + found[1].replace("_", "-"), text)


def say(text: str) -> None:
    """A line for people, where it does not get into what is piped on."""
    typer.echo(as_options(text), err=True)


def command_line() -> str:
    """Return the command as it was typed, for the record."""
    return shlex.join(["veristem", *sys.argv[1:]])
