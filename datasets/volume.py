"""A volume: one number for each voxel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.shapes import as_array, as_lengths, check_positive


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a grid of cubes in the specimen frame, such as a tomogram.

    Parameters
    ----------
    values : (Z, Y, X) float32
        One a voxel.
    voxel_nm : float
        Side of a voxel [nm].
    origin_nm : (3,) float, optional
        Corner (x, y, z) of the first voxel [nm]; 0 if not given.

    Raises
    ------
    InputError
        On a wrong shape, no voxel, a value that is not finite, or a size that cannot be.
    """

    values: np.ndarray
    voxel_nm: float
    origin_nm: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self):
        object.__setattr__(self, "values", as_array("values", self.values, (None, None, None), np.float32))
        object.__setattr__(self, "origin_nm", as_lengths("origin_nm", self.origin_nm, (3,)))
        if not self.values.size:
            raise InputError(f"values: shape {self.values.shape} found, one voxel or more allowed")
        check_positive("voxel_nm", self.voxel_nm)
        as_lengths("size_nm", self.size_nm, (3,))

    @property
    def size_nm(self) -> np.ndarray:
        """(3,) along x, y and z [nm]."""
        return np.array(self.values.shape[::-1]) * self.voxel_nm

    def size_text(self) -> str:
        """How much there is, in words."""
        return f"{' x '.join(map(str, self.values.shape[::-1]))} voxels of {self.voxel_nm:g} nm"

    @property
    def places_nm(self) -> np.ndarray:
        """(2, 3) the lowest and the highest corner [nm]."""
        return np.stack([self.origin_nm, self.origin_nm + self.size_nm])

    def middles_nm(self, index) -> np.ndarray:
        """Places (..., 3) as (x, y, z) of voxels, by index (..., 3) in the order of the array [nm]."""
        return self.origin_nm + (np.asarray(index)[..., ::-1] + 0.5) * self.voxel_nm
