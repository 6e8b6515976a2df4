"""Lines as pixels: every voxel against the distance to the line, and the one loop of a ring."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.topology.diagrams import diagrams
from veristem.bench.topology.filtrations import dilation, height
from veristem.bench.topology.tubes import draw
from veristem.datasets import CurveSet
from veristem.datasets.errors import InputError


def drawn(curves: CurveSet, radius_nm: float, shape, voxel_nm: float) -> np.ndarray:
    """Curves as tubes of a volume or, seen along the beam, as lines of an image."""
    ends = [np.concatenate([np.zeros((0, 3)), *(c[s] for c in curves.curves_nm)]) for s in (slice(-1), slice(1, None))]
    return draw(*(end[:, : len(shape)] for end in ends), radius_nm, shape, voxel_nm)


def circle(radius_nm: float, centre_nm) -> CurveSet:
    """A ring in the plane of constant z."""
    angle = np.linspace(0, 2 * np.pi, 73)
    return CurveSet((np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1) * radius_nm + centre_nm,))


def centres_nm(shape, voxel: float) -> np.ndarray:
    """(N, 3) x, y, z of the voxel centres."""
    return (np.indices(shape).reshape(3, -1).T[:, ::-1] + 0.5) * voxel


def test_every_voxel():
    """Random lines, some beyond the box: a voxel is in a tube if its centre is near enough, and no other."""
    rng = np.random.default_rng(0)
    curves = CurveSet(tuple(rng.uniform(-20, 80, (4, 3)) for _ in range(5)))
    shape = (14, 16, 18)
    start, stop = (np.concatenate([c[s] for c in curves.curves_nm]) for s in (slice(-1), slice(1, None)))
    to_point, along = centres_nm(shape, 3.5)[:, None] - start, stop - start
    t = np.clip((to_point * along).sum(axis=-1) / (along**2).sum(axis=-1), 0, 1)
    distance = np.linalg.norm(to_point - t[..., None] * along, axis=-1).min(axis=1).reshape(shape)
    np.testing.assert_array_equal(drawn(curves, 7.0, shape, 3.5), distance <= 7.0)


def test_mask_is_the_shadow():
    """Along the beam depth does not matter, and a line along it is a dot."""
    steep = np.array([[10.0, 12, 5], [40, 30, 95]])
    flat = steep * [1, 1, 0]
    shape = (25, 30)
    mask = drawn(CurveSet((steep,)), 4.0, shape, 2.0)
    np.testing.assert_array_equal(mask, drawn(CurveSet((flat,)), 4.0, shape, 2.0))
    dot = drawn(CurveSet((np.array([[20.0, 20, 0], [20, 20, 90]]),)), 4.0, shape, 2.0)
    y, x = (np.indices(shape) + 0.5) * 2.0
    np.testing.assert_array_equal(dot, np.hypot(x - 20, y - 20) <= 4)
    assert not drawn(CurveSet(()), 4.0, shape, 2.0).any()


def test_volume_of_a_tube():
    """A straight tube has the volume of a cylinder with round ends, to a few per cent."""
    tube = drawn(CurveSet((np.array([[20.0, 30, 30], [80, 30, 30]]),)), 10.0, (60, 60, 100), 1.0)
    assert tube.sum() == pytest.approx(np.pi * 100 * 60 + 4 / 3 * np.pi * 1000, rel=0.02)


def test_ring_in_a_volume():
    """A ring of 30 nm about x = 40: one component from its left side, one loop from where it closes on the right."""
    ring, voxel = circle(30.0, (40.0, 40, 20)), 2.0
    volume = drawn(ring, 5.0, (20, 40, 40), voxel)
    h0, h1 = diagrams(height(volume, (1.0, 0, 0), voxel))
    assert len(h0) == len(h1) == 1
    assert h0[0, 0] == pytest.approx(10 - 5, abs=voxel)
    assert h1[0, 0] == pytest.approx(70 - 5, abs=voxel)  # the inner edge of the closing side
    assert h1[0, 1] == 79 + voxel
    _, h1 = diagrams(dilation(volume, voxel))
    loop = h1[np.argmax(h1[:, 1] - h1[:, 0])]
    assert loop[0] == 0
    assert loop[1] == pytest.approx(30 - 5, abs=voxel)


def test_bad_input_is_told():
    line = CurveSet((np.array([[0.0, 0, 0], [10, 0, 0]]),))
    for radius in (0, -1.0, np.nan):
        with pytest.raises(InputError, match="radius_nm"):
            drawn(line, radius, (4, 4, 4), 1.0)
    with pytest.raises(InputError, match="pixel_nm: 0"):
        drawn(line, 1.0, (4, 4), 0)
    for shape in ((4,), (4, 4, 0), (4, 4, 2.5)):
        with pytest.raises(InputError, match=r"shape: .* found, 2 or 3 whole numbers"):
            drawn(line, 1.0, shape, 1.0)
    assert draw(np.zeros((0, 2)), np.zeros((0, 2)), 1.0, (3, 3), 1.0).sum() == 0
