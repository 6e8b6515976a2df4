"""Two-beam diffraction contrast with absorption (Howie & Whelan), in the column approximation along the ray.

dphi0/dz = -(pi/xi0') phi0 + i pi (1/xi + i/xi') phig
dphig/dz = i pi (1/xi + i/xi') phi0 + [-pi/xi0' + 2 pi i (s + beta)] phig
(Hirsch, Howie, Nicholson, Pashley & Whelan 1965, eq. 7.26 with absorption.) Each slice is a Strang step: half of the
phase of beta, the perfect crystal exactly (s included, so that s dz may be large), the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.errors import InputError
from veristem.sim.contrast.faults import Fault
from veristem.sim.contrast.many_beams import checked, propagate

_LANES = 64


class Extinction(NamedTuple):
    """Extinction and absorption distances [nm]; without absorption the last two are infinite.

    xi_g_abs is negative where the crystal absorbs in antiphase with xi_g, as some weak or very high reflections.
    """

    xi_g: float
    xi_g_abs: float = np.inf
    xi_0_abs: float = np.inf

    def check(self) -> None:
        """Raise an InputError unless all distances are above zero."""
        if not (self.xi_g > 0 and abs(self.xi_g_abs) > 0 and self.xi_0_abs > 0):
            raise InputError(f"extinction: {tuple(self)} found, distances above 0 nm allowed")


def crystal_step(dz_nm: float, s, extinction: Extinction) -> np.ndarray:
    """(k, 2, 2) complex propagator of a perfect slice for each excitation error s (k,) [1/nm], less mean absorption.

    exp of i pi dz [[0, q], [q, 2 s]], q = 1/xi + i/xi'.
    """
    s = np.atleast_1d(np.asarray(s, float)).astype(complex)
    q = 1 / extinction.xi_g + 1j / extinction.xi_g_abs
    root = np.sqrt(s**2 + q**2)
    x = np.pi * dz_nm * root
    cosine, sine = np.cos(x), 1j * np.pi * dz_nm * np.sinc(x / np.pi)
    matrix = np.array([[cosine - sine * s, sine * q], [sine * q, cosine + sine * s]])
    return np.moveaxis(np.exp(1j * np.pi * dz_nm * s) * matrix, 2, 0)


# of cos x and sin x / x, highest power of x² first; the last seven do for float32
_SERIES = np.array([[(-1) ** n / factorial(2 * n), (-1) ** n / factorial(2 * n + 1)] for n in range(11, -1, -1)])


@numba.njit(cache=True)
def turn(angle, cosine, sine):
    """Cosine and sine of angles, by series that the compiler turns into vectors: libm's take longer than a slice.

    ``angle`` is left between -pi/2 and pi/2.
    """
    kind = angle.dtype.type
    one, two, half, pi, per_pi = kind(1), kind(2), kind(0.5), kind(np.pi), kind(1 / np.pi)
    first = len(_SERIES) - 7 if angle.itemsize == 4 else 0
    cosine[:] = kind(_SERIES[first, 0])
    sine[:] = kind(_SERIES[first, 1])
    sign = np.empty_like(angle)
    for p in range(len(angle)):
        halves = np.rint(angle[p] * per_pi)
        angle[p] -= halves * pi
        sign[p] = one - two * abs(halves - two * np.rint(halves * half))
    for n in range(first + 1, len(_SERIES)):
        u, v = kind(_SERIES[n, 0]), kind(_SERIES[n, 1])
        for p in range(len(angle)):
            square = angle[p] * angle[p]
            cosine[p] = u + square * cosine[p]
            sine[p] = v + square * sine[p]
    for p in range(len(angle)):
        cosine[p] *= sign[p]
        sine[p] *= sign[p] * angle[p]


# no fastmath: it rounds differently when compiled than when read from the cache, for 5 % in speed
@numba.njit(cache=True, parallel=True)
def _propagate(beta, scale, matrices, direct, diffracted):
    """``scale`` times ``beta`` (nz, N) is the phase; ``matrices`` (k, 6): real, imaginary; outputs (k, N)."""
    slices, count = beta.shape
    zero = beta.dtype.type(0)
    for block in numba.prange((count + _LANES - 1) // _LANES):
        start = block * _LANES
        # whole vectors only: a pixel's rounding then depends neither on its place nor on the count of pixels
        width = _LANES
        filled = min(width, count - start)
        er = np.empty((slices + 1, width), beta.dtype)
        ei = np.empty((slices + 1, width), beta.dtype)
        angle = np.zeros(width, beta.dtype)
        for z in range(slices + 1):  # half steps of neighbouring slices merge
            angle[:] = 0
            for p in range(filled):
                before = beta[z - 1, start + p] if z > 0 else zero
                after = beta[z, start + p] if z < slices else zero
                angle[p] = scale * (before + after)
            turn(angle, er[z], ei[z])
        ar, ai = np.empty(width, beta.dtype), np.empty(width, beta.dtype)
        br, bi = np.empty(width, beta.dtype), np.empty(width, beta.dtype)
        for k in range(len(matrices)):
            ur, ui, vr, vi = matrices[k, 0], matrices[k, 1], matrices[k, 2], matrices[k, 3]
            wr, wi = matrices[k, 4], matrices[k, 5]
            ar[:] = 1
            ai[:] = 0
            br[:] = 0
            bi[:] = 0
            for z in range(slices):
                for p in range(width):
                    cr = br[p] * er[z, p] - bi[p] * ei[z, p]
                    ci = br[p] * ei[z, p] + bi[p] * er[z, p]
                    dr, di = ar[p], ai[p]
                    ar[p] = ur * dr - ui * di + vr * cr - vi * ci
                    ai[p] = ur * di + ui * dr + vr * ci + vi * cr
                    br[p] = vr * dr - vi * di + wr * cr - wi * ci
                    bi[p] = vr * di + vi * dr + wr * ci + wi * cr
            for p in range(filled):
                direct[k, start + p] = ar[p] * ar[p] + ai[p] * ai[p]
                diffracted[k, start + p] = br[p] * br[p] + bi[p] * bi[p]


def two_beam(
    beta, dz_nm: float, s, extinction: Extinction, *, exit_slices=None, faults: Sequence[Fault] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Intensities of the direct and the diffracted beam behind a foil, for unit incidence.

    Parameters
    ----------
    beta : (nz, ...) float
        Change of the excitation error by the defects, mean of each slice along the ray [1/nm]; the local s0(x, y) of a
        bent foil is added to it. Its dtype is kept.
    dz_nm : float
        Slice thickness [nm].
    s : float or (k,) float
        Excitation error of the perfect crystal [1/nm].
    extinction : Extinction
        Distances [nm].
    exit_slices : (...) float, optional
        Slices of crystal that the ray of each pixel passes, 0 to nz, t(x, y) / dz: a wedge or a rough face. What lies
        deeper does not count.
    faults : sequence of Fault
        Planar faults that rays cross. Within its slice a fault stands where it is, as does an exit, to second order in
        dz and exactly in s dz.

    Returns
    -------
    I0, Ig : (k, ...) float
        Intensities; k = 1 for a scalar s.

    Raises
    ------
    InputError
        For values that are not finite, for thicknesses or distances not above zero, and for an empty beta.
    """
    beta, s = checked(beta, dz_nm, s)
    extinction.check()
    if exit_slices is not None or len(faults):
        q = 1 / extinction.xi_g + 1j / extinction.xi_g_abs
        zero = np.zeros(len(s))
        generator = 1j * np.pi * dz_nm * np.array([[zero, zero + q], [zero + q, 2 * s]])
        direct, diffracted = propagate(
            beta, dz_nm, np.moveaxis(generator, 2, 0), (0, 1), extinction.xi_0_abs, exit_slices, faults
        )
        return direct, diffracted
    dtype = beta.dtype if beta.dtype in (np.float32, np.float64) else np.dtype(float)
    matrices = crystal_step(dz_nm, s, extinction)
    packed = np.stack([matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]], axis=1)
    packed = packed.view(float).reshape(len(matrices), 6).astype(dtype)
    rays = beta.reshape(len(beta), -1).astype(dtype, copy=False)
    direct = np.empty((len(matrices), rays.shape[1]), dtype)
    diffracted = np.empty_like(direct)
    _propagate(np.ascontiguousarray(rays), dtype.type(np.pi * dz_nm), packed, direct, diffracted)
    mean = dtype.type(np.exp(-2 * np.pi * dz_nm * len(beta) / extinction.xi_0_abs))
    for image in (direct, diffracted):
        image *= mean
    shape = (len(matrices), *beta.shape[1:])
    return direct.reshape(shape), diffracted.reshape(shape)
