"""The one way from a specimen to images."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Tilt
from veristem.datasets.microscope import Response
from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import LineTruth, Truth
from veristem.sim.noise import detect, electrons_per_pixel
from veristem.sim.scan4d import brightest_mean, check_pixelated, counter
from veristem.sim.specimen import Specimen
from veristem.sim.views import Progress, expected_views, shared_parts

_LOST = 1e-6  # of the electrons on the brightest pixel, that a counter may miss in sums of pixels


def acquire(
    specimen: Specimen,
    recipe: Recipe,
    rng: np.random.Generator,
    progress: Progress = lambda tilts, _: tilts,
) -> tuple[Truth, Acquisition]:
    """Image a specimen as the recipe's microscope, scan and stage say.

    Parameters
    ----------
    specimen : Specimen
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
    response = microscope.response
    if isinstance(microscope.detector, Pixelated):
        response = _of_sums(recipe)
    # regions that overlap count the same electrons: these are drawn once, for the parts that have none in common
    parts, member = shared_parts(recipe, regions)
    own = len(regions)
    drawn = expected_views(specimen, recipe, [*regions, *parts], errors, progress)
    if parts:
        one_tilt = len(regions) + len(parts)
        of_parts = [view for n, view in enumerate(drawn) if n % one_tilt >= own]
        drawn = [view for n, view in enumerate(drawn) if n % one_tilt < own]
        expected = np.stack([dose * view.share for view in of_parts]).astype(np.float32)
        views = detect(expected, response, counting, np.kron(np.eye(len(tilts)), member))
    expected = np.stack([dose * view.share for view in drawn]).astype(np.float32)
    if not parts:
        views = detect(expected, response, counting)
    level = [np.array_equal(view.to_image, np.eye(2, 3)) for view in drawn]
    imaging = {
        "expected": expected,
        "directions_rad": np.array([view.mean_rad for view in drawn]),
        "contrast_directions_rad": np.array([view.contrast_rad for view in drawn]),
        "to_image": None if all(level) else np.array([view.to_image for view in drawn]),
    }
    truth = specimen.truth(recipe, **imaging)
    steady = [view.steady for view in drawn]
    if isinstance(truth, LineTruth) and any(view is not None for view in steady):
        shares = [view.share if view.steady is None else view.steady for view in drawn]
        truth = replace(truth, steady=np.stack([dose * share for share in shares]).astype(np.float32))
    tilted = {}
    if any(tilt.angle_rad for tilt in tilts):
        tilted = {
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
        **table.nominal_crystal(),
        **tilted,
    )
    return truth, acquisition


def _of_sums(recipe: Recipe) -> Response:
    """Response for sums over whole pixels of a pattern, without the 4D data they would be summed from.

    Expectation and covariance are those of sums over the pixels of a 4D scan.
    """
    from scipy.stats import poisson

    check_pixelated(recipe)
    response, brightest = recipe.microscope.response, brightest_mean(recipe)
    limit, _ = counter(recipe, brightest)
    beyond = np.arange(limit, limit + 20 + int(20 * np.sqrt(brightest) + 2 * brightest))
    if poisson.sf(beyond, brightest).sum() > _LOST * brightest:
        raise InputError(
            f"microscope.response: a counter that holds {limit} found where {brightest:.3g} electrons may fall on a "
            "pixel, one that loses none allowed for sums of pixels; simulate the 4D scan, which counts pixel by pixel"
        )
    return response.model_copy(update={"bits": None, "saturation_electrons": None})  # a counter a pixel, not a view
