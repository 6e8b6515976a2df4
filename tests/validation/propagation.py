"""Checks of the propagation through a column of crystal: closed formulas, an integrator, theorems, faults."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.integrate import solve_ivp

from validation.check import Check
from veristem.reports.style import METHODS
from veristem.sim.contrast import Extinction, Fault, Row, systematic_row, two_beam

THICKNESS = 200.0
CLEAR = Extinction(44.5)
ABSORBING = Extinction(44.5, 850.0, 490.0)
_HIRSCH = "Hirsch, Howie, Nicholson, Pashley & Whelan 1965"


def perfect_crystal() -> Check:
    """Check 1: the rocking curve of a perfect crystal without absorption; no electron is lost."""
    s = np.linspace(-0.45, 0.45, 1801)
    w = s * CLEAR.xi_g
    expected = np.sin(np.pi * THICKNESS * np.sqrt(1 + w**2) / CLEAR.xi_g) ** 2 / (1 + w**2)
    direct, diffracted = two_beam(np.zeros(70), THICKNESS / 70, s, CLEAR)
    worst = max(np.abs(diffracted - expected).max(), np.abs(direct + diffracted - 1).max())
    return Check(
        "1",
        "Rocking curve without absorption",
        "I_g = sin²(πt√(1+w²)/ξ)/(1+w²), w = sξ; I_0 + I_g = 1",
        f"{_HIRSCH}, chapter 8",
        float(worst),
        1e-6,
        "",
        partial(
            _compare,
            x=s,
            curves={"$I_g$": (diffracted, expected)},
            xlabel="excitation error s (nm⁻¹)",
            xlim=(-0.1, 0.1),
        ),
    )


def anomalous_absorption() -> Check:
    """Check 2: thickness fringes at the Bragg condition with absorption."""
    thickness = np.linspace(10.0, 400.0, 79)
    found = np.array([two_beam(np.zeros(70), t / 70, 0.0, ABSORBING) for t in thickness])[:, :, 0]
    phase = 2 * np.pi * thickness
    even, odd = np.cosh(phase / ABSORBING.xi_g_abs), np.cos(phase / ABSORBING.xi_g)
    expected = 0.5 * np.exp(-phase / ABSORBING.xi_0_abs) * np.array([even + odd, even - odd])
    curves = {"$I_0$": (found[:, 0], expected[0]), "$I_g$": (found[:, 1], expected[1])}
    return Check(
        "2",
        "Thickness fringes with absorption",
        "w = 0: I_0,g = ½ exp(−2πt/ξ0') [cosh(2πt/ξ') ± cos(2πt/ξ)]",
        f"{_HIRSCH}, chapter 9",
        float(np.abs(found.T - expected).max()),
        1e-6,
        "",
        partial(_compare, x=thickness, curves=curves, xlabel="thickness (nm)"),
    )


def smooth_beta(z: np.ndarray) -> np.ndarray:
    """A strain with structure down to 25 nm [1/nm]."""
    rng = np.random.default_rng(3)
    waves = [0.012 * rng.normal() * np.sin(2 * np.pi * k * z / THICKNESS + rng.uniform(0, 6)) for k in range(1, 9)]
    return np.sum(waves, axis=0)


def _split_steps(dz: float, s: float) -> np.ndarray:
    count = round(THICKNESS / dz)
    means = smooth_beta((np.arange(count * 50) + 0.5) * dz / 50).reshape(count, 50).mean(axis=1)
    return np.array(two_beam(means, dz, s, ABSORBING))[:, 0]


def _integrated(s: float) -> np.ndarray:
    q = 1 / ABSORBING.xi_g + 1j / ABSORBING.xi_g_abs
    mean = -np.pi / ABSORBING.xi_0_abs

    def slope(z, phi):
        error = s + smooth_beta(np.array([z]))[0]
        return [mean * phi[0] + 1j * np.pi * q * phi[1], 1j * np.pi * q * phi[0] + (mean + 2j * np.pi * error) * phi[1]]

    end = solve_ivp(slope, (0, THICKNESS), [1 + 0j, 0j], method="DOP853", rtol=1e-9, atol=1e-11).y[:, -1]
    return np.abs(end) ** 2


def _convergence() -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Slices [nm], and the largest error of I_0 and I_g at each for every s [1/nm]."""
    slices, errors = np.array([1.0, 0.5, 0.25]), {}
    for s in (0.0, 0.01, 0.1, 0.45):
        expected = _integrated(s)
        errors[s] = np.array([np.abs(_split_steps(dz, s) - expected).max() for dz in slices])
    return slices, errors


