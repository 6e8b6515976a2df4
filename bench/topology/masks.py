"""What is allowed as a mask."""

from __future__ import annotations

import numpy as np

from veristem.datasets.errors import InputError


def as_mask(name: str, value) -> np.ndarray:
    """``value`` as a bool array (Y, X) or (Z, Y, X).

    Raises
    ------
    InputError
        Naming the mask when it has another number of axes, no pixel, or a value other than 0 and 1.
    """
    mask = np.asarray(value)
    if mask.ndim not in (2, 3) or mask.size == 0:
        raise InputError(f"{name}: shape {mask.shape} found, (any, any) or (any, any, any) with pixels allowed")
    if mask.dtype == bool:
        return mask
    odd = ~((mask == 0) | (mask == 1))  # NaN is odd, too
    if odd.any():
        where = tuple(int(i) for i in np.argwhere(odd)[0])
        raise InputError(f"{name}: {mask[where]} found at index {where}, 0 and 1 allowed; threshold it first")
    return mask.astype(bool)
