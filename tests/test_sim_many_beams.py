"""Systematic rows against an independent integrator, two beams, the kinematic limit and theorems."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from veristem.datasets import InputError, load_material
from veristem.sim.contrast import Extinction, Fault, Row, systematic_row, two_beam

THICKNESS = 120.0
TIAL = Row.of_material(load_material("gamma-TiAl"), (0, 0, 2), 200.0, range(-2, 3))


def row_of(beams: int, absorbing: bool = True) -> Row:
    """A row of copper 111 about 0, or 0 and g."""
    low = -((beams - 1) // 2)
    row = Row.of_material(load_material("Cu"), (1, 1, 1), 200.0, range(low, low + beams))
    return row if absorbing else row._replace(xi_g_abs=(np.inf,) * 6, xi_0_abs=np.inf)


def strain(z: np.ndarray) -> np.ndarray:
    """A smooth strain with structure down to 30 nm [1/nm]."""
    rng = np.random.default_rng(3)
    return sum(0.01 * rng.normal() * np.sin(2 * np.pi * k * z / THICKNESS + rng.uniform(0, 6)) for k in range(1, 5))


def slice_means(count: int) -> np.ndarray:
    """Mean of `strain` in each slice, finely sampled."""
    return strain((np.arange(count * 50) + 0.5) * THICKNESS / count / 50).reshape(count, 50).mean(axis=1)


def integrated(row: Row, s: float, fault: tuple[float, float] | None = None) -> np.ndarray:
    """Intensities by scipy's integrator, from the differential equations as they are printed; fault: depth, turns."""
    n = np.array(row.orders)
    error = n * s - n * (n - 1) * row.wavelength_nm * row.g_per_nm**2 / 2

    def slope(z, phi):
        gain = (2j * np.pi * (error + n * strain(np.array([z]))[0]) - np.pi / row.xi_0_abs) * phi
        for i in range(len(n)):
            for m in range(len(n)):
                if i != m:
                    elastic, phonons = 1 / row.xi_g[abs(n[i] - n[m]) - 1], 1 / row.xi_g_abs[abs(n[i] - n[m]) - 1]
                    if n[i] < n[m]:
                        elastic, phonons = np.conj(elastic), np.conj(phonons)
                    gain[i] += 1j * np.pi * (elastic + 1j * phonons) * phi[m]
        return gain

    phi = (n == 0).astype(complex)
    cuts = [0.0, THICKNESS] if fault is None else [0.0, fault[0], THICKNESS]
    for top, bottom in itertools.pairwise(cuts):
        phi = solve_ivp(slope, (top, bottom), phi, method="DOP853", rtol=1e-9, atol=1e-11).y[:, -1]
        if bottom < THICKNESS:
            phi = phi * np.exp(2j * np.pi * fault[1] * n)
    return np.abs(phi) ** 2


@pytest.mark.parametrize("s", [0.0, 0.03, 0.45])
def test_row_against_an_integrator(s):
    """dphi_n/dz = [2πi(s_n + nβ) − π/ξ0'] phi_n + iπ Σ (1/ξ_(n−m) + i/ξ'_(n−m)) phi_m: 1e-4 at fine slices, order 2."""
    expected = integrated(TIAL, s)
    errors = [
        np.abs(systematic_row(slice_means(count), THICKNESS / count, s, TIAL)[:, 0] - expected).max()
        for count in (240, 480, 960)
    ]
    assert errors[-1] < 1e-4
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(2, abs=0.2)


def test_a_fault_within_a_slice_against_an_integrator():
    """phi_n gains exp(2πi n g·R_F) at its depth, whatever the slice: order 2, with no jump between slices."""
    errors = []
    for count in (240, 480):
        found = systematic_row(
            slice_means(count), THICKNESS / count, 0.03, TIAL, faults=[Fault(count * 50.2 / THICKNESS, 1 / 3)]
        )
        errors.append(np.abs(found[:, 0] - integrated(TIAL, 0.03, (50.2, 1 / 3))).max())
    assert errors[1] < 2e-4
    assert errors[0] / errors[1] == pytest.approx(4, abs=1)


