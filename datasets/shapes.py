"""One central check of array shapes, so that every message reads alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from veristem.datasets.errors import InputError

LONGEST_NM = 1e9  # of any specimen
_ROUNDING = 1e-3  # of an element of a rotation


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


def as_lengths(name: str, value, shape: tuple[int | None, ...]) -> np.ndarray:
    """Like `as_array`, for lengths [nm] that are at most a metre, so that no square of them overflows.

    Raises
    ------
    InputError
        Naming the array, the shape or value found and what is allowed.
    """
    array = as_array(name, value, shape)
    if array.size and np.abs(array).max() > LONGEST_NM:
        where = tuple(int(i) for i in np.argwhere(np.abs(array) > LONGEST_NM)[0])
        raise InputError(f"{name}: {array[where]:g} nm found at index {where}, at most {LONGEST_NM:g} nm allowed")
    return array


def as_rotation(name: str, value) -> np.ndarray:
    """``value`` as a (3, 3) rotation, made exact; files hold it to few digits.

    Raises
    ------
    InputError
        For another shape, or a matrix that is no rotation but for rounding.
    """
    matrix = as_array(name, value, (3, 3))
    if np.abs(matrix).max() < 2:
        u, _, v = np.linalg.svd(matrix)
        if np.linalg.det(u @ v) > 0 and np.abs(u @ v - matrix).max() < _ROUNDING:
            return u @ v
    raise InputError(
        f"{name}: {np.round(matrix, 4).tolist()} found, a rotation allowed: rows of length 1 at right angles"
    )
