"""A dispersion of particles: the truth of a specimen of spheres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.shapes import as_lengths


@dataclass(frozen=True, eq=False)
class ParticleDispersion:
    """Spheres in the specimen frame (docs/conventions.md).

    Parameters
    ----------
    centers_nm : (N, 3) float
        Centres (x, y, z) [nm].
    radii_nm : (N,) float
        Radii [nm], all positive.
    box_nm : (3,) float
        Width, height and thickness [nm] of the foil, which begins at the origin.

    Raises
    ------
    InputError
        On a wrong shape, a value that is not finite or longer than a metre, or a radius or length that is not positive.
    """

    centers_nm: np.ndarray
    radii_nm: np.ndarray
    box_nm: np.ndarray

    def __post_init__(self):
        set_ = object.__setattr__
        set_(self, "centers_nm", as_lengths("centers_nm", self.centers_nm, (None, 3)))
        set_(self, "radii_nm", as_lengths("radii_nm", self.radii_nm, (len(self.centers_nm),)))
        set_(self, "box_nm", as_lengths("box_nm", self.box_nm, (3,)))
        for name, values in (("radii_nm", self.radii_nm), ("box_nm", self.box_nm)):
            bad = np.flatnonzero(values <= 0)
            if len(bad):
                raise InputError(f"{name}: {values[bad[0]]:g} found at index {bad[0]}, positive numbers allowed")

    @property
    def places_nm(self) -> np.ndarray:
        """(N, 3) all centres [nm]."""
        return self.centers_nm

    @property
    def inside_field(self) -> np.ndarray:
        """(N,) whether a centre lies within the width and height of the box."""
        at = self.centers_nm[:, :2]
        return np.all((at >= 0) & (at <= self.box_nm[:2]), axis=1)

    def where(self, mask: np.ndarray) -> ParticleDispersion:
        """Some of the particles."""
        return ParticleDispersion(self.centers_nm[mask], self.radii_nm[mask], self.box_nm)