@pytest.mark.parametrize("absorbing", [False, True])
def test_row_of_two_beams(absorbing):
    """Check 10: beams 0 and 1 alone are the two-beam case, exactly."""
    extinction = Extinction(44.5, 850.0, 490.0) if absorbing else Extinction(44.5)
    beta = np.random.default_rng(0).normal(0, 0.02, (50, 3, 30))
    row = Row((0, 1), extinction[:1], extinction[1:2], extinction.xi_0_abs, 4.8, 2.5e-3)
    s = [-0.1, 0.0, 0.3]
    np.testing.assert_allclose(systematic_row(beta, 3.0, s, row), two_beam(beta, 3.0, s, extinction), atol=1e-12)


def test_row_becomes_two_beams_as_other_couplings_vanish():
    """Check 10: with ξ of 2g, 3g, ... infinite and beams -g, 2g ever farther from the Ewald sphere, two are left.

    To second order in their coupling they shift s by 1/(4 ξ² s_n), with s_(-1) = s_2 = -λg²: the difference falls
    with λg², here to below 1e-4.
    """
    two = two_beam(beta := 0.01 * np.sin(np.arange(1200) / 90), 0.1, 0.0, Extinction(44.5, 850.0, 490.0))
    differences, none = [], (np.inf,) * 3
    for g in (150.0, 300.0):
        row = Row((-1, 0, 1, 2, 3), (44.5, *none), (850.0, *none), 490.0, g, 2.5e-3)
        found = systematic_row(beta, 0.1, 0.0, row)
        differences.append(np.abs(found[1:3] - two).max())
        assert found[[0, 3, 4]].max() < 1e-4
    assert differences[0] < 1e-4
    assert differences[0] / differences[1] == pytest.approx(4, rel=0.1)


def test_kinematic_limit():
    """Check 10: for t << ξ, I_n = (π/ξ_n)² [sin(π t s_n) / π s_n]² to 1 %."""
    row, t = row_of(5, absorbing=False), 0.5
    n = np.array(row.orders)
    s_n = 0.1 * n - n * (n - 1) * row.wavelength_nm * row.g_per_nm**2 / 2
    found = systematic_row(np.zeros(20), t / 20, 0.1, row._replace(xi_g=tuple(30 * x for x in row.xi_g)))
    for i in np.flatnonzero(n):
        expected = (np.pi * t / (30 * row.xi_g[abs(n[i]) - 1])) ** 2 * np.sinc(t * s_n[i]) ** 2
        assert found[i, 0] == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("beams", [2, 5, 7])
def test_no_electron_is_lost_without_absorption(beams):
    """All beams share what came in, whatever the strain, the faults and the exits."""
    rng = np.random.default_rng(1)
    beta = rng.normal(0, 0.03, (50, 4, 21))
    faults = [Fault(rng.uniform(0, 50, (4, 21)), phase) for phase in (1 / 3, 0.4)]
    found = systematic_row(
        beta, 2.5, [-0.2, 0.0, 0.1], row_of(beams, False), faults=faults, exit_slices=rng.uniform(0, 50, (4, 21))
    )
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-10)


def test_central_beam_is_unchanged_when_the_strain_is_reversed():
    """Check 13 for a row: each slice is a symmetric matrix, so the one of β(t − z) is the transpose: phi_0 is the same.

    Only phi_0: of the others, n changes places with the incident beam.
    """
    beta = np.random.default_rng(1).normal(0, 0.02, (60, 4, 5))
    forward, backward = (systematic_row(b, 2.0, [0.0, 0.02], TIAL) for b in (beta, beta[::-1]))
    np.testing.assert_allclose(forward[2], backward[2], rtol=1e-12, atol=1e-14)
    assert np.abs(forward[3] - backward[3]).max() > 1e-3


def test_mirrored_row():
    """n → −n with s_1 → s_(-1) = −s − λg² and β → −β is the same crystal seen with −g: beams change places."""
    row = row_of(5)
    beta = np.random.default_rng(2).normal(0, 0.02, (40, 6))
    s = np.array([0.0, 0.03])
    found = systematic_row(beta, 2.0, s, row)
    mirrored = systematic_row(-beta, 2.0, -s - row.wavelength_nm * row.g_per_nm**2, row)
    np.testing.assert_allclose(found, mirrored[::-1], atol=1e-12)


