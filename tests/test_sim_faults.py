"""Planar faults and exits of two beams: theorems, thinner foils, positions within a slice."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.datasets import InputError
from veristem.sim.contrast import Extinction, Fault, two_beam

ABSORBING = Extinction(44.5, 850.0, 490.0)
CLEAR = Extinction(44.5)


@pytest.mark.parametrize("turns", [-1.0, 0.0, 2.0])
def test_a_lattice_vector_changes_nothing(turns):
    """Check 15: g·R_F a whole number, planes anywhere, to 1e-6."""
    rng = np.random.default_rng(0)
    beta, depth = rng.normal(0, 0.02, (60, 5, 40)), rng.uniform(-5, 65, (5, 40))
    faulted = two_beam(beta, 3.0, [0.0, 0.2], ABSORBING, faults=[Fault(depth, turns)])
    np.testing.assert_allclose(faulted, two_beam(beta, 3.0, [0.0, 0.2], ABSORBING), atol=1e-6)


def test_intrinsic_fault_at_the_bragg_condition():
    """Check 15: α = 2π/3 on an inclined plane, w = 0: bright-field fringes are symmetric about the middle of the foil,
    dark-field ones are not (Hashimoto, Howie & Whelan, Proc. R. Soc. A 269 (1962) 80); without absorption both are.
    """
    slices = 70
    depth = np.linspace(0, slices, 141)
    direct, diffracted = two_beam(np.zeros((slices, 141)), 3.0, 0.0, ABSORBING, faults=[Fault(depth, 1 / 3)])
    np.testing.assert_allclose(direct, direct[:, ::-1], atol=1e-12)
    assert np.abs(diffracted - diffracted[:, ::-1]).max() > 0.1 * np.ptp(diffracted)
    assert np.ptp(direct) > 0.1 * direct.max()
    for beam in two_beam(np.zeros((slices, 141)), 3.0, 0.0, CLEAR, faults=[Fault(depth, 1 / 3)]):
        np.testing.assert_allclose(beam, beam[:, ::-1], atol=1e-12)


def test_fault_in_closed_form():
    """w = 0, no absorption, a fault at depth t1 of t1 + t2:
    I0 = |cos(πt1/ξ) cos(πt2/ξ) − e^{iα} sin(πt1/ξ) sin(πt2/ξ)|², the product of two matrices of perfect crystal.
    """
    depth = np.linspace(0, 70, 57)
    first, second = np.pi * 3.0 * depth / CLEAR.xi_g, np.pi * 3.0 * (70 - depth) / CLEAR.xi_g
    direct, _ = two_beam(np.zeros((70, 57)), 3.0, 0.0, CLEAR, faults=[Fault(depth, 0.3)])
    phase = np.exp(2j * np.pi * 0.3)
    expected = np.cos(first) * np.cos(second) - phase * np.sin(first) * np.sin(second)
    np.testing.assert_allclose(direct[0], np.abs(expected) ** 2, atol=1e-12)


def test_position_within_a_slice_is_exact_without_strain():
    """However coarse the slices and however large s dz: a fault and an exit anywhere, against finer slices."""
    s = [0.0, 0.05, 0.45]
    coarse = two_beam(np.zeros(60), 3.0, s, ABSORBING, faults=[Fault(20.3, 1 / 3), Fault(20.9, 0.2)], exit_slices=50.7)
    faults = [Fault(203, 1 / 3), Fault(209, 0.2)]
    fine = two_beam(np.zeros(600), 0.3, s, ABSORBING, faults=faults, exit_slices=507)
    np.testing.assert_allclose(coarse, fine, atol=1e-12)


@pytest.mark.parametrize("s", [0.0, 0.2])
def test_position_within_a_slice_is_of_second_order_with_strain(s):
    """Fault and exit sweep through a strained foil: the largest error falls fourfold as slices are halved."""

    def strained(count):
        edges = 2 * np.pi * np.linspace(0, 1, count + 1)
        means = 0.02 * (np.sin(2 * edges[1:]) - np.sin(2 * edges[:-1])) / (2 * np.diff(edges))
        faults = [Fault(np.linspace(0.2, 0.6, 2001) * count, 1 / 3)]
        exit_slices = np.linspace(0.7, 1, 2001) * count
        beta = np.repeat(means[:, None], 2001, axis=1)
        return np.array(two_beam(beta, 180.0 / count, s, ABSORBING, faults=faults, exit_slices=exit_slices))

    expected = strained(3840)
    errors = [np.abs(strained(count) - expected).max() for count in (120, 240, 480)]
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(2, abs=0.2)
    assert errors[-1] < 2e-4


def test_a_wedge_is_thinner():
    """exit_slices = m is a foil of the first m slices, absorption included; m = 0 lets all pass."""
    rng = np.random.default_rng(1)
    beta, cut = rng.normal(0, 0.02, (60, 4, 33)), rng.integers(0, 61, (4, 33))
    wedge = np.array(two_beam(beta, 3.0, [0.0, 0.02], ABSORBING, exit_slices=cut))
    for count in np.unique(cut[cut > 0]):
        thinner = np.array(two_beam(beta[:count], 3.0, [0.0, 0.02], ABSORBING))
        np.testing.assert_allclose(wedge[..., cut == count], thinner[..., cut == count], atol=1e-12)
    np.testing.assert_allclose(wedge[..., cut == 0].mean(axis=-1), [[1, 1], [0, 0]], atol=1e-12)
    whole = two_beam(beta, 3.0, [0.0, 0.02], ABSORBING, exit_slices=60)
    np.testing.assert_allclose(whole, two_beam(beta, 3.0, [0.0, 0.02], ABSORBING), atol=1e-12)


def test_rays_that_do_not_cross_a_fault():
    """NaN, infinity, depths outside the foil or below the exit: as if it were not there."""
    beta = np.random.default_rng(2).normal(0, 0.02, (40, 5))
    depth = np.array([np.nan, np.inf, -1.0, 40.0, 35.0])
    exit_slices = np.array([40, 40, 40, 40, 30.5])
    faulted = two_beam(beta, 3.0, 0.01, ABSORBING, faults=[Fault(depth, 1 / 3)], exit_slices=exit_slices)
    assert np.array_equal(faulted, two_beam(beta, 3.0, 0.01, ABSORBING, exit_slices=exit_slices))


def test_single_precision_is_kept_and_enough():
    """Faults and exits of float32 volumes: float32 out, as right as without."""
    rng = np.random.default_rng(3)
    beta = rng.normal(0, 0.02, (70, 6, 9)).astype(np.float32)
    options = {"faults": [Fault(rng.uniform(0, 70, (6, 9)), 1 / 3)], "exit_slices": rng.uniform(0, 70, (6, 9))}
    single = two_beam(beta, 3.0, [0.01], ABSORBING, **options)
    double = two_beam(beta.astype(float), 3.0, [0.01], ABSORBING, **options)
    for a, b in zip(single, double, strict=True):
        assert (a.dtype, b.dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exit_slices": np.full(4, 5.0)}, r"exit_slices: shape \(4,\) found, \(3,\) allowed"),
        ({"exit_slices": [1.0, 2.0, 8.5]}, "exit_slices: 8.5 found, 0 to 8 slices allowed"),
        ({"exit_slices": [1.0, np.nan, 8.0]}, "exit_slices: nan found"),
        ({"faults": [Fault(np.zeros(2), 0.5)]}, r"depth_slices of a fault: shape \(2,\) found, \(3,\) allowed"),
        ({"faults": [Fault(np.zeros(3), np.nan)]}, "phase of a fault: nan found"),
    ],
)
def test_bad_input(options, message):
    """One line that says what was found and what is allowed."""
    with pytest.raises(InputError, match=message):
        two_beam(np.zeros((8, 3)), 3.0, 0.0, ABSORBING, **options)
