"""The strain of dislocations: the spectral field, the voxels of a foil, bad input. Formulas: test_validation.py."""

from __future__ import annotations

from collections import namedtuple
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.elasticity import NU, distances, ring, rms, spectral_error
from veristem.datasets import DislocationNetwork, InputError
from veristem.datasets.recipe import load_recipe
from veristem.sim.elasticity import octaves, segment_distortion, spectral_distortion
from veristem.sim.elasticity.spectral import isotropic_stiffness
from veristem.sim.elasticity.voxels import voxel_distortion
from veristem.sim.networks.foil import continued
from veristem.sim.networks.from_file import guess_material
from veristem.sim.specimen import make_specimen

SOFT = isotropic_stiffness(NU)
G = np.array([1.0, 4.0, 0.5])
GRID = {"corner_yx_nm": (-8.0, -8.0), "step_zyx_nm": (3.0, 2.0, 2.0), "shape_zyx": (20, 44, 48), "poisson_ratio": NU}


@pytest.fixture(scope="module")
def scene() -> DislocationNetwork:
    """An inclined line, a loop and a far line about a field of 80 x 72 nm, 60 nm thick."""
    lines = [
        DislocationNetwork.from_polyline(np.array([[10.0, 30, -60], [70, 50, 120]]), np.array([0.1, 0.2, 0.1])),
        ring((60, 20, 30), 20.0, [0.0, 0.1, 0.2]),
        DislocationNetwork.from_polyline(np.array([[-300.0, 300, -900], [-280, 280, 900]]), np.array([0.2, 0, 0.2])),
    ]
    return DislocationNetwork.union(lines)


