"""Checks of what electrons see of crystals: extinction and absorption distances, and where phonons send electrons."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from extinction_tables import AT_300_KEV, DOUBTFUL, INDEPENDENT, SHIPPED, WEICKENMEIER_KOHL
from validation.check import Check
from veristem.datasets import load_material
from veristem.datasets.structure import phonon_density
from veristem.reports.style import MARKERS, METHODS

_ROWS = (("Cu", (1, 1, 1)), ("Al", (1, 1, 1)), ("gamma-TiAl", (0, 0, 1)), ("Ta", (1, 1, 0)))
_PHONONS = ("Be", "Al", "CoCrFeMnNi", "Ta")


def other_code() -> Check:
    """Check 21: every reflection that other code computed from the same scattering factors, to the twelfth order."""
    given, found = _compared(SHIPPED, 200.0)
    more = _compared(INDEPENDENT, 200.0)
    given, found = np.concatenate([given, more[0]]), np.concatenate([found, more[1]])
    return Check(
        "21a",
        "Extinction distances from atoms",
        f"ξ_g = πV/(γλ|F_g|), F_g = Σ f exp(−Bs²) exp(−2πi g·r): largest relative difference of {len(given)} distances "
        f"of {len(SHIPPED | INDEPENDENT)} crystals from other code with the same factors; right, ξ/ξ' of the orders of "
        "rows, phonons alone",
        "Lobato & Van Dyck, Acta Cryst. A70 (2014) 636; Bird & King, Acta Cryst. A46 (1990) 202",
        float(np.abs(found / given - 1).max()),
        5e-3,
        "",
        partial(_draw_orders, given=given, found=found),
    )


def other_factors() -> Check:
    """Check 21: reflections at 200 and 300 keV of a table with other factors."""
    tables = {200: _compared(WEICKENMEIER_KOHL, 200.0), 300: _compared(AT_300_KEV, 300.0)}
    off = {energy: found / given - 1 for energy, (given, found) in tables.items()}
    sure = np.array([(name, hkl) not in DOUBTFUL for name, table in WEICKENMEIER_KOHL.items() for hkl in table])
    most = max(np.abs(one[~sure]).max() for one in off.values())
    return Check(
        "21b",
        "Extinction distances of other scattering factors",
        "largest relative difference from a table at 200 and 300 keV, but for 220 of Cu and Ni and 11-20 of GaN: there "
        f"published factors disagree, and it is up to {100 * most:.0f} %",
        "Weickenmeier & Kohl, Acta Cryst. A47 (1991) 590",
        float(max(np.abs(one[sure]).max() for one in off.values())),
        0.05,
        "",
        partial(_draw_off, off=off),
    )


def phonons() -> Check:
    """Check 21: electrons that phonons turn are all somewhere."""
    angle = np.geomspace(1e-5, 100, 4000)
    density = {name: phonon_density(load_material(name).sites, 200.0, angle) for name in _PHONONS}
    sums = [np.trapezoid(2 * np.pi * angle**2 * one, np.log(angle)) for one in density.values()]
    return Check(
        "21c",
        "Where phonons send electrons",
        "∫ P d²θ = 1, P ∝ Σ f(s)² (1 − exp(−2Bs²)), s = θ/2λ",
        "Hall & Hirsch, Proc. R. Soc. A 286 (1965) 158",
        float(np.abs(np.array(sums) - 1).max()),
        1e-5,
        "",
        partial(_draw_density, angle=angle, density=density),
    )


def _compared(tables: dict, energy_keV: float) -> tuple[np.ndarray, np.ndarray]:
    """Extinction distances of a table, and those that are computed."""
    rows = [(load_material(name), hkl, xi) for name, table in tables.items() for hkl, xi in table.items()]
    found = [material.extinction_distances_nm(hkl, energy_keV)[0] for material, hkl, _ in rows]
    return np.array([xi for _, _, xi in rows]), np.array(found)


def _draw_orders(figure, given, found):
    left, right = figure.subplots(1, 2)
    left.loglog(given, found, "o", color=METHODS[0], ms=3, mfc="none")
    ends = np.array([given.min(), given.max()])
    left.loglog(ends, ends, color="0.5", lw=1)
    left.set(xlabel="ξ of other code (nm)", ylabel="ξ (nm)")
    for colour, marker, (name, hkl) in zip(METHODS, MARKERS, _ROWS):
        orders = np.arange(1, 9)
        every = [load_material(name).extinction_distances_nm(n * np.array(hkl), 200.0) for n in orders]
        ratio = [xi / xi_abs for xi, xi_abs, *_ in every]
        right.plot(orders, ratio, marker + "-", color=colour, ms=3, lw=1, label=f"{name} {''.join(map(str, hkl))}")
    right.set(xlabel="order n of the row", ylabel="ξ/ξ' of ng")
    right.legend()


def _draw_off(figure, off):
    ax = figure.subplots()
    names = [f"{name} {''.join(map(str, hkl))}" for name, table in WEICKENMEIER_KOHL.items() for hkl in table]
    for colour, marker, (energy, one) in zip(METHODS, MARKERS, off.items()):
        ax.plot(100 * one, marker, color=colour, ms=4, mfc="none", label=f"{energy} keV")
    for bound in (-5, 5):
        ax.axhline(bound, color="0.5", ls="--", lw=1)
    ax.set(xticks=range(len(names)), ylabel="ξ over the table's (%)")
    ax.set_xticklabels(names, rotation=60, ha="right")
    ax.legend()


def _draw_density(figure, angle, density):
    ax = figure.subplots()
    shown = angle < 0.3
    for colour, (name, one) in zip(METHODS, density.items()):
        ax.plot(1e3 * angle[shown], one[shown], color=colour, lw=1.2, label=name)
    ax.set(xlabel="angle (mrad)", ylabel="P (1/sr)", yscale="log", ylim=(0.1, None))
    ax.legend()


CHECKS: dict[str, Callable[[], Check]] = {"21a": other_code, "21b": other_factors, "21c": phonons}
