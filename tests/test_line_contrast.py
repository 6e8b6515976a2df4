"""Contrast-to-noise of lines against the sum done by hand."""

import numpy as np
import pytest

from veristem.bench.limits.line_contrast import LENGTH_NM, line_contrast
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import LineTruth
from veristem.sim.labels import label_maps

PIXEL, FIELD = 1.0, 128.0
RECIPE = load_recipe("cantor-small").with_values(
    {"specimen.field_nm": [FIELD, FIELD], "scan.shape": [128, 128], "scan.pixel_nm": PIXEL}
)


def line_across(electrons: float = 100.0, depth: float = 0.2, width_nm: float = 3.0, x_nm: float = 64.0, **microscope):
    """The truth of a straight line along y whose image is a Gaussian on an even background."""
    ends = np.array([[x_nm, 0.0, 50.0], [x_nm, FIELD, 50.0]])
    network = DislocationNetwork.from_polyline(ends, np.array([0.0, 0.25, 0.0]))
    directions = np.zeros((1, 2))
    x = (np.arange(128) + 0.5) * PIXEL
    row = electrons * (1 - depth * np.exp(-((x - x_nm) ** 2) / (2 * width_nm**2)))
    seen = np.array([True])
    return LineTruth(
        network=network,
        g_dot_b=np.ones(1),
        g_dot_bu=np.zeros(1),
        visible=seen,
        expected=np.tile(row, (1, 128, 1)).astype(np.float32),
        labels=label_maps(network, seen, directions, 50.0, PIXEL, (128, 128)),
        directions_rad=directions,
        field_nm=(FIELD, FIELD),
        thickness_nm=100.0,
        focus_nm=50.0,
        recipe=RECIPE.with_values(
            {f"microscope.response.{key}": value for key, value in microscope.items()}
        ).model_dump(mode="json"),
    )


def by_hand(electrons: float, depth: float, width_nm: float) -> float:
    """The sum over the profile of a Gaussian: √(L N a² w √π) with N electrons in 1 nm²."""
    return np.sqrt(LENGTH_NM * electrons * depth**2 * width_nm * np.sqrt(np.pi)) / PIXEL


@pytest.mark.parametrize(("electrons", "depth", "width"), [(100.0, 0.2, 3.0), (1e4, 0.02, 2.0), (20.0, 0.5, 4.0)])
def test_ratio_of_a_gaussian(electrons, depth, width):
    contrast, ratio = line_contrast(line_across(electrons, depth, width))
    assert ratio == pytest.approx(by_hand(electrons, depth, width), rel=0.01)
    assert 0 < contrast < depth


def test_ratio_does_not_depend_on_place():
    """Nor on whether the line lies on a pixel or between two."""
    ratios = [line_contrast(line_across(x_nm=x))[1] for x in (40.0, 50.5, 80.25)]
    assert ratios == pytest.approx([by_hand(100.0, 0.2, 3.0)] * 3, rel=0.01)


def test_a_worse_detector_takes_its_share():
    """Half the efficiency costs √2; the readout adds its variance to that of the counts."""
    _, best = line_contrast(line_across())
    _, half = line_contrast(line_across(dqe=0.5))
    _, noisy = line_contrast(line_across(readout_electrons=10.0))
    assert half == pytest.approx(best / np.sqrt(2), rel=1e-6)
    assert noisy == pytest.approx(best / np.sqrt(2), rel=0.01)  # as many as the 100 of the counts


def test_nothing_to_see_has_no_ratio():
    """No visible line, or none in the field: None, not 0."""
    from dataclasses import replace

    truth = line_across()
    assert line_contrast(replace(truth, visible=np.array([False]))) == (None, None)
    assert line_contrast(line_across(x_nm=-30.0)) == (None, None)
