"""How recipes are read: values from a command line, tables against their model, and errors in words of recipes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from veristem.datasets.errors import InputError


def key_value(text: str, where: str = "set") -> tuple[str, Any]:
    """KEY=VALUE as a pair; the value is read as JSON, else as in a TOML file, else as text.

    Raises
    ------
    InputError
        When there is no "=".
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{where} {cut(text)}: no '=' found, KEY=VALUE allowed")
    try:
        return key.strip(), _value(value)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or lists within lists
        what = "a value nested too deep" if isinstance(error, RecursionError) else "a number of too many digits"
        raise InputError(f"{where} {cut(key)}: {what} found, one of a recipe allowed") from None


def _value(text: str) -> Any:
    with suppress(json.JSONDecodeError):
        return json.loads(text)
    with suppress(tomllib.TOMLDecodeError):
        table = tomllib.loads(f"value = {text}")
        if table.keys() == {"value"} and isinstance(table["value"], (str, int, float, list, dict)):
            return table["value"]
    return text


def validated(model, table, where: str):
    """A table checked against its model; InputError names ``where`` and the key, in words of recipes."""
    try:
        return model.model_validate(table)
    except RecursionError:
        raise InputError(
            f"{where}: values nested too deep found, those of a {model.__name__.lower()} allowed"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = _key(model, first["loc"], unknown=first["type"] == "extra_forbidden")
        found, message = f"{_short(first['input'])} found, ", first["msg"]
        if first["type"] == "missing" or not key:
            found = ""
        if first["type"] == "union_tag_invalid":
            told = first.get("ctx", {})
            wrong, allowed = told["tag"], told["expected_tags"].replace("'", "").removesuffix(", from_file")
            key += ".generator" if key.endswith("dispersion") else ".kind"
            found, message = f"{wrong!r} found, ", f"allowed are {allowed}"
        if isinstance(first["input"], dict) and first["type"] == "value_error":
            found = ""  # of a whole table: the message says what is wrong in it
        hint = ""
        if first["type"] == "extra_forbidden":
            message = "no such key beside the others of this table"
            hint = "; `veristem recipe --schema` lists the keys, KEY={ a = 1, b = 2 } sets a whole table"
        message = _plain(message.removeprefix("Value error, "))
        raise InputError(f"{where}: {key + ': ' if key else ''}{found}{message}{hint}") from None


def _plain(message: str) -> str:
    """A message of pydantic in words of recipes."""
    if not message.startswith("Input should be "):
        return message
    what = re.sub(r"dictionary or instance of \w+|dictionary", "table", message.removeprefix("Input should be "))
    what = re.sub(", (unable|got) .*", "", what)
    for theirs, ours in (("a valid ", "a "), ("a tuple", "a list"), ("a integer", "a whole number")):
        what = what.replace(theirs, ours)
    return f"{what} allowed"


def _key(model: type[BaseModel], location: tuple, unknown: bool) -> str:
    """The dotted path of an error: what pydantic puts between keys, the names of a union's tables, is left out.

    The last part of a location is a key that no table has, if the error is that it is ``unknown``.
    """
    tables, free, parts = [model], False, []  # free: a table with any keys, as a study's axes
    for at, part in enumerate(location):
        fields = [f for table in tables for name, f in table.model_fields.items() if part in (name, f.alias)]
        if fields or free or isinstance(part, int) or (unknown and at == len(location) - 1):
            parts.append(str(part))
        if fields:
            tables = [table for field in fields for table in tables_in(field.annotation)]
            free = any(get_origin(field.annotation) is dict for field in fields)
        else:
            free = False
    return ".".join(parts)


def _short(value) -> str:
    try:
        return cut(repr(value))
    except (ValueError, RecursionError):  # thousands of digits, or lists within lists
        return f"a {type(value).__name__} too large to show"


def cut(text: str) -> str:
    """A text short enough for a message."""
    return text if len(text) < 60 else text[:57] + "..."


def tables_in(annotation) -> Iterator[type[BaseModel]]:
    """All tables that a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from tables_in(part)
