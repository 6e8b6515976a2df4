"""Planar faults on voxels: what they add to the phase of rays."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.sim.elasticity.voxels import Strain
from veristem.sim.ray_strain import ray_beta
from veristem.sim.sheets import add_sheets

STEP = (2.0, 2.0, 2.0)


def turns_along(voxels: np.ndarray, theta, margin: int = 10) -> np.ndarray:
    """Phase that each ray of one direction gathers [turns]."""
    strain = Strain(voxels, np.zeros((0, 3), int), np.zeros((0, 3, 2, 2), np.float32))
    return ray_beta(strain, theta, margin, STEP[0], STEP[1], 50.0)[0].sum(axis=0) * STEP[0]


def quad(corners) -> np.ndarray:
    """Two triangles of four corners in order."""
    a, b, c, d = np.asarray(corners, float)
    return np.array([[a, b, c], [a, c, d]])


@pytest.mark.parametrize("theta", [(0.0, 0.0), (0.05, -0.03), (-0.08, 0.0)])
def test_every_ray_gains_the_whole_phase_of_a_sheet(theta):
    """An inclined sheet across the field gives g·R to each ray, whatever its angle; the other way round, -g·R."""
    voxels = np.zeros((3, 50, 60, 60), np.float32)
    sheet = quad([(-200, -200, 20), (300, -200, 60), (300, 300, 80), (-200, 300, 40)])
    add_sheets(voxels, sheet, [0.3, 0.3], (0, 0, 0), STEP)
    found = turns_along(voxels, theta)
    np.testing.assert_allclose(found, 0.3, atol=0.02)  # interpolation between columns
    assert found.mean() == pytest.approx(0.3, rel=5e-3)
    add_sheets(voxels, sheet[:, ::-1], [0.3, 0.3], (0, 0, 0), STEP)
    assert np.abs(voxels).max() < 1e-6


def test_a_sheet_along_the_beam_is_crossed_by_inclined_rays_only():
    """Edge-on, it acts on the rays that change sides: those within t tan(theta), with the sign of the crossing."""
    voxels = np.zeros((3, 50, 60, 60), np.float32)
    add_sheets(voxels, quad([(60, 300, 0), (60, -200, 0), (60, -200, 100), (60, 300, 100)]), [0.3] * 2, (0, 0, 0), STEP)
    assert np.abs(turns_along(voxels, (0.0, 0.0))).max() < 1e-6
    for tilt in (0.08, -0.08):
        found = turns_along(voxels, (tilt, 0.0))
        x = (np.arange(40) + 10.5) * 2
        crossed = np.abs(x - 60) < 50 * 0.08 - 2
        normal = np.sign(np.cross([0, -1, 0], [0, 0, 1])[0])
        np.testing.assert_allclose(found[:, crossed], np.sign(tilt) * normal * 0.3, atol=0.02)
        assert np.abs(found[:, np.abs(x - 60) > 50 * 0.08 + 5]).max() < 1e-3


def test_whole_turns_leave_no_trace():
    """g·R a whole number is no fault for this reflection: the antiphase boundary of 002 in gamma-TiAl."""
    voxels = np.zeros((3, 50, 60, 60), np.float32)
    add_sheets(voxels, quad([(0, 0, 20), (99, 0, 60), (99, 99, 80), (0, 99, 40)]), [1.0, -2.0], (0, 0, 0), STEP)
    assert not voxels.any()
