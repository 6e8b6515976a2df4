"""Checks of a foil that lines bend: lines along its faces, against finite elements and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from validation.check import Check
from validation.elasticity import FAR, NU, freed, polyline
from veristem.datasets.network import DislocationNetwork
from veristem.reports.style import METHODS
from veristem.sim.elasticity import segment_distortion

_B = 0.254  # nm, of CoCrFeMnNi
_STEP, _CORE = 2.5, ((6.25, 2.0), (6.25 * np.sqrt(2), -1.0))  # as of images
_HALF, _MESH = 600.0, 5.0  # nm, half the length of the plate of elements and the size of one


def _edge_stress(x, z, nu: float):
    """sigma_xx, sigma_zz, sigma_xz of an edge line along y at the origin, b along x, over the shear modulus."""
    square, d = x * x + z * z, _B / (2 * np.pi * (1 - nu))
    sides = (z * (3 * x * x + z * z), -z * (x * x - z * z), -x * (x * x - z * z))
    return tuple(d * side / square**2 for side in sides)


def _elements(thickness: float, depth: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes along x and z and the displacement (z, x, 2) that frees a plate's four sides: plane strain, four nodes."""
    nx, nz = round(2 * _HALF / _MESH), round(thickness / _MESH)
    ratio = 2 * NU / (1 - 2 * NU)
    c = np.array([[ratio + 2, ratio, 0], [ratio, ratio + 2, 0], [0, 0, 1.0]])
    stiffness, gauss = np.zeros((8, 8)), 1 / np.sqrt(3)
    for a in (-gauss, gauss):
        for b in (-gauss, gauss):
            d = np.array([[b - 1, 1 - b, 1 + b, -1 - b], [a - 1, -1 - a, 1 + a, 1 - a]]) / (2 * _MESH)
            strain = np.zeros((3, 8))
            strain[0, ::2], strain[1, 1::2], strain[2, ::2], strain[2, 1::2] = d[0], d[1], d[1], d[0]
            stiffness += strain.T @ c @ strain * _MESH**2 / 4
    number = np.arange((nx + 1) * (nz + 1)).reshape(nz + 1, nx + 1)
    corners = np.stack([number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], axis=-1).reshape(-1, 4)
    free = np.stack([2 * corners, 2 * corners + 1], axis=2).reshape(-1, 8)
    rows, columns = np.repeat(free, 8, axis=1).ravel(), np.tile(free, (1, 8)).ravel()
    matrix = sparse.coo_matrix((np.tile(stiffness.ravel(), len(free)), (rows, columns))).tocsr()
    x, z = np.arange(nx + 1) * _MESH - _HALF, np.arange(nz + 1) * _MESH
    forces = np.zeros((number.size, 2))
    sides = ((number[0], 0, -1), (number[-1], 0, 1), (number[:, 0], -1, 0), (number[:, -1], 1, 0))
    places = np.stack(np.broadcast_arrays(x, z[:, None]), axis=-1).reshape(-1, 2)
    for nodes, right, down in sides:
        first, second = nodes[:-1], nodes[1:]
        for at in ((1 - gauss) / 2, (1 + gauss) / 2):
            across, deep = (places[first] + at * (places[second] - places[first])).T
            xx, zz, xz = _edge_stress(across, deep - depth, NU)
            pull = -np.stack([xx * right + xz * down, xz * right + zz * down], axis=1) * _MESH / 2
            np.add.at(forces, first, (1 - at) * pull)
            np.add.at(forces, second, at * pull)
    held = number[nz // 2, nx // 2]
    loose = np.setdiff1d(np.arange(forces.size), [2 * held, 2 * held + 1, 2 * number[0, nx // 2]])
    moved = np.zeros(forces.size)
    moved[loose] = np.asarray(spsolve(matrix[loose][:, loose].tocsc(), forces.ravel()[loose]))
    return x, z, moved.reshape(nz + 1, nx + 1, 2)


def _line(middle: float, depth: float, burgers) -> DislocationNetwork:
    """A line along y through the middle of the field, which runs on far beyond it."""
    return polyline([(middle, -FAR, depth), (middle, FAR, depth)], burgers)


def _tilt(places, values) -> np.ndarray:
    """(2,) of a profile over x from the line [nm]: at 50 and 190 nm less that on the other side."""
    return np.array([np.interp(at, places, values) - np.interp(-at, places, values) for at in (50.0, 190.0)])


def bent_foil() -> Check:
    """Check 24: the tilt of a foil across an edge line along its faces."""
    errors, shown = [], {}
    for thickness, depth in ((200.0, 100.0), (300.0, 30.0)):
        count, pixels = 20, 160
        depths = (np.arange(count) + 0.5) * thickness / count
        middle, row = pixels * _STEP / 2, pixels // 2
        line = _line(middle, depth, [_B, 0, 0])
        at = (np.arange(pixels) + 0.5) * _STEP
        points = np.stack(np.broadcast_arrays(at, (row + 0.5) * _STEP, depths[:, None]), axis=-1)
        bulk = segment_distortion(line, points.reshape(-1, 3), NU, 3.0)[:, 2, 0].reshape(count, -1).mean(axis=0)
        profile = bulk + freed(line, [0, 0, 1.0], thickness, pixels, depths, _STEP, _CORE)[0, :, row].mean(axis=0)
        x, z, moved = _elements(thickness, depth)
        own = np.trapezoid(np.gradient(moved[..., 1], x, axis=1), z, axis=0) / thickness
        exact = own + np.interp(x, at - middle, bulk)
        hinge = 6 * _B * depth * (thickness - depth) / thickness**3
        found, wanted = _tilt(at - middle, profile), _tilt(x, exact)
        errors += [*np.abs(found - wanted) / hinge, abs(found[1] - hinge) / hinge]
        inside = np.abs(x) < middle - _STEP
        shown[f"{depth:g} of {thickness:g} nm"] = (
            at - middle,
            1e3 * profile,
            x[inside],
            1e3 * exact[inside],
            1e3 * hinge,
        )
    return Check(
        "24a",
        "Bending of a foil by an edge line along it",
        "tilt (mean over depth) at 190 nm less that at −190 nm against 6bd(t − d)/t³; at ±50 and ±190 nm against "
        "finite elements of plane strain; both over 6bd(t − d)/t³; lines at 100 of 200 nm and at 30 of 300 nm",
        "plate with a hinge; finite elements",
        max(errors),
        0.05,
        "",
        partial(_draw_tilts, shown=shown),
    )


def image_stress() -> Check:
    """Check 24: what both faces do to a screw line along them."""
    thickness, pixels = 300.0, 32
    depths = np.array([30.0, 75.0, 150.0])
    found = []
    for depth in depths:
        line = _line((pixels + 1) * _STEP / 2, depth, [0, _B, 0])  # through the middle of a pixel
        own = freed(line, [0, 1.0, 0], thickness, pixels, [depth], _STEP, _CORE)
        found.append(-own[0, 0, pixels // 2, pixels // 2])
    exact = _B / (4 * thickness) / np.tan(np.pi * depths / thickness)
    return Check(
        "24b",
        "Image stress on a screw line along the faces",
        "σ_xy of the relaxation at the line, −(μb/4t) cot(πd/t), t = 300 nm; largest difference over that at 30 nm",
        "image lines of both faces; Hirth & Lothe, Theory of Dislocations, 1982, chapter 3",
        float(np.abs(np.array(found) - exact).max() / exact[0]),
        0.05,
        "",
        partial(_draw_stress, depths=depths, found=1e3 * np.array(found), thickness=thickness),
    )


def _draw_tilts(figure, shown):
    for ax, colour, (name, (at, found, x, exact, hinge)) in zip(figure.subplots(1, 2), METHODS, shown.items()):
        ax.plot(at, found, color=colour, lw=1.2, label="relaxed foil")
        ax.plot(x[::4], exact[::4], "o", color=colour, ms=3, mfc="none", label="finite elements")
        for side in (-0.5, 0.5):
            ax.axhline(
                side * hinge, color="0.3", ls="--", lw=0.8, label="± half of 6bd(t − d)/t³" if side > 0 else None
            )
        ax.set(title=name, xlabel="x from the line (nm)", ylim=(-1.2 * hinge, 1.2 * hinge))
    figure.axes[0].set(ylabel="tilt (mrad)")
    figure.axes[1].legend(fontsize=6)


def _draw_stress(figure, depths, found, thickness):
    ax = figure.subplots()
    fine = np.linspace(0.08, 0.92, 100) * thickness
    ax.plot(fine, 1e3 * _B / (4 * thickness) / np.tan(np.pi * fine / thickness), color="0.3", lw=1, label="formula")
    ax.plot(depths, found, "o", color=METHODS[0], ms=4, label="relaxed foil")
    ax.set(xlabel="depth of the line (nm)", ylabel="−σ_xy/μ (10⁻³)")
    ax.legend()


CHECKS: dict[str, Callable[[], Check]] = {"24a": bent_foil, "24b": image_stress}
