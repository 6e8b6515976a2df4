"""Ways in which masks and disparities are made worse, as in `curves`: from what is good, a strength and a generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curves import Curves, Degradation, bridged, broken, removed, spurious
from scene import FIELD_NM, THICKNESS_NM
from veristem.bench.metrics.disparity_pair import draw_disparity
from veristem.bench.metrics.mask_pair import draw

PIXEL_NM = 1.0
SHAPE = (round(FIELD_NM / PIXEL_NM), round(FIELD_NM / PIXEL_NM))
PARALLAX = 2 * np.tan(np.radians(4.0))  # of a pair 8 degrees apart


def mask_of(lines: Curves) -> np.ndarray:
    """The lines as seen from above, (Y, X) bool."""
    return draw([line[:, :2] for line in lines], SHAPE, PIXEL_NM)


def disparity_of(lines: Curves) -> np.ndarray:
    """Disparity (Y, X) of the lines in a pair 8 degrees apart [px], on the pixels that they pass as seen from above."""
    depths = [(line[:, 2] - THICKNESS_NM / 2) * PARALLAX for line in lines]
    return draw_disparity([line[:, :2] for line in lines], depths, SHAPE, PIXEL_NM)


def _moved(image: np.ndarray, strength: float, nothing) -> np.ndarray:
    moved = np.full_like(image, nothing)
    moved[:, int(strength) :] = image[:, : image.shape[1] - int(strength)]
    return moved


def _thick(lines: Curves, strength: float, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask_of(lines))) <= strength


def _speckled(lines: Curves, strength: float, rng: np.random.Generator) -> np.ndarray:
    mask = mask_of(lines)
    return mask | (rng.random(SHAPE) < strength * mask.mean())


def _blocks(lines: Curves, strength: float, rng: np.random.Generator) -> np.ndarray:
    side = int(strength)
    coarse = mask_of(lines).reshape(SHAPE[0] // side, side, SHAPE[1] // side, side).any(axis=(1, 3))
    return coarse.repeat(side, axis=0).repeat(side, axis=1)


def _drawn(way: Callable) -> Callable:
    return lambda lines, strength, rng: mask_of(way(lines, strength, rng))


MASKS = {
    "shift x": Degradation(
        "moved along x", (1, 2, 4, 8), "px", lambda lines, strength, rng: _moved(mask_of(lines), strength, False)
    ),
    "thick": Degradation("lines wider on both sides", (1, 2, 4, 8), "px", _thick),
    "blocks": Degradation("drawn on a coarser grid", (2, 4, 8, 16), "px", _blocks),
    "removed": Degradation("whole lines left out, share of length", (0.1, 0.2, 0.4, 0.8), "", _drawn(removed)),
    "broken": Degradation("gaps of 15 nm, a micrometre of line", (1, 2, 5, 10), "µm⁻¹", _drawn(broken)),
    "spurious": Degradation("straight lines of 80 nm added, share", (0.1, 0.2, 0.5, 1), "", _drawn(spurious)),
    "speckle": Degradation("single pixels added, share of the area", (0.1, 0.2, 0.5, 1), "", _speckled),
    "bridges": Degradation("false links between lines", (2, 5, 10, 20), "", _drawn(bridged)),
}


def _outliers(lines: Curves, strength: float, rng: np.random.Generator) -> np.ndarray:
    disparity = disparity_of(lines)
    most = THICKNESS_NM / 2 * PARALLAX / PIXEL_NM
    hit, anywhere = rng.random(SHAPE) < strength, rng.uniform(-most, most, SHAPE)
    return np.where(np.isfinite(disparity) & hit, anywhere, disparity)


DISPARITY = {
    "offset": Degradation(
        "all disparities too large", (0.5, 1.5, 4, 8), "px", lambda lines, strength, rng: disparity_of(lines) + strength
    ),
    "noise": Degradation(
        "noise of each pixel, rms",
        (0.5, 1, 2, 4),
        "px",
        lambda lines, strength, rng: disparity_of(lines) + strength * rng.normal(size=SHAPE),
    ),
    "rounded": Degradation(
        "rounded to multiples",
        (1, 2, 4, 8),
        "px",
        lambda lines, strength, rng: strength * np.round(disparity_of(lines) / strength),
    ),
    "outliers": Degradation("share of pixels with any disparity", (0.05, 0.1, 0.2, 0.4), "", _outliers),
    "removed": Degradation(
        "whole lines left out, share of length",
        (0.1, 0.2, 0.4, 0.8),
        "",
        lambda lines, strength, rng: disparity_of(removed(lines, strength, rng)),
    ),
    "shift x": Degradation(
        "contours moved along x",
        (1, 2, 4, 8),
        "px",
        lambda lines, strength, rng: _moved(disparity_of(lines), strength, np.nan),
    ),
}
