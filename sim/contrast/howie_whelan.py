"""Two-beam diffraction contrast with absorption (Howie & Whelan), in the column approximation along the ray.

dphi0/dz = -(pi/xi0') phi0 + i pi (1/xi + i/xi') phig
dphig/dz = i pi (1/xi + i/xi') phi0 + [-pi/xi0' + 2 pi i (s + beta)] phig
(Hirsch, Howie, Nicholson, Pashley & Whelan 1965, eq. 7.26 with absorption.) Each slice is a Strang step: half of the
phase of beta, the perfect crystal exactly (s included, so that s dz may be large), the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.errors import InputError
from veristem.sim.contrast.faults import Fault
from veristem.sim.contrast.many_beams import checked, propagate

_LANES = 64


class Extinction(NamedTuple):
    """Extinction and absorption distances [nm]; without absorption the last two are infinite."""

    xi_g: float
    xi_g_abs: float = np.inf
    xi_0_abs: float = np.inf

    def check(self) -> None:
        """Raise an InputError unless all distances are above zero."""
        if not all(x > 0 for x in self):
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


# no fastmath: it rounds differently when compiled than when read from the cache, for 5 % in speed
@numba.njit(cache=True, parallel=True)
def _propagate(phase, matrices, direct, diffracted):
    """``phase`` (nz, rows, width): 2 pi beta dz; ``matrices`` (k, 6): real, imaginary; outputs (k, rows, width)."""
    slices, rows, width = phase.shape
    for j in numba.prange(rows):
        er = np.empty((slices + 1, width), phase.dtype)
        ei = np.empty((slices + 1, width), phase.dtype)
        for z in range(slices + 1):  # half steps of neighbouring slices merge
            for p in range(width):
                angle = phase.dtype.type(0)
                if z > 0:
                    angle += phase[z - 1, j, p] / 2
                if z < slices:
                    angle += phase[z, j, p] / 2
                er[z, p] = np.cos(angle)
                ei[z, p] = np.sin(angle)
        ar, ai = np.empty(width, phase.dtype), np.empty(width, phase.dtype)
        br, bi = np.empty(width, phase.dtype), np.empty(width, phase.dtype)
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
            for p in range(width):
                direct[k, j, p] = ar[p] * ar[p] + ai[p] * ai[p]
                diffracted[k, j, p] = br[p] * br[p] + bi[p] * bi[p]


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
    columns = beta.shape[-1] if beta.ndim > 1 else 1
    phase = (2 * np.pi * dz_nm) * beta.reshape(len(beta), -1, columns)
    # whole vectors only: a pixel's rounding then depends neither on the width nor on how rows are grouped
    phase = np.pad(phase, ((0, 0), (0, 0), (0, -columns % _LANES))).astype(dtype)
    direct = np.empty((len(matrices), *phase.shape[1:]), dtype)
    diffracted = np.empty_like(direct)
    _propagate(phase, packed, direct, diffracted)
    mean = dtype.type(np.exp(-2 * np.pi * dz_nm * len(beta) / extinction.xi_0_abs))
    shape = (len(matrices), *beta.shape[1:])
    return tuple((mean * image[..., :columns]).reshape(shape) for image in (direct, diffracted))  # type: ignore[return-value]
