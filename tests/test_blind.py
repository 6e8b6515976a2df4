"""The blind check finds what was put into an image, and lists what real images do not have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripts import script
from veristem.datasets import Acquisition, DislocationNetwork
from veristem.datasets.truth import LineTruth

blind = script("docs/gallery/blind.py")
PIXEL, SIDE = 2.0, 512.0


def drawn(width_nm: float, contrast: float, seed: int = 0, dose: float = 4000.0):
    """Truth and acquisition of one straight line with a Gaussian profile of some width and depth."""
    ends = np.array([[60.0, 200.0, 40.0], [450.0, 330.0, 160.0]])
    points = np.linspace(*ends, 60)
    network = DislocationNetwork.from_polyline(points, np.array([0, 0.25, 0]))
    y, x = np.mgrid[:256, :256] * PIXEL + PIXEL / 2
    along = (ends[1] - ends[0])[:2]
    off = ((x - 60) * along[1] - (y - 200) * along[0]) / np.linalg.norm(along)
    expected = dose * (1 - contrast * np.exp(-4 * np.log(2) * (off / width_nm) ** 2))[None].astype(np.float32)
    ones = np.ones(len(network.segments))
    directions = np.zeros((1, 2))
    truth = LineTruth(
        network,
        ones,
        ones,
        ones > 0,
        expected,
        np.zeros(expected.shape, np.uint8),
        directions,
        (SIDE, SIDE),
        200,
        100,
        {},
    )
    views = np.random.default_rng(seed).poisson(expected).astype(np.float32)
    acquisition = Acquisition(views, directions, PIXEL, 100.0, material="Al", g=np.array([0, 0, 2.0]), energy_keV=200.0)
    return truth, acquisition


@pytest.mark.parametrize(("width", "contrast"), [(8.0, 0.2), (12.0, 0.1), (20.0, 0.4)])
def test_width_and_contrast_are_what_was_drawn(width, contrast):
    """Full width at half depth of a line across the field; xi of Al 002 is 89.3 nm."""
    found = blind.look(*drawn(width, contrast))
    assert found["line_width_nm"] == pytest.approx(width, rel=0.12)
    assert found["line_contrast"] == pytest.approx(contrast, rel=0.1)
    assert found["xi_nm"] == pytest.approx(89.3, rel=0.05)
    assert found["line_over_noise"] == pytest.approx(contrast * np.sqrt(4000) * width / PIXEL, rel=0.2)


def test_noise_is_told_from_poisson_and_by_direction():
    """Counting alone gives 1 and 1; gain noise raises the first, an unsteady scan the second."""
    truth, acquisition = drawn(12.0, 0.1)
    plain = blind.look(truth, acquisition)
    assert plain["noise_over_poisson"] == pytest.approx(1, abs=0.02)
    assert plain["noise_slow_over_fast"] == pytest.approx(1, abs=0.35)
    rng = np.random.default_rng(1)
    wide = truth.expected + 1.5 * (acquisition.views - truth.expected)
    assert blind.look(truth, replace(acquisition, views=wide))["noise_over_poisson"] == pytest.approx(2.25, rel=0.05)
    rows = acquisition.views + 20 * rng.normal(size=(1, 256, 1)).astype(np.float32)
    assert blind.look(truth, replace(acquisition, views=rows))["noise_slow_over_fast"] > 10


def test_grey_levels():
    """Two halves of different grey spread the histogram; a few dark pixels skew it to the left."""
    truth, acquisition = drawn(12.0, 0.3)
    assert blind.look(truth, acquisition)["grey_skewness"] < -1
    halves = acquisition.views.copy()
    halves[:, :, 128:] *= 0.5
    spread = blind.look(truth, replace(acquisition, views=halves))["grey_spread"]
    assert spread == pytest.approx(1 / 3, rel=0.1)


def test_an_image_without_lines_has_no_width():
    """Nothing is measured where nothing stands out of the noise."""
    truth, acquisition = drawn(12.0, 0.0)
    found = blind.look(truth, acquisition)
    assert np.isnan(found["line_width_nm"])
    assert not any("line_width" in sentence for sentence in blind.outside({"one": found}))


def test_what_is_outside_is_listed_with_its_source():
    """Only what has a range can lie out of it, and each range says where it comes from."""
    assert all(quantity.source for quantity in blind.QUANTITIES.values())
    ones = dict.fromkeys(blind.QUANTITIES, 1.0)
    found = ones | {"line_width_nm": 12.0, "xi_nm": 80.0, "line_over_noise": 9.0}
    told = blind.outside({"one": found, "two": dict.fromkeys(blind.QUANTITIES, np.nan)})
    assert told == [
        "`line_width_nm`, 0.2 – 0.5 xi_nm stated: one 12 (16 – 40)",
        "`noise_over_poisson`, ≥ 1.02 stated: one 1",
    ]
    table = blind.blind_table({"one": found})
    assert "| **12 (16 – 40)** |" in table
    assert "**9**" not in table


def test_each_material_has_its_own_width():
    """What is too narrow for a long extinction distance is as it should be for a short one, and without one unknown."""
    values = dict.fromkeys(blind.QUANTITIES, np.nan) | {"line_width_nm": 12.0}
    told = [blind.is_outside("line_width_nm", values | {"xi_nm": xi}) for xi in (20.0, 40.0, 89.3, np.nan)]
    assert told == [True, False, True, False]
