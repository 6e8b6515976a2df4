"""What passes between a method in a process of its own and the one that asks it: numbers and texts, and no code.

A message is a JSON text, whose arrays stand behind it as .npy: reading one can neither run code nor make an object of
another kind than those that pass between the stages of a method.
"""

from __future__ import annotations

import io
import json
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from veristem.datasets import intermediate
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import Region

_TABLES = {
    table.__name__: table
    for table in (Acquisition, Region, *(t for t in vars(intermediate).values() if isinstance(t, type)))
    if is_dataclass(table)
}


def packed(value: Any) -> bytes:
    """A message of plain values, lists, tuples, dictionaries, arrays of numbers and what `_TABLES` names.

    Raises
    ------
    TypeError
        For anything else.
    """
    arrays: list[np.ndarray] = []

    def plain(one: Any) -> Any:
        if one is None or isinstance(one, (bool, int, float, str)):
            return one
        if isinstance(one, np.ndarray | np.generic):
            arrays.append(np.asarray(one))
            return {"array": len(arrays) - 1}
        if isinstance(one, list | tuple):
            return {"list" if isinstance(one, list) else "tuple": [plain(part) for part in one]}
        if isinstance(one, dict):
            return {"dict": [[str(key), plain(part)] for key, part in one.items()]}
        if type(one).__name__ in _TABLES:
            return {"table": type(one).__name__, "of": [[f.name, plain(getattr(one, f.name))] for f in fields(one)]}
        raise TypeError(f"{type(one).__name__}: numbers, texts and arrays can be sent")

    text = json.dumps(plain(value)).encode()
    stream = io.BytesIO()
    stream.write(len(text).to_bytes(8, "little") + text)
    for array in arrays:
        np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def unpacked(data: bytes) -> Any:
    """The value of a message.

    Raises
    ------
    ValueError, KeyError, TypeError, EOFError
        For what is none.
    """
    stream = io.BytesIO(data)
    content = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    arrays = []
    while stream.tell() < len(data):
        arrays.append(np.load(stream, allow_pickle=False))

    def whole(one: Any) -> Any:
        if not isinstance(one, dict):
            return one
        if "array" in one:
            return arrays[one["array"]]
        if "table" in one:
            return _TABLES[one["table"]](**{name: whole(part) for name, part in one["of"]})
        ((kind, parts),) = one.items()
        if kind == "dict":
            return {key: whole(part) for key, part in parts}
        return {"list": list, "tuple": tuple}[kind](whole(part) for part in parts)

    return whole(content)
