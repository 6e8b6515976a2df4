"""The depth scale that images show: a line that rises through a foil, its disparity, and the angle that it tells of."""

from __future__ import annotations

from typing import Any

import numpy as np

from veristem.datasets import DislocationNetwork
from veristem.datasets.crystal import load_material
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.sim.foil import Foil
from veristem.sim.specimen import orientation


def angle_deg(depth_nm: np.ndarray, disparity_nm: np.ndarray) -> tuple[float, float]:
    """Angle of a symmetric pair that brings depths to these disparities, d = 2 z tan(phi / 2) + a constant [deg].

    Also the rms of depth that the straight line leaves over [nm].
    """
    slope, constant = np.polyfit(depth_nm, disparity_nm, 1)
    left = (disparity_nm - constant) / slope - depth_nm
    return float(2 * np.degrees(np.arctan(abs(slope) / 2))), float(np.sqrt(np.mean(left**2)))


def foil_with(recipe: Recipe, axis: int, face_nm: float, burgers: np.ndarray) -> Foil:
    """A foil with one line in the middle of its field, along y (axis 0) or x, from near one face to near the other.

    All else is as the recipe says: its beams, its excitation error and what phonons take.
    """
    table, turn = recipe.specimen, orientation(recipe)
    assert isinstance(table, Dislocations)
    material = load_material(table.material)
    field, thickness = np.array(table.field_nm), table.thickness_nm
    ends = np.empty((2, 3))
    ends[:, axis] = field[axis] / 2
    ends[:, 1 - axis] = 0.0, field[1 - axis]
    ends[:, 2] = face_nm, thickness - face_nm
    middle = ends.mean(axis=0)
    reach = thickness / (thickness - 2 * face_nm)  # to both faces, where a line may end
    ends = middle + reach * (ends - middle)
    network = DislocationNetwork.from_polyline(ends, turn @ material.direction_nm(burgers))
    g = turn @ material.reciprocal_per_nm(table.g)
    return Foil(
        network,
        material,
        table.g,
        g,
        float(np.linalg.norm(g) * np.sin(np.radians(table.tilt_off_bragg_deg))),
        table.field_nm,
        thickness,
        thickness / 2,
        beams=table.beams,
        diffuse=table.diffuse,
        between=material.orders_between(table.g, recipe.microscope.energy_keV),
    )


def shift_nm(left: np.ndarray, right: np.ndarray, pixel_nm: float) -> tuple[float, float]:
    """How far the right profile lies to the right of the left one where their correlation is highest [nm], and that."""
    from scipy.interpolate import CubicSpline
    from scipy.optimize import minimize_scalar

    x = np.arange(len(left)) * pixel_nm
    inner = slice(len(x) // 8, -(len(x) // 8))
    first, second = (CubicSpline(x, profile / profile.mean() - 1) for profile in (left, right))

    def unlike(shift: float) -> float:
        a, b = first(x[inner] - shift / 2), second(x[inner] + shift / 2)
        return -float(np.corrcoef(a, b)[0, 1])

    coarse = np.arange(-12.0, 12.5, 0.5)
    start = coarse[np.argmin([unlike(shift) for shift in coarse])]
    best: Any = minimize_scalar(unlike, bounds=(start - 0.6, start + 0.6), method="bounded")
    return float(best.x), -float(best.fun)