CASES = ["Al", "bcc_loading_1e3", "bcc_screws", "form_binaryjunc", "frank_read_src", "shearloopBCC_LinCS"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_networks_of_others(cases, name):
    """Foils cut from dislocation dynamics, as the contrast uses them: check 5 on lines that no one here drew."""
    file = str(cases / f"networks/{name}.data")
    keys = {
        "specimen.network": {"file": file},
        "specimen.material": guess_material(file)[0],
        "specimen.field_nm": [128.0, 128.0],
        "scan.shape": [64, 64],
        "specimen.thickness_nm": 100.0,
    }
    network = make_specimen(load_recipe("cantor-stereo").with_values(keys), np.random.default_rng(0)).network
    low, high = network.nodes_nm.min(axis=0), network.nodes_nm.max(axis=0)
    low[2], high[2] = 0.0, 100.0
    assert spectral_error(continued(network, low, high)) < 0.01


@settings(max_examples=10, deadline=None)
@given(st.floats(0.1, 0.9), st.tuples(*[st.integers(-3, 3)] * 3).filter(any))
def test_a_segment_in_two_is_the_same(share, burgers):
    """Nodes along a line are arbitrary: where they stand must not act."""
    a, b = np.array([5.0, 12, 8]), np.array([30.0, 20, 22])
    fields = [
        spectral_distortion(
            DislocationNetwork.from_polyline(np.array(points), 0.1 * np.array(burgers)), shape, 2.0, SOFT, 3.0
        )
        for shape in [(16, 16, 20)]
        for points in ([a, b], [a, a + share * (b - a), b])
    ]
    assert rms(fields[0] - fields[1]) < 1e-3 * rms(fields[0])


def test_voxels_agree_with_the_exact_sum(scene):
    """Unrelaxed, the foil is a box of an infinite medium: away from the cores the exact sum stands there too."""
    found = voxel_distortion(scene, G, **GRID, relaxed=False).voxels
    (oy, ox), (dz, dy, dx), (nz, ny, nx) = GRID["corner_yx_nm"], GRID["step_zyx_nm"], GRID["shape_zyx"]
    axes = [o + s * (np.arange(n) + 0.5) for o, s, n in ((0, dz, nz), (oy, dy, ny), (ox, dx, nx))]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    centers = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    exact = np.einsum("i,nij->jn", G, segment_distortion(scene, centers, NU, 0.3))
    away = distances(scene, centers) > 8.0
    error, size = (found.reshape(3, -1) - exact)[:, away], exact[:, away]
    assert rms(error) < 3e-3 * rms(size)
    assert np.abs(error).max() < 5e-2 * rms(size)


def test_voxels_do_not_depend_on_threads(scene, set_threads):
    """A study on one core and on many must give the same images, bit for bit."""
    fields = []
    for threads in (1, 2):
        set_threads(threads)
        fields.append(voxel_distortion(scene, G, **GRID))
    assert all(np.array_equal(*pair) for pair in zip(*fields))


def test_voxels_and_parts_at_a_core_are_means():
    """Sampled at their centres, a core narrower than a slice would paint dots along an inclined line."""
    line = DislocationNetwork.from_polyline(np.array([[-300.0, 9, -400], [324, 14, 430]]), np.array([0.0, 0.25, 0]))
    g, step, shape = np.array([0.0, 4.0, 0.0]), np.array([3.0, 2.0, 2.0]), (8, 12, 12)

    def means(sub: int) -> np.ndarray:
        axes = [(np.arange(n * sub) + 0.5) * h / sub for n, h in zip(shape, step, strict=True)]
        z, y, x = np.meshgrid(*axes, indexing="ij")
        strain = segment_distortion(line, np.stack([x, y, z], axis=-1).reshape(-1, 3), NU, 0.3)
        return (g @ strain).T.reshape(3, shape[0], sub, shape[1], sub, shape[2], sub)

    fine = means(12)
    exact = fine.mean(axis=(2, 4, 6))
    found = voxel_distortion(line, g, (0, 0), step, shape, NU, relaxed=False)
    sampled = np.abs(means(1)[:, :, 0, :, 0, :, 0] - exact).max()
    averaged = np.abs(found.voxels - exact).max()
    assert averaged < 0.05 * np.abs(exact).max()
    assert averaged < 0.2 * sampled
    f = found.parts.shape[2] - 1
    parts = fine.mean(axis=2).reshape(3, *shape[:2], f, 12 // f, shape[2], f, 12 // f).mean(axis=(4, 7))
    z, y, x = found.places.T
    close = np.moveaxis(parts, (1, 2, 4), (0, 1, 2))[z, y, x]
    assert rms(found.parts[:, :, :f, :f] - close) < 0.05 * rms(close)


@pytest.mark.slow
def test_relaxed_faces_screen_far_fields():
    """Beyond a thickness from a screw through it, the shear of a foil with free faces is all but gone."""
    line = DislocationNetwork.from_polyline(np.array([[20.0, 20, -2e4], [20, 20, 2e4]]), np.array([0, 0, 0.25]))
    grid = GRID | {"shape_zyx": (25, 12, 100), "step_zyx_nm": (4.0, 4.0, 4.0)}
    rows = [[voxel_distortion(line, g, **grid, relaxed=r).voxels[:, 12] for g in np.eye(3)] for r in (True, False)]
    free, bulk = (np.array(u)[2, 1] + np.array(u)[1, 2] for u in rows)  # U_zy + U_yz
    assert rms(free[:, 45:]) < 0.15 * rms(bulk[:, 45:])
    np.testing.assert_allclose(free[2, 8:10], bulk[2, 8:10], rtol=0.2)


def test_an_edge_line_along_the_faces_bends_the_foil():
    """One side turns against the other by 6 b d (t - d) / t³, however far from the line: a periodic box lost half."""
    thickness, depth, b = 100.0, 30.0, 0.25
    line = DislocationNetwork.from_polyline(np.array([[200.0, -1e4, depth], [200.0, 1e4, depth]]), np.array([b, 0, 0]))
    grid = {"corner_yx_nm": (0, 0), "step_zyx_nm": (10.0, 8.0, 5.0), "shape_zyx": (10, 2, 80), "poisson_ratio": NU}
    tilt = voxel_distortion(line, np.array([0, 0, 1.0]), **grid).voxels[0].mean(axis=(0, 1))  # of the foil: U_zx
    hinge = 6 * b * depth * (thickness - depth) / thickness**3
    assert tilt[60:] - tilt[19::-1] == pytest.approx(hinge, rel=0.05)


def test_a_line_that_ends_in_the_foil_does_not_push_it_away():
    """Its stress is not in equilibrium: a foil that bends at all wavelengths would turn by whole milliradians there."""
    far = DislocationNetwork.from_polyline(np.array([[3000.0, 0, 30], [3000.0, 400, 30]]), np.array([0.25, 0.0, 0.25]))
    grid = {"corner_yx_nm": (0, 0), "step_zyx_nm": (15.0, 8.0, 8.0), "shape_zyx": (4, 4, 4), "poisson_ratio": NU}
    # a hinge of that length turns it by its angle times length over 2 pi distance
    angle = 6 * 0.25 / 4 / 60
    tilt = voxel_distortion(far, np.array([0, 0, 1.0]), **grid).voxels[:2]
    assert np.abs(tilt).max() < angle * 400 / (2 * np.pi * 3000) * 3


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("shape_zyx", (8, 8), "shape_zyx"),
        ("shape_zyx", (8, 8, 0), "shape_zyx"),
        ("step_nm", -1.0, "step_nm"),
        ("step_nm", np.nan, "step_nm"),
        ("core_nm", 2.0, "at least 1.5 voxels"),
        ("core_nm", np.nan, "core_nm"),
        ("stiffness_gpa", np.eye(3), "6 x 6"),
        ("stiffness_gpa", -np.eye(6), "positive definite"),
        ("stiffness_gpa", np.full((6, 6), np.nan), "6 x 6"),
    ],
)
def test_bad_input_is_told(key, value, told):
    """Each with the name of what is wrong."""
    good = {"shape_zyx": (8, 8, 8), "step_nm": 2.0, "stiffness_gpa": SOFT, "core_nm": 3.0}
    with pytest.raises(InputError, match=told):
        spectral_distortion(ring((8, 8, 8), 4, [0, 0, 0.2]), **good | {key: value})


def test_memory_that_will_not_do_is_told_before_the_start():
    """A grid that does not fit is refused at once, with what it needs and what there is."""
    network = ring((64, 64, 50), 30, [0.1, 0.2, 0.3])
    with pytest.raises(InputError, match=r"[\d.]+ GB of memory needed, [\d.]+ GB available"):
        spectral_distortion(network, (4000, 4000, 4000), 2.0, SOFT, 3.0)
    memory = namedtuple("memory", "available")(1e6)
    with (
        patch.object(octaves.psutil, "virtual_memory", return_value=memory),
        pytest.raises(InputError, match=r"0\.0 GB"),
    ):
        spectral_distortion(network, (50, 64, 64), 2.0, SOFT, 3.0)
    with pytest.raises(InputError, match=r"20000 x 20000 x 400 voxels: 3840\.0 GB of memory needed"):
        voxel_distortion(network, G, (0, 0), (0.5, 0.1, 0.1), (400, 20_000, 20_000), NU)