def test_wedge_and_precision():
    """A wedge is a thinner foil at each pixel; float32 stays and is enough."""
    rng = np.random.default_rng(4)
    beta = rng.normal(0, 0.02, (40, 90)).astype(np.float32)
    cut = rng.integers(0, 41, 90)
    single = systematic_row(beta, 2.5, [0.01], TIAL, exit_slices=cut)
    double = systematic_row(beta.astype(float), 2.5, [0.01], TIAL, exit_slices=cut)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=2e-5)
    for count in np.unique(cut[cut > 0]):
        thinner = systematic_row(beta[:count].astype(float), 2.5, [0.01], TIAL)
        np.testing.assert_allclose(double[..., cut == count], thinner[..., cut == count], atol=1e-12)
    np.testing.assert_array_equal(double[..., cut == 0].mean(axis=(1, 2)).round(12), np.array(TIAL.orders) == 0)


def test_grouping_changes_no_bit():
    """A pixel's result depends neither on its neighbours nor on its place."""
    rng = np.random.default_rng(5)
    beta, depth = rng.normal(0, 0.02, (30, 13, 70)).astype(np.float32), rng.uniform(0, 30, (13, 70))

    def image(rows):
        return systematic_row(beta[:, rows], 3.0, [0.0, 0.05], TIAL, faults=[Fault(depth[rows], 0.3)])

    whole = image(slice(None))
    for cut in (1, 5, 12):
        parts = [image(slice(None, cut)), image(slice(cut, None))]
        assert np.array_equal(whole, np.concatenate(parts, axis=2))


