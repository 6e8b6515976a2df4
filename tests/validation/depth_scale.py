"""The depth scale that images show: a line that rises through a foil, its disparity, and the angle that it tells of."""

from __future__ import annotations

from typing import Any

import numpy as np

from veristem.datasets import DislocationNetwork
from veristem.datasets.crystal import load_material
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.specimens import Dislocations
from veristem.sim.foil import Foil
from veristem.sim.specimen import orientation
from veristem.sim.views import expected_views

_FACE_NM, _BANDS = 15.0, 24


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


def discs_deg(cone_mrad: float, pair_deg: float, radius_mrad: float, twice_b) -> tuple[float, float, float, float]:
    """Angle between two discs [deg] that scales the depths of a line from face to face, and that of mean directions.

    Also the median correlation of its profiles in both, and rms of depth that the straight line leaves over [nm]. What
    of a disc lies beyond the cone has no electrons. CoCrFeMnNi as of `cantor-stereo`, no noise, an ideal lens.
    """
    width, length, pixel = 96.0, 256.0, 2.0
    shape = [round(length / pixel), round(width / pixel)]
    recipe = load_recipe("cantor-stereo").with_values(
        {
            "microscope.convergence_mrad": cone_mrad,
            "microscope.aberrations": "none",
            "microscope.detector": {"kind": "virtual", "pair_angle_deg": pair_deg, "radius_mrad": radius_mrad},
            "specimen.field_nm": [width, length],
            "scan.shape": shape,
            "scan.pixel_nm": pixel,
            "scan.registered": True,
        }
    )
    foil = foil_with(recipe, 0, _FACE_NM, np.array(twice_b) / 2)
    z = _FACE_NM + (foil.thickness_nm - 2 * _FACE_NM) * (np.arange(shape[0]) + 0.5) / shape[0]
    bands = np.array_split(np.arange(shape[0]), _BANDS)[2:-2]  # the ends near the faces left out
    regions = recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    seen = expected_views(foil, recipe, regions, np.random.default_rng(0), lambda tilts, _: tilts)
    left, right = (view.share for view in seen)
    matched = [shift_nm(left[band].mean(axis=0), right[band].mean(axis=0), pixel) for band in bands]
    angle, spread = angle_deg(np.array([z[band].mean() for band in bands]), np.array(matched)[:, 0])
    mean = np.degrees(pair_angle_rad(*(region.mean_direction_rad(1e-3 * cone_mrad) for region in regions)))
    return angle, float(mean), float(np.median(np.array(matched)[:, 1])), spread
