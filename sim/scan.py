"""Errors of the scan: where the beam really was, and how strong."""

from __future__ import annotations

import numpy as np

from veristem.datasets.microscope import Scan


def displacement_nm(scan: Scan, rng: np.random.Generator) -> np.ndarray:
    """How far the specimen's point that each pixel shows lies from where it should, (2, rows, columns), x and y [nm].

    Jitter moves every row by itself. Flyback leaves the beam behind at the beginning of rows, as exp(-t).
    Drift is steady and begins with the scan; its direction is random.

    Parameters
    ----------
    scan : Scan
        Of the recipe.
    rng : numpy.random.Generator
        Of one scan: views taken at once share the result.
    """
    rows, columns = scan.shape
    jitter, azimuth = rng.normal(size=(2, rows)), rng.uniform(0, 2 * np.pi)
    found = np.repeat(scan.jitter_nm * jitter[:, :, None], columns, axis=2)
    in_row = np.arange(columns) * scan.dwell_us
    found[0] -= scan.flyback_nm * np.exp(-in_row / scan.flyback_us)
    seconds = 1e-6 * (np.arange(rows)[:, None] * columns * scan.dwell_us + in_row)
    return found + scan.drift_nm_per_s * np.array([np.cos(azimuth), np.sin(azimuth)])[:, None, None] * seconds


def relative_current(scan: Scan, current_noise: float, rng: np.random.Generator) -> np.ndarray:
    """Probe current in each pixel over its mean, (rows, columns), not below 0."""
    return np.maximum(1 + current_noise * rng.normal(size=scan.shape), 0.0)


def sampled(image: np.ndarray, rim: int, pixel_nm: float, places_nm: np.ndarray) -> np.ndarray:
    """An image at places (2, rows, columns), x and y [nm], of the field that begins ``rim`` pixels inside it."""
    from scipy.ndimage import map_coordinates

    x, y = places_nm / pixel_nm - 0.5 + rim
    return map_coordinates(image, [y, x], order=3, mode="nearest")