def test_threads_change_no_bit():
    """One thread or two."""
    code = (
        "import hashlib, numpy as np\n"
        "from veristem.datasets import load_material\n"
        "from veristem.sim.contrast import Row, systematic_row\n"
        "beta = np.random.default_rng(0).normal(0, 1e-2, (40, 16, 24)).astype(np.float32)\n"
        "row = Row.of_material(load_material('Cu'), (1, 1, 1), 200.0, range(-2, 3))\n"
        "print(hashlib.sha256(systematic_row(beta, 3.0, np.linspace(-0.01, 0.01, 9), row)).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1


def test_orders_hang_together():
    """Extinction distances along a row grow, each order with its own absorption, however many there are."""
    for row in (row_of(9), Row.of_material(load_material("gamma-TiAl"), (0, 0, 2), 200.0, range(-4, 5))):
        assert len(row.xi_g) == 8
        assert np.all(np.diff(np.log(row.xi_g)) > 0.5)
        ratio = np.array(row.xi_g) / row.xi_g_abs
        assert np.all(np.diff(ratio[:4]) > 0.005)


def test_an_order_that_the_structure_forbids_is_left_out():
    """222 of silicon, 3 0 3 of titanium: no coupling. Where the first order is none, there is no row."""
    silicon = Row.of_material(load_material("Si"), (1, 1, 1), 200.0, range(-1, 2))
    assert np.isfinite(silicon.xi_g[0])
    assert silicon.xi_g[1] == silicon.xi_g_abs[1] == np.inf
    titanium = Row.of_material(load_material("Ti"), (0, 1, 1), 200.0, range(-2, 3))
    assert titanium.xi_g[2] == np.inf
    assert titanium.xi_g[3] < 0  # of the other sign
    with pytest.raises(
        InputError, match=r"g: \(0 0 2\) found, which the structure of Si forbids; \(0 0 4\) is allowed"
    ):
        Row.of_material(load_material("Si"), (0, 0, 2), 200.0, range(-1, 2))


@pytest.mark.parametrize(
    ("name", "hkl", "polar"),
    [("GaN", (0, 0, 2), True), ("GaN", (1, 1, 0), False), ("GaAs", (1, 1, 1), True), ("GaAs", (2, -2, 0), False),
     ("Si", (1, 1, 1), False), ("Ti", (0, 1, 1), False), ("gamma-TiAl", (0, 0, 1), False)],
)  # fmt: skip
def test_a_row_does_not_depend_on_the_origin_of_the_cell(name, hkl, polar):
    """It is complex only where the crystal has no centre of symmetry along it, as along c of GaN."""
    material = load_material(name)
    row = Row.of_material(material, hkl, 200.0, range(-2, 3))
    moved = tuple(site._replace(xyz=tuple(np.add(site.xyz, (0.123, -0.31, 0.77)))) for site in material.sites)
    again = Row.of_material(replace(material, sites=moved), hkl, 200.0, range(-2, 3))
    np.testing.assert_allclose(again.xi_g, row.xi_g, rtol=1e-6)
    np.testing.assert_allclose(again.xi_g_abs, row.xi_g_abs, rtol=1e-6)
    assert np.iscomplexobj(row.xi_g) == np.iscomplexobj(row.xi_g_abs) == polar
    assert abs(row.xi_g[0]) == pytest.approx(material.extinction_distances_nm(hkl, 200.0)[0])


def test_a_row_without_a_centre_of_symmetry():
    """GaN along c: against the integrator; no electron is lost without absorption; upside down is another crystal."""
    row = Row.of_material(load_material("GaN"), (0, 0, 2), 200.0, range(-2, 3))
    found = systematic_row(slice_means(960), THICKNESS / 960, 0.03, row)[:, 0]
    assert np.abs(found - integrated(row, 0.03)).max() < 1e-4
    clear = row._replace(xi_g_abs=(np.inf,) * 4, xi_0_abs=np.inf)
    assert systematic_row(slice_means(240), THICKNESS / 240, 0.03, clear).sum() == pytest.approx(1, abs=1e-9)
    other = row._replace(xi_g=tuple(np.conj(row.xi_g)), xi_g_abs=tuple(np.conj(row.xi_g_abs)))
    assert np.abs(systematic_row(slice_means(240), THICKNESS / 240, 0.03, other)[:, 0] - found).max() > 0.01


@pytest.mark.parametrize(
    ("name", "hkl", "rtol"), [("GaN", (0, 0, 2), 0.02), ("GaAs", (0, 0, 2), 1e-3), ("Cu", (1, 1, 1), 1e-3)]
)
def test_two_beams_of_a_row_are_those_of_its_distances(name, hkl, rtol):
    """0 and g of the row, complex or not, as two beams with the distance that is in phase, be it negative.

    What is out of phase, along c of GaN, makes g stronger than -g (by 2 xi/xi' of it) and leaves bright field alone.
    """
    material = load_material(name)
    row = Row.of_material(material, hkl, 200.0, (0, 1))
    extinction = Extinction(*material.extinction_distances_nm(hkl, 200.0)[:3])
    beta = 0.01 * np.sin(np.arange(100) / 9)
    bright, dark = zip(systematic_row(beta, 2.0, 0.01, row), two_beam(beta, 2.0, 0.01, extinction))
    assert bright[0] == pytest.approx(bright[1], rel=1e-3)
    assert dark[0] == pytest.approx(dark[1], rel=rtol)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orders": (0, 2)}, r"orders: \(0, 2\) found, 2 to 17 consecutive orders with 0 among them allowed"),
        ({"orders": (1, 2, 3)}, "orders: .* found"),
        ({"orders": tuple(range(18))}, "orders: .* found"),
        ({"orders": tuple(range(-4, 4))}, "row: extinction distances to order 4 found, 7 needed"),
        ({"xi_g": (60.0, 0.0, 1.0, 1.0)}, "row: xi_g .* found"),
        ({"xi_g_abs": (60.0, 0.0, 1.0, 1.0)}, "row: xi_g_abs .* found"),
        ({"xi_0_abs": 0.0}, "row: .* found for xi_0_abs"),
    ],
)
def test_bad_rows(change, message):
    """One line that says what was found and what is allowed."""
    with pytest.raises(InputError, match=message):
        systematic_row(np.zeros(3), 1.0, 0.0, TIAL._replace(**change))
