"""Fields to type into, and what was typed as options of a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trame.widgets import vuetify3 as v3

from veristem.datasets import InputError

FIELD: dict[str, Any] = {"density": "compact", "hide_details": True}  # how all of them look
BELOW: dict[str, Any] = FIELD | {"classes": "mb-2"}  # one above the other


class Field(NamedTuple):
    """option: of a command, as Python has it. label: what the field is called. count: how many numbers it takes."""

    option: str
    label: str
    count: int = 1


def typed(state, fields: Mapping[str, Field]) -> dict[str, Any]:
    """What was typed into fields, a number or a tuple by option; empty ones are left out.

    Raises
    ------
    InputError
        For what is not as many numbers as wanted.
    """
    return {
        field.option: numbers(state[name], field.label, field.count)
        for name, field in fields.items()
        if str(state[name] or "").strip()
    }


def numbers(text: Any, label: str, count: int = 1) -> Any:
    """The number, or the tuple of numbers, that a text holds; InputError for anything else."""
    parts = str(text or "").replace(",", " ").strip(" []()").split()
    try:
        found = [float(part) for part in parts]
    except ValueError:
        found = []
    if len(found) != count:
        raise InputError(f"{label}: {' '.join(parts)[:40]!r} found, {count} number{'s' * (count > 1)} allowed")
    return found[0] if count == 1 else tuple(found)


def as_words(given: Mapping[str, Any]) -> list[str]:
    """Texts, numbers and tuples of them as options of a command."""
    words = []
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        words += ["--" + name.replace("_", "-"), *(one if isinstance(one, str) else f"{one:.12g}" for one in values)]
    return words


def put(fields: Mapping[str, Field], **how) -> None:
    """Put fields into the layout, one below the other."""
    for name, field in fields.items():
        v3.VTextField(v_model=name, label=field.label, **(BELOW | how))
