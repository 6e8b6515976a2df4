"""Checks of images of single lines: invisibility, symmetry, weak beam, convergence, sampling."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from unittest.mock import patch

import numpy as np

from validation.check import Check
from veristem.datasets import DislocationNetwork, load_material
from veristem.datasets.geometry import Region
from veristem.datasets.recipe import Microscope
from veristem.reports.style import METHODS
from veristem.sim import foil
from veristem.sim.contrast import Extinction, two_beam
from veristem.sim.elasticity.segment import segment_distortion
from veristem.sim.foil import Foil
from veristem.sim.images import region_image

_HIRSCH = "Hirsch, Howie, Nicholson, Pashley & Whelan 1965"
_B = 0.254  # nm
_CLEAR = Extinction(44.5)
_ABSORBING = Extinction(44.5, 850.0, 490.0)
_MATERIAL = load_material("CoCrFeMnNi")
_G = float(np.linalg.norm(_MATERIAL.reciprocal_per_nm((0, 0, 2))))


def columns(burgers_nm, g_per_nm, x_nm, thickness_nm: float, dz_nm: float, core_nm: float) -> np.ndarray:
    """beta (nz, N) [1/nm] of vertical columns at x beside a straight line along +y at mid-depth and x = 0."""
    line = DislocationNetwork.from_polyline(np.array([[0.0, -2e4, 0], [0, 2e4, 0]]), np.asarray(burgers_nm, float))
    z = (np.arange(round(thickness_nm / dz_nm)) + 0.5) * dz_nm - thickness_nm / 2
    points = np.zeros((len(z), len(x_nm), 3))
    points[..., 0], points[..., 2] = x_nm, z[:, None]
    strain = segment_distortion(line, points.reshape(-1, 3), 0.3, core_nm)
    return (strain[:, :, 2] @ np.asarray(g_per_nm, float)).reshape(points.shape[:2])


@cache
def _residual() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    x = np.linspace(-40, 40, 321)
    lines = {
        "screw, g·b = 1": ((0, _B, 0), (0, 1 / _B, 0)),
        "screw, g·b = 0": ((0, _B, 0), (1 / _B, 0, 0)),
        "edge, g·b = 0, g·(b×u) = −1": ((0, 0, _B), (1 / _B, 0, 0)),
    }
    images = {}
    for name, (b, g) in lines.items():
        beta = columns(b, g, x, 100.0, 0.25, 0.3)
        direct = two_beam(np.column_stack([beta, np.zeros(len(beta))]), 0.25, 0.0, _ABSORBING)[0][0]
        images[name] = direct[:-1] / direct[-1] - 1
    return x, images


def invisible_screw() -> Check:
    """Check 6: a screw with g·b = 0 leaves no contrast."""
    x, images = _residual()
    plain, screw, _ = (np.abs(image).max() for image in images.values())
    return Check(
        "6a",
        "A screw with g·b = 0 vanishes",
        "max |I/I_background − 1| over that of g·b = 1",
        f"{_HIRSCH}, chapter 7",
        float(screw / plain),
        1e-3,
        "",
        partial(_draw_profiles, x=x, profiles=images),
    )


def two_sided_edge() -> Check:
    """Check 6: an edge with g·b = 0 shows the weak image of g·(b×u), alike on both sides and weaker in the middle."""
    x, images = _residual()
    edge = np.abs(images["edge, g·b = 0, g·(b×u) = −1"])
    return Check(
        "6b",
        "An edge with g·b = 0 is two-sided",
        "contrast at the core over that on its two sides; b along the beam, g·(b×u) = −1",
        f"{_HIRSCH}, chapters 7 and 10",
        float(edge[len(x) // 2] / edge.max()),
        0.5,
        "",
        partial(_draw_profiles, x=x, profiles={k: v for k, v in images.items() if "edge" in k}),
    )


def mirror() -> Check:
    """Check 7: without absorption the image of a line at mid-depth mirrors under b → −b, g → −g and s → −s."""
    x = np.linspace(-40, 40, 161)
    b, g, s = np.array([0.15, 0.2, 0.0]), np.array([3.0, 4.0, 0.0]), 0.015

    def bright(b, g, s):
        return two_beam(columns(b, g, x, 100.0, 0.5, 0.3), 0.5, s, _CLEAR)[0][0]

    image = bright(b, g, s)
    changed = {"b → −b": bright(-b, g, s), "g → −g": bright(b, -g, s), "s → −s": bright(b, g, -s)}
    return Check(
        "7",
        "Mirror images",
        "I(x; b, g, s) = I(−x; −b, g, s) = I(−x; b, −g, s) = I(−x; b, g, −s), mixed line, no absorption",
        f"{_HIRSCH}, chapter 10",
        float(max(np.abs(other[::-1] - image).max() for other in changed.values())),
        1e-6,
        "",
        partial(_draw_profiles, x=x, profiles={"image": image} | changed, ylabel="bright field I_0"),
    )


def weak_beam_peak() -> Check:
    """Check 8: the weak-beam peak of a screw with g·b = 2 stands beside the core, on the side of +(g·b)(t × z)."""
    x = np.linspace(-3, 3, 601)
    x = x[np.abs(x) > 0.05]  # the core itself is not sampled
    beta = columns((0, _B, 0), (0, 2 / _B, 0), x, 60.0, 0.02, 0.01)
    profiles, errors = {}, []
    for s in (0.15, 0.2, 0.3):
        profiles[s] = two_beam(beta, 0.02, s, Extinction(200.0))[1][0]
        expected = 1 / (2 * np.pi * s)  # t along +y, so that t × z is +x
        errors.append(abs(x[profiles[s].argmax()] - expected) / expected)
    return Check(
        "8",
        "Place of the weak-beam peak",
        "x = +(g·b)/|g·b| / (2πs) along t × z; screw, g·b = 2, core → 0, s = 0.15, 0.2, 0.3 nm⁻¹",
        "Cockayne, Ray & Whelan, Phil. Mag. 20 (1969) 1265; kinematic integral",
        float(max(errors)),
        0.1,
        "of x",
        partial(_draw_weak_beam, x=x, profiles=profiles),
    )


def inclined_line(thickness_nm: float = 200.0, s0: float = 0.0) -> Foil:
    """A foil of 192 x 64 nm with one line from face to face, g·b = 1."""
    ends = np.array([[32.0, 32.0, 0.0], [160.0, 32.0, thickness_nm]])
    network = DislocationNetwork.from_polyline(ends, np.array([0, 1 / _G, 0]))
    g = np.array([0.0, _G, 0.0])
    return Foil(network, _MATERIAL, (0, 0, 2), g, s0, (192.0, 64.0), thickness_nm, thickness_nm / 2)


@cache
def _along_the_line() -> tuple[np.ndarray, np.ndarray, dict[float, np.ndarray]]:
    """alpha g xi; depths [nm]; for each the contrast along the line, mean over 24 nm across it."""
    specimen, pixel = inclined_line(), 2.0
    xi = specimen.extinction(200.0, 1.0).xi_g
    angles = np.array([0.02, 0.5, 1.0, 2.0, 4.0, 5.0])
    profiles = {}
    for angle in angles:
        alpha = angle / (_G * xi)
        image = region_image(specimen, Region((0, 0), alpha), Microscope(convergence_mrad=1e3 * alpha), pixel, (32, 96))
        across = image[10:22].mean(axis=0)[16:80]
        background = np.median(image[[0, 1, -2, -1], 16:80])
        profiles[angle] = across / background - 1
    depth = (np.arange(64) + 0.5) * 200.0 / 64
    return angles, depth, profiles


def _oscillation(depth: np.ndarray, profile: np.ndarray) -> float:
    """rms of a profile about its slow course (a parabola), without the ends at the faces."""
    inner = (depth > 20) & (depth < depth.max() - 20)
    slow = np.polynomial.Polynomial.fit(depth[inner], profile[inner], 2)
    return float(np.std(profile[inner] - slow(depth[inner])))


def convergence_smooths() -> Check:
    """Check 9: the oscillation along an inclined line fades when the cone is wide."""
    angles, depth, profiles = _along_the_line()
    oscillation = np.array([_oscillation(depth, profiles[a]) for a in angles])
    return Check(
        "9",
        "Oscillation along an inclined line",
        "rms along the line for α g ξ ≥ 4, over that of a parallel beam (α g ξ = 0.02); s = 0",
        "Phillips, Mills & De Graef, Phil. Mag. 91 (2011) 2081",
        float(oscillation[angles >= 4].max() / oscillation[0]),
        1 / 3,
        "",
        partial(_draw_oscillation, angles=angles, depth=depth, profiles=profiles, oscillation=oscillation),
    )


@cache
def _halved(alpha: float, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Images with 2 nm pixels and slices of 2 nm at most, and with half of both, averaged over the larger pixels."""
    microscope, s0 = Microscope(convergence_mrad=1e3 * alpha), _G * np.sin(np.radians(0.14))
    coarse = region_image(inclined_line(s0=s0), region, microscope, 2.0, (32, 96))
    with patch.object(foil, "SLICE_NM", foil.SLICE_NM / 2):
        fine = region_image(inclined_line(s0=s0), region, microscope, 1.0, (64, 192))
    return coarse, fine.reshape(32, 2, 96, 2).mean(axis=(1, 3))


