"""Where lines may have been missed: the map that comes with lines made of learned contours, beside their file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets import formats
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.formats.atomic import together
from veristem.datasets.formats.maps import read_map, write_map
from veristem.recon.methods import split_method, takes_learned_contours


def missed_of(method: str, acquisition: Acquisition) -> np.ndarray | None:
    """P(missed) (V, Y, X) of each view; None of a method that takes other contours, or weights of one's own."""
    if not takes_learned_contours(method):
        return None
    from veristem.recon.contours.missed import missed

    return missed(acquisition.views, acquisition.pixel_nm, split_method(method)[1].get("scale_nm"))


def missed_path(result: Path) -> Path:
    """Of the map of a result."""
    return result.with_suffix(".missed.tif")


def save_result(
    path: Path, found, method: str, acquisition: Acquisition, tell: Callable[[str], Any] = lambda _: None
) -> list[Path]:
    """Write a reconstruction and, where there is one, its map; a map that an earlier result left there goes.

    ``tell`` gets a line on the map.
    """
    maps = missed_of(method, acquisition) if method and acquisition.kind == "dislocations" else None
    beside = missed_path(path)
    with together():
        formats.write(path, found)
        if maps is not None:
            write_map(beside, maps, acquisition.pixel_nm)
    if maps is None:
        beside.unlink(missing_ok=True)
        return [path]
    tell(f"how likely a visible line was missed, by place: {beside}")
    return [path, beside]


def read_missed(result: Path, acquisition: Acquisition) -> np.ndarray | None:
    """The map beside a result; None where there is none.

    Raises
    ------
    InputError
        For a file that is no map of these images.
    """
    beside = missed_path(result)
    return read_map(beside, acquisition.views.shape) if beside.is_file() else None
