"""Junctions: which there are, which Burgers vectors meet there, which were found."""

import json
from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.scoring import junction_table, score_curves
from veristem.datasets import CurveSet, DislocationNetwork
from veristem.datasets.formats.vtp import write_vtp

CENTER = np.array([100.0, 100.0, 50.0])
ARMS = CENTER + 70.0 * np.array([[1, 0, 0], [-0.6, 0.8, 0], [-0.6, -0.8, 0], [0, 0.6, 0.8]])
X = np.array([3.0, 0, 0])
A, B, C = np.array([[0.18, 0.18, 0.0], [0.0, 0.18, -0.18], [0.18, 0.36, -0.18]])  # A + B = C


def curves(*lines) -> CurveSet:
    return CurveSet(tuple(np.asarray(line, float) for line in lines))


def star(count=3, shift=(0.0, 0.0, 0.0)) -> list:
    """Some arms of 70 nm from one point."""
    return [np.stack([CENTER, end]) + shift for end in ARMS[:count]]


def junction_scores(truth, found, **how) -> tuple:
    result = score_curves(truth, found, **how)
    return result["junction_recall"], result["junction_precision"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (star(), (1, 1)),
        (star(shift=(0, 6, 7.9)), (1, 1)),  # within 10 nm
        (star(shift=(0, 6, 8.1)), (0, 0)),
        ([], (0, None)),
        (star(2), (0, None)),  # a bend is no junction
        ([*star(2), CENTER + np.array([[-4.8, -6.4, 0], [-42, -56, 0]])], (1, 1)),  # an arm that ends 8 nm before
        ([*star(2), CENTER + np.array([[-7.2, -9.6, 0], [-42, -56, 0]])], (0, None)),  # 12 nm before
        ([*star(2), CENTER + np.array([[0, 0, 0], [-4.8, -6.4, 0]])], (0, None)),  # a spur of 8 nm is none
        ([*star(), *(np.add(arm, [0, 0, 300.0]) for arm in star())], (1, 0.5)),  # and a false one
        ([[ARMS[0], CENTER + X, CENTER - X, ARMS[1]], [CENTER - X, ARMS[2]]], (1, 1)),
    ],
)
def test_one_junction_by_hand(found, expected):
    assert junction_scores(curves(*star()), curves(*found)) == expected


def test_two_near_each_other_are_one():
    """A four-fold node that is found as two of three arms, 8 nm apart, is found once and rightly."""
    first, second = np.subtract(CENTER, [0, 4, 0]), np.add(CENTER, [0, 4, 0])
    split = curves([ARMS[0], first, second, ARMS[1]], [ARMS[2], first], [second, ARMS[3]])
    assert junction_scores(curves(*star(4)), split) == (1, 1)


def test_each_is_found_once():
    """Two true junctions 12 nm apart with one found between them: one of two."""
    far = np.array([12.0, 0, 0])
    pair = curves(
        [CENTER, CENTER + far], *star(3)[1:], *(np.stack([CENTER + far, CENTER + far + d]) for d in 60 * np.eye(3)[1:])
    )
    assert junction_scores(pair, curves(*star(3, shift=far / 2))) == (0.5, 1)


def network(*reactions) -> DislocationNetwork:
    """Triple nodes 300 nm apart along x, the Burgers vectors of whose arms are given."""
    parts = []
    for number, burgers in enumerate(reactions):
        nodes = np.add([CENTER, *ARMS[: len(burgers)]], [300.0 * number, 0, 0])
        segments = [[0, k + 1] for k in range(len(burgers))]
        parts.append(DislocationNetwork(nodes, segments, np.array(burgers)))
    return DislocationNetwork.union(parts)


def test_labels_are_burgers_vectors_up_to_sign():
    """Two junctions of one reaction, written with other signs and in another order, and one of another."""
    truth = network((A, B, -C), (C, -A, -B), (A, A, A))
    found = [np.add(arm, [600.0, 0, 0]) for arm in star()] + star()
    table = junction_table(truth, curves(*found))
    assert sum(count for count, _ in table.values()) == 3
    one, other = sorted(table.items(), key=lambda item: len(set(item[0])))
    assert one[1] == (1, 1)
    assert other[1] == (2, 1)
    assert one[0] == pytest.approx(np.tile(A, (3, 1)))
    assert np.array(other[0]) == pytest.approx(np.array(sorted(map(tuple, (A, B, C)))))
    assert score_curves(truth, curves(*found))["junction_recall"] == pytest.approx(2 / 3)


def test_labels_survive_a_turn_and_the_field():
    """The same reactions in a turned foil, rounding and a cut included."""
    c, s = np.cos(0.3), np.sin(0.3)
    truth = network((A, B, -C), (C, -A, -B)).rotated(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
    truth = replace(truth, burgers_nm=np.round(truth.burgers_nm, 6))
    (counts,) = junction_table(truth, curves()).values()
    assert counts == (2, 0)
    assert list(junction_table(truth, curves(), field_nm=(200.0, 400.0)).values()) == [(1, 0)]


def test_curves_have_no_labels():
    """Neither have a truth of curves, nor curves against which one is scored."""
    assert junction_table(curves(*star()), curves(*star())) == {(): (1, 1)}
    assert junction_table(curves(), curves(*star())) == {}
    assert junction_scores(curves(), curves(*star())) == (None, 0)


def test_a_junction_of_the_visible(truth):
    """With one of three lines invisible there is none to be found, and a found one is right."""
    nodes = np.array([CENTER, *ARMS[:3]])
    lines = DislocationNetwork(nodes, [[0, 1], [0, 2], [0, 3]], np.array([A, B, -C]))
    hidden = replace(truth, network=lines, visible=np.array([True, True, False]), field_nm=(400.0, 400.0))
    result = score_curves(hidden, curves(*star()))
    assert (result["junction_recall"], result["junction_precision"]) == (1, 1)
    assert (result["junction_recall_visible"], result["junction_precision_visible"]) == (None, 1)
    assert junction_table(hidden, curves(*star())) == {}


def test_junctions_on_the_command_line(cli, tmp_path):
    """By the Burgers vectors that meet, one found and one not; of curves it is not known."""
    write_vtp(tmp_path / "truth.vtp", network((A, B, -C), (C, -A, -B)))
    write_vtp(tmp_path / "found.vtp", curves(*star()))
    asked = ("score", tmp_path / "truth.vtp", tmp_path / "found.vtp", "--junctions")
    (kind,) = json.loads(cli(*asked, "--json").out)["junctions"]
    assert (kind["there"], kind["found"], len(kind["burgers_nm"])) == (2, 1, 3)
    assert cli(*asked).out.splitlines()[-1].endswith("1 of 2 found")
    refused = cli("score", tmp_path / "found.vtp", tmp_path / "found.vtp", "--junctions")
    assert refused.code == 2
    assert "--junctions: " in refused.err
