"""The outer shape of a foil: wedge, edge of the hole, bending, and the layer of contamination on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veristem.datasets.specimens import Dislocations

_RIM = 4.0  # radius of the hole over the field's height: its edge is nearly straight
_RAMP = 2.0  # thicknesses over which the foil reaches its thickness behind the rim
_WAVES = 48  # of the layer of contamination
_PATCH_NM = 150.0  # length over which it varies


class Shape(NamedTuple):
    """Shape of a foil over its field.

    field_nm (2,), thickness_nm in the middle. slope of the exit face along x. hole_nm: where the rim of the hole
    stands at mid-height, measured from the left side; 0 without one. bend_per_nm (2,): gradient of the excitation error
    [1/nm²]. waves (W, 3): wave vector [1/nm] and phase of the layer's waves; contamination, its standard deviation.
    """

    field_nm: np.ndarray
    thickness_nm: float
    slope: float = 0.0
    hole_nm: float = 0.0
    bend_per_nm: tuple[float, float] = (0.0, 0.0)
    contamination: float = 0.0
    waves: np.ndarray = np.zeros((0, 3))

    @property
    def uneven(self) -> bool:
        """Whether the exit face is anything but the plane z = thickness."""
        return self.slope != 0 or self.hole_nm > 0

    @property
    def deepest_nm(self) -> float:
        """Largest thickness within the field [nm]."""
        return self.thickness_nm + abs(self.slope) * self.field_nm[0] / 2

    def exit_nm(self, x_nm, y_nm) -> np.ndarray:
        """Depth of the exit face (...) at places (...) [nm]; 0 within the hole."""
        depth = self.thickness_nm + self.slope * (x_nm - self.field_nm[0] / 2)
        depth = np.clip(depth, 0, self.deepest_nm)
        if self.hole_nm > 0:
            radius = _RIM * self.field_nm[1]
            behind = np.hypot(x_nm - self.hole_nm + radius, y_nm - self.field_nm[1] / 2) - radius
            depth = depth * np.tanh(np.maximum(behind, 0) / (_RAMP * self.thickness_nm))
        return depth + 0.0 * y_nm

    @property
    def volume_nm3(self) -> float:
        """Of the crystal in the field [nm³]."""
        x, y = ((np.arange(400) + 0.5) / 400 * n for n in self.field_nm)
        return float(self.exit_nm(x, y[:, None]).mean() * np.prod(self.field_nm))

    def exit_slices(
        self, theta_rad, pixel_nm: float, shape, dz_nm: float, focus_nm: float, rim: int = 0
    ) -> np.ndarray | None:
        """Slices of crystal (rows, columns) that the rays of one direction pass; None for an even foil.

        The image begins ``rim`` pixels before the field.
        """
        if not self.uneven:
            return None
        y, x = ((np.arange(n) - rim + 0.5) * pixel_nm for n in shape)
        tan_x, tan_y = np.tan(np.asarray(theta_rad, float))
        z = np.full(shape, self.thickness_nm)
        for _ in range(4):  # rays are steep and faces flat: each round shrinks the error by slope times tan(theta)
            z = self.exit_nm(x + (z - focus_nm) * tan_x, y[:, None] + (z - focus_nm) * tan_y)
        return z / dz_nm

    def bent_per_nm(self, x_nm, y_nm) -> np.ndarray:
        """Excitation error that bending adds at places (...) [1/nm]: none in the middle of the field."""
        x0, y0 = np.asarray(self.field_nm) / 2
        return self.bend_per_nm[0] * (x_nm - x0) + self.bend_per_nm[1] * (y_nm - y0)

    def transmitted(self, theta_rad, pixel_nm: float, shape, focus_nm: float, rim: int = 0) -> np.ndarray | float:
        """What the layer on the entrance face lets through (rows, columns), 0 to 1."""
        if self.contamination == 0:
            return 1.0
        tan_x, tan_y = np.tan(np.asarray(theta_rad, float))
        y, x = ((np.arange(n) - rim + 0.5) * pixel_nm for n in shape)
        x, y = x - focus_nm * tan_x, y[:, None] - focus_nm * tan_y
        layer = np.zeros(shape)
        for kx, ky, phase in self.waves:
            layer += np.cos(2 * np.pi * (kx * x + ky * y) + phase)
        layer *= np.sqrt(2 / len(self.waves))
        return np.minimum(1.0, np.exp(-self.contamination * (layer + 3)))


def make_shape(table: Dislocations, g_per_nm, rng: np.random.Generator) -> Shape:
    """The shape that a recipe asks for; the layer of contamination is random."""
    g = np.asarray(g_per_nm, float)[:2]
    along = np.abs(g / np.linalg.norm(g)) @ np.array(table.field_nm)
    gradient = g * np.radians(table.bend_deg) / along
    waves = np.column_stack(
        [rng.normal(size=(_WAVES, 2)) / (2 * np.pi * _PATCH_NM / 2), rng.uniform(0, 2 * np.pi, _WAVES)]
    )
    return Shape(
        np.array(table.field_nm),
        table.thickness_nm,
        float(np.tan(np.radians(table.wedge_deg))),
        table.hole_nm,
        (float(gradient[0]), float(gradient[1])),
        table.contamination,
        waves,
    )