def sampling() -> Check:
    """Check 16: slices and pixels are small enough for a STEM image, cores included."""
    coarse, fine = _halved(91e-3, Region((0.07, 0.0), 15e-3))
    background = np.median(fine)
    return Check(
        "16",
        "Halving slice and pixel",
        "max |I(2 nm) − I(1 nm)| over the background, cores included; inclined line, disc of 15 mrad at 70 mrad",
        "convergence of the code",
        float(np.abs(coarse - fine).max() / background),
        0.01,
        "of background",
        partial(_draw_halved, coarse=coarse / background, fine=fine / background),
    )


def _draw_profiles(figure, x, profiles, ylabel: str = "contrast I/I_background − 1"):
    ax = figure.subplots()
    for colour, dash, (name, profile) in zip(METHODS, ("-", "--", "-.", ":"), profiles.items()):
        ax.plot(x, profile, dash, color=colour, lw=1.2, label=name)
    ax.set(xlabel="x (nm)", ylabel=ylabel)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_weak_beam(figure, x, profiles):
    ax = figure.subplots()
    for colour, (s, profile) in zip(METHODS, profiles.items()):
        ax.plot(x, profile / profile.max(), color=colour, lw=1.2, label=f"s = {s:g} nm⁻¹")
        ax.axvline(1 / (2 * np.pi * s), color=colour, ls=":", lw=1)
    ax.set(xlabel="x (nm); the core is at 0", ylabel="dark field over its maximum")
    ax.legend(title="dotted: 1/(2πs)", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_oscillation(figure, angles, depth, profiles, oscillation):
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
    for colour, angle in zip(METHODS, (angles[0], 2.0, 4.0, 5.0)):
        left.plot(depth, profiles[angle], color=colour, lw=1.2, label=f"{angle:g}")
    left.set(xlabel="depth of the line (nm)", ylabel="contrast, mean over 24 nm")
    left.legend(title="α g ξ", loc="center left", bbox_to_anchor=(1.0, 0.5))
    right.loglog(angles, oscillation, "o-", color=METHODS[0], ms=4, lw=1)
    right.axhline(oscillation[0] / 3, color="0.5", ls="--", lw=1)
    right.set(xlabel="α g ξ", ylabel="rms along the line", yticks=(1e-3, 1e-2, 1e-1))
    right.minorticks_off()


def _draw_halved(figure, coarse, fine):
    axes = figure.subplots(3, 1, sharex=True)
    far = np.abs(coarse - fine).max()
    grey = {"cmap": "gray", "vmin": fine.min(), "vmax": fine.max()}
    signed = {"cmap": "RdBu", "vmin": -far, "vmax": far}
    shown = [
        ax.imshow(image[8:24], extent=(0, 192, 48, 16), interpolation="nearest", **how)
        for ax, image, how in zip(axes, (coarse, fine, coarse - fine), (grey, grey, signed))
    ]
    for ax, name in zip(axes, ("2 nm", "1 nm", "2 nm − 1 nm")):
        ax.set(ylabel="y (nm)")
        ax.annotate(
            name, (0.01, 0.9), xycoords="axes fraction", va="top", color="white" if ax is not axes[2] else "black"
        )
    figure.colorbar(shown[0], ax=axes[:2], label="I / background")
    figure.colorbar(shown[2], ax=axes[2:], label="difference")
    axes[2].set_xlabel("x (nm)")


CHECKS: dict[str, Callable[[], Check]] = {
    "6a": invisible_screw,
    "6b": two_sided_edge,
    "7": mirror,
    "8": weak_beam_peak,
    "9": convergence_smooths,
    "16": sampling,
}
