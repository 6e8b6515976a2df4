"""Volumes from 45 views, of slices as a foil of 512 x 512 x 200 nm has at 2 nm."""

from __future__ import annotations

import time

import numpy as np

from veristem.recon.tomography.lines import ridges
from veristem.recon.tomography.projector import Projector
from veristem.recon.tomography.sirt import ITERATIONS, sirt
from veristem.recon.tomography.weighted import wbp

VOXEL, SLICES = 2.0, 32
SLOPES = np.tan(np.radians(np.arange(-44.0, 45.0, 2.0)))
DEPTHS = np.arange(120) - 59.5  # 200 nm and 20 nm beyond each face
COLUMNS = 256 + 2 * 58  # what rays see beside the field
SIZE = f"{SLICES} slices of {COLUMNS} x {len(DEPTHS)} voxels, {len(SLOPES)} views"


def views() -> tuple[Projector, np.ndarray, np.ndarray]:
    """Of some bright places, with what views of the field do not show left out."""
    projector = Projector(SLOPES, COLUMNS, DEPTHS, VOXEL)
    rng = np.random.default_rng(0)
    slices = np.zeros((SLICES, len(DEPTHS), COLUMNS), np.float32)
    slices[rng.integers(0, SLICES, 400), rng.integers(20, 100, 400), rng.integers(60, 300, 400)] = 1.0
    maps = np.moveaxis((projector.forth @ slices.reshape(SLICES, -1).T).reshape(len(SLOPES), COLUMNS, SLICES), 2, 1)
    half = 128 / np.cos(np.arctan(SLOPES))[:, None, None]
    inside = np.broadcast_to(np.abs(np.arange(COLUMNS) - (COLUMNS - 1) / 2) < half, maps.shape)
    return projector, maps * inside, inside


def plain_sirt(maps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """One slice (Z, C) from maps (V, C), each layer moved by interpolation."""
    x = np.arange(COLUMNS, dtype=float)
    wide, length = np.arange(-1.0, COLUMNS + 1), VOXEL * np.sqrt(1 + SLOPES**2)

    def moved(row: np.ndarray, by: float) -> np.ndarray:
        return np.interp(x - by, wide, np.pad(row, 1))

    def forth(slice_: np.ndarray) -> np.ndarray:
        sums = [sum(moved(row, -slope * depth) for row, depth in zip(slice_, DEPTHS)) for slope in SLOPES]
        return np.array(sums) * length[:, None]

    def back(rays: np.ndarray) -> np.ndarray:
        rays = rays * length[:, None]
        return np.array([sum(moved(row, slope * depth) for row, slope in zip(rays, SLOPES)) for depth in DEPTHS])

    per_ray = inside / np.maximum(forth(np.ones((len(DEPTHS), COLUMNS))), 1e-6)
    seen = back(inside.astype(float))
    found = np.zeros_like(seen)
    for _ in range(ITERATIONS):
        step = back(per_ray * (maps - forth(found)))
        found = np.maximum(0, found + np.where(seen > 0, step / np.maximum(seen, 1e-6), 0))
    return found


def test_sirt(compare):
    """24 rounds; the field has eight such blocks, for two cores."""
    projector, maps, inside = views()
    block = np.zeros((projector.forth.shape[1], SLICES), np.float32)
    start = time.process_time()
    projector.back @ (projector.forth @ block)
    products = time.process_time() - start
    found, expected = compare(
        f"SIRT, {ITERATIONS} rounds",
        SIZE,
        lambda: sirt(projector, maps, inside),
        lambda: plain_sirt(maps[:, 7], inside[:, 7]),
        "NumPy, layer by layer, one slice",
        rounds=1,
        reference_rounds=1,
        share=1 / SLICES,
        floor=(ITERATIONS * products, "products with the matrix alone"),
    )
    # at the ends of a row the matrix drops what falls beside it, and interpolation does too
    np.testing.assert_allclose(found[7], expected, atol=2e-3 * expected.max())


def test_wbp(alone):
    """Without rounds."""
    projector, maps, inside = views()
    found = alone("WBP", SIZE, lambda: wbp(projector, maps, inside, SLOPES), rounds=3)
    assert np.isfinite(found).all()


def test_ridges(alone):
    """Looking for lines takes longer than making the volume."""
    projector, maps, inside = views()
    volume = np.moveaxis(wbp(projector, maps, inside, SLOPES), 1, 0)[:, :, 58:-58]
    found = alone(
        "lines in a volume", " x ".join(map(str, volume.shape[::-1])), lambda: ridges(volume, (4, 2, 2)), rounds=1
    )
    assert len(found.index)
