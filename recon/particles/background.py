"""What the images would be without particles."""

from __future__ import annotations

import numpy as np

from veristem.datasets.errors import InputError

_TILE_PX = 64
_MOST_AT_TOP = 0.2  # of the pixels of a view that counts well


def check_views(views: np.ndarray) -> None:
    """Every view (V, Y, X) must hold counts that vary.

    Raises
    ------
    InputError
        For a view that is empty, saturated, or holds negative counts.
    """
    for index, view in enumerate(views, 1):
        low, high = float(view.min()), float(view.max())
        if low < 0:
            raise InputError(f"view {index}: {low:g} found, counts of electrons allowed, 0 or more")
        if high == low:
            state = "it is empty" if high == 0 else "it is saturated"
            raise InputError(f"view {index}: {high:g} in every pixel found, counts that vary allowed; {state}")
        top = float((view == high).mean())
        if high > 1 and top > _MOST_AT_TOP:
            raise InputError(
                f"view {index}: {100 * top:.0f} % of the pixels at their highest value, {high:g}, found, at most "
                f"{100 * _MOST_AT_TOP:.0f} % allowed; it is saturated, count with a lower current or a deeper counter"
            )


def background(views: np.ndarray, passing: np.ndarray | None = None) -> np.ndarray:
    """Expected counts (V, Y, X) float32 without particles: a smooth surface over tiles of 64 pixels.

    Parameters
    ----------
    views : (V, Y, X) float
        Counts.
    passing : (V, Y, X) float, optional
        Share that the known particles let pass: counts are divided by it. Without it, the median of each tile.
    """
    import cv2

    rows, columns = (max(1, round(n / _TILE_PX)) for n in views.shape[1:])
    surfaces = np.empty(views.shape, np.float32)
    for index, view in enumerate(views):
        tiles = np.empty((rows, columns), np.float32)
        for j, band in enumerate(np.array_split(np.arange(view.shape[0]), rows)):
            for i, part in enumerate(np.array_split(np.arange(view.shape[1]), columns)):
                here = (index, slice(band[0], band[-1] + 1), slice(part[0], part[-1] + 1))
                if passing is None:
                    tiles[j, i] = max(np.median(views[here]), views[here].mean())
                else:
                    tiles[j, i] = views[here].sum(dtype=float) / passing[here].sum(dtype=float)
        surfaces[index] = cv2.resize(tiles, view.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.maximum(surfaces, 1e-3)
