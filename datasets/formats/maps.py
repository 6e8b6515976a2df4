"""Maps of probabilities over the views of an acquisition: TIFF that ImageJ, Fiji and HyperSpy open, calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.regular import regular_file


def write_map(path: Path, shares: np.ndarray, pixel_nm: float) -> None:
    """Write values (V, Y, X) from 0 to 1 as 32-bit TIFF, a slice a view, with the size of a pixel [nm]."""
    from tifffile import imwrite

    told = {"unit": "nm", "axes": "ZYX"}
    with atomic_path(path) as partial:
        imwrite(
            partial, np.asarray(shares, np.float32), imagej=True, metadata=told, compression="zlib",
            resolution=(1 / pixel_nm, 1 / pixel_nm),
        )  # fmt: skip


def read_map(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Values (V, Y, X) of a file of `write_map`, for views of that shape.

    Raises
    ------
    InputError
        For a file that holds none, or one of other views.
    """
    from tifffile import TiffFile

    regular_file(path)
    allowed = f"a map of {' x '.join(map(str, shape))} pixels from 0 to 1 allowed; remove it or reconstruct again"
    try:
        with TiffFile(path) as file:
            found = file.series[0].shape
            same = (1,) * (3 - len(found)) + found == shape and file.series[0].dtype == np.float32
            values = file.series[0].asarray().reshape(shape) if same else None
    except Exception as error:  # every damage has its own
        raise InputError(f"{path}: no readable image found ({' '.join(str(error).split())[:100]}); {allowed}") from None
    if values is None or not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"{path}: {' x '.join(map(str, found))} pixels or other values found, {allowed}")
    return values
