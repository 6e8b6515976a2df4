"""Components, loops and path lengths."""

import numpy as np
import pytest

from veristem.bench.metrics.graph import LineGraph
from veristem.bench.metrics.lines import Lines
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork


def curves(*lines) -> CurveSet:
    return CurveSet(tuple(np.asarray(line, float) for line in lines))


def ring(radius=60.0, gap_nm=0.0, count=121, center=(200, 200, 50)) -> np.ndarray:
    """A circle with a gap of that arc length."""
    a = np.linspace(0, 2 * np.pi - gap_nm / radius, count)
    points = np.stack([radius * np.cos(a), radius * np.sin(a), 0 * a], axis=1)
    if not gap_nm:
        points[-1] = points[0]
    return points + center


def graph(*lines, tolerance=10.0) -> LineGraph:
    return LineGraph(Lines.of(curves(*lines), tolerance))


X, Y = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])


@pytest.mark.parametrize(
    ("lines", "components", "loops"),
    [
        ([], 0, 0),
        ([[0 * X, 100 * X]], 1, 0),
        ([[0 * X, 100 * X], [300 * X, 400 * X]], 2, 0),
        ([[0 * X, 100 * X], [108 * X, 200 * X]], 1, 0),  # a gap below the tolerance
        ([[0 * X, 100 * X], [112 * X, 200 * X]], 2, 0),
        ([ring()], 1, 1),
        ([ring(gap_nm=8)], 1, 1),
        ([ring(gap_nm=30)], 1, 0),
        ([ring(), ring(center=(400, 200, 50))], 2, 2),
        ([ring(), [[140, 200, 50], [260, 200, 50]]], 1, 2),  # a bar across the ring
        ([[0 * X, 200 * X], [100 * X, 100 * X + 80 * Y]], 1, 0),  # a T without a vertex at the junction
        ([[0 * X, 200 * X], [100 * X + 6 * Y, 100 * X + 80 * Y]], 1, 0),  # the same, missed by 6 nm
        ([[0 * X, 200 * X], [100 * X - 6 * Y, 100 * X + 80 * Y]], 1, 0),  # the same, 6 nm too long
        ([[0 * X, 100 * X], [103 * X, 160 * X + 60 * Y], [103 * X + Y, 160 * X - 60 * Y]], 1, 0),  # three loose ends
        ([[0 * X, 200 * X], [5 * X + 3 * Y, 5 * X + 9 * Y, 100 * Y]], 1, 0),
        ([[0 * X, 100 * X], [100 * X, 106 * X], [100 * X, 100 * X + 100 * Y]], 1, 0),  # a spur at a junction
        ([[0 * X, 100 * X], [0 * X, 50 * X + 30 * Y, 100 * X]], 1, 1),  # two ways between two nodes
    ],
)
def test_components_and_loops(lines, components, loops):
    found = graph(*lines)
    assert (found.components, found.loops) == (components, loops)


def test_betti_errors():
    """A ring against a broken ring, a line against two pieces."""
    broken = score_curves(curves(ring()), curves(ring(gap_nm=30)))
    assert (broken["betti0_error"], broken["betti1_error"]) == (0, 1)
    pieces = score_curves(curves([0 * X, 200 * X]), curves([0 * X, 80 * X], [120 * X, 200 * X]))
    assert (pieces["betti0_error"], pieces["betti1_error"]) == (1, 0)


def test_path_lengths_on_a_looped_graph():
    """A ring with a bar: from one end of the bar to the other it is 120 nm across, and half way around."""
    lines = [ring(count=361), [[140.0, 200, 50], [260, 200, 50]]]
    g = graph(*lines)
    distance, chain, arc = g.locate(np.array([[140.0, 200, 50], [260, 200, 50], [200, 260, 50], [200, 200, 50]]))
    np.testing.assert_allclose(distance, 0, atol=1e-6)
    quarter = np.pi * 30
    expected = [
        [0, 120, quarter, 60],
        [120, 0, quarter, 60],
        [quarter, quarter, 0, quarter + 60],
        [60, 60, quarter + 60, 0],
    ]
    np.testing.assert_allclose(g.distances(chain, arc, np.arange(4)), expected, atol=0.05)


