"""Scans as HyperSpy's .zspy: parts of an array in chunks are NumPy's, and both programs open each other's files."""

from __future__ import annotations

import json
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError
from veristem.datasets.formats.chunked import Chunked
from veristem.datasets.formats.scans import read_scan
from veristem.datasets.formats.zspy import ScanWriter

AXES = [
    {"name": name, "units": unit, "scale": 1.5 if i < 2 else 0.25 * i, "offset": -1.0, "size": size, "navigate": i < 2}
    for i, (name, unit, size) in enumerate(zip(("y", "x", "ty", "tx"), ("nm", "nm", "mrad", "mrad"), (3, 7, 6, 5)))
]
METADATA = {
    "General": {"title": ""},
    "Signal": {"signal_type": "electron_diffraction"},
    "Acquisition_instrument": {"TEM": {"beam_energy": 200.0, "convergence_angle": 24.0}},
    "VeriSTEM": {"g": [0, 0, 2], "zone_axis": [1.0, 1.0, 0.0], "dqe": 0.9, "material": "Al"},
}


@pytest.fixture
def counts() -> np.ndarray:
    """Of 3 x 7 patterns of 6 x 5 pixels, of two bytes."""
    return np.random.default_rng(0).integers(0, 2**16, (3, 7, 6, 5)).astype(np.uint16)


@st.composite
def asked(draw):
    """An array, its chunks, the order in them, and integers, slices and dots for it."""
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    chunks = [draw(st.integers(1, 10)) for _ in shape]
    parts = [draw(st.integers(-n, n - 1) | st.slices(n).filter(lambda s: (s.step or 1) > 0)) for n in shape]
    left = draw(st.integers(0, len(shape)))
    if draw(st.booleans()):
        parts = [*parts[:left], ..., *parts[draw(st.integers(left, len(shape))) :]]
    return shape, chunks, draw(st.sampled_from("CF")), tuple(parts[:left] if ... not in parts else parts)


@settings(max_examples=300, deadline=None)
@given(asked())
def test_parts_of_an_array_in_chunks_are_those_of_numpy(case):
    """Whatever is asked, and however the chunks lie to it."""
    shape, chunks, order, parts = case
    whole = np.arange(np.prod(shape), dtype="<u2").reshape(shape)
    files = {}
    for index in product(*(range(-(-n // size)) for n, size in zip(shape, chunks))):
        chunk = np.full(chunks, 9999, "<u2")  # chunks at the edge are whole ones too
        part = whole[tuple(slice(i * size, (i + 1) * size) for i, size in zip(index, chunks))]
        chunk[tuple(map(slice, part.shape))] = part
        files["a/" + ".".join(map(str, index))] = chunk.tobytes(order)
    data = Chunked(files.__getitem__, "a", tuple(shape), tuple(chunks), whole.dtype, order, ".", bytes)
    np.testing.assert_array_equal(data[parts], whole[parts])


def test_a_place_that_is_not_there(counts):
    """As of NumPy; and no chunk is read for it."""
    data = Chunked(lambda name: pytest.fail(name), "a", counts.shape, (1, 7, 6, 5), counts.dtype, "C", ".", bytes)
    for part in (3, slice(None, None, -1), (0, 0, 0, 0, 0)):
        with pytest.raises((IndexError, ValueError)):
            data[part]
    assert data[1:1].shape == (0, 7, 6, 5)


def made(path, counts, columns=3) -> None:
    """A scan of ours; the last chunk of each row is not full."""
    writer = ScanWriter(path, counts.shape, counts.dtype, AXES, METADATA, "key", columns)
    for row, part in writer.parts():
        writer.write(row, part, counts[row, part])
    writer.finish()


def test_rosettasciio_opens_ours(tmp_path, counts):
    """With axes, metadata and every count, also by the metadata that are put together in one file."""
    zarr = pytest.importorskip("zarr")
    from rsciio.zspy import file_reader

    made(tmp_path / "scan.zspy", counts)
    (signal,) = file_reader(str(tmp_path / "scan.zspy"))
    np.testing.assert_array_equal(signal["data"], counts)
    assert signal["axes"] == AXES
    assert signal["metadata"] == METADATA
    assert signal["attributes"]["ragged"] is False
    data = zarr.open_consolidated(str(tmp_path / "scan.zspy"), mode="r")["Experiments/__unnamed__/data"]
    np.testing.assert_array_equal(data[2], counts[2])


@pytest.mark.parametrize("store", ["local", "zip"])
@pytest.mark.parametrize("codec", [None, "zlib", "gzip", "bz2", "lz4", "zstd"])
def test_we_open_what_rosettasciio_writes(tmp_path, counts, store, codec):
    """A folder or a zip, by each codec that it may choose."""
    pytest.importorskip("zarr")
    from numcodecs import get_codec
    from rsciio.zspy import file_writer

    signal = {key: {} for key in ("original_metadata", "learning_results", "models", "package_info")}
    signal |= {"data": counts, "axes": AXES, "metadata": METADATA, "attributes": {"_lazy": False, "ragged": False}}
    path = tmp_path / "scan.zspy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file_writer(
            str(path), signal, chunks=(2, 3, 6, 5), store_type=store, compressor=codec and get_codec({"id": codec})
        )
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.data[...], counts)
    assert (scan.energy_keV, scan.convergence_rad) == (200.0, 0.024)
    assert scan.nominal == METADATA["VeriSTEM"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"compressor": {"id": "zlib", "wings": 2}}, "no description of an array"),
        ({"dtype": "|O"}, "no description of an array"),
        ({"dtype": [["a", "<u2"]]}, "no description of an array"),
        ({"chunks": [1, 3, 6]}, "no description of an array"),
        ({"chunks": [1, 0, 6, 5]}, "no description of an array"),
        ({"order": "K"}, "no description of an array"),
        ({"dimension_separator": "/../"}, "no description of an array"),
        ({"dimension_separator": "/"}, "9 of 9 chunks missing"),
        ({"filters": [{"id": "delta"}]}, "codec 'delta' found as a filter"),
    ],
)
def test_what_the_data_are_said_to_be(tmp_path, counts, change, message):
    """Settings that a codec does not have, other programs' types and paths that lead out: one line."""
    made(tmp_path / "scan.zspy", counts)
    place = tmp_path / "scan.zspy/Experiments/__unnamed__/data/.zarray"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    with pytest.raises(InputError, match=message) as told:
        read_scan(tmp_path / "scan.zspy")
    assert "\n" not in str(told.value)
