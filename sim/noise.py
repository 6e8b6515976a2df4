"""What a detector makes of the electrons that fall on it."""

from __future__ import annotations

import numpy as np

from veristem.datasets.microscope import Response

ELEMENTARY_CHARGE_C = 1.602176634e-19


def electrons_per_pixel(current_nA: float, dwell_us: float) -> float:
    """Electrons that fall on the specimen in one dwell time, N = I tau / e."""
    return current_nA * 1e-9 * dwell_us * 1e-6 / ELEMENTARY_CHARGE_C


def detect(
    expected: np.ndarray, response: Response, rng: np.random.Generator, member: np.ndarray | None = None
) -> np.ndarray:
    """Signal (V, Y, X) float32 of the expected electrons, each scan row of each view from its own stream.

    A row's signal depends on nothing but the generator, the view and the row: not on chunks, threads or other rows. A
    counting detector gives whole counts, of which there are ``dqe`` an electron; an integrating one gives electrons,
    below 0 where readout noise brings it there and no converter of so many bits cuts it.

    Parameters
    ----------
    expected : (V, Y, X) float
        Expected electrons of the views, or (P, Y, X) of the parts of the detector that they are made of.
    response : Response
        Of the detector.
    rng : numpy.random.Generator
        Of all noise.
    member : (V, P) bool, optional
        Which parts make up each view: an electron on a part counts, with one pulse, in every view that has it; what is
        read out is each view's own.
    """
    drawn = np.empty(expected.shape, np.float32 if member is None else float)
    for number, own in enumerate(rng.spawn(expected.shape[0])):
        for row, row_rng in enumerate(own.spawn(expected.shape[1])):
            pulses = _pulses(expected[number, row], response, row_rng)
            drawn[number, row] = _read_out(pulses, response, row_rng) if member is None else pulses
    if member is None:
        return drawn
    signal = np.tensordot(member.astype(float), drawn, 1)
    for view, own in enumerate(rng.spawn(len(member))):
        for row, row_rng in enumerate(own.spawn(expected.shape[1])):
            signal[view, row] = _read_out(signal[view, row], response, row_rng)
    return signal.astype(np.float32)


def _pulses(expected: np.ndarray, response: Response, rng: np.random.Generator) -> np.ndarray:
    """What the electrons leave in the detector."""
    counting = response.mode == "counting"
    # of Poisson's events with a probability each, what remains is Poisson's again
    signal = rng.poisson(expected * response.dqe if counting else expected).astype(float)
    if not counting and response.dqe < 1:  # n pulses whose heights vary have a variance of n (1 / dqe - 1) more
        signal += np.sqrt(signal * (1 / response.dqe - 1)) * rng.normal(size=signal.shape)
    return signal


def _read_out(signal: np.ndarray, response: Response, rng: np.random.Generator) -> np.ndarray:
    """What the detector's electronics make of pulses."""
    if response.readout_electrons:
        signal = signal + response.readout_electrons * rng.normal(size=signal.shape)
    highest = np.inf if response.saturation_electrons is None else response.saturation_electrons
    if response.mode == "counting":
        if response.bits is not None:
            highest = min(highest, 2.0**response.bits - 1)
        return np.clip(np.rint(signal), 0, np.floor(highest) if np.isfinite(highest) else None)
    if response.bits is None:
        return np.minimum(signal, highest)
    step = highest / (2**response.bits - 1)
    return step * np.rint(np.clip(signal, 0, highest) / step)


def mean_and_variance(expected: np.ndarray, response: Response) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the signal of expected electrons, saturation and the steps of a converter left out."""
    readout = response.readout_electrons**2
    if response.mode == "counting":
        return response.dqe * expected, response.dqe * expected + readout
    return expected, expected / response.dqe + readout
