"""Virtual images from a 4D scan in a file of HDF5 that the system holds in memory.

The floor is memory: what is not in a mask need not be read, in lines of the cache of 64 bytes. Where LiberTEM is
installed it makes the same images.
"""

from __future__ import annotations

import time

import h5py
import numpy as np
import pytest

from veristem.datasets.formats.scans import read_scan
from veristem.recon.masks import virtual_images

SHAPE = (64, 256, 256, 256)
CACHE_LINE = 64  # bytes
SIZE = "{} x {} patterns of {} x {} counts of 16 bits, 8 discs of 20 pixels".format(*SHAPE)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The scan."""
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as scan:
        data = scan.create_dataset("data", SHAPE, np.uint16)
        row = rng.poisson(1.0, SHAPE[1:]).astype(np.uint16)
        for j in range(SHAPE[0]):
            data[j] = np.roll(row, j, axis=0)
    return path


def discs() -> np.ndarray:
    """Eight discs on a ring."""
    at = np.arange(256) - 127.5
    angles = np.arange(8) * np.pi / 4
    return np.array([np.hypot(at - 40 * np.cos(a), at[:, None] - 40 * np.sin(a)) < 20 for a in angles])


def plain_images(path, masks: np.ndarray) -> np.ndarray:
    """Row by row, mask by mask."""
    found = np.zeros((len(masks), *SHAPE[:2]))
    with h5py.File(path) as scan:
        for j in range(SHAPE[0]):
            frames = scan["data"][j]
            for n, mask in enumerate(masks):
                found[n, j] = frames[:, mask].sum(axis=1)
    return found


def floor_s() -> tuple[float, str]:
    """Time to read the lines of the cache in which the masks have pixels."""
    numbers = np.ones(2**25, np.uint64)
    times = []
    for _ in range(5):
        start = time.process_time()
        numbers.max()
        times.append(time.process_time() - start)
    rate = numbers.nbytes / min(times)
    in_line = CACHE_LINE // 2  # counts
    touched = discs().any(axis=0).reshape(-1, in_line).any(axis=1).sum() * SHAPE[0] * SHAPE[1] * CACHE_LINE
    return touched / rate, f"{touched / 1e9:.2g} GB in lines that the discs touch, at {rate / 1e9:.2g} GB/s measured"


def test_eight_discs(compare, file):
    """In one pass."""
    masks = discs()
    found, expected = compare(
        "eight images in one pass",
        SIZE,
        lambda: virtual_images(read_scan(file), masks, threads=1),
        lambda: plain_images(file, masks),
        "NumPy, mask by mask",
        floor=floor_s(),
    )
    np.testing.assert_array_equal(found, expected)


def test_reading(alone, file):
    """A row of the scan at a time, into memory that is there: what a copy of the whole file costs."""
    buffer = np.empty((1, *SHAPE[1:]), np.uint16)

    def read():
        with h5py.File(file) as scan:
            for j in range(SHAPE[0]):
                scan["data"].read_direct(buffer, np.s_[j : j + 1])

    alone("reading the whole file by h5py", SIZE.partition(",")[0], read)


def test_eight_discs_by_libertem(alone, file):
    """The same images."""
    api = pytest.importorskip("libertem.api")
    with api.Context.make_with("inline") as context:
        scan = context.load("hdf5", path=str(file), ds_path="data")
        masks = discs()
        analysis = context.create_mask_analysis(dataset=scan, factories=lambda: masks.astype(np.float32), mask_count=8)
        found = alone("eight images by LiberTEM", SIZE, lambda: context.run(analysis))
    theirs = np.array([found[n].raw_data for n in range(8)])
    np.testing.assert_array_equal(theirs.real, virtual_images(read_scan(file), masks))
