"""Two-beam contrast against closed formulas, an independent integrator and theorems."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from veristem.datasets import InputError
from veristem.sim.contrast import Extinction, two_beam

THICKNESS = 200.0
CLEAR = Extinction(44.5)
ABSORBING = Extinction(44.5, 850.0, 490.0)


def smooth_beta(z: np.ndarray) -> np.ndarray:
    """A strain with structure down to 25 nm [1/nm]."""
    rng = np.random.default_rng(3)
    return sum(0.012 * rng.normal() * np.sin(2 * np.pi * k * z / THICKNESS + rng.uniform(0, 6)) for k in range(1, 9))


def slice_means(dz: float) -> np.ndarray:
    """Mean of `smooth_beta` in each slice, finely sampled."""
    count = round(THICKNESS / dz)
    return smooth_beta((np.arange(count * 50) + 0.5) * dz / 50).reshape(count, 50).mean(axis=1)


def integrated(s: float, extinction: Extinction) -> np.ndarray:
    """(I0, Ig) by scipy's integrator, from the differential equations as they are printed."""
    q = 1 / extinction.xi_g + 1j / extinction.xi_g_abs

    def slope(z, phi):
        beta = smooth_beta(np.array([z]))[0]
        mean = -np.pi / extinction.xi_0_abs
        return [
            mean * phi[0] + 1j * np.pi * q * phi[1],
            1j * np.pi * q * phi[0] + (mean + 2j * np.pi * (s + beta)) * phi[1],
        ]

    end = solve_ivp(slope, (0, THICKNESS), [1 + 0j, 0j], method="DOP853", rtol=1e-9, atol=1e-11).y[:, -1]
    return np.abs(end) ** 2


def test_perfect_crystal_without_absorption():
    """Check 1: I_g = sin²(πt√(1+w²)/ξ)/(1+w²), and no electron is lost."""
    s = np.linspace(-0.4, 0.4, 33)
    w = s * CLEAR.xi_g
    direct, diffracted = two_beam(np.zeros(70), THICKNESS / 70, s, CLEAR)
    expected = np.sin(np.pi * THICKNESS * np.sqrt(1 + w**2) / CLEAR.xi_g) ** 2 / (1 + w**2)
    np.testing.assert_allclose(diffracted, expected, atol=1e-6)
    np.testing.assert_allclose(direct + diffracted, 1, atol=1e-6)


def test_absorption_at_the_bragg_condition():
    """Check 2: anomalous absorption, I0,g = ½ exp(−2πt/ξ0') [cosh(2πt/ξ') ± cos(2πt/ξ)]."""
    xi, xi_abs, xi_0 = ABSORBING
    t = 2 * np.pi * THICKNESS
    direct, diffracted = two_beam(np.zeros(70), THICKNESS / 70, 0.0, ABSORBING)
    for found, sign in ((direct, 1), (diffracted, -1)):
        assert found[0] == pytest.approx(
            0.5 * np.exp(-t / xi_0) * (np.cosh(t / xi_abs) + sign * np.cos(t / xi)), abs=1e-6
        )


@pytest.mark.parametrize("s", [0.0, 0.01, 0.1, 0.45])
def test_strained_crystal_against_an_integrator(s):
    """Check 3: the split step is right to 1e-4 at fine slices and converges with order 2."""
    expected = integrated(s, ABSORBING)
    errors = []
    for dz in (1.0, 0.5, 0.25):  # coarser than a fringe of s the order does not show yet
        found = np.array(two_beam(slice_means(dz), dz, s, ABSORBING))[:, 0]
        errors.append(np.abs(found - expected).max())
    assert errors[-1] < 1e-4
    assert errors[0] < 1e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.2)


def test_strain_loses_no_electron():
    """Without absorption the two beams share what came in, whatever the strain."""
    beta = np.random.default_rng(0).normal(0, 0.05, (80, 5, 7))
    direct, diffracted = two_beam(beta, 2.5, [-0.1, 0.0, 0.3], CLEAR)
    np.testing.assert_allclose(direct + diffracted, 1, atol=1e-10)


def test_bright_field_is_unchanged_when_the_strain_is_reversed():
    """Check 13: reciprocity, with absorption; the diffracted beam must change, or the test would be empty."""
    beta = np.random.default_rng(1).normal(0, 0.02, (60, 4, 5))
    forward, backward = (two_beam(b, 3.0, [0.0, 0.02], ABSORBING) for b in (beta, beta[::-1]))
    np.testing.assert_allclose(forward[0], backward[0], rtol=1e-12, atol=1e-14)
    assert np.abs(forward[1] - backward[1]).max() > 1e-3


def test_single_precision_is_kept_and_enough():
    """Volumes are float32: the result stays so, and differs from float64 by less than counting noise ever shows."""
    beta = np.random.default_rng(2).normal(0, 0.02, (70, 6, 9)).astype(np.float32)
    single = two_beam(beta, 3.0, [0.01], ABSORBING)
    double = two_beam(beta.astype(float), 3.0, [0.01], ABSORBING)
    for a, b in zip(single, double, strict=True):
        assert a.dtype == np.float32
        assert b.dtype == np.float64
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_rows_imaged_in_blocks_are_the_same_bit_for_bit():
    """Item k depends neither on chunk size nor on its neighbours."""
    beta = np.random.default_rng(4).normal(0, 0.02, (40, 13, 70)).astype(np.float32)
    whole = two_beam(beta, 3.0, [0.0, 0.05], ABSORBING)
    for cut in (1, 5, 12):
        parts = [two_beam(b, 3.0, [0.0, 0.05], ABSORBING) for b in np.split(beta, [cut], axis=1)]
        for beam in (0, 1):
            assert np.array_equal(whole[beam], np.concatenate([p[beam] for p in parts], axis=1))


@pytest.mark.slow
def test_compiled_or_from_the_cache(tmp_path):
    """The first process compiles, the second one reads what was compiled: the same images to the last bit."""
    code = (
        "import hashlib, numpy as np\n"
        "from veristem.sim.contrast import Extinction, two_beam\n"
        "beta = np.random.default_rng(0).normal(0, 1e-3, (50, 16, 24)).astype(np.float32)\n"
        "images = two_beam(beta, 3.0, np.linspace(-0.01, 0.01, 9), Extinction(60.0, 900.0))\n"
        "print(hashlib.sha256(images[1]).hexdigest())"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert list(tmp_path.rglob("*.nbc"))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": [[0.0, np.nan]]}, "beta: NaN or infinity found"),
        ({"beta": [[np.inf, -np.inf]]}, "beta: NaN or infinity found"),
        ({"beta": np.zeros((0, 4))}, r"beta: shape \(0, 4\) found"),
        ({"beta": 0.0}, r"beta: shape \(\) found"),
        ({"s": [0.0, np.nan]}, "s: .* found"),
        ({"s": []}, r"s: shape \(0,\)"),
        ({"dz_nm": 0.0}, "dz_nm: 0.0 found"),
        ({"dz_nm": np.nan}, "dz_nm: nan found"),
        ({"extinction": Extinction(0.0)}, r"extinction: \(0.0, inf, inf\) found, distances above 0 nm allowed"),
        ({"extinction": Extinction(44.5, np.nan)}, "extinction: .* found"),
    ],
)
def test_bad_input(change, message):
    """One line that says what was found and what is allowed."""
    with pytest.raises(InputError, match=message):
        two_beam(**{"beta": np.zeros((3, 2)), "dz_nm": 3.0, "s": 0.0, "extinction": CLEAR, **change})
