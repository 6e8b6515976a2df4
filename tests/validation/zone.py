"""Check of the systematic row against all beams of the crystal, those off the row included."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from scipy.linalg import expm

from validation.check import Check
from validation.images import columns
from veristem.datasets import load_material
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import rotation_about, specimen_from_crystal
from veristem.reports.style import METHODS
from veristem.sim.contrast import Row, systematic_row
from veristem.sim.rays import row_orders

_ENERGY, _ALPHA, _DISC = 200.0, 0.0128, 0.0184  # keV; cone and bright field [rad]
_G, _ZONE, _OFF_BRAGG = (0, 0, 2), (1, 1, 0), np.radians(0.14)
_THICKNESS, _DZ = 200.0, 2.0
_BEAMS, _ROW = 41, 7
_TURNS = (0.0, 8.0)
_X = np.linspace(-60, 60, 97)


def _directions(count: int = 16) -> np.ndarray:
    """Incidences (N, 2) evenly over the cone."""
    axis = 2 * (np.arange(count) + 0.5) / count - 1
    theta = _ALPHA * np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return theta[np.hypot(*theta.T) <= _ALPHA]


def _excitation(g: np.ndarray, theta: np.ndarray, wavelength: float) -> np.ndarray:
    """s (N, beams) of reflections (beams, 3) in the specimen frame: inside Ewald's sphere above 0."""
    return -g[:, 2] - wavelength / 2 * (g**2).sum(axis=1) - theta @ g[:, :2].T


def profiles(name: str, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Bright field of a line across g by a row and by the beams of a zone, (N,) each.

    The line lies at mid-depth, and both see the same columns.
    """
    material, wavelength = load_material(name), float(electron_wavelength_nm(_ENERGY))
    g = material.reciprocal_per_nm(_G)
    zone = rotation_about(g, -np.radians(turn_deg)) @ material.direction_nm(_ZONE)
    rotation = specimen_from_crystal(zone, g, 0.0, material.bragg_angle_rad(_G, _ENERGY) + _OFF_BRAGG)
    between = material.orders_between(_G, _ENERGY)  # a superdislocation: its partials would leave a fault behind
    burgers = between * max((rotation @ b for _, b in material.slip_systems()), key=lambda b: abs(b[0]) - abs(b[1]))
    theta = _directions()
    hkl = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    vectors = material.reciprocal_per_nm(hkl) @ rotation.T
    length = np.linalg.norm(vectors, axis=1)
    near = (length < 3.2 * np.linalg.norm(g)) & (np.abs(_excitation(vectors, np.zeros((1, 2)), wavelength)[0]) < 0.25)
    hkl, vectors = hkl[near], vectors[near]
    strong = np.array([abs(material.couplings_per_nm(one, _ENERGY)[0]) if any(one) else 10.0 for one in hkl])
    miss = np.maximum(
        np.abs(_excitation(vectors, np.zeros((1, 2)), wavelength)[0]) - _ALPHA * np.linalg.norm(vectors[:, :2], axis=1),
        1e-3,
    )
    kept = np.argsort(-strong / miss)[:_BEAMS]
    hkl, vectors = hkl[kept], vectors[kept]
    pairs = {tuple(d) for d in (hkl[:, None] - hkl[None]).reshape(-1, 3)} - {(0, 0, 0)}
    known = {d: material.couplings_per_nm(d, _ENERGY) for d in pairs} | {(0, 0, 0): (0j, 0j)}
    coupled = np.array([[known[tuple(a - b)] for b in hkl] for a in hkl]) @ [1, 1j]
    xi_0_abs = material.extinction_distances_nm(_G, _ENERGY)[3]
    strain = np.stack([columns(burgers, axis, _X, _THICKNESS, _DZ, 1.0) for axis in np.eye(3)])
    phase = np.exp(2j * np.pi * _DZ * np.einsum("ba,azx->zbx", vectors, strain))
    direct = int(np.flatnonzero((hkl == 0).all(axis=1))[0])
    image = np.zeros(len(_X))
    for one, s in zip(theta, _excitation(vectors, theta, wavelength)):
        step = expm(1j * np.pi * _DZ * (coupled + 2 * np.diag(s)))
        wave = np.zeros((len(hkl), len(_X)), complex)
        wave[direct] = 1
        for slab in phase:
            wave = step @ (slab * wave)
        inside = np.hypot(*(one + wavelength * vectors[:, :2]).T) < _DISC
        image += (np.abs(wave[inside]) ** 2).sum(axis=0)
    zone_image = image * np.exp(-2 * np.pi * _THICKNESS / xi_0_abs) / len(theta)

    orders = tuple(int(n) for n in row_orders(between * (_ROW - 1) + 1))
    row = Row.of_material(material, np.array(_G) / between, _ENERGY, orders)._replace(xi_0_abs=xi_0_abs)
    along = rotation @ g / between
    s = _excitation(along[None], theta, wavelength)[:, 0]
    beams = systematic_row(np.tensordot(along, strain, 1), _DZ, s, row)
    inside = np.array([np.hypot(*(theta + n * wavelength * along[:2]).T) < _DISC for n in orders])
    return np.einsum("bk,bkx->x", inside.astype(float), beams) / len(theta), zone_image


def contrast(profile: np.ndarray) -> tuple[float, float]:
    """Largest |I / background - 1|, and the background, of a profile."""
    level = float(np.mean(profile[[0, 1, -2, -1]]))
    return float(np.abs(profile / level - 1).max()), level


@cache
def _both(name: str) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    return {turn: profiles(name, turn) for turn in _TURNS}


def zone(name: str, number: str) -> Check:
    """Check 20: at the default turn about g the row does for all beams."""
    found = {turn: [contrast(one) for one in both] for turn, both in _both(name).items()}
    off = {turn: [abs(a / b - 1) for a, b in zip(*both)] for turn, both in found.items()}
    beside = ", ".join(f"{100 * value:.0f} %" for value in off[0.0])
    return Check(
        number,
        f"A row against a zone, {name}",
        f"bright field of 18.4 mrad, cone of 12.8 mrad, 200 nm, 002 of [110] turned 8° about g: contrast of a line and "
        f"level by a row of {_ROW} over those by {_BEAMS} beams of the zone, less 1; not turned they are {beside} off",
        "all beams near Ewald's sphere, the same columns",
        max(off[8.0]),
        0.1,
        "",
        partial(_draw, found=_both(name)),
    )


def _draw(figure, found) -> None:
    axes = figure.subplots(1, len(found), sharey=True)
    for axis, (turn, both) in zip(axes, found.items()):
        for profile, name, style in zip(both, ("row", "zone"), ("-", "--")):
            axis.plot(_X, profile, style, color=METHODS[name == "zone"], label=f"{name}")
        axis.set(title=f"turned by {turn:g}°", xlabel="x (nm)")
    axes[0].set_ylabel("share of the electrons")
    axes[0].legend(frameon=False)


CHECKS: dict[str, Callable[[], Check]] = {
    "20a": partial(zone, "Cu", "20a"),
    "20b": partial(zone, "gamma-TiAl", "20b"),
}
