"""What our HDF5 files share: schema, exact bytes, and no trust in what a header promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path

_DEFLATE = 1100  # gzip shrinks no more than 1032 times, so a file cannot hold more than this times its size


@contextmanager
def create(path: str | Path, schema: str, version: int) -> Iterator[Any]:
    """A new h5py file with its schema, in place of ``path`` when the block ends well.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    import h5py

    buffer = BytesIO()  # HDF5 itself is noisy and late about a full disk
    with h5py.File(buffer, "w") as file:
        file.attrs["schema"] = schema
        file.attrs["schema_version"] = np.int64(version)
        yield file
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def put(group, name: str, values) -> None:
    """A dataset without time stamps (equal data, equal bytes), compressed by planes of its last two axes."""
    values = np.asarray(values)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    options: dict[str, Any] = {}
    if values.ndim == 3 and values.size:
        options = {"chunks": (1, *values.shape[1:]), "compression": "gzip", "shuffle": True}
    group.create_dataset(name, data=values, track_times=False, **options)


def attribute(file, name: str) -> Any:
    """An attribute, or None: texts of fixed length and arrays of one value, as Matlab and C write them, made plain."""
    value = file.attrs.get(name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class Reader:
    """An open file whose every fault becomes one line that names the dataset or attribute."""

    def __init__(self, path: str | Path, file: Any):
        self.path = path
        self.file = file

    def error(self, message: str) -> InputError:
        """An error in this file."""
        return InputError(f"{self.path}: {message}")

    def array(self, name: str, optional: bool = False) -> Any:
        """A dataset as an array; None when it is optional and absent."""
        import h5py

        item = self.file.get(name)
        if item is None and optional:
            return None
        if not isinstance(item, h5py.Dataset):
            raise self.error(f"no dataset {name} found, one allowed; docs/files.md lists them")
        if item.dtype.kind not in "fiu":
            raise self.error(f"{name}: type {item.dtype} found, numbers allowed")
        if item.nbytes > _DEFLATE * Path(self.path).stat().st_size:
            raise self.error(f"{name}: shape {item.shape} found, more than the file can hold; it is damaged")
        return item[()]

    def text(self, name: str) -> str:
        """A dataset that holds one text."""
        import h5py

        item = self.file.get(name)
        if not isinstance(item, h5py.Dataset) or item.shape != () or h5py.check_string_dtype(item.dtype) is None:
            raise self.error(f"no text {name} found, one allowed; docs/files.md lists the datasets")
        return str(item.asstr()[()])

    def number(self, name: str, shape: tuple[int, ...] = (), optional: bool = False) -> Any:
        """Finite numbers of that shape kept as an attribute; None when they are optional and absent."""
        value = attribute(self.file, name)
        if value is None and optional:
            return None
        array = np.asarray(value)
        if array.size == np.prod(shape):
            array = array.reshape(shape)
        if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            found = "nothing" if value is None else " ".join(str(value).split())[:40]
            wanted = f"{shape[0]} finite numbers" if shape else "a finite number"
            raise self.error(f"attribute {name}: {found} found, {wanted} allowed; docs/files.md lists them")
        return array.astype(float) if shape else float(array)


@contextmanager
def opened(path: str | Path, schema: str, version: int) -> Iterator[Reader]:
    """A Reader of a file with that schema.

    Raises
    ------
    InputError
        For a file that is missing, damaged, cut short or of another schema; or on whatever the block finds in it.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = attribute(file, "schema"), attribute(file, "schema_version")
            if found != (schema, version):
                raise InputError(
                    f"{path}: schema {found[0]} {found[1]} found, {schema} {version} allowed; "
                    "docs/files.md describes it, `veristem simulate` writes it"
                )
            yield Reader(path, file)
    except InputError as error:
        where = "" if str(error).startswith(f"{path}: ") else f"{path}: "
        raise InputError(f"{where}{error}") from None
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # what h5py raises on damaged files
        raise InputError(f"{path}: {_reason(path)}") from error


def _reason(path: str | Path) -> str:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{error.strerror or error}; give a file that can be read"
    return "no whole HDF5 file found, one allowed; it is damaged, cut short or of another kind"
