"""The strain of dislocations against textbook formulas and theorems."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from veristem.datasets import DislocationNetwork
from veristem.sim.elasticity.grid import voxel_distortion
from veristem.sim.elasticity.segment import segment_distortion

NU = 0.3
B = 0.25
FAR_NM = 1.0e7


def straight(burgers) -> DislocationNetwork:
    """A line along +z, as good as endless."""
    return DislocationNetwork.from_polyline(np.array([[0.0, 0, -FAR_NM], [0, 0, FAR_NM]]), np.array(burgers))


def ring(radius: float, burgers, count: int = 64) -> DislocationNetwork:
    """A loop about +z in the plane z = 0."""
    turn = 2 * np.pi * np.arange(count) / count
    points = radius * np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])
    return DislocationNetwork.from_polyline(points, np.array(burgers), closed=True)


@pytest.fixture
def points() -> np.ndarray:
    """Points more than 5 nm from the z axis."""
    p = np.random.default_rng(0).uniform(-50, 50, (300, 3))
    return p[np.hypot(p[:, 0], p[:, 1]) > 5]


def test_screw_is_the_textbook_field(points):
    """u_z = b/(2 pi) atan2(y, x) fixes every sign."""
    x, y = points[:, 0], points[:, 1]
    expected = np.zeros((len(points), 3, 3))
    expected[:, 2, 0] = -B / (2 * np.pi) * y / (x**2 + y**2)
    expected[:, 2, 1] = B / (2 * np.pi) * x / (x**2 + y**2)
    found = segment_distortion(straight([0, 0, B]), points, NU, 1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_edge_is_the_textbook_field(points):
    """The gradients of the edge's displacement (Hirth & Lothe) involve Poisson's ratio, the screw's do not."""
    x, y = points[:, 0], points[:, 1]
    common = B / (4 * np.pi * (1 - NU) * (x**2 + y**2) ** 2)
    expected = np.zeros((len(points), 3, 3))
    expected[:, 0, 0] = -common * y * ((3 - 2 * NU) * x**2 + (1 - 2 * NU) * y**2)
    expected[:, 0, 1] = common * x * ((3 - 2 * NU) * x**2 + (1 - 2 * NU) * y**2)
    expected[:, 1, 0] = -common * x * ((1 - 2 * NU) * x**2 + (3 - 2 * NU) * y**2)
    expected[:, 1, 1] = common * y * ((1 + 2 * NU) * x**2 - (1 - 2 * NU) * y**2)
    found = segment_distortion(straight([B, 0, 0]), points, NU, 1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("burgers", [[0.1, 0, 0], [0, 0.2, 0], [0, 0, 0.3], [0.1, -0.2, 0.3]])
def test_burgers_circuit_about_a_loop_closes_by_b(burgers):
    """A circuit that is right-handed about the line direction sums U dl to +b whatever the line does elsewhere."""
    turn = 2 * np.pi * (np.arange(2000) + 0.5) / 2000
    zero = 0 * turn  # about the ring's side on the +x axis, where it runs along +y
    circuit = np.column_stack([30 + 12 * np.sin(turn), zero, 12 * np.cos(turn)])
    step = np.column_stack([12 * np.cos(turn), zero, -12 * np.sin(turn)]) * (turn[1] - turn[0])
    total = np.einsum("nij,nj->i", segment_distortion(ring(30.0, burgers), circuit, NU, 1e-3), step)
    np.testing.assert_allclose(total, burgers, atol=1e-6)


def test_far_field_of_a_loop_falls_as_the_cube():
    """Only a dipole is left far away; an open line, or an error in its closure, would fall more slowly."""
    away = np.array([0.3, 0.5, 0.81])
    strain = segment_distortion(ring(10.0, [0.1, 0.2, 0.3]), np.array([1000 * away, 2000 * away]), NU, 0.3)
    near, far = np.linalg.norm(strain, axis=(1, 2))
    assert np.log2(near / far) == pytest.approx(3, abs=1e-3)


@pytest.fixture(scope="module")
def scene():
    """An inclined line, a loop and a far line, with the voxels of a field around them."""
    lines = [
        DislocationNetwork.from_polyline(np.array([[10.0, 30, -60], [70, 50, 120]]), np.array([0.1, 0.2, 0.1])),
        ring(20.0, [0.0, 0.1, 0.2]).rotated(np.eye(3), to_nm=(60, 20, 30)),
        DislocationNetwork.from_polyline(np.array([[-300.0, 300, -900], [-280, 280, 900]]), np.array([0.2, 0, 0.2])),
    ]
    network = DislocationNetwork.union(lines)
    grid = ((0.0, -8.0, -8.0), (3.0, 2.0, 2.0), (20, 44, 48))
    return network, grid


def test_voxels_agree_with_the_exact_sum(scene):
    """Interpolation of the far segments must not be seen: away from the cores it is the only difference."""
    network, (origin, step, shape) = scene
    g = np.array([1.0, 4.0, 0.5])
    found = voxel_distortion(network, g, origin, step, shape, NU, 0.3)
    z, y, x = np.meshgrid(*[o + s * (np.arange(n) + 0.5) for o, s, n in zip(origin, step, shape)], indexing="ij")
    centers = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    exact = np.einsum("i,nij->jn", g, segment_distortion(network, centers, NU, 0.3)).reshape(found.shape)
    first, second = network.ends_nm()
    along = second - first
    share = ((centers[:, None] - first) * along).sum(-1) / (along**2).sum(-1)
    nearest = first + np.clip(share, 0, 1)[..., None] * along - centers[:, None]
    away = (np.linalg.norm(nearest, axis=-1).min(axis=1) > 8.0).reshape(shape)
    error, size = (found - exact)[:, away], exact[:, away]
    assert np.sqrt((error**2).mean()) < 1e-3 * np.sqrt((size**2).mean())
    assert np.abs(error).max() < 3e-2 * np.sqrt((size**2).mean())


def test_voxels_do_not_depend_on_threads(scene):
    """A study on one core and on many must give the same images, bit for bit."""
    network, (origin, step, shape) = scene
    most = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    fields = []
    for threads in (1, most):
        numba.set_num_threads(threads)
        fields.append(voxel_distortion(network, (1.0, 4.0, 0.5), origin, step, shape, NU, 0.3))
    assert np.array_equal(*fields)


def test_a_voxel_at_a_core_is_averaged():
    """Sampled at voxel centres, a core narrower than a slice would paint dots along an inclined line."""
    line = DislocationNetwork.from_polyline(np.array([[-300.0, 9, -400], [324, 14, 430]]), np.array([0.0, B, 0]))
    g, step, shape = np.array([0.0, 4.0, 0.0]), np.array([3.0, 2.0, 2.0]), (8, 12, 12)

    def means(sub: int) -> np.ndarray:
        axes = [(np.arange(n * sub) + 0.5) * h / sub for n, h in zip(shape, step, strict=True)]
        z, y, x = np.meshgrid(*axes, indexing="ij")
        strain = segment_distortion(line, np.stack([x, y, z], axis=-1).reshape(-1, 3), NU, 0.3)
        fine = (g @ strain).T.reshape(3, shape[0], sub, shape[1], sub, shape[2], sub)
        return fine.mean(axis=(2, 4, 6))

    exact = means(12)
    averaged = np.abs(voxel_distortion(line, g, (0, 0, 0), step, shape, NU, 0.3) - exact).max()
    sampled = np.abs(means(1) - exact).max()
    assert averaged < 0.05 * np.abs(exact).max()
    assert averaged < 0.2 * sampled
