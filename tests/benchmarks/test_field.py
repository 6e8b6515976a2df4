"""Elastic field of a network: on a grid by Fourier transforms, and of a foil on the voxels of its image.

The reference sums over all segments, compiled, at some of the voxels; its time at all of them follows by their number.
The transforms alone are a floor of the spectral field.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from veristem.datasets import DislocationNetwork, load_material
from veristem.sim.elasticity import octaves, spectral
from veristem.sim.elasticity.segment import segment_distortion
from veristem.sim.elasticity.voxels import voxel_distortion

G = np.array([0.0, 4.9, 0.0])
POISSON = load_material("Al").poisson_ratio
FOIL_NM = np.array([512.0, 512.0, 200.0])
SHAPE = (100, 256, 256)
STEP_NM = 2.0
CORE_NM = 3.0
POINTS = 2000


def lines(segments: int) -> DislocationNetwork:
    """Straight lines across the foil, of ten segments each for 50 and of fifty for more."""
    rng = np.random.default_rng(0)
    per_line = 10 if segments <= 50 else 50
    ends = rng.uniform(0, 1, (segments // per_line, 2, 3)) * FOIL_NM
    made = [DislocationNetwork.from_polyline(np.linspace(a, b, per_line + 1), rng.normal(0, 0.15, 3)) for a, b in ends]
    return DislocationNetwork.union(made)


def places(shape: tuple[int, ...], count: int) -> np.ndarray:
    """Voxels (count, 3) at random."""
    return np.random.default_rng(0).integers(0, shape, (count, 3))


def at(field: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(N, ...) of a field (..., nz, ny, nx)."""
    return np.moveaxis(field[..., index[:, 0], index[:, 1], index[:, 2]], -1, 0)


def transforms_s(monkeypatch, function) -> float:
    """Seconds that a function spends in Fourier transforms."""
    seconds = [0.0]

    def timed(transform):
        def run(*given):
            start = time.process_time()
            result = transform(*given)
            seconds[0] += time.process_time() - start
            return result

        return run

    with monkeypatch.context() as patch:
        patch.setattr(octaves, "to_waves", timed(octaves.to_waves))
        patch.setattr(spectral, "from_waves", timed(spectral.from_waves))
        function()
    return seconds[0]


@pytest.mark.parametrize(("segments", "what"), [(50, "g·U"), (5000, "g·U"), (5000, "U")])
def test_spectral(compare, monkeypatch, segments, what):
    """More segments must hardly cost more."""
    network, stiffness = lines(segments), spectral.isotropic_stiffness(POISSON)
    index = places(SHAPE, POINTS)
    points = (index[:, ::-1] + 0.5) * STEP_NM

    def field() -> np.ndarray:
        if what == "U":
            return spectral.spectral_distortion(network, SHAPE, STEP_NM, stiffness, CORE_NM)
        given = (network, [G], np.zeros(3), SHAPE, (STEP_NM,) * 3, stiffness, ((CORE_NM, 1.0),))
        return spectral.projected_distortion(*given)[0]

    def exact() -> np.ndarray:
        sums = segment_distortion(network, points, POISSON, CORE_NM)
        return sums if what == "U" else np.einsum("i,nij->nj", G, sums)

    found, expected = compare(
        f"spectral {what} of {segments} segments",
        "{2} x {1} x {0} voxels".format(*SHAPE),
        field,
        exact,
        f"sum over segments, at {POINTS} voxels",
        rounds=2,
        share=POINTS / np.prod(SHAPE),
        floor=(transforms_s(monkeypatch, field), "Fourier transforms alone"),
    )
    assert np.quantile(np.abs(at(found, index) - expected), 0.9) < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("faces", ["relaxed", "unrelaxed"])
def test_foil(compare, faces):
    """With sharp cores, means over voxels; the reference knows no faces and takes the middle of each voxel."""
    network, shape, step = lines(1000), (67, 256, 256), np.array([200 / 67, 2.0, 2.0])
    index = places(shape, POINTS)
    points = ((index + 0.5) * step)[:, ::-1]

    def exact() -> np.ndarray:
        return np.einsum("i,nij->nj", G, segment_distortion(network, points, POISSON, 1.0))

    strain, expected = compare(
        f"strain of a foil, {faces} faces",
        "{2} x {1} x {0} voxels, 1000 segments".format(*shape),
        lambda: voxel_distortion(network, G, (0.0, 0.0), step, shape, POISSON, faces == "relaxed"),
        exact,
        f"sum over segments, at {POINTS} voxels",
        rounds=2,
        share=POINTS / np.prod(shape),
    )
    assert np.isfinite(strain.voxels).all()
    if faces == "unrelaxed":
        error = np.abs(at(strain.voxels, index) - expected)
        assert np.quantile(error, 0.9) < 0.05 * np.median(np.abs(expected))
