"""What is wrong with the input of a comparison is told in one line, or has the value that is defined for it."""

import numpy as np
import pytest

from veristem.bench.metrics.extents import mismatch
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork, InputError, ParticleDispersion, PointSet
from veristem.datasets.formats.vtp import write_vtp

LINE = np.array([[100.0, 50.0, 80.0], [300.0, 250.0, 80.0]])


def curves(*lines) -> CurveSet:
    return CurveSet(tuple(np.asarray(line, float) for line in lines))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vertex_that_is_not_finite(bad):
    with pytest.raises(InputError, match=r"curve 1: (nan|inf) found at index \(1, 2\), finite numbers allowed"):
        curves(LINE, [[0.0, 0, 0], [1, 1, bad]])


def test_a_curve_of_one_vertex():
    with pytest.raises(InputError, match="curve 0: 1 vertices found"):
        curves(LINE[:1])


def test_repeated_vertices_change_nothing():
    """Neither inside a curve nor at its end, on either side."""
    twice = [LINE[0], LINE[0], LINE.mean(axis=0), LINE.mean(axis=0), LINE[1], LINE[1]]
    once, found = [LINE[0], LINE.mean(axis=0), LINE[1]], curves(np.add(LINE, [0, 0, 3.0]))
    assert score_curves(curves(twice), found) == pytest.approx(score_curves(curves(once), found), abs=1e-9)
    assert score_curves(found, curves(twice)) == pytest.approx(score_curves(found, curves(once)), abs=1e-9)


def test_a_line_twice_is_length_and_nothing_else():
    """The same curve handed in twice is too much line; every distance and the graph stay."""
    result = score_curves(curves(LINE), curves(LINE, LINE[::-1]))
    assert result["length_ratio"] == pytest.approx(2)
    assert (result["f_score"], result["betti0_error"], result["betti1_error"]) == (1, 0, 0)
    assert result["apls"] == pytest.approx(1)


def test_a_network_in_another_box(network):
    """Everything lies beyond the field: nothing is left of the found side, and the warning names both boxes."""
    result = score_curves(network, curves(LINE + 5000.0), field_nm=(256.0, 256.0))
    assert (result["precision"], result["recall"], result["f_score"]) == (None, 0, 0)
    told = mismatch(network, curves(LINE + 5000.0))
    assert told is not None
    assert "x 5.1e+03 to 5.3e+03" in told
    assert "the truth in x 10 to 180" in told
    assert "they do not overlap" in told


@pytest.mark.parametrize("factor", [1e-3, 1e3, 1e-9])
def test_another_unit_is_warned_of(network, factor):
    """Micrometres, picometres or metres taken for nanometres."""
    own = curves(*network.chains())
    assert mismatch(network, own) is None
    told = mismatch(network, CurveSet(tuple(factor * c for c in own.curves_nm)))
    assert told is not None
    assert told.endswith("same unit and origin?")


def test_particles_in_another_unit():
    film = ParticleDispersion([[20.0, 30, 40], [80.0, 90, 20]], [2.0, 2.0], [100.0, 100.0, 60.0])
    assert mismatch(film, PointSet(film.centers_nm)) is None
    assert mismatch(film, PointSet(film.centers_nm[:1])) is None  # one particle has no extent
    assert "times as large" in (mismatch(film, PointSet(1e-3 * film.centers_nm + [20, 30, 20])) or "")
    assert "do not overlap" in (mismatch(film, PointSet(1e3 * film.centers_nm)) or "")


def test_empty_sides_fit(network):
    empty = DislocationNetwork(np.zeros((0, 3)), np.zeros((0, 2), int), np.zeros((0, 3)))
    assert mismatch(network, curves()) is None
    assert mismatch(empty, curves(LINE)) is None


def test_the_command_line_warns_and_scores(cli, network, tmp_path):
    """One line on stderr; stdout keeps its one object, and the exit is that of a score."""
    write_vtp(tmp_path / "truth.vtp", network)
    write_vtp(tmp_path / "found.vtp", CurveSet((LINE / 1000,)))
    ended = cli("score", tmp_path / "truth.vtp", tmp_path / "found.vtp", "--json")
    assert ended.code == 0
    assert ended.out.startswith("{")
    assert ended.err.startswith("warning: the reconstruction lies in x 0.1 to 0.3")
    assert ended.err.count("\n") == 1
    write_vtp(tmp_path / "found.vtp", CurveSet((LINE / 2,)))
    assert cli("score", tmp_path / "truth.vtp", tmp_path / "found.vtp").err == ""
