"""Persistence diagrams of an image or a volume of values."""

from __future__ import annotations

from typing import Literal

import numpy as np

from veristem.datasets.errors import InputError

Diagrams = tuple[np.ndarray, np.ndarray]


def diagrams(values: np.ndarray, construction: Literal["cells", "vertices"] = "cells") -> Diagrams:
    """When components (H0) and loops (H1) of the sublevel sets are born and die.

    With "cells" every pixel is a square (a voxel a cube) with its sides and corners, so pixels that touch at a corner
    are connected: 8 neighbours in an image, 26 in a volume, and a thin slanting line holds together. With "vertices"
    every pixel is a corner of squares, and 4 (6) neighbours are connected; the diagrams differ. Coefficients are those
    of the field with two elements. A class that never dies is given the largest value as its death; classes that die
    where they are born are left out. GUDHI computes them, for cells of an image by its fast path.

    Parameters
    ----------
    values : (Y, X) or (Z, Y, X) float
        Filtration values.
    construction : "cells" or "vertices"
        What a pixel stands for.

    Returns
    -------
    h0, h1 : (N, 2) float
        Births and deaths of each class, sorted.

    Raises
    ------
    InputError
        For values that are not finite or have another number of axes.
    """
    from gudhi.sklearn.cubical_persistence import CubicalPersistence

    values = np.ascontiguousarray(values, np.float64)
    if values.ndim not in (2, 3) or not values.size or not np.isfinite(values).all():
        raise InputError(f"values: shape {values.shape} found, finite numbers in 2 or 3 dimensions allowed")
    kind = "top_dimensional_cells" if construction == "cells" else "vertices"
    (found,) = CubicalPersistence([0, 1], kind, homology_coeff_field=2).fit_transform([values])
    h0, h1 = (_capped(np.reshape(d, (-1, 2)), values.max()) for d in found)
    return h0, h1


def _capped(diagram: np.ndarray, largest: float) -> np.ndarray:
    capped = np.minimum(diagram, largest)
    lives = capped[capped[:, 1] > capped[:, 0]]
    return lives[np.lexsort(lives.T[::-1])]
