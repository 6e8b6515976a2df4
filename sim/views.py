"""The views of one acquisition before noise: every detector region at every tilt, with the errors of stage and scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.geometry import Part, Region, Tilt, around_one_centre, disjoint, enclosing, inverse, mapped
from veristem.datasets.recipe import Recipe
from veristem.sim.optics import blurred, spread_nm2
from veristem.sim.scan import displacement_nm, relative_current, sampled
from veristem.sim.specimen import Specimen

Progress = Callable[[Iterable, int], Iterable]
_KEPT = 4  # most tilts whose images are kept for other doses and errors of the scan
_SAME_PLACE = 0.1  # pixels that images may be moved apart and still share their electrons
_TAILS = 4.0  # standard deviations that a blur reaches
_RIM_STEP = 8  # pixels: rims are multiples of it, so that images serve errors of several sizes


class ExpectedView(NamedTuple):
    """One view before anything is counted.

    share (rows, columns): of the beam's electrons in each pixel. steady: the same without errors of the scan and of the
    current, None where there are none. mean_rad, contrast_rad (2,): true mean directions of
    what is received and of what makes the contrast, in the frame of the specimen [rad]. to_image (2, 3): true map from
    the focus plane to the image [-, nm].
    """

    share: np.ndarray
    steady: np.ndarray | None
    mean_rad: np.ndarray
    contrast_rad: np.ndarray
    to_image: np.ndarray


def shared_parts(recipe: Recipe, regions: list[Region]) -> tuple[list[Region], np.ndarray]:
    """Parts of the regions of one scan that have no electrons in common, and which of them each region is made of.

    None where no regions overlap, or each has a scan of its own. None also where registration moves the images of the
    regions by different shifts of aberrations: an electron then lies at another place in each.

    Parameters
    ----------
    recipe : Recipe
        Its microscope and scan.
    regions : list of Region
        V of them, of the detector.

    Returns
    -------
    parts : list of Region
        P of them, or none.
    member : (V, P) bool
        Which parts make up each region; the identity without parts.
    """
    microscope, scan = recipe.microscope.balanced, recipe.scan
    alpha = 1e-3 * microscope.convergence_mrad
    alone = [], np.eye(len(regions), dtype=bool)
    if not getattr(microscope.detector, "simultaneous", True):
        return alone
    if scan.registered and microscope.aberrations.coefficients_nm():
        shifts = [microscope.aberrations.shift_nm(region, alpha)[0] for region in regions]
        if np.ptp(shifts, axis=0).max() > _SAME_PLACE * scan.pixel_nm:
            return alone
    if isinstance(microscope.detector, Pixelated):
        points = microscope.detector.directions_rad()
    else:  # a film sends next to nothing beyond the cone
        points = enclosing(regions).directions(alpha if recipe.specimen.kind == "particles" else np.inf)
    parts, member = disjoint(regions, points)
    return alone if np.array_equal(member, alone[1]) else (parts, member)


def expected_views(
    specimen: Specimen, recipe: Recipe, regions: list[Region], rng: np.random.Generator, progress: Progress
) -> list[ExpectedView]:
    """All views, those of one tilt together in the order of the regions.

    Parameters
    ----------
    specimen : Specimen
        What is imaged.
    recipe : Recipe
        Its microscope, scan and stage.
    regions : list of Region
        Of the detector.
    rng : numpy.random.Generator
        Of the errors of stage and scan.
    progress : callable
        Wraps the loop over (tilts, number of tilts).
    """
    microscope, scan, stage = recipe.microscope.balanced, recipe.scan, recipe.stage
    field = np.array(recipe.specimen.field_nm)
    alpha = 1e-3 * microscope.convergence_mrad
    stage_rng, scan_rng = rng.spawn(2)
    count = len(stage.angles_deg)
    read_out, turn, shifts = (
        stage_rng.normal(size=count),
        stage_rng.uniform(-1, 1),
        stage_rng.uniform(-1, 1, (count, 2)),
    )
    angles = np.radians(stage.angles_deg + stage.angle_error_deg * read_out)
    turn *= np.radians(stage.axis_error_deg)
    shifts *= 0.0 if scan.registered else stage.shift_nm
    together = getattr(microscope.detector, "simultaneous", True)
    scans = iter(scan_rng.spawn(count * (1 if together else len(regions))))
    shifts_of = [microscope.aberrations.shift_nm(region, alpha) for region in regions]
    moved = [tuple(mean) if scan.registered else (0.0, 0.0) for mean, _ in shifts_of]
    y, x = ((np.arange(n) + 0.5) * scan.pixel_nm for n in scan.shape)
    raster = np.stack(np.broadcast_arrays(x, y[:, None]))

    # of every view: region, tilt, map from the image as drawn, places in it that pixels show and should show, current
    plans = []
    for angle, shift in zip(angles, shifts):
        tilt = Tilt(float(angle), recipe.tilt_axis_rad)
        drawn = Tilt() if specimen.drawn_as_seen else tilt
        to_image = drawn.to_image(field, turn, shift)
        places, meant, current = raster, raster, None
        for n in range(len(regions)):
            if n == 0 or not together:
                one = next(scans)
                if scan.perfect and np.array_equal(to_image, np.eye(2, 3)) and not microscope.current_noise:
                    plans.append((n, tilt, tilt.to_image(field, turn, shift), raster, raster, None))
                    continue
                error = displacement_nm(scan, one)
                if scan.registered:
                    error -= error.mean(axis=(1, 2), keepdims=True)
                places, meant = (
                    np.moveaxis(mapped(np.moveaxis(at, 0, -1), inverse(to_image)), -1, 0)
                    for at in (raster + error, raster)
                )
                current = relative_current(scan, microscope.current_noise, one) if microscope.current_noise else None
            plans.append((n, tilt, tilt.to_image(field, turn, shift), places, meant, current))
    rim = _rim([places for *_, places, _, _ in plans], field, scan.pixel_nm)
    spread = max(float(np.abs(far - mean).max() if scan.registered else far.max()) for mean, far in shifts_of)
    spreads = [spread_nm2(microscope, region) for region in regions]
    blur = spread + _TAILS * max(float(np.sqrt(np.trace(covariance))) for covariance in spreads)
    rim += int(np.ceil(blur / scan.pixel_nm)) + 3 if blur else 0
    rim = -(-rim // _RIM_STEP) * _RIM_STEP
    steepest = alpha + np.radians(stage.steepest_deg)
    # what is made of whole pixels, or of parts, is summed from the same rays, wherever it lies
    sums = regions[0].pixel_rad or any(isinstance(region, Part) for region in regions)
    groups = [list(range(len(regions)))] if sums else around_one_centre(regions)
    views: list[ExpectedView] = []
    for start in progress(range(0, len(plans), len(regions)), count):
        tilt, found = plans[start][1], {}
        for group in groups:
            of = ([regions[n] for n in group], microscope, scan.pixel_nm, scan.shape)
            found |= dict(zip(group, specimen.images(*of, rim, tilt, [moved[n] for n in group], steepest)))
        for n, _, to_image, places, meant, current in plans[start : start + len(regions)]:
            image = blurred(found[n].share, spreads[n], scan.pixel_nm)
            steady = None
            if places is raster:
                image = image[rim : rim + scan.shape[0], rim : rim + scan.shape[1]]
                image = np.maximum(image, 0.0) if spreads[n].any() else image
            else:
                if current is not None or not scan.perfect:
                    steady = np.maximum(sampled(image, rim, scan.pixel_nm, meant), 0.0)
                image = np.maximum(sampled(image, rim, scan.pixel_nm, places), 0.0)
            left = shifts_of[n][0] - moved[n]
            to_image = np.column_stack([to_image[:, :2], to_image[:, 2] - to_image[:, :2] @ left])
            views.append(
                ExpectedView(
                    image if current is None else image * current,
                    steady,
                    found[n].mean_rad,
                    found[n].contrast_rad,
                    to_image,
                )
            )
        if count > _KEPT:
            specimen.imaged.clear()
    return views


def _rim(places: list[np.ndarray], field: np.ndarray, pixel_nm: float) -> int:
    """Pixels beyond the field that these places (2, rows, columns) need; none if they are its own."""
    beyond = max(
        max(-float(at[axis].min()), float(at[axis].max()) - field[axis]) for at in places for axis in (0, 1)
    )  # half a pixel inside for pixels of the field itself
    return 0 if beyond <= -0.49 * pixel_nm else int(np.ceil(beyond / pixel_nm)) + 3
