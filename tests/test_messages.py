"""Messages to and from methods in a process of their own: the same on the other side, and nothing but numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from veristem.datasets.intermediate import Contours
from veristem.recon.messages import packed, unpacked

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NESTED = st.recursive(PLAIN, lambda part: st.lists(part) | st.tuples(part, part) | st.dictionaries(st.text(), part))


@given(NESTED)
def test_plain_values_come_back(value):
    """Whatever is nested in what; lists stay lists, tuples tuples."""
    assert unpacked(packed(value)) == value


@given(
    arrays(st.sampled_from([np.float64, np.float32, np.int64, np.uint8, bool]), array_shapes(min_dims=0, max_dims=3))
)
def test_arrays_come_back(array):
    """To the last bit, NaN included, with their type."""
    found = unpacked(packed([array, {"b": array}]))
    for one in (found[0], found[1]["b"]):
        assert one.dtype == array.dtype
        np.testing.assert_array_equal(one, array)


def test_what_passes_between_stages_comes_back(acquisition):
    """An acquisition with its regions, and contours."""
    curves = ((np.arange(6.0).reshape(3, 2),), ())
    images, contours = unpacked(packed((acquisition, Contours(curves, ((np.ones(3),), ())))))
    assert images.id == acquisition.id
    assert images.regions == acquisition.regions
    np.testing.assert_array_equal(images.views, acquisition.views)
    np.testing.assert_array_equal(contours.curves_nm[0][0], curves[0][0])


def test_nothing_else_passes():
    """No object on the way out, none on the way in; an array of objects would need code to be read."""
    for value in (object(), np.array([object()]), open):
        with pytest.raises((TypeError, ValueError)):
            packed(value)
    for content in ({"table": "Path", "of": []}, {"exec": []}, {"array": 0}):
        text = json.dumps(content).encode()
        with pytest.raises((KeyError, IndexError)):
            unpacked(len(text).to_bytes(8, "little") + text)
