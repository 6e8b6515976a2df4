"""What the simulation of a recipe takes, told before anything is made: memory, and about how much time."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from veristem.datasets.crystal import load_material
from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import around_one_centre
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import LONGEST_NM, Recipe
from veristem.datasets.specimens import Centres, Dislocations, FromFile, Generated, Particles
from veristem.sim.diffuse import PER_FRINGE, PIXEL_NM, SHEAR_NM
from veristem.sim.dispersions.packing import number_density_per_nm3
from veristem.sim.elasticity.cores import DIVIDED_NM
from veristem.sim.elasticity.octaves import check_memory, line_points
from veristem.sim.elasticity.voxels import bytes_of_strain, bytes_of_voxels
from veristem.sim.film import film_of
from veristem.sim.foil import Foil, orientation
from veristem.sim.networks.foil import clip
from veristem.sim.optics import spread_nm2
from veristem.sim.pattern import pattern_of
from veristem.sim.ray_strain import margin_pixels, sub_pixel_nodes
from veristem.sim.rays import Bundle, bundles, cone

_PER_PRODUCT = 0.28  # of a row of beams, each with each, against a step of two beams
_ALL_BEAMS = 2.0  # of a step whose beams are all kept, for patterns, against one that regions add up at once
_COARSE = 4  # pixels of a detector put together to count the rays of its patterns
# seconds of one core for each of what `work` counts; python tests/benchmarks/costs.py measures them
COSTS = {
    "always": 0.4,
    "viewed_pixels": 5e-7,  # of all views, whatever is in them
    "strain_bytes": 1.6e-8,  # of the spectral grid
    "divided_parts": 3e-6,  # of voxels near lines
    "steps": 2.2e-9,  # of two beams through a slice
    "samples": 4e-9,  # of the strain, a ray in a slice
    "moved_pixels": 5e-8,  # of an image of rays that an aberration moves
    "pattern_pixels": 4e-5,  # of a detector, to know its rays
    "counted_pixels": 5e-8,  # of the patterns of a scan
    "film_pixels": 6e-9,  # of the patterns of a film, most of which get no electron
    "shaded_pixels": 1.5e-8,  # of a particle along a ray
    "film_rays": 1e-5,
}


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
    fine = len(sub_pixel_nodes(recipe.scan.pixel_nm))
    points, _ = line_points(inside, max(step.min(), 1.0))
    near = np.unique((points / step).astype(int), axis=0)  # no fewer are divided
    pixels = len(np.unique(near[:, 1:], axis=0))
    parts = 12.0 * len(near) * (fine + 1) ** 2 + 4.0 * pixels * voxels[0] * fine**2
    check_memory(bytes_of_voxels(voxels) + parts, f"strain near {length:.3g} nm of line")


def core_seconds(recipe: Recipe) -> tuple[float, bool]:
    """Time of one core for a recipe [s], to a factor of about two, and whether what a file holds may make it longer.

    It is that of the machine that `COSTS` were measured on.
    """
    table = recipe.specimen
    from_file = isinstance(table.network if isinstance(table, Dislocations) else table.dispersion, (FromFile, Centres))
    return float(sum(COSTS[name] * amount for name, amount in work(recipe).items())), from_file


def work(recipe: Recipe) -> dict[str, float]:
    """How much of each of `COSTS` the simulation of a recipe takes, before anything random is drawn."""
    counted = _foil_work(recipe) if isinstance(recipe.specimen, Dislocations) else _film_work(recipe)
    views = len(recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)) * len(recipe.stage.angles_deg)
    return {"always": 1.0, "viewed_pixels": float(views * np.prod(recipe.scan.shape)), **counted}


def _foil_work(recipe: Recipe) -> dict[str, float]:
    """Voxels of the strain, and rays x slices x pixels of the images, of their diffuse part, and of a 4D scan."""
    table, microscope = recipe.specimen, recipe.microscope.balanced
    assert isinstance(table, Dislocations)
    detector, light = microscope.detector, _bare(recipe).illumination(microscope)
    step, voxels = _voxels(recipe)
    pixel, field = recipe.scan.pixel_nm, np.prod(table.field_nm)
    length = 0.0
    if isinstance(table.network, Generated):
        length = 1e-18 * table.network.density_per_m2 * field * table.thickness_nm
    near = 1 - np.exp(-0.8 * length * (2 * DIVIDED_NM + pixel) / field)  # share of the pixels with cores
    divided = 1 - np.exp(-np.pi * DIVIDED_NM**2 * length / (field * table.thickness_nm))
    fine = len(sub_pixel_nodes(pixel))
    regions = detector.regions(recipe.kikuchi_azimuth_rad)
    counted: dict[str, float] = defaultdict(float)
    pixels = float(np.prod([n + 2 * _rim(recipe) for n in recipe.scan.shape]))
    if isinstance(detector, Pixelated):
        fewer = max(1, min(_COARSE, min(detector.shape) // 16))
        rows, columns = detector.shape
        coarse = detector.model_copy(
            update={"shape": (rows // fewer, columns // fewer), "pixel_mrad": detector.pixel_mrad * fewer}
        )
        with np.errstate(invalid="ignore"):  # a ray that stands on one of two strips has no share in the other
            pattern = pattern_of(coarse, light)
        parts = [*pattern.parts, *pattern.seen_by(regions, coarse)]
        counted["pattern_pixels"] = 3.0 * rows * columns  # for scan, vacuum and truth
        counted["counted_pixels"] = float(rows * columns * (pixels + np.prod(detector.vacuum_shape)))
    else:
        parts = [p for group in around_one_centre(regions) for p in bundles([regions[n] for n in group], light)]
    per_step = 1 if light.beams == 2 else _PER_PRODUCT * light.beams**2
    per_step *= _ALL_BEAMS if isinstance(detector, Pixelated) else 1
    aberrated = bool(microscope.aberrations.coefficients_nm())

    def image(parts: list[Bundle], pixels: float, rays: float) -> None:
        counted["steps"] += rays * voxels[0] * per_step * sum(len(part.s) for part in parts)
        counted["samples"] += rays * voxels[0] * len(parts)
        if aberrated:
            counted["moved_pixels"] += pixels * sum(np.count_nonzero(part.weight) for part in parts)

    image(parts, pixels, pixels * (1 + near * fine**2))
    if table.diffuse:
        binned = pixels / max(1, int(PIXEL_NM / pixel)) ** 2
        image(cone(light, SHEAR_NM, PER_FRINGE), binned, binned)
    for name in counted:
        counted[name] *= len(recipe.stage.angles_deg)
    counted["strain_bytes"] = float(bytes_of_strain(step, voxels))
    counted["divided_parts"] = float(np.prod(voxels)) * divided * (fine + 1) ** 2
    return counted


def _film_work(recipe: Recipe) -> dict[str, float]:
    """Rays of the regions, each shaded by every particle."""
    table, microscope, pixel = recipe.specimen, recipe.microscope.balanced, recipe.scan.pixel_nm
    assert isinstance(table, Particles)
    box = np.array([*table.field_nm, table.thickness_nm])
    diameter = getattr(table.dispersion, "diameter_nm", 5.0)
    density = 0.0
    if not isinstance(table.dispersion, Centres):
        density = number_density_per_nm3(table.dispersion.concentration_mg_per_ml, diameter**3 / 8)
    one = ParticleDispersion(box[None] / 2, np.array([diameter / 2]), box)
    detector = microscope.detector
    regions = detector.regions(recipe.kikuchi_azimuth_rad)
    rays, counted = 0, {}
    if isinstance(detector, Pixelated):
        counted["pattern_pixels"] = 0.5 * float(np.prod(detector.shape))  # a ray has many
        counted["film_pixels"] = float(
            np.prod(detector.shape) * (np.prod(recipe.scan.shape) + np.prod(detector.vacuum_shape))
        )
        regions = [regions[0], *regions]  # patterns are drawn of the same rays as one region
    for group in around_one_centre(regions):
        found, _ = film_of(table, one).rays([regions[n] for n in group], microscope, pixel)
        rays += sum(len(part.share) for part in found)
    rays *= len(recipe.stage.angles_deg)
    area = np.prod([n + 2 * _rim(recipe) for n in recipe.scan.shape]) * pixel**2
    across = (diameter / pixel + 1) ** 2  # pixels that a particle touches
    shaded = float(rays * density * area * table.thickness_nm * across)
    return counted | {"film_rays": float(rays), "shaded_pixels": shaded}


def _rim(recipe: Recipe) -> int:
    """Pixels beyond the field that aberrations and the source bring in."""
    microscope = recipe.microscope.balanced
    regions = microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    alpha = 1e-3 * microscope.convergence_mrad
    shifts = [microscope.aberrations.shift_nm(region, alpha) for region in regions]
    far = max(float(np.abs(far - mean).max() if recipe.scan.registered else far.max()) for mean, far in shifts)
    blur = far + 4 * max(float(np.sqrt(np.trace(spread_nm2(microscope, region)))) for region in regions)
    return int(np.ceil(blur / recipe.scan.pixel_nm)) + 3 if blur else 0


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
