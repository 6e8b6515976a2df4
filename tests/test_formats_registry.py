"""What every format promises in its FORMAT, of all that there are: a new file in datasets/formats is held to it too."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from veristem.datasets import CurveSet, DislocationNetwork, InputError, ParticleDispersion, PointSet, Volume
from veristem.datasets.formats import formats, read, suffixes, write

LINE = np.array([[0.0, 10.0, 20.0], [100.0, 30.0, 40.0], [150.0, 35.0, 40.0]])
SAMPLES = {
    DislocationNetwork: DislocationNetwork.from_polyline(LINE, np.array([0.25, 0.0, 0.0])),
    CurveSet: CurveSet((LINE,)),
    ParticleDispersion: ParticleDispersion(LINE, [2.0, 2.5, 3.0], [152.0, 37.5, 43.0]),
    PointSet: PointSet(LINE),
    Volume: Volume(np.arange(24.0).reshape(2, 3, 4), 2.0, np.array([0.0, -4.0, 10.0])),
}
BOTH = [(f, kind) for f in formats() if f.read and f.write for kind in SAMPLES if kind in f.reads and kind in f.writes]
OPTIONS = {"burgers_magnitude_nm": 0.25}
EACH = pytest.mark.parametrize("one", formats(), ids=lambda f: f"{f.suffix}-{(f.reads or f.writes)[0].__name__}")


@EACH
def test_a_format_tells_what_it_can(one):
    """The functions and the types go together, and messages name the suffix."""
    assert one.suffix.startswith(".")
    assert one.suffix == one.suffix.lower()
    assert bool(one.reads) == (one.read is not None)
    assert bool(one.writes) == (one.write is not None)
    assert one.reads or one.writes
    assert all(one.suffix in suffixes(kind) for kind in one.reads)
    assert all(one.suffix in suffixes(kind, to="write") for kind in one.writes)


@pytest.mark.parametrize(("one", "kind"), BOTH, ids=[f"{f.suffix}-{kind.__name__}" for f, kind in BOTH])
def test_what_is_written_reads_back(one, kind, tmp_path):
    """The same numbers, nothing half-written beside."""
    path = tmp_path / f"a{one.suffix}"
    write(path, SAMPLES[kind], **OPTIONS)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    found = read(path, kind, **OPTIONS)
    assert type(found) is kind
    for field in fields(kind)[
        :2
    ]:  # nodes and segments, curves, centres and radii; what else there is differs by format
        for a, b in zip(*(np.atleast_1d(getattr(of, field.name)) for of in (found, SAMPLES[kind])), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


@EACH
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 500, b"1 2\n3 4 5 nan\n", b"{" * 5000])
def test_what_is_none_is_one_line(one, content, tmp_path):
    """Whatever the bytes: the file is named, and there is no traceback."""
    path = tmp_path / f"a{one.suffix}"
    path.write_bytes(content)
    for kind in one.reads:
        with pytest.raises(InputError) as error:
            read(path, kind, **OPTIONS)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
