"""What a reconstruction returns: curves in nm with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.shapes import as_array


@dataclass(frozen=True, eq=False)
class CurveSet:
    """Polylines in the specimen frame.

    Parameters
    ----------
    curves_nm : sequence of (K, 3) float
        Vertices (x, y, z) of each curve [nm], K >= 2.
    sigma_nm : sequence of (K,) float, optional
        Standard deviation of the depth z of each vertex [nm]; NaN where a method gives none (the default).
    crystal_from_specimen : (3, 3) float or None
        Rotation that takes specimen vectors to crystal Cartesian vectors; None when the orientation is not known.

    Raises
    ------
    InputError
        On a wrong shape or a coordinate that is not finite.
    """

    curves_nm: tuple[np.ndarray, ...]
    sigma_nm: tuple[np.ndarray, ...] = field(default=None)  # type: ignore[assignment]
    crystal_from_specimen: np.ndarray | None = None

    def __post_init__(self):
        curves = tuple(as_array(f"curve {i}", c, (None, 3)) for i, c in enumerate(self.curves_nm))
        for i, curve in enumerate(curves):
            if len(curve) < 2:
                raise InputError(f"curve {i}: {len(curve)} vertices found, at least 2 allowed")
        sigma = self.sigma_nm
        if sigma is None:
            sigma = tuple(np.full(len(c), np.nan) for c in curves)
        if len(sigma) != len(curves) or any(np.shape(s) != (len(c),) for s, c in zip(sigma, curves, strict=True)):
            raise InputError("sigma_nm: one value a vertex of each curve allowed")
        object.__setattr__(self, "curves_nm", curves)
        object.__setattr__(self, "sigma_nm", tuple(np.asarray(s, float) for s in sigma))
        if self.crystal_from_specimen is not None:
            rotation = as_array("crystal_from_specimen", self.crystal_from_specimen, (3, 3))
            object.__setattr__(self, "crystal_from_specimen", rotation)

    @property
    def length_nm(self) -> float:
        """Total length of all curves [nm]."""
        return float(sum(np.linalg.norm(np.diff(c, axis=0), axis=1).sum() for c in self.curves_nm))
