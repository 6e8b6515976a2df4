"""The one way from a specimen to images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region, project
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth
from veristem.sim.contrast import Extinction, Fault, Row, systematic_row, two_beam
from veristem.sim.film import Film, overlaps
from veristem.sim.noise import count, electrons_per_pixel
from veristem.sim.rays import Bundle, Scratch, bundles, margin_pixels, ray_beta, row_orders
from veristem.sim.specimen import Specimen
from veristem.sim.visibility import visibility


def region_image(
    specimen: Specimen, region: Region, microscope, pixel_nm: float, shape: tuple[int, int], beams: int = 2
) -> np.ndarray:
    """Share of the cone's electrons that reaches a detector region from each pixel, (rows, columns) float64.

    The region may lie anywhere: a disc about 0 gives a bright field, one about lambda g a dark field or, at a large
    excitation error, a weak-beam image, an annulus what Bragg beams bring there; with a narrow cone, as by parallel
    illumination.

    Parameters
    ----------
    specimen : Specimen
        What is imaged.
    region : Region
        Of the detector, within the cone or beyond it.
    microscope : Microscope
        Beam settings of the recipe.
    pixel_nm : float
        Scan step [nm].
    shape : (int, int)
        Rows and columns.
    beams : int
        2 for two-beam cases, 3 to 9 for a systematic row about the direct beam.

    Raises
    ------
    InputError
        When the material has no extinction distances for such a row.
    """
    key = (
        region,
        microscope.energy_keV,
        microscope.convergence_mrad,
        microscope.loss_collected_fraction,
        pixel_nm,
        shape,
        beams,
    )
    if key in specimen.images:  # dose, dwell and detector pairs share the images of a region
        return specimen.images[key]
    energy = microscope.energy_keV
    alpha = 1e-3 * microscope.convergence_mrad
    wavelength = electron_wavelength_nm(energy)
    g = specimen.g_per_nm
    margin = margin_pixels(alpha, max(specimen.focus_nm, specimen.thickness_nm - specimen.focus_nm), pixel_nm)
    strain, dz = specimen.strain(pixel_nm, shape, margin)
    extinction = specimen.extinction(energy, microscope.loss_collected_fraction)
    row = None
    if beams > 2:
        row = Row.of_material(specimen.material, specimen.g_hkl, energy, tuple(int(n) for n in row_orders(beams)))
        row = row._replace(xi_0_abs=extinction.xi_0_abs)
    crystal = row or extinction
    grid = (margin, dz, pixel_nm, specimen.focus_nm, Scratch())
    image = np.zeros(shape)
    for part in bundles(region, alpha, g[:2], wavelength, specimen.s0_per_nm, specimen.thickness_nm, beams):
        beta, pixels, close = ray_beta(strain, part.theta_rad, *grid)
        if part.sign < 0:  # of the reflection -g
            for change in (beta, close):
                np.negative(change, out=change)
        exits = specimen.shape.exit_slices(part.theta_rad, pixel_nm, shape, dz, specimen.focus_nm)
        faults = specimen.faults(part.theta_rad, part.sign, pixel_nm, shape, dz)
        share = counted(part, beta, dz, crystal, exits, faults)
        if close.size:  # rays of one pixel leave and cross boundaries at one depth
            rays = close.shape[1:]
            near = [f._replace(depth_slices=np.broadcast_to(f.depth_slices[pixels][:, None], rays)) for f in faults]
            ends = None if exits is None else np.broadcast_to(exits[pixels][:, None], rays)
            share[pixels] = counted(part, close, dz, crystal, ends, near).mean(axis=1)
        layer = specimen.shape.transmitted(part.theta_rad, pixel_nm, shape, specimen.focus_nm)
        image += share * (layer if exits is None else np.where(exits > 0, layer, 1.0))  # nothing lies over the hole
    specimen.images[key] = image
    return image


def counted(
    part: Bundle,
    beta: np.ndarray,
    dz_nm: float,
    crystal: Extinction | Row,
    exits: np.ndarray | None = None,
    faults: Sequence[Fault] = (),
) -> np.ndarray:
    """Share (...) of the cone's electrons that a region receives of some rays, beta (nz, ...) of their reflection.

    The rays pass ``exits`` (...) slices of crystal, or all, and ``faults``.
    """
    if isinstance(crystal, Extinction):
        found = two_beam(beta, dz_nm, part.s, crystal, exit_slices=exits, faults=faults)
    else:
        found = systematic_row(beta, dz_nm, part.s, crystal, exit_slices=exits, faults=faults)
    share = np.zeros(beta.shape[1:])
    for weights, intensities in zip(part.weight, found):
        for weight, intensity in zip(weights, intensities):  # in this order, whatever the threads
            if weight:
                share += weight * intensity
    return share


def label_maps(
    network: DislocationNetwork, visible, directions_rad, focus_nm: float, pixel_nm: float, shape
) -> np.ndarray:
    """(V, rows, columns) uint8: 1 on the projection of a visible segment, 2 on an invisible one, 0 elsewhere."""
    from skimage.draw import line

    first, second = network.ends_nm()
    labels = np.zeros((len(directions_rad), *shape), np.uint8)
    order = np.argsort(visible, kind="stable")  # visible ones are drawn last
    for view, direction in enumerate(directions_rad):
        ends = [np.floor(project(p, direction, focus_nm) / pixel_nm).astype(int) for p in (first, second)]
        for m in order:
            j, i = line(ends[0][m, 1], ends[0][m, 0], ends[1][m, 1], ends[1][m, 0])
            inside = (j >= 0) & (j < shape[0]) & (i >= 0) & (i < shape[1])
            labels[view, j[inside], i[inside]] = 1 if visible[m] else 2
    return labels


def acquire(specimen: Specimen | Film, recipe: Recipe, rng: np.random.Generator) -> tuple[Truth, Acquisition]:
    """Image a specimen as the recipe's microscope and scan say.

    Parameters
    ----------
    specimen : Specimen or Film
        What is imaged.
    recipe : Recipe
        Its microscope and scan are used; it is kept with the truth.
    rng : numpy.random.Generator
        Of the counting noise only.

    Returns
    -------
    LineTruth or ParticleTruth, Acquisition
        The acquisition holds nothing of the truth.

    Raises
    ------
    InputError
        When a detector region lies outside the cone.
    """
    microscope, scan, table = recipe.microscope, recipe.scan, recipe.specimen
    alpha = 1e-3 * microscope.convergence_mrad
    regions = microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    directions = np.array([region.mean_direction_rad(alpha) for region in regions])
    dose = electrons_per_pixel(microscope.current_nA, scan.dwell_us)
    image = (
        specimen.region_image
        if isinstance(specimen, Film)
        else partial(region_image, specimen, beams=getattr(table, "beams", 2))
    )
    expected = np.stack([dose * image(region, microscope, scan.pixel_nm, scan.shape) for region in regions])
    expected = expected.astype(np.float32)
    parts = (recipe, directions, expected)
    truth = film_truth(specimen, *parts) if isinstance(specimen, Film) else line_truth(specimen, *parts)
    crystal = {}
    if isinstance(table, Dislocations):
        crystal = {
            "material": table.material,
            "zone_axis": np.array(table.zone_axis, float),
            "g": np.array(table.g, float),
            "g_azimuth_rad": np.radians(table.g_azimuth_deg),
            "tilt_off_bragg_rad": np.radians(table.tilt_off_bragg_deg),
        }
    acquisition = Acquisition(
        views=count(expected, rng),
        directions_rad=directions,
        pixel_nm=scan.pixel_nm,
        focus_nm=table.thickness_nm / 2,
        thickness_nm=truth.thickness_nm,
        electrons_per_pixel=np.array([dose * region.fraction(alpha) for region in regions]),
        energy_keV=microscope.energy_keV,
        convergence_rad=alpha,
        regions=tuple(regions),
        kind=table.kind,
        **crystal,
    )
    return truth, acquisition


def line_truth(specimen: Specimen, recipe: Recipe, directions_rad: np.ndarray, expected: np.ndarray) -> LineTruth:
    """What is in a foil and how it was imaged."""
    foil = specimen.foil_network()
    g_dot_b, g_dot_bu, visible = visibility(foil, specimen.g_per_nm)
    pixel, shape = recipe.scan.pixel_nm, recipe.scan.shape
    labels = label_maps(foil, visible, directions_rad, specimen.focus_nm, pixel, shape)
    if specimen.regions is not None:
        for label, direction in zip(labels, directions_rad):
            met = specimen.regions.label(direction, specimen.focus_nm, pixel, shape)
            label[met & (label == 0)] = 3
    return LineTruth(
        network=foil,
        g_dot_b=g_dot_b,
        g_dot_bu=g_dot_bu,
        visible=visible,
        expected=expected,
        labels=labels,
        directions_rad=directions_rad,
        field_nm=recipe.specimen.field_nm,
        thickness_nm=specimen.thickness_nm,
        focus_nm=specimen.focus_nm,
        recipe=recipe.model_dump(mode="json"),
    )


def film_truth(film: Film, recipe: Recipe, directions_rad: np.ndarray, expected: np.ndarray) -> ParticleTruth:
    """What is in a film and how it was imaged; particles that show in no view are left out."""
    pixel, shape = recipe.scan.pixel_nm, recipe.scan.shape
    low, high = -film.particles.radii_nm[:, None], film.particles.box_nm[:2] + film.particles.radii_nm[:, None]
    shows = np.zeros(len(film.particles.radii_nm), bool)
    for direction in directions_rad:
        at = project(film.particles.centers_nm, direction, film.focus_nm)
        shows |= ((at > low) & (at < high)).all(axis=1)
    particles = film.particles.where(shows | film.particles.inside_field)
    return ParticleTruth(
        particles=particles,
        expected=expected,
        labels=overlaps(particles, directions_rad, film.focus_nm, pixel, shape),
        directions_rad=directions_rad,
        focus_nm=film.focus_nm,
        recipe=recipe.model_dump(mode="json"),
    )
