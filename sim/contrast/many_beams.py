"""A systematic row of beams with absorption, in the column approximation along the ray.

dphi_n/dz = [2 pi i (s_n + n beta) - pi/xi0'] phi_n + i pi sum_m (1/xi_(n-m) + i/xi'_(n-m)) phi_m
(Howie & Whelan, Proc. R. Soc. A 263 (1961) 217.) Without a centre of symmetry 1/xi_n and 1/xi'_n are complex, and those
of -n their conjugates. Each slice is a Strang step as in `howie_whelan`: half of the phases of beta, the perfect
crystal exactly, the other half.

A fault or an exit within a slice splits the crystal's step there; parts of a step come from its eigenvectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from scipy.linalg import expm

from veristem.datasets.crystal import Material, electron_wavelength_nm
from veristem.datasets.errors import InputError
from veristem.sim.contrast.faults import Fault, pack_events, pixel_exit

_LANES = 64
_MOST = 17  # beams: nine with those of a superlattice between
_REAL = 1e-6  # of a structure factor: an imaginary part below it is rounding


class Row(NamedTuple):
    """A systematic row ..., -g, 0, g, 2g, ... of a crystal.

    Parameters
    ----------
    orders : tuple of int
        The beams n: 2 to 17 consecutive orders with 0 among them.
    xi_g, xi_g_abs : tuple of float or complex
        Extinction and absorption distances of 1g, 2g, 3g, ... [nm], as many as orders lie apart; infinite for none.
        Negative where the structure factor has the other sign; complex where it is, for the crystal has no centre of
        symmetry in the row: 1/xi_n then has the phase of F_n.
    xi_0_abs : float
        Mean absorption distance [nm].
    g_per_nm, wavelength_nm : float
        Length of g [1/nm]; electron wavelength [nm].
    """

    orders: tuple[int, ...]
    xi_g: tuple[complex, ...]
    xi_g_abs: tuple[complex, ...]
    xi_0_abs: float
    g_per_nm: float
    wavelength_nm: float

    @classmethod
    def of_material(cls, material: Material, hkl, energy_keV: float, orders: Sequence[int]) -> Row:
        """The row of a material: each order has its own distances, and none where the structure forbids it.

        Mean absorption counts all losses, that of the orders phonons alone. The origin is where the first order's
        structure factor is above 0.

        Raises
        ------
        InputError
            When the structure forbids the first order.
        """
        _check_orders(orders)
        hkl = np.asarray(hkl)
        _, _, xi_0_abs, _ = material.extinction_distances_nm(hkl, energy_keV)
        span = max(orders) - min(orders)
        couplings = np.array([material.couplings_per_nm(n * hkl, energy_keV) for n in range(1, span + 1)])
        first = couplings[0, 0] / abs(couplings[0, 0])
        couplings = couplings * np.conj(first) ** np.arange(1, span + 1)[:, None]
        if np.all(np.abs(couplings.imag) <= _REAL * np.abs(couplings[:, :1])):
            couplings = couplings.real
        with np.errstate(divide="ignore", invalid="ignore"):
            distances = np.where(couplings == 0, np.inf, 1 / couplings)
        g = float(np.linalg.norm(material.reciprocal_per_nm(hkl)))
        xi_g, xi_g_abs = (tuple(column.tolist()) for column in distances.T)
        return cls(tuple(orders), xi_g, xi_g_abs, xi_0_abs, g, float(electron_wavelength_nm(energy_keV)))

    def generator(self, dz_nm: float, s) -> np.ndarray:
        """(k, beams, beams) complex: its exponential is a perfect slice, less mean absorption.

        Raises
        ------
        InputError
            For orders that are not a row, and for missing or zero distances.
        """
        _check_orders(self.orders)
        n = np.array(self.orders)
        span = len(n) - 1
        if min(len(self.xi_g), len(self.xi_g_abs)) < span:
            known = min(len(self.xi_g), len(self.xi_g_abs))
            raise InputError(f"row: extinction distances to order {known} found, {span} needed by {self.orders}")
        for name in ("xi_g", "xi_g_abs"):
            if not np.all(values := getattr(self, name)) or np.isnan(values).any():
                raise InputError(f"row: {name} {values} found, distances that are not 0 allowed")
        if not _positive(self.xi_0_abs, self.g_per_nm, self.wavelength_nm):
            raise InputError(f"row: {self[3:]} found for xi_0_abs, g and wavelength, numbers above 0 allowed")
        elastic, phonons = (1 / np.array(x[:span]) for x in (self.xi_g, self.xi_g_abs))
        behind = np.conj(elastic) + 1j * np.conj(phonons)
        q = np.concatenate([[0], elastic + 1j * phonons, behind[::-1]])  # of -n at the place -n
        error = n * np.reshape(s, (-1, 1)) - n * (n - 1) * self.wavelength_nm * self.g_per_nm**2 / 2
        return 1j * np.pi * dz_nm * (q[n[:, None] - n] + 2 * error[:, :, None] * np.eye(len(n)))


def _check_orders(orders: Sequence[int]) -> None:
    if (
        0 not in orders
        or not 2 <= len(orders) <= _MOST
        or list(orders) != list(range(orders[0], orders[0] + len(orders)))
    ):
        raise InputError(f"orders: {tuple(orders)} found, 2 to {_MOST} consecutive orders with 0 among them allowed")


def _positive(*values) -> bool:
    return all(np.all(np.asarray(v) > 0) for v in values)


def checked(beta, dz_nm: float, s) -> tuple[np.ndarray, np.ndarray]:
    """beta as an array and s as a float array (k,), when all is finite and not empty.

    Raises
    ------
    InputError
        Otherwise.
    """
    beta, s = np.asarray(beta), np.atleast_1d(np.asarray(s, float))
    if not (np.isfinite(dz_nm) and dz_nm > 0):
        raise InputError(f"dz_nm: {dz_nm} found, a slice thickness above 0 allowed")
    if beta.ndim == 0 or beta.size == 0:
        raise InputError(f"beta: shape {beta.shape} found, (slices, ...) with at least one slice and pixel allowed")
    if s.ndim != 1 or s.size == 0 or not np.isfinite(s).all():
        raise InputError(f"s: shape {s.shape} or a value that is not finite found, one or more finite numbers allowed")
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.sum(beta)  # one pass without a copy
    if not np.isfinite(total) and not np.isfinite(beta).all():
        raise InputError("beta: NaN or infinity found, finite numbers allowed")
    return beta, s


def systematic_row(
    beta, dz_nm: float, s, row: Row, *, exit_slices=None, faults: Sequence[Fault] = (), back: bool = False
) -> np.ndarray:
    """Intensities of all beams of a systematic row behind a foil, for unit incidence.

    With ``back`` what the direct beam receives from unit incidence along each beam instead: the transposed product of
    the slices, that is the wave run from the exit to the entrance (reciprocity). One run then tells of all incidences
    that a direction on the detector receives.

    Parameters
    ----------
    beta : (nz, ...) float
        Change of the excitation error of n = 1 by defects and bending, mean of each slice along the ray [1/nm]. Its
        dtype is kept.
    dz_nm : float
        Slice thickness [nm].
    s : float or (k,) float
        Excitation error of n = 1 in the perfect crystal [1/nm]; s_n = n s - n (n - 1) wavelength g² / 2.
    row : Row
        Beams and distances.
    exit_slices, faults
        As in `howie_whelan.two_beam`.

    Returns
    -------
    (beams, k, ...) float
        Intensities, in the order of ``row.orders``; k = 1 for a scalar s.

    Raises
    ------
    InputError
        For values that are not finite, thicknesses or distances not above zero, and missing distances.
    """
    beta, s = checked(beta, dz_nm, s)
    generator = row.generator(dz_nm, s)
    if back:
        generator = generator.swapaxes(1, 2)
    return propagate(beta, dz_nm, generator, row.orders, row.xi_0_abs, exit_slices, faults, back)


def propagate(
    beta: np.ndarray, dz_nm: float, generator: np.ndarray, orders, xi_0_abs: float, exit_slices, faults, back=False
) -> np.ndarray:
    """(beams, k, ...) intensities behind slices exp(``generator`` (k, beams, beams)) with strain, faults and exits.

    ``back`` runs from the exit to the entrance.
    """
    dtype = beta.dtype if beta.dtype in (np.float32, np.float64) else np.dtype(float)
    shape, slices = beta.shape[1:], len(beta)
    depth = None if exit_slices is None else pixel_exit(exit_slices, shape, slices)
    met = depth
    if back:
        faults = [fault._replace(depth_slices=slices - fault.depth_slices) for fault in faults]
        met = None if depth is None else slices - depth
        beta = beta[::-1]
    events = pack_events(faults, met, shape, slices, _LANES)
    generator = np.ascontiguousarray(generator)  # one layout, one compilation
    spectrum = (generator[:, 0].copy(), generator, generator)
    if len(events.lane):
        rates, modes = np.linalg.eig(generator)
        spectrum = (rates, modes, np.linalg.inv(modes))
    steps = np.asarray(expm(generator), complex)
    steps = np.ascontiguousarray(np.stack([np.real(steps), np.imag(steps)], axis=1), dtype)
    phase = ((2 * np.pi * dz_nm) * beta.reshape(slices, -1)).astype(dtype)
    count = phase.shape[1]
    # whole vectors only: a pixel's rounding then does not depend on its place
    phase = np.pad(phase, ((0, 0), (0, -count % _LANES))).reshape(slices, -1, _LANES)
    out = np.empty((len(orders), len(steps), *phase.shape[1:]), dtype)
    _propagate(phase, steps, spectrum, tuple(orders), events, back, out)
    passed = slices if depth is None else depth
    mean = np.exp(-2 * np.pi * dz_nm * passed / xi_0_abs).astype(dtype)
    return mean * out.reshape(*out.shape[:2], -1)[..., :count].reshape(*out.shape[:2], *shape)


@numba.njit(cache=True)
def _advance(state, part, k, spectrum):
    """``part`` of the step of a perfect slice, in place."""
    rates, modes, inverse = spectrum
    wave = np.zeros(len(state), np.complex128)
    for m in range(len(state)):
        for n in range(len(state)):
            wave[m] += inverse[k, m, n] * state[n]
        wave[m] *= np.exp(part * rates[k, m])
    for n in range(len(state)):
        state[n] = 0
        for m in range(len(state)):
            state[n] += modes[k, n, m] * wave[m]


@numba.njit(cache=True)
def _gain(state, angle):
    """Beam n gains n times a phase; what all gain alike is left out."""
    turn = complex(np.cos(angle), np.sin(angle))
    power = turn
    for n in range(1, len(state)):
        state[n] *= power
        power *= turn


@numba.njit(cache=True)
def _meet(first, stop, k, phase, before, after, spectrum, events, start, out, left):
    """One lane in a slice with faults or an exit: events ``first`` up to ``stop``.

    ``start`` is the beam in which a wave that runs back begins at the exit, -1 for one that ends there.
    """
    lane = events.lane[first]
    beams = before.shape[1]
    state = np.empty(beams, np.complex128)
    for n in range(beams):
        state[n] = complex(before[0, n, lane], before[1, n, lane])
    done, unused = 0.0, 0.0
    for e in range(first, stop):
        if np.isnan(events.turns[e]) and start >= 0:  # only the strain beyond counts, half of it behind the crystal
            state[:] = 0
            state[start] = 1
            done = events.fraction[e]
            unused = 0.5 * done * phase[events.slice[e], lane]
            _gain(state, 0.5 * phase[events.slice[e], lane] - unused)
            continue
        if np.isnan(events.turns[e]):  # only the strain above the exit counts, half of it before the crystal
            _gain(state, 0.5 * (events.fraction[e] - 1) * phase[events.slice[e], lane])
        _advance(state, events.fraction[e] - done, k, spectrum)
        done = events.fraction[e]
        if np.isnan(events.turns[e]):
            for n in range(beams):
                out[n, k, lane] = abs(state[n]) ** 2
            left[lane] = True
            return
        _gain(state, 2 * np.pi * events.turns[e])
    _advance(state, 1 - done, k, spectrum)
    _gain(state, -unused)
    for n in range(beams):
        after[0, n, lane], after[1, n, lane] = state[n].real, state[n].imag


# `orders` is a tuple, so that kernels are compiled for its length; for that, amplitudes lie flat, real parts first
@numba.njit(cache=True)
def _strain(psi, er, ei, orders):
    """Beam n gains n times the phase (er, ei); what all gain alike is left out."""
    imag = len(orders) * _LANES
    for p in range(_LANES):
        wr, wi = er[p], ei[p]
        for n in range(1, len(orders)):
            at = n * _LANES + p
            a, b = psi[at], psi[imag + at]
            psi[at], psi[imag + at] = a * wr - b * wi, a * wi + b * wr
            wr, wi = wr * er[p] - wi * ei[p], wr * ei[p] + wi * er[p]


@numba.njit(cache=True)
def _crystal(steps, k, psi, new, orders):
    """new = steps[k] psi."""
    imag = len(orders) * _LANES
    for n in range(len(orders)):
        for p in range(_LANES):
            a, b = psi[p], psi[imag + p]
            r, i = steps[k, 0, n, 0] * a - steps[k, 1, n, 0] * b, steps[k, 1, n, 0] * a + steps[k, 0, n, 0] * b
            for m in range(1, len(orders)):
                a, b = psi[m * _LANES + p], psi[imag + m * _LANES + p]
                r += steps[k, 0, n, m] * a - steps[k, 1, n, m] * b
                i += steps[k, 1, n, m] * a + steps[k, 0, n, m] * b
            new[n * _LANES + p], new[imag + n * _LANES + p] = r, i


@numba.njit(cache=True)
def _block(phase, steps, spectrum, orders, events, first, stop, back, out):
    """All slices and excitation errors of one block of lanes: ``phase`` (nz, lanes), ``out`` (beams, k, lanes)."""
    slices, beams, dtype = len(phase), len(orders), phase.dtype
    er, ei = np.empty((slices, _LANES), dtype), np.empty((slices, _LANES), dtype)
    for z in range(slices):  # half steps of neighbouring slices merge; the last half changes no intensity
        for p in range(_LANES):
            angle = phase[z, p] / 2
            if z > 0:
                angle += phase[z - 1, p] / 2
            er[z, p], ei[z, p] = np.cos(angle), np.sin(angle)
    shape = (2, beams, _LANES)
    psi, new = np.empty(2 * beams * _LANES, dtype), np.empty(2 * beams * _LANES, dtype)
    left = np.zeros(_LANES, np.bool_)
    for k in range(len(steps)):
        psi[:] = 0
        psi.reshape(shape)[0, -orders[0]] = 1
        left[:] = False
        event = first
        for z in range(slices):
            _strain(psi, er[z], ei[z], orders)
            _crystal(steps, k, psi, new, orders)
            while event < stop and events.slice[event] == z:
                last = event + 1
                while last < stop and events.slice[last] == z and events.lane[last] == events.lane[event]:
                    last += 1
                before, after = psi.reshape(shape), new.reshape(shape)
                _meet(event, last, k, phase, before, after, spectrum, events, -orders[0] if back else -1, out, left)
                event = last
            psi, new = new, psi
        state = psi.reshape(shape)
        for n in range(beams):
            for p in range(_LANES):
                if not left[p]:
                    out[n, k, p] = state[0, n, p] ** 2 + state[1, n, p] ** 2


@numba.njit(cache=True, parallel=True)
def _propagate(phase, steps, spectrum, orders, events, back, out):
    """``phase`` (nz, blocks, lanes), ``steps`` (k, 2, beams, beams), ``out`` (beams, k, blocks, lanes)."""
    for b in numba.prange(phase.shape[1]):
        first, stop = events.first[b], events.first[b + 1]
        _block(phase[:, b], steps, spectrum, orders, events, first, stop, back, out[:, :, b])
