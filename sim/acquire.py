"""The one way from a specimen to images."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Tilt, disjoint, project
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth
from veristem.sim.film import Film, overlaps
from veristem.sim.noise import detect, electrons_per_pixel
from veristem.sim.scan4d import check_pixelated, counter
from veristem.sim.shots import Progress, take
from veristem.sim.specimen import Specimen
from veristem.sim.visibility import visibility

_BRIGHTEST = 1.5 / np.pi  # times the share of the cone in a pixel: where an excess line crosses the disc
_LOST = 1e-6  # of the electrons on the brightest pixel, that a counter may miss in sums of pixels


def label_maps(
    network: DislocationNetwork, visible, directions_rad, focus_nm: float, pixel_nm: float, shape, to_image=None
) -> np.ndarray:
    """(V, rows, columns) uint8: 1 on the projection of a visible segment, 2 on an invisible one, 0 elsewhere."""
    from skimage.draw import line

    first, second = network.ends_nm()
    labels = np.zeros((len(directions_rad), *shape), np.uint8)
    order = np.argsort(visible, kind="stable")  # visible ones are drawn last
    for view, direction in enumerate(directions_rad):
        places = (
            project(p, direction, focus_nm, None if to_image is None else to_image[view]) for p in (first, second)
        )
        ends = [np.floor(place / pixel_nm).astype(int) for place in places]
        for m in order:
            j, i = line(ends[0][m, 1], ends[0][m, 0], ends[1][m, 1], ends[1][m, 0])
            inside = (j >= 0) & (j < shape[0]) & (i >= 0) & (i < shape[1])
            labels[view, j[inside], i[inside]] = 1 if visible[m] else 2
    return labels


def acquire(
    specimen: Specimen | Film,
    recipe: Recipe,
    rng: np.random.Generator,
    progress: Progress = lambda tilts, _: tilts,
) -> tuple[Truth, Acquisition]:
    """Image a specimen as the recipe's microscope, scan and stage say.

    Parameters
    ----------
    specimen : Specimen or Film
        What is imaged.
    recipe : Recipe
        Its microscope, scan and stage are used; it is kept with the truth.
    rng : numpy.random.Generator
        Of the counting noise, of the errors of the scan and of the stage.
    progress : callable
        Wraps the loop over (tilts, number of tilts).

    Returns
    -------
    LineTruth or ParticleTruth, Acquisition
        The acquisition holds nothing of the truth: its geometry is the nominal one.

    Raises
    ------
    InputError
        When a detector region lies outside the cone.
    """
    microscope, scan, stage, table = recipe.microscope, recipe.scan, recipe.stage, recipe.specimen
    alpha = 1e-3 * microscope.convergence_mrad
    regions = microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    tilts = [Tilt(angle, recipe.tilt_axis_rad) for angle in np.radians(stage.angles_deg)]
    nominal_rad = np.array([region.mean_direction_rad(alpha, tilt) for tilt in tilts for region in regions])
    counting = deepcopy(rng)  # counts do not depend on whether there are other errors
    errors = rng.spawn(len(stage.angles_deg) * len(regions) + 1)[-1]
    dose = electrons_per_pixel(microscope.current_nA, scan.dwell_us)
    if isinstance(microscope.detector, Pixelated):
        shots, expected, views = _of_pixels(specimen, recipe, regions, errors, counting, progress, dose)
    else:
        shots = take(specimen, recipe, regions, errors, progress)
        expected = np.stack([dose * shot.share for shot in shots]).astype(np.float32)
        views = detect(expected, microscope.response, counting)
    level = [np.array_equal(shot.to_image, np.eye(2, 3)) for shot in shots]
    imaging = {
        "expected": expected,
        "directions_rad": np.array([shot.mean_rad for shot in shots]),
        "contrast_directions_rad": np.array([shot.contrast_rad for shot in shots]),
        "to_image": None if all(level) else np.array([shot.to_image for shot in shots]),
    }
    is_film = isinstance(specimen, Film)
    truth = film_truth(specimen, recipe, **imaging) if is_film else line_truth(specimen, recipe, **imaging)
    crystal = {}
    if isinstance(table, Dislocations):
        crystal = {
            "material": table.material,
            "zone_axis": np.array(table.zone_axis, float),
            "g": np.array(table.g, float),
            "g_azimuth_rad": np.radians(table.g_azimuth_deg),
            "tilt_off_bragg_rad": np.radians(table.tilt_off_bragg_deg),
        }
    if any(tilt.angle_rad for tilt in tilts):
        crystal |= {
            "tilts_rad": np.repeat([tilt.angle_rad for tilt in tilts], len(regions)),
            "tilt_axis_rad": recipe.tilt_axis_rad,
        }
    acquisition = Acquisition(
        views=views,
        directions_rad=nominal_rad,
        pixel_nm=scan.pixel_nm,
        focus_nm=table.thickness_nm / 2,
        thickness_nm=truth.thickness_nm,
        electrons_per_pixel=np.tile([dose * region.fraction(alpha) for region in regions], len(tilts)),
        energy_keV=microscope.energy_keV,
        convergence_rad=alpha,
        regions=tuple(replace(region, pixel_rad=0.0, corner_rad=(0.0, 0.0)) for region in regions) * len(tilts),
        kind=table.kind,
        **crystal,
    )
    return truth, acquisition


def _of_pixels(specimen, recipe: Recipe, regions, errors, counting, progress: Progress, dose: float):
    """Shots, expected counts and counts of regions of whole pixels, without the 4D data they would be summed from.

    Expectation and covariance are those of sums over the pixels of a 4D scan.
    """
    from scipy.stats import poisson

    detector, response = check_pixelated(recipe), recipe.microscope.response
    brightest = dose * response.dqe * _BRIGHTEST * (detector.pixel_mrad / recipe.microscope.convergence_mrad) ** 2
    limit, _ = counter(recipe, brightest)
    beyond = np.arange(limit, limit + 20 + int(20 * np.sqrt(brightest) + 2 * brightest))
    if poisson.sf(beyond, brightest).sum() > _LOST * brightest:
        raise InputError(
            f"microscope.response: a counter that holds {limit} found where {brightest:.3g} electrons may fall on a "
            "pixel, one that loses none allowed for sums of pixels; simulate the 4D scan, which counts pixel by pixel"
        )
    parts, member = disjoint(regions, detector.directions_rad())
    overlap = len(parts) != len(regions) or not np.array_equal(member, np.eye(len(regions)))
    shots = take(specimen, recipe, [*regions, *parts] if overlap else regions, errors, progress)
    every = np.stack([dose * shot.share for shot in shots]).astype(np.float32)
    each = response.model_copy(update={"bits": None, "saturation_electrons": None})  # a counter a pixel, not a view
    counts = detect(every[-len(parts) :], each, counting)
    views = np.tensordot(member.astype(np.float32), counts, 1)
    return shots[: len(regions)], every[: len(regions)], views


def line_truth(
    specimen: Specimen, recipe: Recipe, expected, directions_rad, to_image=None, contrast_directions_rad=None
) -> LineTruth:
    """What is in a foil and how it was imaged."""
    foil = specimen.foil_network()
    g_dot_b, g_dot_bu, visible = visibility(foil, specimen.g_per_nm)
    pixel, shape = recipe.scan.pixel_nm, recipe.scan.shape
    labels = label_maps(foil, visible, directions_rad, specimen.focus_nm, pixel, shape, to_image)
    if specimen.regions is not None:
        for label, direction in zip(labels, directions_rad):
            met = specimen.regions.label(direction, specimen.focus_nm, pixel, shape)
            label[met & (label == 0)] = 3
    return LineTruth(
        network=foil,
        g_dot_b=g_dot_b,
        g_dot_bu=g_dot_bu,
        visible=visible,
        labels=labels,
        field_nm=recipe.specimen.field_nm,
        thickness_nm=specimen.thickness_nm,
        focus_nm=specimen.focus_nm,
        expected=expected,
        directions_rad=directions_rad,
        contrast_directions_rad=contrast_directions_rad,
        to_image=to_image,
        recipe=recipe.model_dump(mode="json"),
    )


def film_truth(
    film: Film, recipe: Recipe, expected, directions_rad, to_image=None, contrast_directions_rad=None
) -> ParticleTruth:
    """What is in a film and how it was imaged; particles that show in no view are left out."""
    pixel, shape = recipe.scan.pixel_nm, recipe.scan.shape
    low, high = -film.particles.radii_nm[:, None], film.particles.box_nm[:2] + film.particles.radii_nm[:, None]
    shows = np.zeros(len(film.particles.radii_nm), bool)
    for view, direction in enumerate(directions_rad):
        at = project(film.particles.centers_nm, direction, film.focus_nm, None if to_image is None else to_image[view])
        shows |= ((at > low) & (at < high)).all(axis=1)
    particles = film.particles.where(shows | film.particles.inside_field)
    return ParticleTruth(
        particles=particles,
        labels=overlaps(particles, directions_rad, film.focus_nm, pixel, shape, to_image),
        focus_nm=film.focus_nm,
        expected=expected,
        directions_rad=directions_rad,
        contrast_directions_rad=contrast_directions_rad,
        to_image=to_image,
        recipe=recipe.model_dump(mode="json"),
    )
