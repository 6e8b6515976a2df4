"""Which angle turns disparity into depth: rim, mean direction or what makes the contrast, over the inner radius."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from veristem.datasets import DislocationNetwork, ParticleDispersion
from veristem.datasets.crystal import load_material
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.recon.methods import run_method
from veristem.recon.particles.pair_correlation import radial_distribution
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of, make_film
from veristem.sim.specimen import Specimen, orientation

CONE_MRAD = 28.0
INNER_MRAD = (0.0, 3.5, 7.5, 10.5, 14.0, 17.5, 21.0, 24.5)
THESIS_DEG = 3.0  # taken for the particles of the thesis, whose inner radius was near 14 mrad
ASSUMED_DEG = (2.0, 2.2, 2.8, 3.0)
_PAIRS = {"along the Kikuchi line": (0, 2), "along g": (1, 3)}  # A and C, B and D
_LINES = ((1, 0, 1), (0, 1, 1), (1, 0, -1))  # twice the Burgers vectors, all with |g·b| = 1
_SEEDS = 4


class Scale(NamedTuple):
    """One pair of quadrants: its specimen, inner radius [mrad], angle measured and those of three definitions [deg]."""

    what: str
    inner_mrad: float
    measured: float
    rim: float
    mean: float
    contrast: float


def angle_deg(depth_nm: np.ndarray, disparity_nm: np.ndarray) -> float:
    """Angle of a symmetric pair that brings depths to these disparities, d = 2 z tan(phi / 2) + a constant [deg]."""
    slope = np.polyfit(depth_nm, disparity_nm, 1)[0]
    return float(2 * np.degrees(np.arctan(abs(slope) / 2)))


def recipe_with(name: str, inner_mrad: float, **values) -> Recipe:
    """A recipe with opposite quadrants along x and y."""
    detector = {"kind": "segmented", "inner_mrad": inner_mrad, "outer_mrad": CONE_MRAD}
    changed = {"microscope.convergence_mrad": CONE_MRAD, "microscope.detector": detector}
    return load_recipe(name).with_values(changed | {key.replace("__", "."): value for key, value in values.items()})


def definitions(truth, acquisition, pair: tuple[int, int]) -> tuple[float, float, float]:
    """Angle between rims, nominal mean directions and true directions of the contrast of two views [deg]."""
    nominal, contrast = acquisition.directions_rad, truth.contrast_directions_rad
    rim = 2e-3 * CONE_MRAD
    return tuple(np.degrees([rim, *(pair_angle_rad(*(d[view] for view in pair)) for d in (nominal, contrast))]))


def particles(inner_mrad: float) -> list[Scale]:
    """Spheres apart from each other at all depths: centroids of their images without noise."""
    side, step, pixel = 160.0, 20.0, 0.4
    shape = (round(side / pixel),) * 2
    recipe = recipe_with("particles-small", inner_mrad, scan__shape=shape, specimen__field_nm=(side, side))
    at = np.arange(step / 2, side, step)
    x, y = (one.ravel() for one in np.meshgrid(at, at))
    z = np.random.default_rng(0).permutation(np.linspace(20.0, recipe.specimen.thickness_nm - 20.0, len(x)))
    box = np.array([side, side, recipe.specimen.thickness_nm])
    spheres = ParticleDispersion(np.stack([x, y, z], axis=1), np.full(len(x), 2.25), box)
    truth, acquisition = acquire(film_of(recipe.specimen, spheres), recipe, np.random.default_rng(0))
    half = int(0.45 * step / pixel)
    offset = (np.arange(-half, half + 1)) * pixel
    places = np.empty((4, len(x), 2))
    for view, expected in enumerate(truth.expected.astype(float)):
        for n, (i, j) in enumerate(np.floor(np.stack([x, y], axis=1) / pixel).astype(int)):
            window = expected[j - half : j + half + 1, i - half : i + half + 1]
            rim = np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]])
            dark = rim.mean() - window
            places[view, n] = [(dark.sum(axis) * offset).sum() / dark.sum() for axis in (0, 1)]
            places[view, n] += pixel * (np.array([i, j]) + 0.5) - [x[n], y[n]]
    found = []
    for axis, (where, pair) in enumerate(_PAIRS.items()):
        disparity = places[pair[1], :, axis] - places[pair[0], :, axis]
        found.append(
            Scale(f"particles, {where}", inner_mrad, angle_deg(z, disparity), *definitions(truth, acquisition, pair))
        )
    return found[:1]  # a film has no direction of its own: the other pair is the same


def lines(inner_mrad: float) -> list[Scale]:
    """Straight lines that rise through the foil across the epipolar direction: their profiles, shifted to agree."""
    length, width, pixel, face = 320.0, 128.0, 1.0, 15.0
    found = []
    for axis, (where, pair) in enumerate(_PAIRS.items()):
        field = (width, length) if axis == 0 else (length, width)
        shape = (round(field[1] / pixel), round(field[0] / pixel))
        recipe = recipe_with(
            "cantor-stereo", inner_mrad, scan__shape=shape, scan__pixel_nm=pixel, specimen__field_nm=field
        )
        for twice_b in _LINES:
            truth, acquisition = acquire(
                foil_with(recipe, axis, face, np.array(twice_b) / 2), recipe, np.random.default_rng(0)
            )
            rows = [view if axis == 0 else view.T for view in truth.expected[list(pair)].astype(float)]
            z = face + (recipe.specimen.thickness_nm - 2 * face) * (np.arange(rows[0].shape[0]) + 0.5) / len(rows[0])
            bands = np.array_split(np.arange(len(z)), 32)[2:-2]
            shifts = [shift_nm(*(row[band].mean(axis=0) for row in rows), pixel) for band in bands]
            depths = [z[band].mean() for band in bands]
            angle = angle_deg(np.array(depths), np.array(shifts))
            found.append(Scale(f"lines, {where}", inner_mrad, angle, *definitions(truth, acquisition, pair)))
    return found


def foil_with(recipe: Recipe, axis: int, face_nm: float, burgers: np.ndarray) -> Specimen:
    """A foil with one line in the middle of its field, along y (axis 0) or x, from near one face to near the other."""
    table, turn = recipe.specimen, orientation(recipe)
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
    return Specimen(network, material, table.g, g, 0.0, table.field_nm, thickness, thickness / 2)


def shift_nm(left: np.ndarray, right: np.ndarray, pixel_nm: float) -> float:
    """How far the right profile lies to the right of the left one, where their correlation is highest [nm]."""
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
    return float(minimize_scalar(unlike, bounds=(start - 0.6, start + 0.6), method="bounded").x)
