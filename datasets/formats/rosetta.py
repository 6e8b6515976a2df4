"""Files of microscopes and other programs through rosettasciio: the first reader that is there and can."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.hdf5 import read_contents
from veristem.datasets.formats.regular import regular_file

_HDF5 = b"\x89HDF\r\n\x1a\n"
# of length, in nm
_NM = {
    "nm": 1.0,
    "um": 1e3,
    "micron": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "mm": 1e6,
    "pm": 1e-3,
    "a": 0.1,
    "å": 0.1,
    "angstrom": 0.1,
    "m": 1e9,
}
_LARGEST_NM = 1e4  # a pixel that is larger is that of a printer
_NEVER = ("MRCZ", "ZSPY")  # which unpickle


@contextmanager
def quiet() -> Iterator[None]:
    """Without what readers say beside their errors."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 does."""
    with path.open("rb") as file:
        return file.read(8) == _HDF5


def read_signals(path: Path, what: str, **options) -> list[dict[str, Any]]:
    """The signals of a file, read lazily, as rosettasciio's dictionaries.

    Parameters
    ----------
    path : Path
        A file.
    what : str
        What is sought, for messages.
    **options
        For the reader.

    Raises
    ------
    InputError
        For a suffix that no reader knows, or a file that none of them can read.
    """
    import rsciio

    suffix = path.suffix.lower().lstrip(".")
    regular_file(path)
    if is_hdf5(path):
        read_contents(path, data=False)  # refuses what leads to other files, and what hangs or crashes the library
    plugins = [
        plugin
        for plugin in rsciio.IO_PLUGINS
        if suffix in (e.lower() for e in plugin["file_extensions"]) and plugin["name"] not in _NEVER
    ]
    if not plugins:
        raise InputError(f"{path}: suffix {path.suffix!r} found, {what}")
    reason = missing = ""
    for plugin in plugins:
        try:
            with quiet():
                signals = import_module(plugin["api"]).file_reader(str(path), lazy=True, **options)
            if signals:
                return signals
        except ImportError as error:  # a reader whose library is not installed
            missing = missing or str(error)
        except Exception as error:  # every reader has its own
            reason = reason or str(error) or type(error).__name__
    reason = reason or missing or "it is empty"
    raise InputError(f"{path}: nothing readable found ({' '.join(reason.split())[:100]}); {what}")


def loaded(data: Any) -> np.ndarray:
    """An array in memory; without threads, which leave a caller waiting for ever when the memory is out."""
    return np.asarray(data.compute(scheduler="synchronous") if hasattr(data, "compute") else data)


def pixel_nm_of(path: Path, axes: Any, navigate: bool) -> float | None:
    """Step of the axes of a signal that are in a unit of length [nm], of the scan or of the image; None if none is.

    Raises
    ------
    InputError
        When two steps differ.
    """
    steps = []
    for axis in axes if isinstance(axes, list | tuple) else ():
        unit = str(axis.get("units", "")).strip().lower() if isinstance(axis, dict) else ""
        if unit in _NM and bool(axis.get("navigate")) == navigate and axis.get("size", 2) != 1:
            scale = axis.get("scale")
            scale = positive(abs(scale)) if isinstance(scale, int | float | np.number) else None
            if scale is not None and scale * _NM[unit] <= _LARGEST_NM:
                steps.append(scale * _NM[unit])
    if steps and max(steps) > 1.01 * min(steps):
        raise InputError(f"{path}: pixels of {steps[-1]:g} x {steps[-2]:g} nm found, square ones allowed; resample it")
    return steps[-1] if steps else None


def positive(value: Any) -> float | None:
    """A finite number above zero, or None."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None