def integrator() -> Check:
    """Check 3: the split step against scipy's integrator of the printed equations."""
    slices, errors = _convergence()
    return Check(
        "3a",
        "Strained crystal against an integrator",
        "split steps of 0.25 nm − solve_ivp (DOP853), random smooth β(z), s = 0 … 0.45 nm⁻¹",
        f"equations: {_HIRSCH}, chapters 8 and 9",
        float(max(e[-1] for e in errors.values())),
        1e-4,
        "",
        partial(_draw_convergence, slices=slices, errors=errors),
    )


def order_of_convergence() -> Check:
    """Check 3: halving the slice quarters the error."""
    slices, errors = _convergence()
    orders = np.array([np.log2(e[:-1] / e[1:]) for e in errors.values()])
    return Check(
        "3b",
        "Order of convergence of the split step",
        "|log₂(error(dz) / error(dz/2)) − 2|",
        "Strang, SIAM J. Numer. Anal. 5 (1968) 506",
        float(np.abs(orders - 2).max()),
        0.2,
        "",
        partial(_draw_convergence, slices=slices, errors=errors),
    )


def row_of_two_beams() -> Check:
    """Check 10: a row whose other beams are far from their Bragg conditions is two beams."""
    s, beta = np.linspace(-0.05, 0.05, 41), smooth_beta(np.arange(200) + 0.5)
    two = np.array(two_beam(beta, 1.0, s, ABSORBING))
    apart = 10.0 ** np.arange(-1, 7)  # lambda g² [1/nm], 0.08 for a real crystal
    errors = []
    for distance in apart:
        xi, xi_abs = (tuple(n * x for n in (1, 2, 3)) for x in ABSORBING[:2])
        row = Row((-1, 0, 1, 2), xi, xi_abs, ABSORBING.xi_0_abs, 1.0, distance)
        errors.append(np.abs(systematic_row(beta, 1.0, s, row)[1:3] - two).max())
    return Check(
        "10a",
        "A systematic row becomes two beams",
        "row (−1, 0, 1, 2) minus two beams as λg² → ∞, which uncouples −g and 2g; strained column, |s| < 0.05 nm⁻¹",
        "limit of the row's equations",
        float(errors[-1]),
        1e-4,
        "",
        partial(_draw_row, apart=apart, errors=np.array(errors)),
    )


def kinematic_limit() -> Check:
    """Check 10: far thinner than an extinction distance every beam of a row is scattered once."""
    thickness, s = 0.25, np.linspace(-0.45, 0.45, 91)
    row = Row((-2, -1, 0, 1, 2), (44.5, 90.0, 180.0, 360.0), (np.inf,) * 4, np.inf, 5.0, 0.0025)
    found = systematic_row(np.zeros(10), thickness / 10, s, row)
    n = np.array(row.orders)[:, None]
    errors = n * s - n * (n - 1) * row.wavelength_nm * row.g_per_nm**2 / 2
    xi = np.array([row.xi_g[abs(k) - 1] if k else np.inf for k in row.orders])[:, None]
    expected = (np.pi * thickness / xi * np.sinc(thickness * errors)) ** 2
    keep = [k != 0 for k in row.orders]
    curves = {
        f"n = {k}".replace("-", "−"): (found[i] / found[i].max(), expected[i] / found[i].max())
        for i, k in enumerate(row.orders)
        if k
    }
    return Check(
        "10b",
        "Kinematic limit of a row",
        "t = 0.25 nm: I_n = (πt/ξ_n)² sinc²(t s_n)",
        f"{_HIRSCH}, chapter 5",
        float((np.abs(found - expected)[keep] / expected[keep].max(axis=1, keepdims=True)).max()),
        0.01,
        "",
        partial(_compare, x=s, curves=curves, xlabel="excitation error s (nm⁻¹)", ylabel="intensity over its maximum"),
    )


def reciprocity() -> Check:
    """Check 13: the bright field of a column and of the same column upside down."""
    beta = np.random.default_rng(1).normal(0, 0.02, (60, 400))
    forward, backward = (two_beam(b, 3.0, 0.02, ABSORBING) for b in (beta, beta[::-1]))
    return Check(
        "13",
        "Bright field of a reversed strain",
        "I_0[β(z)] = I_0[β(t − z)], with absorption; I_g differs",
        "Pogany & Turner, Acta Cryst. A24 (1968) 103",
        float((np.abs(forward[0] - backward[0]) / forward[0]).max()),
        1e-12,
        "",
        partial(_draw_reciprocity, forward=forward, backward=backward),
    )


