"""The examples of CONTRIBUTING.md are complete and true: each is run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from veristem.bench.metrics.lines import Lines
from veristem.bench.metrics.pair import Pair
from veristem.datasets import CurveSet, load_material
from veristem.recon import run_method
from veristem.sim.networks.population import Population

GUIDE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", GUIDE, re.DOTALL))


def loaded(path: str) -> dict:
    """What an example defines."""
    names: dict = {"__name__": "example"}
    exec(compile(EXAMPLES[path], path, "exec", dont_inherit=True), names)  # not with this file's future
    return names


def test_detector():
    """Its regions look from opposite sides, their directions 4 R / (3 pi) off the axis, and a wrong key is an error."""
    detector = loaded("datasets/detectors/halves.py")["Detector"]
    right, left = (half.mean_direction_rad(0.03) for half in detector(radius_mrad=15.0).regions(0.0))
    np.testing.assert_allclose(right, [4 * 0.015 / (3 * np.pi), 0], atol=1e-5)
    np.testing.assert_allclose(left, -right, atol=1e-5)
    with pytest.raises(ValueError, match="Extra inputs"):
        detector(outer_mrad=3.0)


def test_specimen():
    """It meets the density with lines from face to face."""
    systems = [np.array(v) for v in zip(*load_material("Al").slip_systems(), strict=True)]
    foil = Population(*systems, np.array([0.0, 4.9, 0.0]), np.array([400.0, 400.0, 150.0]), 5e-5, 0.5)
    network = loaded("sim/networks/straight.py")["generate"](foil, np.random.default_rng(0))
    network.check_conservation()
    assert foil.length_of(network) == pytest.approx(foil.length_nm, rel=0.06)
    np.testing.assert_allclose(np.unique(np.round(network.nodes_nm[:, 2], 6)), [0, 150])


def test_metric():
    """Its ends are what METRIC says they are."""
    names = loaded("bench/metrics/astray.py")
    line = np.array([[0.0, 0, 50], [100, 0, 50]])
    truth, near, far = (Lines.of(CurveSet((line + np.array([0, y, 0]),)), 10.0) for y in (0, 20, 40))
    assert names["METRIC"].name == "astray"
    assert names["score"](Pair.of(truth, near)) == names["METRIC"].good
    assert names["score"](Pair.of(truth, far)) == names["METRIC"].bad
    assert names["score"](Pair.of(truth, Lines.of(CurveSet(()), 10.0))) is None


def test_method(acquisition, tmp_path, monkeypatch):
    """It runs by module:function from the working directory."""
    (tmp_path / "my_method.py").write_text(EXAMPLES["my_method.py"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (curve,) = run_method("my_method:reconstruct", acquisition).curves_nm
    assert len(curve) == acquisition.views.shape[2]
