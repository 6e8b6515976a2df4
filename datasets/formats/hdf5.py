"""What our HDF5 files share: schema, exact bytes, and no trust in what a header promises."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from threading import Lock, Timer
from typing import Any, NamedTuple

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.regular import regular_file

_PATIENCE_S = 20.0  # and what the size of a file adds
_BYTES_PER_S = 2e6  # of a compressed file, on a slow machine


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


class Contents(NamedTuple):
    """What a file holds, as `hdf5_child.contents` tells it."""

    attributes: dict[str, Any]
    groups: list[str]
    datasets: dict[str, dict[str, Any]]
    arrays: list[np.ndarray]


class _Child:
    """The process that opens HDF5 files; one for all files, as its start takes a fifth of a second."""

    def __init__(self):
        self.process: Any = None
        self.of = 0
        self.lock = Lock()

    def ask(self, path: str | Path, data: bool) -> Contents:
        """See `read_contents`."""
        with self.lock:
            if self.process is None or self.of != os.getpid() or self.process.poll() is not None:
                self.process, self.of = self._start(), os.getpid()
            process = self.process
            timer = Timer(_PATIENCE_S + Path(path).stat().st_size / _BYTES_PER_S, process.kill)
            timer.daemon = True
            timer.start()
            try:
                request = {"path": os.path.abspath(path), "data": data}
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                told = json.loads(process.stdout.readline())
                arrays = [_received(process.stdout, one) for one in told.get("datasets", {}).values() if "array" in one]
            except (OSError, ValueError, EOFError):  # it crashed, or was killed
                raise InputError(f"{path}: {_reason(path)}") from None
            except BaseException:  # an answer that is not read to its end would be the next one
                process.kill()
                raise
            finally:
                timer.cancel()
        if "refused" in told:
            raise InputError(f"{path}: {told['refused']}")
        if "damaged" in told:
            raise InputError(f"{path}: {_reason(path)}")
        return Contents(told["attributes"], told["groups"], told["datasets"], arrays)

    @staticmethod
    def _start() -> subprocess.Popen:
        program = Path(__file__).with_name("hdf5_child.py")
        process = subprocess.Popen(
            [sys.executable, "-P", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(_ended, process, os.getpid())
        return process


def _received(stream, one: dict[str, Any]) -> np.ndarray:
    array = np.empty(one["shape"], one["type"])
    rest = memoryview(array.reshape(-1).view(np.uint8).data)
    while len(rest):
        if not (count := stream.readinto(rest)):
            raise EOFError
        rest = rest[count:]
    return array


def _ended(process: subprocess.Popen, of: int) -> None:
    """Let a child end, and wait for it."""
    if os.getpid() == of:
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        process.kill()


_child = _Child()


def read_contents(path: str | Path, data: bool = True) -> Contents:
    """All of an HDF5 file, or all but its numbers, read in another process, since damage can hang or crash the library.

    Raises
    ------
    InputError
        For a file that is missing, damaged, no regular one, leads to other files or promises more than it can hold.
    """
    regular_file(path)
    try:
        return _child.ask(path, data)
    except OSError:
        raise InputError(f"{path}: {_reason(path)}") from None


class Reader:
    """A file whose every fault becomes one line that names the dataset or attribute."""

    def __init__(self, path: str | Path, found: Contents):
        self.path = path
        self.found = found

    def error(self, message: str) -> InputError:
        """An error in this file."""
        return InputError(f"{self.path}: {message}")

    def has(self, name: str) -> bool:
        """Whether there is a group or dataset of that name."""
        return name in self.found.groups or name in self.found.datasets

    def array(self, name: str, optional: bool = False) -> Any:
        """A dataset as an array; None when it is optional and absent."""
        one = self.found.datasets.get(name)
        if one is None and optional:
            return None
        if one is None:
            raise self.error(f"no dataset {name} found, one allowed; docs/files.md lists them")
        if "array" not in one or np.dtype(one["type"]).kind == "b":
            raise self.error(f"{name}: type {one['type']} found, numbers allowed")
        return self.found.arrays[one["array"]]

    def text(self, name: str) -> str:
        """A dataset that holds one text."""
        one = self.found.datasets.get(name, {})
        if "text" not in one:
            raise self.error(f"no text {name} found, one allowed; docs/files.md lists the datasets")
        return one["text"]

    def attribute(self, name: str) -> Any:
        """An attribute, or None."""
        value = self.found.attributes.get(name)
        return np.asarray(value) if isinstance(value, list) else value

    def words(self, name: str) -> str | None:
        """An attribute that is a text, or None.

        Raises
        ------
        InputError
            For anything else.
        """
        value = self.attribute(name)
        if value is not None and not isinstance(value, str):
            raise self.error(f"attribute {name}: {' '.join(str(value).split())[:40]!r} found, a text allowed")
        return value

    def number(self, name: str, shape: tuple[int, ...] = (), optional: bool = False) -> Any:
        """Finite numbers of that shape kept as an attribute; None when they are optional and absent."""
        value = self.attribute(name)
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
    reader = Reader(path, read_contents(path))
    found = reader.attribute("schema"), reader.attribute("schema_version")
    if not (isinstance(found[0], str) and np.ndim(found[1]) == 0 and found == (schema, version)):
        said = " ".join(" ".join(str(part).split())[:40] for part in found)
        raise InputError(
            f"{path}: schema {said} found, {schema} {version} allowed; docs/files.md describes it, "
            "`veristem simulate` writes it"
        )
    try:
        yield reader
    except InputError as error:
        where = "" if str(error).startswith(f"{path}: ") else f"{path}: "
        raise InputError(f"{where}{error}") from None


def _reason(path: str | Path) -> str:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"{error.strerror or error}; give a file that can be read"
    return "no whole HDF5 file found, one allowed; it is damaged, cut short or of another kind"
