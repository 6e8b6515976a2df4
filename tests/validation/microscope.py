"""Checks of what the microscope does to a point: parallax, aberrations, segments, noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from validation.check import Check
from veristem.datasets.aberrations import Aberrations
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.geometry import Region
from veristem.datasets.microscope import Response
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.specimens import Particles
from veristem.datasets.truth import Truth
from veristem.reports.style import METHODS
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of
from veristem.sim.noise import detect
from veristem.sim.optics import AberratedImage

_PIXEL = 0.4
_SIDE = 76.8
_MIDDLE = (38.0, 40.2)  # of the sphere, off the middle of a pixel


def _recipe(**detector) -> Recipe:
    values = {"scan.shape": [192, 192], "specimen.field_nm": [_SIDE, _SIDE], "specimen.rescattering": False}
    return load_recipe("particles-small").with_values(
        values | {f"microscope.detector.{key}": value for key, value in detector.items()}
    )


def _sphere(recipe: Recipe, depth_nm: float) -> Truth:
    """A film with one sphere, imaged."""
    table = recipe.specimen
    assert isinstance(table, Particles)
    box = np.array([*table.field_nm, table.thickness_nm])
    one = ParticleDispersion(np.array([[*_MIDDLE, depth_nm]]), np.array([2.25]), box)
    return acquire(film_of(table, one), recipe, np.random.default_rng(0))[0]


def _centroid(dark: np.ndarray) -> np.ndarray:
    j, i = np.mgrid[: dark.shape[0], : dark.shape[1]]
    return (np.array([(dark * i).sum(), (dark * j).sum()]) / dark.sum() + 0.5) * _PIXEL


def parallax() -> Check:
    """Check 11: a point at depth z moves by -(z - z_f) tan theta; opposite views mirror about the focus."""
    recipe = _recipe()
    depths = np.array([20.0, 55.0, 89.0, 120.0, 160.0])
    found, told = np.empty((2, len(depths), 4, 2))
    for n, depth in enumerate(depths):
        truth = _sphere(recipe, depth)
        for view, expected in enumerate(truth.expected.astype(float)):
            dark = expected.max() - expected
            found[n, view] = _centroid(np.where(dark > 1e-6 * dark.max(), dark, 0))
        told[n] = _MIDDLE - (depth - 89.0) * np.tan(truth.directions_rad)
    off = np.abs(found - told).max() / _PIXEL
    return Check(
        "11",
        "A point at depth z",
        "place in four quadrants against −(z − z_f) tan θ with the mean direction of each",
        "projection",
        float(off),
        0.02,
        "px",
        partial(_draw_parallax, depths=depths, found=found, told=told),
    )


def segments() -> Check:
    """Check 12: four quadrants, and sixteen segments, add up to the annulus."""
    ring = {"kind": "annular", "inner_mrad": 14.0, "outer_mrad": 28.0}
    whole = _recipe().with_values({"microscope.detector": ring})
    annulus = _sphere(whole, 60.0).expected[0].astype(float)
    parts = {n: _sphere(_recipe(segments=n), 60.0).expected.astype(float).sum(axis=0) for n in (4, 16)}
    off = {n: part / annulus - 1 for n, part in parts.items()}
    return Check(
        "12a",
        "Segments add up to the annulus",
        "max |Σ segments / annulus − 1|, 4 and 16 segments",
        "conservation of electrons",
        max(float(np.abs(part).max()) for part in off.values()),
        1e-6,
        "",
        partial(_draw_segments, annulus=annulus, off=off),
    )


def variance() -> Check:
    """Check 12: the variance of counts and of integrated pulses is what their efficiency says."""
    efficiencies, electrons, size = np.array([1.0, 0.8, 0.5, 0.2]), 40.0, (1, 400, 500)
    measured = np.empty((2, len(efficiencies)))
    for row, mode in enumerate(("counting", "integrating")):
        for column, dqe in enumerate(efficiencies):
            response = Response.model_validate({"mode": mode, "dqe": float(dqe)})
            signal = detect(np.full(size, electrons), response, np.random.default_rng(column))
            measured[row, column] = signal.mean() ** 2 / signal.var() / electrons
    error = np.sqrt(2.0 / np.prod(size))  # relative, of a variance
    return Check(
        "12b",
        "Detective quantum efficiency",
        "(mean² / variance) / electrons over the DQE asked for, counting and integrating, in standard errors",
        "counting: binomial thinning; integrating: spread of pulse heights",
        float(np.abs(measured / efficiencies - 1).max() / error),
        3.0,
        "σ",
        partial(_draw_variance, dqe=efficiencies, measured=measured),
    )


def sub_aperture() -> Check:
    """Check 14: a disc of radius rho about theta moves by -(C1 theta + C3 theta (theta² + rho²))."""
    aberrations, rho = Aberrations(C10_nm=150.0, C30_mm=0.05), 8e-3
    centres = 1e-3 * np.linspace(0, 60, 7)
    found = []
    for theta in centres:
        point = np.zeros((256, 256))
        point[128, 128] = 1.0
        landing = AberratedImage(point.shape, _PIXEL)
        rays = Region((float(theta), 0.0), rho).directions(1.0, 100)
        landing.add(point, aberrations.displacement_nm(rays), 1 / len(rays))
        found.append(_centroid(landing.image())[0] - 128.5 * _PIXEL)
    told = -(150.0 * centres + 0.05e6 * centres * (centres**2 + rho**2))
    return Check(
        "14",
        "Defocus and C3 move a sub-aperture's image",
        "centroid of a point through a disc of 8 mrad against −(C1 θ + C3 θ (θ² + ρ²)), the mean over the disc",
        "mean over a disc of the gradient of C1 θ²/2 + C3 θ⁴/4",
        float(np.abs(np.array(found) - told).max() / _PIXEL),
        0.02,
        "px",
        partial(_draw_sub_aperture, centres=centres, found=found, told=told),
    )


def balance() -> Check:
    """Check 26: what a corrected lens leaves of C5 in the discs of a pair, balanced on their ring or on the axis."""
    pair = {"microscope.aberrations": "corrected", "microscope.convergence_mrad": 91.0}
    discs = {"microscope.detector": {"kind": "virtual", "pair_angle_deg": 8.0, "radius_mrad": 15.0}}
    microscope = load_recipe("cantor-stereo").with_values(pair | discs).microscope
    lenses = {"on the ring": microscope.balanced.aberrations, "on the axis": Aberrations(preset="unbalanced")}
    rays = microscope.detector.regions(0.0)[0].directions(91e-3)
    landings = {name: lens.displacement_nm(rays) for name, lens in lenses.items()}
    blur = {name: np.sqrt(((at - at.mean(axis=0)) ** 2).sum(axis=1).mean()) for name, at in landings.items()}
    return Check(
        "26",
        "A corrected lens, balanced where the discs are",
        "rms distance from their mean of the places on which the rays of a disc of 15 mrad, 4° off the axis, land; "
        "C5 = 5 mm, C3 = −2 C5 θ₀², C1 = C5 θ₀⁴, residual C12, C21 and C23. Balanced on the axis instead: "
        f"{blur['on the axis']:.1f} nm",
        "gradient of the aberration function: C5 θ (θ² − θ₀²)²",
        float(blur["on the ring"]),
        1.0,
        "nm",
        partial(_draw_balance, lenses=lenses, ring=1e3 * np.radians(4.0)),
    )


def _draw_balance(figure, lenses, ring):
    ax = figure.subplots()
    theta = np.linspace(0, 91, 400)
    for (name, lens), colour in zip(lenses.items(), METHODS):
        off = lens.displacement_nm(1e-3 * np.stack([theta, 0 * theta], axis=-1))[:, 0]
        ax.plot(theta, off, color=colour, label=name)
    ax.axvspan(ring - 15, ring + 15, color="0.9", zorder=0)
    ax.set(xlabel="angle (mrad), the disc in grey", ylabel="displacement (nm)", ylim=(-4, 16))
    ax.legend(title="balanced")


def _draw_parallax(figure, depths, found, told):
    ax = figure.subplots()
    for view, (axis, name) in enumerate(((0, "A, x"), (1, "B, y"), (0, "C, x"), (1, "D, y"))):
        ax.plot(depths, told[:, view, axis] - _MIDDLE[axis], "-", lw=1, color=METHODS[view])
        ax.plot(depths, found[:, view, axis] - _MIDDLE[axis], "o", ms=4, color=METHODS[view], label=name)
    ax.set(xlabel="depth (nm)", ylabel="shift in the image (nm)")
    ax.legend(ncols=2, title="centroid of a sphere; lines: formula")


def _draw_segments(figure, annulus, off):
    left, right = figure.subplots(1, 2)
    middle = annulus.shape[0] // 2
    x = (np.arange(len(annulus)) + 0.5) * _PIXEL
    left.plot(x, annulus[middle], color=METHODS[0])
    left.set(xlabel="x (nm)", ylabel="expected electrons, annulus")
    for (n, part), colour in zip(off.items(), METHODS[1:]):
        right.plot(x, part[middle], color=colour, label=f"{n} segments")
    right.set(xlabel="x (nm)", ylabel="sum / annulus − 1")
    right.legend()


def _draw_variance(figure, dqe, measured):
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], color="0.5", lw=0.8, ls=(0, (4, 3)))
    for values, name, marker, colour in zip(measured, ("counting", "integrating"), "os", METHODS):
        ax.plot(dqe, values, marker, ms=5, mfc="none", color=colour, label=name)
    ax.set(xlabel="DQE of the recipe", ylabel="(mean² / variance) / electrons")
    ax.legend()


def _draw_sub_aperture(figure, centres, found, told):
    ax = figure.subplots()
    ax.plot(1e3 * centres, told, "-", lw=1, color=METHODS[1], label="formula")
    ax.plot(1e3 * centres, found, "o", ms=4, color=METHODS[0], label="image of a point")
    ax.set(xlabel="centre of the disc (mrad)", ylabel="shift in the image (nm)")
    ax.legend()


CHECKS: dict[str, Callable[[], Check]] = {
    "11": parallax,
    "12a": segments,
    "12b": variance,
    "14": sub_aperture,
    "26": balance,
}
