"""Rays through a foil: which directions a detector region needs, and what the defects do along each."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.geometry import Region

_GRID = 300  # points across a region when its directions are binned
_PER_FRINGE = 1.6  # samples of s for each thickness fringe, period 1/t; above 1 the sum over s is free of aliasing


class Bundle(NamedTuple):
    """Rays that share one shear of the foil.

    theta_rad (2,): their incidence. s (k,): excitation errors [1/nm]. weight (k,): share of all electrons of the cone.
    partner: False for the direct beam of these rays; True for the beam that the same planes turn into the region
    (reflection -g).
    """

    theta_rad: np.ndarray
    s: np.ndarray
    weight: np.ndarray
    partner: bool


def bundles(
    region: Region,
    convergence_rad: float,
    g_xy_per_nm,
    wavelength_nm: float,
    s0: float,
    thickness_nm: float,
    pixel_nm: float,
) -> list[Bundle]:
    """The directions of a detector region, binned by shear and by excitation error.

    Detector angle theta receives |phi_0|^2 of the incidence theta, with s = s0 - g·theta, and, where discs overlap, the
    electrons that the same Bragg planes turn there: |phi_-g|^2 of the incidence theta + lambda g, with excitation error
    -s. Both are the two ends of one two-beam case, so that without absorption their sum is flat, as it must be within a
    wide cone (docs/conventions.md compares it with a systematic row). Incidences outside the cone are left out.
    Neighbouring shears differ by half a pixel at the faces of the foil, neighbouring s by less than a thickness fringe.

    Parameters
    ----------
    region : Region
        Of the detector.
    convergence_rad : float
        Semi-angle of the cone [rad].
    g_xy_per_nm : (2,) float
        Reflection in the image plane [1/nm].
    wavelength_nm, s0, thickness_nm, pixel_nm : float
        Wavelength [nm], excitation error of the axial ray [1/nm], foil thickness [nm], scan step [nm].
    """
    g = np.asarray(g_xy_per_nm, float)
    theta = region.directions(convergence_rad, _GRID)
    center = region.mean_direction_rad(convergence_rad)
    share = region.fraction(convergence_rad) / len(theta)
    shear_step = pixel_nm / thickness_nm  # half a pixel at z - z_f = t/2
    s_step = 1 / (_PER_FRINGE * thickness_nm)
    found = []
    for partner in (False, True):
        incidence = theta + wavelength_nm * g if partner else theta
        s = (theta @ g - s0) if partner else (s0 - theta @ g)
        inside = np.hypot(incidence[:, 0], incidence[:, 1]) <= convergence_rad
        shear = np.rint((incidence - center) / shear_step)
        bins = np.column_stack([shear, np.rint(s / s_step)])[inside].astype(int)
        keys, counts = np.unique(bins, axis=0, return_counts=True)
        for cell in np.unique(keys[:, :2], axis=0):
            own = (keys[:, :2] == cell).all(axis=1)
            found.append(Bundle(center + cell * shear_step, keys[own, 2] * s_step, share * counts[own], partner))
    return found


@numba.njit(cache=True)
def _taps(shift):
    """Whole part of a shift, and the four weights of cubic (Lagrange) interpolation for the rest."""
    whole = int(np.floor(shift))
    f = shift - whole
    weights = np.array(
        [
            -f * (f - 1) * (f - 2) / 6,
            (f + 1) * (f - 1) * (f - 2) / 2,
            -(f + 1) * f * (f - 2) / 2,
            (f + 1) * f * (f - 1) / 6,
        ]
    )
    return whole, weights


@numba.njit(cache=True, parallel=True)
def _gather(distortion, tan_x, tan_y, shifts_x, shifts_y, margin, out):
    slices, rows, columns = out.shape
    for z in numba.prange(slices):
        ix, wx = _taps(shifts_x[z])
        iy, wy = _taps(shifts_y[z])
        for j in range(rows):
            line = np.zeros(distortion.shape[3], np.float32)
            for c in range(4):
                row = j + margin + iy + c - 1
                w = np.float32(wy[c])
                for i in range(len(line)):
                    line[i] += w * (
                        distortion[2, z, row, i] + tan_x * distortion[0, z, row, i] + tan_y * distortion[1, z, row, i]
                    )
            for i in range(columns):
                first = i + margin + ix - 1
                value = np.float32(0)
                for c in range(4):
                    value += np.float32(wx[c]) * line[first + c]
                out[z, j, i] = value


def margin_pixels(theta_max_rad: float, depth_max_nm: float, pixel_nm: float) -> int:
    """Pixels that a volume must reach beyond the image so that every ray stays inside it."""
    return int(np.ceil(np.tan(theta_max_rad) * depth_max_nm / pixel_nm)) + 3


def ray_beta(
    distortion: np.ndarray, theta_rad, margin: int, dz_nm: float, pixel_nm: float, focus_nm: float
) -> np.ndarray:
    """Change of the excitation error along the rays of one direction, one ray a pixel.

    beta = g·(U_z + theta_x U_x + theta_y U_y); the ray of pixel r passes through r + (z - z_f) tan(theta).

    Parameters
    ----------
    distortion : (3, nz, rows + 2 margin, columns + 2 margin) float32
        g·U_x, g·U_y, g·U_z averaged over voxels [1/nm].
    theta_rad : (2,) float
        Incidence [rad].
    margin : int
        Voxels beyond the image on each side.
    dz_nm, pixel_nm, focus_nm : float
        Slice, pixel, depth of the focus plane [nm].

    Returns
    -------
    (nz, rows, columns) float32
        [1/nm].
    """
    tan_x, tan_y = np.tan(np.asarray(theta_rad, float))
    _, slices, rows, columns = distortion.shape
    z = (np.arange(slices) + 0.5) * dz_nm - focus_nm
    out = np.empty((slices, rows - 2 * margin, columns - 2 * margin), np.float32)
    shifts = (z * tan_x / pixel_nm, z * tan_y / pixel_nm)
    _gather(distortion, np.float32(tan_x), np.float32(tan_y), *shifts, margin, out)
    return out
