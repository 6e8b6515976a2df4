"""Detectors: counts, efficiency, readout, saturation (check 12), each within three standard deviations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import InputError
from veristem.datasets.microscope import Response
from veristem.datasets.recipe import load_recipe
from veristem.sim.noise import detect, electrons_per_pixel, mean_and_variance

ELECTRONS = 40.0
MANY = np.full((1, 200, 500), ELECTRONS)


def read(**keys) -> np.ndarray:
    """What 100 000 pixels give that 40 electrons each are expected on."""
    return detect(MANY, Response(**keys), np.random.default_rng(3)).astype(float).ravel()


def check(signal, mean, variance, kurtosis=0.0):
    """Mean and variance of a sample within three standard deviations of theirs."""
    assert abs(signal.mean() - mean) < 3 * np.sqrt(variance / signal.size)
    assert abs(signal.var() - variance) < 3 * variance * np.sqrt((2 + kurtosis) / signal.size)


@pytest.mark.parametrize("dqe", [1.0, 0.6, 0.2])
@pytest.mark.parametrize("mode", ["counting", "integrating"])
@pytest.mark.parametrize("readout", [0.0, 3.0])
def test_mean_and_variance(mode, dqe, readout):
    """Thinned counts are Poisson's; pulses of different height add to the variance what makes the efficiency."""
    response = {"mode": mode, "dqe": dqe, "readout_electrons": readout, "saturation_electrons": 1e4}
    signal = read(**response)
    mean, variance = mean_and_variance(np.array(ELECTRONS), Response(**response))
    rounding = 1 / 12 if mode == "counting" and readout else 0.0
    cut = mode == "counting" and readout and dqe == 0.2  # below 0: a little of 8 +- 4
    if not cut:
        check(signal, mean, variance + rounding, kurtosis=0.1)
    efficiency = (signal.mean() ** 2 / signal.var()) / ELECTRONS  # SNR² out over SNR² in
    if not readout:
        assert efficiency == pytest.approx(dqe, rel=0.03)


def test_dose_is_that_of_the_current():
    """0.1 nA for 10 µs are 6242 electrons."""
    assert electrons_per_pixel(0.1, 10.0) == pytest.approx(6241.5, abs=0.1)


@pytest.mark.parametrize("bits", [1, 4, 6, 12])
def test_counters_hold_two_to_their_bits_less_one(bits):
    """A counter of 6 bits stops at 63; what lies below is as without it."""
    free, full = read(), read(bits=bits)
    np.testing.assert_array_equal(full, np.minimum(free, 2**bits - 1))


def test_a_converter_has_steps():
    """An integrating detector of 4 bits up to 60 electrons gives multiples of 4, the nearest."""
    free, stepped = (
        read(mode="integrating", dqe=0.5),
        read(mode="integrating", dqe=0.5, bits=4, saturation_electrons=60),
    )
    np.testing.assert_allclose(stepped, 4 * np.rint(np.clip(free, 0, 60) / 4), atol=1e-4)
    assert read(mode="integrating", saturation_electrons=42.5).max() == 42.5
    assert read(saturation_electrons=42.5).max() == 42


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.floats(0.05, 1), st.floats(0, 20), st.integers(0, 2**31))
def test_counts_are_whole_and_in_range(bits, dqe, readout, seed):
    """Whatever the noise, a counter holds a whole number from 0 to its last."""
    response = Response(bits=bits, dqe=dqe, readout_electrons=readout)
    signal = detect(np.full((1, 4, 50), 30.0), response, np.random.default_rng(seed))
    assert ((signal >= 0) & (signal <= 2**bits - 1) & (signal == np.rint(signal))).all()


def test_rows_have_streams_of_their_own():
    """What one row reads does not depend on what falls on others, nor on how many there are."""
    response = Response(mode="integrating", dqe=0.5, readout_electrons=1.0)
    some = detect(np.full((2, 3, 40), 9.0), response, np.random.default_rng(1))
    changed = np.full((2, 5, 40), 9.0)
    changed[:, 0] = 900.0
    np.testing.assert_array_equal(detect(changed, response, np.random.default_rng(1))[:, 1:3], some[:, 1:])


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"dqe": 0.0}, "dqe"),
        ({"dqe": 1.2}, "dqe"),
        ({"bits": 0}, "bits"),
        ({"readout_electrons": -1.0}, "readout_electrons"),
        ({"saturation_electrons": float("nan")}, "saturation_electrons"),
        ({"mode": "integrating", "bits": 8}, "saturation_electrons"),
        ({"gain": 3.0}, "gain"),
    ],
)
def test_bad_keys_are_one_line(values, text):
    """What was found and what is allowed, with the key."""
    with pytest.raises(InputError, match=text) as error:
        load_recipe("cantor-small").with_values({"microscope.response": values})
    assert "\n" not in str(error.value)
