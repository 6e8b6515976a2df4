"""Relaxation of the two faces of a foil: what must be added to the field of an infinite medium, isotropic.

In each plane wave along x and y six exponentials in z solve the equations of elasticity; those that cancel the traction
of the bulk field on z = 0 and z = t are added (after Weinberger, Aubry, Lee, Nix & Cai, Modelling Simul. Mater. Sci.
Eng. 17 (2009) 075007). With k along direction 1, 2 = z x 1, phi = exp(-k z) or exp(-k (t - z)), and zeta = z or z - t:

- u = phi along 2,
- u = grad(phi) / k,
- u = (3 - 4 nu) phi along z - zeta grad(phi), the solution of Papkovich and Neuber.
"""

from __future__ import annotations

import numba
import numpy as np
from scipy import fft

from veristem.sim.elasticity.octaves import Lines, add_interpolated, from_waves, interpolation, same
from veristem.sim.elasticity.spectral import green, isotropic_stiffness, row, table_at

_FALLEN = 14.0  # a wave counts as gone after this many times its decay length


@numba.njit(cache=True, parallel=True)
def _stresses(lines, waves, factors, table, per_wave, c, phases, out):
    """Transforms (2, 3, ny, nx) of sigma_iz on two planes; phases (2, nz): of a plane in each wave along z."""
    nz, ny, nx = lines.shape[1:]
    for j in numba.prange(ny):
        y = waves[1][j]
        for i in range(nz):
            z = waves[0][i]
            for k in range(nx):
                x = waves[2][k]
                wave = np.sqrt(x * x + y * y + z * z)
                if wave == 0.0:
                    continue
                f = table_at(table, wave * per_wave) * factors[0][i] * factors[1][j] * factors[2][k]
                g00, g01, g02, g11, g12, g22 = green(c, x, y, z)
                u00, _, u02 = row(c, f * g00, f * g01, f * g02, x, y, z, lines, np.int64(i), np.int64(j), k)
                _, u11, u12 = row(c, f * g01, f * g11, f * g12, x, y, z, lines, np.int64(i), np.int64(j), k)
                u20, u21, u22 = row(c, f * g02, f * g12, f * g22, x, y, z, lines, np.int64(i), np.int64(j), k)
                sxz, syz = c[4, 4] * (u02 + u20), c[3, 3] * (u12 + u21)
                szz = c[0, 2] * u00 + c[1, 2] * u11 + c[2, 2] * u22
                for plane in range(2):
                    phase = phases[plane, i]
                    out[plane, 0, j, k] += phase * sxz
                    out[plane, 1, j, k] += phase * syz
                    out[plane, 2, j, k] += phase * szz