def test_control_points_lie_on_the_lines():
    g = graph(ring(), [[140.0, 200, 50], [260, 200, 50]], [400 * X, 400 * X + 120 * Y])
    points, chain, arc = g.controls(50.0)
    distance, chain_back, arc_back = g.locate(points)
    np.testing.assert_allclose(distance, 0, atol=1e-9)
    count = len(chain)
    both = g.distances(np.append(chain, chain_back), np.append(arc, arc_back), np.arange(2 * count))
    np.testing.assert_allclose(np.diag(both, count), 0, atol=1e-9)
    assert len(points) == 2 + 2 * 3 + 2 + 2 + 2  # nodes, both arcs of 188 nm, the bar, an open line: ends and thirds


def test_apls_of_a_break_by_hand():
    """A line of 100 nm with controls at 0, 50, 100; the middle is missed: all three pairs are lost.

    From the pieces (30 nm each, controls at their ends) each pair keeps its length. There 0, back 1, in all 0.
    """
    result = score_curves(curves([0 * X, 100 * X]), curves([0 * X, 30 * X], [70 * X, 100 * X]))
    assert result["apls"] == 0
    # a gap at the middle that the tolerance reaches: 0-50 and 50-100 differ in which piece the middle falls on
    result = score_curves(curves([0 * X, 100 * X]), curves([0 * X, 48 * X], [60 * X, 100 * X]))
    there, back = (1 + 0 + 0) / 3 - (2 / 50) / 3, 1.0
    assert result["apls"] == pytest.approx(2 * there * back / (there + back))


def test_apls_of_a_cut_bar():
    """A bar gone from the ring sends its paths around: 0.5 pi instead of 1; worse than perfect, better than nothing."""
    bar = [[140.0, 200, 50], [260, 200, 50]]
    whole = curves(ring(), bar)
    assert score_curves(whole, whole)["apls"] == pytest.approx(1)
    assert 0.2 < score_curves(whole, curves(ring()))["apls"] < 0.9


def test_apls_of_a_false_bridge():
    """Two lines joined where they are apart: truth's paths are all there, the bridge's are not."""
    a, b = [0 * X, 100 * X], [150 * X, 250 * X]
    result = score_curves(curves(a, b), curves([0 * X, 250 * X]))
    assert result["apls"] < 0.7
    assert result["betti0_error"] == 1


def test_a_network_is_the_same_graph_as_its_curves(network):
    """Three arms from a node, as segments with a node and as a through-going line and one that ends on it."""
    n = network.nodes_nm
    result = score_curves(network, curves([n[1], n[0], n[2]], [n[3], n[0]]))
    assert result["apls"] == pytest.approx(1)
    assert (result["betti0_error"], result["betti1_error"], result["f_score"]) == (0, 0, 1)


def test_a_periodic_network_runs_on_through_the_wall():
    box = np.array([[0.0, 0, 0], [100, 100, 100]])
    nodes = np.array([[10.0, 50, 50], [90.0, 50, 50]])
    network = DislocationNetwork(nodes, [[0, 1]], [[0.1, 0, 0]], box_nm=box)
    assert score_curves(network, curves([[10.0, 50, 50], [-10.0, 50, 50]]))["chamfer_nm"] == pytest.approx(0, abs=1e-9)


def test_lines_too_short_for_a_graph_do_no_harm():
    """Segments below the distance at which nodes are one."""
    dust = curves([0 * X, 2e-7 * X], [5 * X, 5 * X + 2e-6 * Y], [3 * X, 103 * X])
    result = score_curves(dust, curves([0 * X, 2e-7 * X]))
    assert result["apls"] == 0
    assert result["f_score"] is not None
    assert score_curves(dust, dust)["betti0_error"] == 0
