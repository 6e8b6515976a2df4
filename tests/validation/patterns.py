"""Checks of 4D scans: sums without the 4D data, and the geometry that patterns tell of themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from validation.check import Check
from validation.depth_scale import angle_deg, foil_with, shift_nm
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.detectors.pixelated import Detector
from veristem.datasets.formats.scans import read_scan
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.recon.virtual import Calibration, calibrate, virtual_acquisition
from veristem.reports.style import METHODS
from veristem.sim.acquire import acquire
from veristem.sim.foil import Foil
from veristem.sim.scan4d import Patterns, simulate_scan
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen

_RADII_PX = (5, 10, 20, 30, 40)  # at 43.6 mrad in a cone of 60: the last two are clipped
_AZIMUTHS_DEG = (90.0, 127.0, 20.0)
_REACH_NM = 100.0  # on both sides of the focus


def _recipe(**values) -> Recipe:
    """A small field of the named 4D scan, on the whole detector."""
    small = {
        "specimen.field_nm": [64, 64],
        "specimen.thickness_nm": 80.0,
        "specimen.relaxed_faces": False,
        "specimen.network.density_per_m2": 3e14,
        "scan.shape": [16, 16],
        "scan.pixel_nm": 4.0,
    }
    return load_recipe("tial-4d").with_values(small | {key.replace("__", "."): v for key, v in values.items()})


def _calibrated(recipe: Recipe, radii_px) -> tuple[Calibration, list[Acquisition], Foil]:
    """A scan written, read again and calibrated, views of several radii from it, and its specimen."""
    specimen_rng, noise = streams(recipe.recipe.seed)
    specimen = make_specimen(recipe, specimen_rng)
    assert isinstance(specimen, Foil)
    with TemporaryDirectory() as folder:
        scan, vacuum = (read_scan(path) for path in simulate_scan(specimen, recipe, noise, Path(folder), ""))
        found = calibrate(scan, vacuum)
        views = [virtual_acquisition(scan, found, radius_rad=n * found.rad_per_px) for n in radii_px]
    return found, views, specimen


def without_4d() -> Check:
    """Check 18: region sums without the 4D data have the expectation of sums over its patterns, overlaps included."""
    recipe = _recipe(microscope__detector__shape=[64, 64], microscope__detector__pixel_mrad=2.4)
    specimen = make_specimen(recipe, streams(0)[0])
    patterns = Patterns(recipe, specimen)
    slab = patterns.slab(slice(0, 16))
    every = np.stack([patterns.expected(slab, row, slice(0, 16)) for row in range(16)])
    radii, off = np.array([4.0, 12.0, 30.0]), []
    for angle in (2.0, 5.0):
        for radius in radii:
            one = recipe.with_values(
                {"microscope.detector.pair_angle_deg": angle, "microscope.detector.radius_mrad": float(radius)}
            )
            truth, _ = acquire(specimen, one, streams(0)[1])
            detector = one.microscope.detector
            assert isinstance(detector, Detector)
            inside = [r.contains(detector.directions_rad()) for r in detector.regions(one.kikuchi_azimuth_rad)]
            sums = np.tensordot(np.array(inside, float), every, ([1, 2], [2, 3]))
            off.append(float(np.abs(truth.expected / sums - 1).max()))
    return Check(
        "18a",
        "Views without the 4D data",
        "largest relative difference of expected views from sums over expected patterns",
        "the same rays, summed before and after they make patterns",
        max(off),
        1e-6,
        "",
        partial(_draw_without, radii=radii, off=np.reshape(off, (2, -1))),
    )


def pair_angle() -> Check:
    """Check 18: the angle between virtual discs from the vacuum scan and patterns alone, clipped discs included."""
    recipe = _recipe()
    _, views, specimen = _calibrated(recipe, _RADII_PX)
    found, told = [], []
    for n, one in zip(_RADII_PX, views):
        found.append(pair_angle_rad(*one.directions_rad))
        radius = n * recipe.microscope.detector.pixel_mrad
        truth, _ = acquire(specimen, recipe.with_values({"microscope.detector.radius_mrad": radius}), streams(0)[1])
        told.append(pair_angle_rad(*truth.directions_rad))
    return Check(
        "18b",
        "Angle between virtual discs",
        "relative error of the angle of a pair of discs of 5 to 40 pixels, measured in the patterns",
        "rim of the vacuum; mean over the disc within it",
        float(np.abs(np.array(found) / told - 1).max()),
        5e-3,
        "",
        partial(_draw_angles, found=np.degrees(found), told=np.degrees(told)),
    )


def depth_scale() -> Check:
    """Check 18: the disparity of a line from 100 nm before to 100 nm behind the focus, over what the angle says."""
    length, width, pixel, radius = 200.0, 112.0, 2.0, 12.0
    thickness = 2 * _REACH_NM + 30
    measured = pair_angle_rad(*_calibrated(_recipe(), [radius / 0.6])[1][0].directions_rad)
    recipe = _recipe(
        specimen__field_nm=[width, length],
        specimen__thickness_nm=thickness,
        specimen__beams=2,
        specimen__diffuse=False,
        specimen__tilt_off_bragg_deg=0.0,
        scan__shape=[int(length / pixel), int(width / pixel)],
        scan__pixel_nm=pixel,
        microscope__detector__radius_mrad=radius,
    )
    depth, shifts = np.empty(0), []
    for twice_b in ((1, 0, 1), (0, 1, 1)):  # superpartials that mirror each other: contrast shifts them oppositely
        truth, _ = acquire(foil_with(recipe, 0, 15.0, np.array(twice_b) / 2), recipe, np.random.default_rng(0))
        left, right = truth.expected.astype(float)
        z = 15.0 + 2 * _REACH_NM * (np.arange(len(left)) + 0.5) / len(left)
        bands = np.array_split(np.arange(len(z)), 25)
        depth = np.array([z[band].mean() for band in bands])
        shifts.append([shift_nm(left[band].mean(axis=0), right[band].mean(axis=0), pixel)[0] for band in bands])
    angles = [angle_deg(depth, np.array(one))[0] for one in shifts]
    return Check(
        "18c",
        "Depth scale of virtual discs",
        "relative error of the slope of disparity over depth, −100 to 100 nm, against the angle measured in patterns: "
        f"mean of two lines, {' and '.join(f'{a / np.degrees(measured) - 1:+.2%}' for a in angles)}",
        "parallax of every pixel's own direction",
        float(abs(np.mean(angles) / np.degrees(measured) - 1)),
        1e-2,
        "",
        partial(_draw_depth, depth=depth - thickness / 2, shifts=np.array(shifts), angle_rad=measured),
    )


def kikuchi() -> Check:
    """Check 18: the direction of Kikuchi lines, found in patterns of three orientations of the crystal."""
    coarse = {"microscope__detector__shape": [128, 128], "microscope__detector__pixel_mrad": 1.2}
    calibrations = [_calibrated(_recipe(specimen__g_azimuth_deg=at, **coarse), [])[0] for at in _AZIMUTHS_DEG]
    off = [
        (np.degrees(found.azimuth_rad) - azimuth + 90 + 90) % 180 - 90
        for found, azimuth in zip(calibrations, _AZIMUTHS_DEG)
    ]
    return Check(
        "18d",
        "Direction of the Kikuchi line",
        "difference from the perpendicular of g, for three azimuths of g",
        "largest variance of the profile across",
        float(np.abs(off).max()),
        0.5,
        "deg",
        partial(_draw_kikuchi, patterns=[found.pattern for found in calibrations], found=calibrations),
    )


def _draw_without(figure, radii, off):
    ax = figure.subplots()
    for n, (angle, row) in enumerate(zip((2, 5), off)):
        ax.semilogy(radii, row, "o-", ms=4, color=METHODS[n], label=f"{angle}° apart")
    ax.set(xlabel="radius of the discs (mrad)", ylabel="largest relative difference", ylim=(1e-9, 1e-5))
    ax.axhline(1e-6, color="0.5", lw=1, ls="--")
    ax.legend()


def _draw_angles(figure, found, told):
    left, right = figure.subplots(1, 2)
    left.plot(_RADII_PX, told, "-", lw=1, color=METHODS[0], label="truth")
    left.plot(_RADII_PX, found, "o", ms=4, color=METHODS[1], label="from patterns")
    left.set(xlabel="radius (px)", ylabel="pair angle (deg)")
    left.legend()
    right.plot(_RADII_PX, 100 * (found / told - 1), "o-", ms=4, color=METHODS[1])
    right.set(xlabel="radius (px)", ylabel="error (%)", ylim=(-0.6, 0.6))


def _draw_depth(figure, depth, shifts, angle_rad):
    left, right = figure.subplots(1, 2)
    told = 2 * np.tan(angle_rad / 2) * depth
    left.plot(depth, told, "-", lw=1, color=METHODS[0], label="angle from patterns")
    for n, (one, name) in enumerate(zip(shifts, ("½[101]", "½[011]")), 1):
        at = one - (one - told).mean()
        left.plot(depth, at, "o", ms=3, color=METHODS[n], label=name)
        right.plot(depth, at - told, "o", ms=3, color=METHODS[n])
    left.set(xlabel="depth from the focus (nm)", ylabel="disparity (nm)")
    left.legend()
    right.set(xlabel="depth from the focus (nm)", ylabel="difference (nm)")


def _draw_kikuchi(figure, patterns, found):
    for ax, pattern, one in zip(figure.subplots(1, 3), patterns, found):
        ax.imshow(pattern, cmap="gray", vmin=0, vmax=np.percentile(pattern, 99.8))
        (x, y), far = one.disc.center_px, 1.2 * one.disc.radius_px
        dx, dy = far * np.cos(one.azimuth_rad), far * np.sin(one.azimuth_rad)
        ax.plot([x - dx, x + dx], [y - dy, y + dy], "--", color=METHODS[1], lw=1)
        ax.set(xticks=[], yticks=[], title=f"{np.degrees(one.azimuth_rad):.2f}°")


CHECKS: dict[str, Callable[[], Check]] = {
    "18a": without_4d,
    "18b": pair_angle,
    "18c": depth_scale,
    "18d": kikuchi,
}
