"""What a reconstruction returns: curves or points in nm with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.polyline import length
from veristem.datasets.shapes import as_array, as_lengths


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
        On a wrong shape, or a coordinate that is not finite or longer than a metre.
    """

    curves_nm: tuple[np.ndarray, ...]
    sigma_nm: tuple[np.ndarray, ...] = field(default=None)  # type: ignore[assignment]
    crystal_from_specimen: np.ndarray | None = None

    def __post_init__(self):
        curves = tuple(as_lengths(f"curve {i}", c, (None, 3)) for i, c in enumerate(self.curves_nm))
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
    def places_nm(self) -> np.ndarray:
        """(N, 3) all vertices [nm]."""
        return np.concatenate([np.zeros((0, 3)), *self.curves_nm])

    @property
    def length_nm(self) -> float:
        """Total length of all curves [nm]."""
        return float(sum(length(c) for c in self.curves_nm))

    def size_text(self) -> str:
        """How much was found, in words."""
        return f"{len(self.curves_nm)} curves, {self.length_nm:.0f} nm"


@dataclass(frozen=True, eq=False)
class PointSet:
    """Particles found, in the specimen frame.

    Parameters
    ----------
    points_nm : (N, 3) float
        Centres (x, y, z) [nm].
    covariance_nm2 : (N, 3, 3) float, optional
        Covariance of each centre [nm²]; NaN where a method gives none (the default).
    radii_nm : (N,) float, optional
        Radii [nm]; NaN where a method gives none (the default).
    views : (N,) int, optional
        Number of views in which each was found; 0 where a method does not tell (the default).
    ambiguity : (N,) float, optional
        Probability that another match of the same detections is the right one, from 0 (certain) to 1; NaN where a
        method gives none (the default).

    Raises
    ------
    InputError
        On a wrong shape, or a coordinate that is not finite or longer than a metre.
    """

    points_nm: np.ndarray
    covariance_nm2: np.ndarray = field(default=None)  # type: ignore[assignment]
    radii_nm: np.ndarray = field(default=None)  # type: ignore[assignment]
    views: np.ndarray = field(default=None)  # type: ignore[assignment]
    ambiguity: np.ndarray = field(default=None)  # type: ignore[assignment]

    def __post_init__(self):
        points = as_lengths("points_nm", self.points_nm, (None, 3))
        object.__setattr__(self, "points_nm", points)
        count = len(points)
        for name, shape, default in (
            ("covariance_nm2", (count, 3, 3), np.nan), ("radii_nm", (count,), np.nan), ("views", (count,), 0),
            ("ambiguity", (count,), np.nan),
        ):  # fmt: skip
            value = getattr(self, name)
            value = np.full(shape, default) if value is None else np.asarray(value, type(default))
            if value.shape != shape:
                raise InputError(f"{name}: shape {value.shape} found, {shape} allowed")
            object.__setattr__(self, name, value)

    def size_text(self) -> str:
        """How much was found, in words."""
        return f"{len(self.points_nm)} particles"

    @property
    def places_nm(self) -> np.ndarray:
        """(N, 3) all centres [nm]."""
        return self.points_nm

    @property
    def sigma_nm(self) -> np.ndarray:
        """Standard deviation (N, 3) of x, y and z [nm]."""
        return np.sqrt(np.diagonal(self.covariance_nm2, axis1=1, axis2=2))

    def where(self, mask: np.ndarray) -> PointSet:
        """Some of the points."""
        return PointSet(
            self.points_nm[mask], self.covariance_nm2[mask], self.radii_nm[mask], self.views[mask], self.ambiguity[mask]
        )


Reconstruction = CurveSet | PointSet