def lattice_fault() -> Check:
    """Check 15: a shift by a lattice vector leaves the image as it is."""
    depth = np.linspace(0, 100, 201)
    beta = np.zeros((100, 201))
    plain = np.array(two_beam(beta, 2.0, 0.01, ABSORBING))
    shifted = {p: np.array(two_beam(beta, 2.0, 0.01, ABSORBING, faults=[Fault(depth, p)])) for p in (1.0, 1 / 3)}
    curves = {"R_F a lattice vector": (shifted[1.0][0, 0], plain[0, 0]), "g·R_F = 1/3": (shifted[1 / 3][0, 0], None)}
    return Check(
        "15a",
        "A fault that shifts by a lattice vector",
        "g·R_F = 1: the image of the perfect crystal",
        f"{_HIRSCH}, chapter 7",
        float(np.abs(shifted[1.0] - plain).max()),
        1e-6,
        "",
        partial(_compare, x=2 * depth, curves=curves, xlabel="depth of the fault (nm)"),
    )


def intrinsic_fault() -> Check:
    """Check 15: at the Bragg condition the bright-field fringes of an inclined fault are symmetric."""
    depth = np.linspace(0, 100, 401)[1:-1]
    beams = two_beam(np.zeros((100, len(depth))), 2.0, 0.0, ABSORBING, faults=[Fault(depth, 1 / 3)])
    bright, dark = (beam[0] for beam in beams)
    curves = {"bright field": (bright, bright[::-1]), "dark field": (dark, None)}
    return Check(
        "15b",
        "Fringes of an inclined intrinsic fault",
        "w = 0, α = 2π/3: I_0(z_F) = I_0(t − z_F), with absorption",
        f"Hashimoto, Howie & Whelan, Proc. R. Soc. A 269 (1962) 80; {_HIRSCH}, chapter 10",
        float(np.abs(bright - bright[::-1]).max()),
        1e-6,
        "",
        partial(_compare, x=2 * depth, curves=curves, xlabel="depth of the fault (nm)", dots="mirrored"),
    )


def _compare(
    figure, x, curves, xlabel: str, ylabel: str = "share of the incident electrons", dots: str = "formula", xlim=None
):
    """Lines: the code; dots: what they should be."""
    ax = figure.subplots()
    every = max(1, len(x) // (40 if xlim is None else 180))
    for colour, (name, (found, expected)) in zip(METHODS, curves.items()):
        ax.plot(x, np.ravel(found), color=colour, lw=1.2, label=name)
        if expected is not None:
            ax.plot(
                x[::every], np.ravel(expected)[::every], "o", color=colour, ms=3, mfc="none", label=f"{name}, {dots}"
            )
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=xlim)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_convergence(figure, slices, errors):
    ax = figure.subplots()
    for colour, marker, (s, error) in zip(METHODS, "osD^", errors.items()):
        ax.loglog(slices, error, marker + "-", color=colour, ms=4, lw=1, label=f"s = {s:g} nm⁻¹")
    ax.loglog(slices, 2e-4 * slices**2, "--", color="0.5", lw=1, label="order 2")
    ax.set(
        xlabel="slice dz (nm)",
        ylabel="largest error of $I_0$, $I_g$",
        xticks=slices,
        xticklabels=[f"{d:g}" for d in slices],
    )
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_row(figure, apart, errors):
    ax = figure.subplots()
    ax.loglog(apart, errors, "o-", color=METHODS[0], ms=4)
    ax.axhline(1e-4, color="0.5", ls="--", lw=1)
    ax.set(xlabel="λg² (nm⁻¹)", ylabel="largest difference")


def _draw_reciprocity(figure, forward, backward):
    for ax, name, a, b in zip(figure.subplots(1, 2), ("bright field $I_0$", "dark field $I_g$"), forward, backward):
        ax.plot(a[0], b[0], ".", color=METHODS[0], ms=2)
        ax.set(title=name, xlabel="for β(z)", ylabel="for β(t − z)", aspect="equal")


CHECKS: dict[str, Callable[[], Check]] = {
    "1": perfect_crystal,
    "2": anomalous_absorption,
    "3a": integrator,
    "3b": order_of_convergence,
    "10a": row_of_two_beams,
    "10b": kinematic_limit,
    "13": reciprocity,
    "15a": lattice_fault,
    "15b": intrinsic_fault,
}