class FaceLoads:
    """Stress sigma_iz of a network in an infinite medium on both faces of a foil, gathered level by level.

    Far from the field only the coarse levels reach: what is fine there does not act in the field.

    Parameters
    ----------
    low_yx_nm, shape_yx, step_nm
        Corner [nm], pixels and size of a pixel [nm] of the faces, the margins included.
    thickness_nm, poisson_ratio : float
        Of the foil; z = 0 and z = thickness are its faces.
    """

    grow = 8  # voxels that each level reaches beyond the one below, besides those that interpolation needs

    def __init__(self, low_yx_nm, shape_yx, step_nm: float, thickness_nm: float, poisson_ratio: float):
        self.low, self.step, self.thickness_nm, self.poisson_ratio = low_yx_nm, step_nm, thickness_nm, poisson_ratio
        self.stiffness = isotropic_stiffness(poisson_ratio)
        self.stress = np.zeros((2, 3, *shape_yx), np.float32)  # over the shear modulus

    def within(self, low_yx_nm, high_yx_nm, step_yx_nm) -> bool:
        """Whether a grid from corner to corner reaches so far beyond the faces that it can be interpolated on them."""
        high = self.low + np.array(self.stress.shape[2:]) * self.step
        return bool((self.low > low_yx_nm + 4 * step_yx_nm).all() and (high < high_yx_nm - 4 * step_yx_nm).all())

    def add(self, lines: Lines) -> None:
        """The share of a level."""
        level = lines.level
        first = level.low[0] + (0.5 - lines.pad[0]) * level.step[0]
        depths = np.array([0.0, self.thickness_nm]) - first
        phases = np.exp(1j * np.outer(depths, lines.waves[0])) / lines.size[0]
        out = np.zeros((2, 3, *lines.spectra.shape[2:]), np.complex64)
        _stresses(*lines.arguments, self.stiffness, phases.astype(np.complex64), out)
        share = from_waves(out, lines.size[1:])[(..., *lines.inner[1:])]
        if not self.within(level.low[1:], level.low[1:] + level.shape[1:] * level.step[1:], level.step[1:]):
            share *= taper(share.shape[2], self.grow // 2)[:, None] * taper(share.shape[3], self.grow // 2)
        axes, windows = [], []
        for low, start, step, count, n in zip(
            self.low, level.low[1:], level.step[1:], self.stress.shape[2:], share.shape[2:]
        ):
            at = low + (np.arange(count) + 0.5) * self.step
            covered = np.flatnonzero((at > start + 4 * step) & (at < start + (n - 4) * step))
            window = slice(covered[0], covered[-1] + 1)
            axes.append(interpolation(at[window], start, step))
            windows.append(window)
        planes = self.stress.reshape(6, *self.stress.shape[2:])[:, *windows]
        add_interpolated(share.reshape(6, *share.shape[2:]), planes, (same(6), *axes))


@numba.njit(cache=True, parallel=True)
def _at_depth(terms, kx, ky, wave, z, thickness, out):
    """Transforms (3, ny, nx) of the gradient of g·u at a depth."""
    back = z - thickness
    for j in numba.prange(wave.shape[0]):
        for i in range(wave.shape[1]):
            k = wave[j, i]
            phi0, phi1 = np.float32(np.exp(-k * z)), np.float32(np.exp(k * back))
            part0 = (terms[0, j, i] + terms[1, j, i] * z) * phi0
            part1 = (terms[2, j, i] + terms[3, j, i] * back) * phi1
            moved = 1j * (part0 + part1)
            out[0, j, i], out[1, j, i] = kx[j, i] * moved, ky[j, i] * moved
            out[2, j, i] = k * (part1 - part0) + terms[1, j, i] * phi0 + terms[3, j, i] * phi1


def wave_numbers(shape_yx, step_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Wave numbers along y (n,) and x (m,) of real transforms on a grid [1/nm]."""
    ky, kx = fft.fftfreq(shape_yx[0], step_nm), fft.rfftfreq(shape_yx[1], step_nm)
    return 2 * np.pi * ky, 2 * np.pi * kx


class Relaxation:
    """The field that loads on both faces of a foil make; the mean of a load does nothing.

    Parameters
    ----------
    loads : (2, 3, ny, nx // 2 + 1) complex
        Real transforms of sigma_iz of this field over the shear modulus, on z = 0 and z = thickness.
    shape_yx : (2,) int
        Pixels along y and x.
    step_nm : float
        Size of a pixel [nm].
    thickness_nm, poisson_ratio : float
        Of the foil.
    """

    def __init__(self, loads, shape_yx, step_nm: float, thickness_nm: float, poisson_ratio: float):
        self.shape, self.thickness_nm = tuple(shape_yx), thickness_nm
        self.ky, self.kx = np.meshgrid(*wave_numbers(shape_yx, step_nm), indexing="ij")
        self.k = np.hypot(self.kx, self.ky)
        self.k[0, 0] = self.kx[0, 1]  # no wave, and none is divided by
        self.cos, self.sin = self.kx / self.k, self.ky / self.k
        self.kappa = 3 - 4 * poisson_ratio
        self.across, self.within = self._solve(loads, poisson_ratio)

    def _solve(self, loads, nu: float):
        """Amplitudes of the exponentials, entrance first: (2, ky, kx) along 2; (4, ky, kx) in the plane of k and z."""
        first = (self.cos * loads[:, 0] + self.sin * loads[:, 1]) / (1j * self.k)
        second = self.cos * loads[:, 1] - self.sin * loads[:, 0]
        along = loads[:, 2] / self.k
        kt = self.k * self.thickness_nm
        fall, lost = np.exp(-kt), -np.expm1(-kt)
        # sigma_2z = -k, k at the end of each exponential
        scale = 1 / (self.k * lost * (1 + fall))
        across = np.stack([-(second[0] - fall * second[1]), second[1] - fall * second[0]]) * scale
        # sigma_1z and sigma_zz of what bends the foil (even and odd in depth), and of what stretches it
        near, far = 2 * (1 - 2 * nu), 2 * (1 - nu)
        shear, thrust = first[1] + first[0], along[1] - along[0]
        pull, press = first[1] - first[0], along[1] + along[0]
        less = _sinh_less(kt)  # (sinh(kt) - kt) exp(-kt): as small as kt³
        bent0 = ((far * lost - kt * fall) * shear - (near * (1 + fall) / 2 + kt * fall) * thrust) / (4 * less)
        bent1 = ((1 + fall) * thrust - lost * shear) / (4 * less)
        more = lost * (1 + fall) / 2 + kt * fall  # (sinh(kt) + kt) exp(-kt)
        drawn0 = ((far * (1 + fall) + kt * fall) * pull - (near * lost / 2 - kt * fall) * press) / (4 * more)
        drawn1 = (lost * press - (1 + fall) * pull) / (4 * more)
        within = np.stack([drawn0 - bent0, bent0 + drawn0, bent1 - drawn1, bent1 + drawn1]) / 2
        within[:, 0, 0], across[:, 0, 0] = 0, 0
        return across, within

    def add_to(self, field: np.ndarray, vector, depths_nm, rows: slice, columns: slice) -> None:
        """Add g_i U_ij at depths (nz,) to a field (3, nz, ny, nx), on the part of the faces that the slices cut."""
        g = np.asarray(vector, float)
        k, kappa = self.k, self.kappa
        first, second = g[0] * self.cos + g[1] * self.sin, g[1] * self.cos - g[0] * self.sin
        (s0, s1), (a0, a1, b0, b1) = self.across, self.within
        # g·u = (fixed + rising zeta) phi, for each of the two exponentials
        fixed0 = 1j * first * a0 + second * s0 + g[2] * (-a0 + kappa * b0)
        fixed1 = 1j * first * a1 + second * s1 + g[2] * (a1 + kappa * b1)
        rising0 = k * b0 * (g[2] - 1j * first)
        rising1 = -k * b1 * (g[2] + 1j * first)
        terms = np.stack([fixed0, rising0, fixed1, rising1]).astype(np.complex64)
        for place, z in enumerate(depths_nm):
            inside = self.kx[0] * min(z, self.thickness_nm - z) < _FALLEN  # the others have died away at this depth
            part, kx, ky, wave = (
                np.ascontiguousarray(values[..., : inside.sum()]) for values in (terms, self.kx, self.ky, k)
            )
            waves = np.empty((3, *wave.shape), np.complex64)
            _at_depth(part, kx, ky, wave, z, self.thickness_nm, waves)
            lines = np.asarray(fft.ifft(waves, axis=1, workers=numba.get_num_threads(), overwrite_x=True))[:, rows]
            field[:, place] += from_waves(lines, self.shape[1:])[..., columns]


def _sinh_less(x: np.ndarray) -> np.ndarray:
    """(sinh x - x) exp(-x) of x >= 0, small ones as well."""
    square = x**2
    small = x * square / 6 * (1 + square / 20 * (1 + square / 42 * (1 + square / 72))) * np.exp(-x)
    return np.where(x < 0.5, small, -np.expm1(-2 * x) / 2 - x * np.exp(-x))


def taper(count: int, width: int) -> np.ndarray:
    """1 farther than a width from the ends, where it falls smoothly to 0."""
    distance = np.minimum(np.arange(count), np.arange(count)[::-1]) + 0.5
    return np.sin(np.pi / 2 * np.clip(distance / width, 0, 1)) ** 2
