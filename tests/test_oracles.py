"""True stages handed to a method of lines: what is left is the error of the other stages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.oracles import handed_in, true_alignment, true_line_matches
from veristem.bench.scoring import score_curves
from veristem.datasets import DislocationNetwork, InputError
from veristem.datasets.geometry import Tilt
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method, without_oracles
from veristem.recon.stereo.classical import reconstruct
from veristem.sim.simulate import simulate_recipe


@pytest.fixture(scope="module")
def pair():
    """A truth and its acquisition, from a foil of two lines; nothing looks at the images."""
    recipe = load_recipe("cantor-small").with_values({
        "specimen.thickness_nm": 40.0, "specimen.field_nm": [64.0, 64.0], "specimen.network.density_per_m2": 5e14,
        "scan.shape": [32, 32], "scan.pixel_nm": 2.0,
    })  # fmt: skip
    truth, acquisition, _ = simulate_recipe(recipe)
    line = np.array([[-20.0, 15.0, 5.0], [25.0, 50.0, 20.0], [80.0, 70.0, 35.0]])
    network = DislocationNetwork.from_polyline(line, np.array([0.0, 0.25, 0.0]))
    one = {"network": network, "g_dot_b": np.ones(2), "g_dot_bu": np.zeros(2), "visible": np.ones(2, bool)}
    assert isinstance(truth, LineTruth)
    return replace(truth, field_nm=(64.0, 64.0), **one), acquisition


def test_true_matches_leave_no_error_but_that_of_the_nominal_directions(pair):
    """With the true alignment as well the lines come back exactly."""
    truth, acquisition = pair
    matches = true_line_matches(truth, acquisition, np.random.default_rng(0))
    alignment = true_alignment(truth, acquisition, np.random.default_rng(0))
    found = score_curves(truth, reconstruct(acquisition, matches=matches, alignment=alignment))
    assert found["f_score"] == 1.0
    assert found["accuracy_nm"] == pytest.approx(0.0, abs=0.01)  # vertices a pixel apart cut the corner
    nominal = score_curves(truth, reconstruct(acquisition, matches=matches))
    assert nominal["accuracy_nm"] is not None
    assert found["accuracy_nm"] < nominal["accuracy_nm"] < 1.0


def test_true_alignment_mends_tilts_that_are_off(pair):
    """Views whose tilt is read 0.3 degrees off and whose images are shifted: depths are wrong without the truth's."""
    truth, acquisition = pair
    true, nominal = (np.radians([-4.0 + off, 4.0 - off]) for off in (0.3, 0.0))
    axis = np.pi / 2
    maps = np.array([Tilt(t, axis).to_image(truth.field_nm, 0.0, (s, 0.0)) for t, s in zip(true, (3.0, -3.0))])
    tilted = replace(truth, to_image=maps, directions_rad=np.array([[np.tan(t), 0] for t in -true]))
    nominal_rad = np.array([[np.tan(t), 0] for t in -nominal])
    views = replace(acquisition, directions_rad=nominal_rad, tilts_rad=nominal, tilt_axis_rad=axis)
    matches = true_line_matches(tilted, views, np.random.default_rng(0))
    exact = reconstruct(views, matches=matches, alignment=true_alignment(tilted, views, np.random.default_rng(0)))
    assert score_curves(tilted, exact)["accuracy_nm"] == pytest.approx(0.0, abs=0.01)
    bias = score_curves(tilted, reconstruct(views, matches=matches), tolerance_nm=200.0)["accuracy_nm"]
    assert bias is not None
    assert bias > 5.0


def test_a_method_is_asked_for_with_true_stages_by_name(pair):
    """The words are taken out of the method's text and come back as stages; other parameters stay."""
    text = "stereo-classical contours=truth scale_nm=6 alignment=truth"
    assert without_oracles(text) == ("stereo-classical scale_nm=6", ("contours", "alignment"))
    assert without_oracles("mine:f level=truth") == ("mine:f level=truth", ())
    method, stages = handed_in(text, *pair)
    assert method == "stereo-classical scale_nm=6"
    assert sorted(stages) == ["alignment", "contours"]
    assert len(run_method(method, pair[1], **stages).curves_nm) == 1
    with pytest.raises(InputError, match="detections=truth found, allowed are alignment, contours, matches"):
        handed_in("stereo-classical detections=truth", *pair)
    with pytest.raises(InputError, match="contours=truth found, which only a study knows; leave it out"):
        run_method("stereo-classical contours=truth", pair[1])
