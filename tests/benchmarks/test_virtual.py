"""How fast views come from a 4D scan: `pytest tests/benchmarks --benchmark-only`. Rates are told, none is asserted.

One HDF5 file of (64, 256, 256, 256) counts of 16 bits, 2.1 GB, read once from the cache of the disk: by h5py, summed
over eight discs of 20 pixels here and, where it is installed, by LiberTEM. The floor is memory: what is not in a mask
need not be read. On two cores of an EPYC (Zen 3) 8.6 GB were read at 9.6 GB/s, eight discs came at 16.5 GB/s,
1.7 times that, as they hold a seventh of the pixels; eight masks that fill the detector at 7.6 GB/s; LiberTEM 0.16
made the same images at 1.5 GB/s.
"""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from veristem.datasets.formats.scans import read_scan
from veristem.recon.masks import virtual_images

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, warmup_iterations=1, min_rounds=3)
SHAPE = (64, 256, 256, 256)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The scan, and its size in GB."""
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    rng = np.random.default_rng(0)
    row = rng.poisson(1.0, SHAPE[1:]).astype(np.uint16)
    with h5py.File(path, "w") as scan:
        data = scan.create_dataset("data", SHAPE, np.uint16)
        for j in range(SHAPE[0]):
            data[j] = row
    return path, path.stat().st_size / 1e9


def discs() -> np.ndarray:
    """Eight discs on a ring."""
    at = np.arange(256) - 127.5
    angles = np.arange(8) * np.pi / 4
    return np.array([np.hypot(at - 40 * np.cos(a), at[:, None] - 40 * np.sin(a)) < 20 for a in angles])


def told(benchmark, gigabytes: float) -> None:
    """Add the rate of the fastest round."""
    benchmark.extra_info["GB_per_s"] = round(gigabytes / benchmark.stats.stats.min, 2)


def test_reading(benchmark, file):
    """Once, a row of the scan at a time, into memory that is there."""
    buffer = np.empty((1, *SHAPE[1:]), np.uint16)

    def read():
        with h5py.File(file[0]) as scan:
            for j in range(SHAPE[0]):
                scan["data"].read_direct(buffer, np.s_[j : j + 1])

    benchmark(read)
    told(benchmark, file[1])


def test_eight_discs(benchmark, file):
    """In one pass."""
    benchmark(virtual_images, read_scan(file[0]), discs())
    told(benchmark, file[1])


def test_eight_discs_by_libertem(benchmark, file):
    """The same images."""
    api = pytest.importorskip("libertem.api")
    with api.Context() as context:
        scan = context.load("hdf5", path=str(file[0]), ds_path="data")
        masks = discs()
        analysis = context.create_mask_analysis(dataset=scan, factories=lambda: masks.astype(np.float32), mask_count=8)
        found = benchmark(context.run, analysis)
    told(benchmark, file[1])
    theirs = np.array([found[n].raw_data for n in range(8)])
    np.testing.assert_array_equal(theirs.real, virtual_images(read_scan(file[0]), masks))
