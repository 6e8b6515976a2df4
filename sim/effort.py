"""What the simulation of a recipe takes, told before anything is made: memory, and about how much time."""

from __future__ import annotations

import numpy as np

from veristem.datasets.crystal import load_material
from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import around_one_centre
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import LONGEST_NM, Recipe
from veristem.datasets.specimens import Dislocations, Generated
from veristem.sim.elasticity.cores import DIVIDED_NM
from veristem.sim.elasticity.octaves import check_memory, line_points
from veristem.sim.elasticity.voxels import bytes_of_strain, bytes_of_voxels, parts_across
from veristem.sim.foil import Foil, orientation
from veristem.sim.networks.foil import clip
from veristem.sim.rays import bundles, margin_pixels

_PER_PRODUCT = 0.28  # of a row of beams, each with each, against a step of two beams
# seconds of one core: a byte of the spectral grid, a ray in a slice, its sample of the strain, a divided part, the rest
_PER_BYTE, _PER_STEP, _PER_SAMPLE, _PER_PART, _ALWAYS = 1.4e-8, 2.2e-9, 4e-9, 2e-6, 1.0


def check_room(recipe: Recipe) -> None:
    """Refuse a foil whose strain does not fit into memory, whatever lines are in it, before anything is read or made.

    Raises
    ------
    InputError
        With the memory that is needed and that is available, and the keys to change.
    """
    if isinstance(recipe.specimen, Dislocations):
        check_memory(bytes_of_strain(*_voxels(recipe)), "strain of the foil")


def check_lines(recipe: Recipe, network: DislocationNetwork) -> None:
    """Refuse more lines from a file than can be imaged, before their strain is found.

    Raises
    ------
    InputError
        With the length or the memory, what is allowed or available, and the keys to change.
    """
    size = np.array([*recipe.specimen.field_nm, recipe.specimen.thickness_nm])
    inside = clip(network, np.zeros(3), size)
    if (length := inside.lengths_nm.sum()) > LONGEST_NM:
        raise InputError(
            f"specimen.network.file: {length:.3g} nm of line in a foil of {' x '.join(f'{s:g}' for s in size)} nm "
            f"found, {LONGEST_NM:g} nm allowed; lower specimen.field_nm with scan.shape, or specimen.thickness_nm"
        )
    step, voxels = _voxels(recipe)
    fine = parts_across(recipe.scan.pixel_nm)
    points, _ = line_points(inside, max(step.min(), 1.0))
    near = np.unique((points / step).astype(int), axis=0)  # no fewer are divided
    pixels = len(np.unique(near[:, 1:], axis=0))
    parts = 12.0 * len(near) * (fine + 1) ** 2 + 4.0 * pixels * voxels[0] * fine**2
    check_memory(bytes_of_voxels(voxels) + parts, f"strain near {length:.3g} nm of line")


def core_seconds(recipe: Recipe) -> tuple[float, bool] | None:
    """Time of one core for the images of a recipe [s], and whether lines in a file may make it longer.

    From the voxels of the strain and from rays x slices x pixels, on the machine that the constants were measured on:
    for a foil without regions, aberrations or 4D scan. None for anything else.
    """
    table, microscope, stage = recipe.specimen, recipe.microscope, recipe.stage
    if (
        not isinstance(table, Dislocations)
        or isinstance(microscope.detector, Pixelated)
        or table.regions is not None
        or microscope.aberrations.coefficients_nm()
    ):
        return None
    light = _bare(recipe).illumination(microscope)
    step, voxels = _voxels(recipe)
    pixel, field = recipe.scan.pixel_nm, np.prod(table.field_nm)
    length = 0.0
    if isinstance(table.network, Generated):
        length = 1e-18 * table.network.density_per_m2 * field * table.thickness_nm
    near = 1 - np.exp(-0.8 * length * (2 * DIVIDED_NM + pixel) / field)  # share of the pixels with cores
    divided = 1 - np.exp(-np.pi * DIVIDED_NM**2 * length / (field * table.thickness_nm))
    fine = parts_across(pixel)
    rays = float(np.prod(recipe.scan.shape)) * (1 + near * fine**2) * voxels[0]
    regions = microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    steps = samples = 0
    for group in around_one_centre(regions):
        for part in bundles([regions[n] for n in group], light):
            steps, samples = steps + len(part.s), samples + 1
    per_step = _PER_STEP * (1 if light.beams == 2 else _PER_PRODUCT * light.beams**2)
    tilts = len(stage.angles_deg)
    core_s = (
        _ALWAYS
        + _PER_BYTE * bytes_of_strain(step, voxels)
        + tilts * rays * (per_step * steps + _PER_SAMPLE * samples)
        + _PER_PART * float(np.prod(voxels)) * divided * (fine + 1) ** 2
    )
    return float(core_s), not isinstance(table.network, Generated)


def _bare(recipe: Recipe) -> Foil:
    """The foil of a recipe without lines and whatever else is random in it."""
    table = recipe.specimen
    assert isinstance(table, Dislocations)
    material = load_material(table.material, table.crystal)
    g = orientation(recipe) @ material.reciprocal_per_nm(table.g)
    s = float(np.linalg.norm(g) * np.sin(np.radians(table.tilt_off_bragg_deg)))
    none = DislocationNetwork(np.zeros((0, 3)), np.zeros((0, 2), int), np.zeros((0, 3)))
    foil = Foil(none, material, table.g, g, s, table.field_nm, table.thickness_nm, table.thickness_nm / 2)
    foil.beams, foil.between = table.beams, material.orders_between(table.g, recipe.microscope.energy_keV)
    return foil


def _voxels(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Size [nm] and number of the voxels (z, y, x) of the strain, as far as the recipe tells."""
    table, pixel = recipe.specimen, recipe.scan.pixel_nm
    slices = _bare(recipe).slices(pixel)
    steepest = 1e-3 * recipe.microscope.convergence_mrad + np.radians(recipe.stage.steepest_deg)
    margin = margin_pixels(steepest, table.thickness_nm / 2, pixel)
    shape = np.array([slices, *(n + 2 * margin for n in recipe.scan.shape)])
    return np.array([table.thickness_nm / slices, pixel, pixel]), shape
