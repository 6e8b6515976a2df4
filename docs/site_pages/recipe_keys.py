"""Every key of recipes and studies, from the models that check them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from veristem.datasets.reading import tables_in

_UNITS = {
    "nm_per_s": "nm/s", "mg_per_ml": "mg/ml", "per_m2": "1/m²", "nm": "nm", "mm": "mm", "deg": "°", "mrad": "mrad",
    "keV": "keV", "eV": "eV", "nA": "nA", "us": "µs", "gpa": "GPa", "kT": "kT", "electrons": "electrons",
}  # fmt: skip
GIVEN = "must be given"
_WORDS = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false"}
_ENDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


class Key(NamedTuple):
    """One key: its dotted path, unit, what is allowed, what holds without it, what it means."""

    path: str
    unit: str
    allowed: str
    default: str
    meaning: str


class Section(NamedTuple):
    """One table: where it stands, which of several it is, what its docstring says, its keys."""

    path: str
    kind: str
    about: str
    keys: list[Key]


def sections(model: type[BaseModel], path: str) -> Iterator[Section]:
    """A table and those below it, which each kind of specimen, network and detector has."""
    schema, keys, below, kind = model.model_json_schema()["properties"], [], [], ""
    for name, field in model.model_fields.items():
        key = field.alias or name
        here = f"{path}.{key}".lstrip(".")
        default = GIVEN if field.is_required() else _default(field.default)
        tables = list(dict.fromkeys(tables_in(field.annotation)))
        meaning = field.description or ("which of several tables this is" if "const" in schema[key] else "")
        meaning = meaning or " Or: ".join(about(table) for table in tables)
        keys.append(Key(here, unit(key), allowed(schema[key]), default, meaning))
        below += [(table, here) for table in tables]
        if "const" in schema[key] and name in ("kind", "generator"):
            kind = f'{name} = "{field.default}"'
    yield Section(path, "file" if "file" in schema else kind, about(model), keys)
    for table, here in below:
        yield from sections(table, here)


def about(model: type[BaseModel]) -> str:
    """The first paragraph of a table's docstring."""
    return " ".join((model.__doc__ or "").split("\n\n")[0].split())


def unit(key: str) -> str:
    """What the end of a key says."""
    return next((text for end, text in _UNITS.items() if key.endswith(f"_{end}")), "")


def allowed(schema: dict[str, Any]) -> str:
    """What a key may hold, in words, of its JSON schema."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(word for option in options if (word := allowed(option))))
    kind = schema.get("type", "object" if "$ref" in schema else "")
    if kind == "null":
        return ""
    if kind == "object":
        return "table"
    if kind == "array":
        parts = schema.get("prefixItems")
        return f"list of {len(parts)}: {allowed(parts[0])}" if parts else f"list of {allowed(schema.get('items', {}))}"
    ends = (f"{sign} {_end(schema[name])}" for name, sign in _ENDS.items() if name in schema)
    return f"{_WORDS.get(kind, 'any value')} {', '.join(ends)}".strip()


def _end(value: float) -> str:
    return "2^63 - 1" if value == 2**63 - 1 else f"{value:.15g}"


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return str(getattr(value, "kind", None) or getattr(value, "generator", None) or "as below")
    if value is None or value == {} or value == []:
        return ""
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_default, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)
