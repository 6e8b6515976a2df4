"""Views that count the same electrons do not tell what they show twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.limits.points import point_limits
from veristem.bench.limits.shared import groups_of_views, joint_variance
from veristem.datasets.microscope import Response
from veristem.datasets.recipe import load_recipe
from veristem.sim.simulate import simulate_recipe

SAME = {"kind": "virtual", "pair_angle_deg": 1e-5, "radius_mrad": 10.0}


def seen_by(truth, **detector):
    """The truth as if another detector had made its views."""
    microscope = {**truth.recipe["microscope"], "detector": detector}
    return replace(truth, recipe={**truth.recipe, "microscope": microscope})


def test_two_identical_discs_know_the_place_of_points_as_well_as_one():
    """Each electron is counted twice and tells once: before, variances came out half as large."""
    values = {"scan.shape": [64, 64], "specimen.field_nm": [25.6, 25.6], "microscope.detector": SAME}
    truth, _, _ = simulate_recipe(load_recipe("particles-small").with_values(values))
    one = replace(seen_by(truth, kind="annular", outer_mrad=10.0), expected=truth.expected[:1])
    found, wanted = (np.diagonal(point_limits(given), axis1=1, axis2=2) for given in (truth, one))
    known = np.isfinite(found).all(axis=1)
    assert known.any()
    np.testing.assert_allclose(found[known], wanted[known], rtol=1e-4)


def test_information_of_half_overlapping_discs():
    """J of both views together is d^T C^-1 d, pixel by pixel, as by hand for the covariance of their areas."""
    detector = {"kind": "virtual", "pair_angle_deg": 1.0, "radius_mrad": 15.0}
    recipe = load_recipe("particles-small").with_values({"microscope.detector": detector})
    ((group, correlation),) = groups_of_views(recipe)
    share = 0.30348  # of the lens in a disc
    assert group == [0, 1]
    np.testing.assert_allclose(correlation, [[1, share], [share, 1]], atol=1e-3)
    expected = np.random.default_rng(0).uniform(50, 100, (2, 3, 4))
    for readout in (0.0, 4.0):
        response = Response(readout_electrons=readout)
        found = 1 / joint_variance(expected, response, correlation)
        common = correlation[0, 1] * np.sqrt(expected[0] * expected[1])
        a, b = expected + readout**2
        by_hand = np.array([[b, -common], [-common, a]]) / (a * b - common**2)
        np.testing.assert_allclose(found, by_hand, rtol=1e-9)


@pytest.mark.parametrize(
    "pair_angle_deg", [pytest.param(0.5, marks=pytest.mark.slow), 1.0, pytest.param(2.0, marks=pytest.mark.slow)]
)
def test_sharing_costs_what_views_have_in_common(pair_angle_deg):
    """Between the limits of one view and of two independent ones, across the beam."""
    detector = {"kind": "virtual", "pair_angle_deg": pair_angle_deg, "radius_mrad": 15.0}
    values = {"scan.shape": [64, 64], "specimen.field_nm": [25.6, 25.6], "microscope.detector": detector}
    values["specimen.rescattering"] = False  # the contrast is then that of the shared rays
    truth, _, _ = simulate_recipe(load_recipe("particles-small").with_values(values))
    detector["kind"] = "aperture"  # a scan a view
    shared, free = (point_limits(one)[:, 0, 0] for one in (truth, seen_by(truth, **detector)))
    known = np.isfinite(shared) & truth.inside
    assert (np.median(shared[known] / free[known]) > 1.05) == (pair_angle_deg < 1.8)
    assert (shared[known] <= 2.01 * free[known]).all()
