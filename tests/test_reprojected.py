"""Lines compared in images from elsewhere: what a depth that is off does there."""

from __future__ import annotations

import json

import numpy as np
import pytest

from veristem.bench.scoring import score_reprojected
from veristem.datasets import CurveSet, InputError, formats


def line(depth_nm: float, along: int = 1) -> CurveSet:
    """A straight line along x (0) or y (1) at one depth."""
    curve = np.full((50, 3), 100.0)
    curve[:, along] = np.linspace(0, 200, 50)
    curve[:, 2] = depth_nm
    return CurveSet((curve,))


@pytest.mark.parametrize("tilt_deg", [-44.0, 0.0, 8.0, 30.0])
def test_a_wrong_depth_shows_by_the_sine_of_the_tilt(tilt_deg):
    """6 nm too deep, of a line along the axis: 6 sin(tilt) aside in the image; nothing across the beam itself."""
    (seen,) = score_reprojected(line(50), line(56), [tilt_deg], axis_rad=np.pi / 2)
    assert seen["rms_nm"] == pytest.approx(6 * abs(np.sin(np.radians(tilt_deg))), abs=1e-6)
    assert seen["f_score"] == 1


def test_a_wrong_depth_is_wrong_where_it_shows():
    """30 nm: 4.2 nm at 8 degrees, within the tolerance of 10; 21 nm at 44, beyond it."""
    near, far = score_reprojected(line(50), line(80), [8, 44], axis_rad=np.pi / 2)
    assert near["f_score"] == 1
    assert far["f_score"] == far["precision"] == far["recall"] == 0
    assert far["rms_nm"] is None


def test_a_line_across_the_axis_hides_its_depth():
    """It is moved along itself: only its ends show."""
    (seen,) = score_reprojected(line(50, 0), line(60, 0), [20], axis_rad=np.pi / 2)
    assert seen["f_score"] == 1
    assert seen["rms_nm"] == pytest.approx(0, abs=0.5)


def test_the_axis_is_across_the_epipolar_direction():
    """Views apart along x tilt about y; without views, nothing tells it."""
    pair = np.radians([[4.0, 0.0], [-4.0, 0.0]])
    (seen,) = score_reprojected(line(50), line(56), [30], directions_rad=pair)
    assert seen["rms_nm"] == pytest.approx(3.0, abs=1e-6)
    with pytest.raises(InputError, match="no tilt axis known"):
        score_reprojected(line(50), line(56), [30])
    with pytest.raises(InputError, match="90 deg found"):
        score_reprojected(line(50), line(56), [90], axis_rad=0.0)


def test_nothing_found_has_no_precision():
    (seen,) = score_reprojected(line(50), CurveSet(()), [8], axis_rad=0.0)
    assert seen["recall"] == 0
    assert seen["precision"] is seen["f_score"] is seen["rms_nm"] is None


def test_from_the_command_line(cli, simulated, tmp_path):
    """The truth laid over itself agrees from everywhere; pixels have no tilt."""
    truth = formats.read(simulated / "truth.h5")
    formats.write(tmp_path / "found.vtp", CurveSet(tuple(truth.network.chains())))
    run = cli("score", simulated / "truth.h5", tmp_path / "found.vtp", "--reproject", "-44", "--reproject", "8")
    assert "image at -44 deg: F 1, precision 1, recall 1, " in run.out
    told = json.loads(cli("score", simulated / "truth.h5", tmp_path / "found.vtp", "--reproject", "8", "--json").out)
    assert [seen["tilt_deg"] for seen in told["reprojected"]] == [8]
    run = cli("score", simulated / "truth.h5", tmp_path / "found.vtp", "--reproject", "8", "--of", "masks")
    assert run.code == 2
    assert "--of and --reproject" in run.err
