"""Batches of training: true lines seen in two views, moved away from where they are, and the bands along them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from veristem.bench.training.batches import stored
from veristem.bench.training.foils import TrainingFoil
from veristem.recon.contours.learned import SCALE_PX
from veristem.recon.stereo.bands import REACH, Bands, evenly, normals_of

LENGTH = 48  # vertices of a curve, and rows of its band
TARGETS = ("apart", "aside", "there", "known")  # as `bands.OUTPUTS`, in pixels; where the images tell anything at all
_STEP_NM = 2.0  # between vertices of training: a pixel of what networks see
_SHORTEST = 8  # vertices of a line that is taken
_FOILS = 8  # of a batch
_DOSE = (0.5, 12.0)  # by what the electrons of a foil are multiplied
_ASIDE, _APART = 1.1, 1.8  # standard deviation of how far a curve is off, evenly and again along it [px]
_FAR = 10.0  # how far apart it is in a part of the curves [px]
_WRONG = (14.0, 30.0)  # how far off another line is [px]
_RIM_NM = 4.0


class Seen(NamedTuple):
    """Two views of a foil with noise, and its lines in both: (2, K, 2) each [nm], vertices `_STEP_NM` apart."""

    bands: Bands
    lines: list[np.ndarray]
    size_nm: np.ndarray


def seen(foil: TrainingFoil, first: int, dose: float, rng: np.random.Generator, zoom: float = 1.0) -> Seen:
    """Views ``first`` and the next of a foil, counted with ``dose`` times its electrons."""
    pixel, pair = foil.pixel_nm, (first, first + 1)
    views = [rng.poisson(dose * foil.electrons[v] * np.maximum(foil.views[v], 0)).astype(np.float32) for v in pair]
    lines = []
    for line in foil.lines_nm:
        places = np.stack([foil.places_nm(line, view) for view in pair])
        places, _ = evenly(places, np.zeros(len(line)), _STEP_NM / zoom)
        if places.shape[1] >= _SHORTEST:
            lines.append(places)
    bands = Bands([stored(view, rng) for view in views], pixel, SCALE_PX * _STEP_NM / zoom)
    return Seen(bands, lines, np.array(foil.views.shape[:0:-1]) * pixel)


def batch(foils: Sequence[TrainingFoil], size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bands (N, 2, ACROSS, LENGTH) and `TARGETS` (N, 4, LENGTH).

    Parameters
    ----------
    foils : sequence of TrainingFoil
        From which pairs of views are drawn.
    size : int
        N.
    rng : numpy.random.Generator
        Of everything.
    """
    drawn = []
    while len(drawn) < size:
        foil = foils[int(rng.integers(len(foils)))]
        zoom = float(np.exp(rng.uniform(-0.35, 0.35))) if rng.uniform() < 0.3 else 1.0
        pair = seen(foil, 2 * int(rng.integers(len(foil.views) // 2)), np.exp(rng.uniform(*np.log(_DOSE))), rng, zoom)
        if pair.lines:
            drawn += [_turned(*moved(pair, rng), rng) for _ in range(-(-size // _FOILS))]
    bands, targets = (np.stack(part[:size]) for part in zip(*drawn[:size]))
    return np.ascontiguousarray(bands, np.float32), np.ascontiguousarray(targets, np.float32)


def moved(pair: Seen, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bands (2, ACROSS, LENGTH) along a piece of a line, off it and beyond its ends, and `TARGETS` (4, LENGTH)."""
    lengths = np.array([line.shape[1] for line in pair.lines], float)
    line = pair.lines[rng.choice(len(lengths), p=lengths / lengths.sum())]
    places, there = _piece(line, rng)
    step = pair.bands.step
    normals = normals_of(places, SCALE_PX * step)
    off, wrong = _off(rng)
    curve = places + step * off[..., None] * normals
    known = ((places > _RIM_NM) & (places < pair.size_nm - _RIM_NM)).all(axis=(0, 2))
    own = normals_of(curve, SCALE_PX * step)
    back = -off * (normals * own).sum(axis=2)
    there &= known & (np.abs(back) < REACH * SCALE_PX - 1).all(axis=0) & (not wrong)
    target = np.stack([back[1] - back[0], back.mean(axis=0), there, known])
    return pair.bands.straightened(curve, own), target


def _piece(line: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`LENGTH` vertices of a line, straight on where it ends, and which of them are on it."""
    count = line.shape[1]
    start = int(rng.integers(-LENGTH // 3, max(count - 2 * LENGTH // 3, -LENGTH // 3) + 1))
    index = np.arange(start, start + LENGTH)
    places = line[:, np.clip(index, 0, count - 1)].copy()
    chord = min(_SHORTEST, count - 1)
    before, behind = np.minimum(index, 0), np.maximum(index - count + 1, 0)
    places += before[None, :, None] * ((line[:, chord] - line[:, 0]) / chord)[:, None]
    places += behind[None, :, None] * ((line[:, -1] - line[:, -1 - chord]) / chord)[:, None]
    return places, (index >= 0) & (index < count)


def _off(rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """How far a curve is from its line in both views (2, LENGTH) [px], and whether it is not its line's at all."""

    def along() -> np.ndarray:
        length = rng.uniform(4, 20)
        noise = gaussian_filter1d(rng.normal(size=LENGTH + 120), length)[60:-60]
        return noise * np.sqrt(2 * np.sqrt(np.pi) * length)

    much = rng.uniform(0.3, 1.5)
    aside = much * _ASIDE / np.sqrt(2) * (rng.normal() + along())
    apart = much * _APART / np.sqrt(2) * (rng.normal() + along())
    if rng.uniform() < 0.25:
        apart = apart + rng.uniform(-_FAR, _FAR)
    off = np.stack([aside - apart / 2, aside + apart / 2])
    wrong = bool(rng.uniform() < 0.12)
    if wrong:
        off[1] += rng.choice([-1, 1]) * rng.uniform(*_WRONG)
        if rng.uniform() < 0.5:
            off[0] += rng.choice([-1, 1]) * rng.uniform(*_WRONG)
    return off, wrong


def _turned(bands: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both mirrored across and along, and the views swapped, or not."""
    apart, aside = TARGETS.index("apart"), TARGETS.index("aside")
    target = target.copy()
    if rng.uniform() < 0.5:
        bands = bands[:, ::-1]
        target[[apart, aside]] *= -1
    if rng.uniform() < 0.5:
        bands, target = bands[:, :, ::-1], target[:, ::-1].copy()
    if rng.uniform() < 0.5:
        bands = bands[::-1]
        target[apart] *= -1
    return bands, target
