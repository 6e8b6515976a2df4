"""One central check of array shapes, so that every message reads alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from veristem.datasets.errors import InputError


def as_array(name: str, value, shape: tuple[int | None, ...], dtype: DTypeLike = np.float64) -> np.ndarray:
    """``value`` as an array of ``dtype`` whose shape fits (None: any length) and whose values all hold in it.

    Raises
    ------
    InputError
        Naming the array, the shape or value found and what is allowed.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: parts of unequal shape found, one shape allowed") from None
    if array.size == 0 and array.ndim != len(shape) and not all(shape):
        array = array.reshape([0 if n is None else n for n in shape])
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise InputError(f"{name}: shape {array.shape} found, {wanted} allowed")
    if array.size and array.dtype.kind not in "fiub":
        raise InputError(f"{name}: type {array.dtype} found, numbers allowed")
    with np.errstate(over="ignore", invalid="ignore"):
        kept = array.astype(dtype, copy=False)
    fits = np.isfinite(kept) if kept.dtype.kind == "f" else kept == array
    if not fits.all():
        where = tuple(int(i) for i in np.argwhere(~fits)[0])
        allowed = "0 or 1" if kept.dtype == bool else f"whole numbers of type {kept.dtype}"
        if kept.dtype.kind == "f":
            allowed = f"finite numbers of type {kept.dtype}" if np.isfinite(array[where]) else "finite numbers"
        raise InputError(f"{name}: {array[where]} found at index {where}, {allowed} allowed")
    return kept


def check_positive(name: str, value) -> None:
    """Raise InputError, naming the value, unless it is a finite number above zero."""
    if not (isinstance(value, (int, float, np.number)) and 0 < value < np.inf):
        raise InputError(f"{name}: {value} found, a positive number allowed")
