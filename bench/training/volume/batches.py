"""Batches of training: pieces of two views whose epipolar lines are rows, and the disparity of the lines in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

from veristem.bench.training.batches import stored
from veristem.bench.training.foils import TrainingFoil
from veristem.datasets.geometry import mapped
from veristem.recon.contours.learned import normalised
from veristem.recon.stereo.bands import evenly
from veristem.recon.stereo.matching import epipolar_axes
from veristem.recon.stereo.rows import turned
from veristem.recon.stereo.thesis import RANGE_PX

SIZE = (128, 96)  # columns and rows of a piece
TARGETS = ("disparity", "known", "line", "weight")  # [px], where it counts; line of the first view, where that counts
_LINE_PX = 1.5  # a pixel this near to a line is on it
_HIDDEN_PX = 4.0  # about lines that the reflection does not show, of which nothing is told
_STEP_PX = 0.25  # of the points along lines
_DOSE = (0.5, 12.0)  # by what the electrons of a foil are multiplied
_ZOOM = (0.8, 1.5)  # how many times finer pixels are made, in half of the pieces
_OFF_PX = 4.0  # by how much disparities are moved at most, as if the focus were elsewhere


def batch(foils: Sequence[TrainingFoil], size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Normalised views (N, 2, Y, X) and `TARGETS` (N, 4, Y/2, X/2), X and Y of `SIZE`.

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
    for _ in range(size):
        foil = foils[int(rng.integers(len(foils)))]
        zoom = float(np.exp(rng.uniform(*np.log(_ZOOM)))) if rng.uniform() < 0.5 else 1.0
        first = 2 * int(rng.integers(len(foil.views) // 2))
        drawn.append(piece(foil, first, rng, dose=float(np.exp(rng.uniform(*np.log(_DOSE)))), zoom=zoom))
    views, targets = (np.stack(part) for part in zip(*drawn))
    return views, targets


def piece(
    foil: TrainingFoil, first: int, rng: np.random.Generator, dose: float = 1.0, zoom: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Views (2, Y, X) and `TARGETS` (4, Y/2, X/2) of a piece of views ``first`` and the next, in either order.

    Both are mirrored along and across rows, or not: disparities turn with the first.
    """
    pair = (first, first + 1) if rng.uniform() < 0.5 else (first + 1, first)
    places = _places(foil, pair, rng, zoom)
    views = [_counted(foil, view, place, dose, rng) for view, place in zip(pair, places)]
    return np.stack(views), _told(foil, pair, places)


def _places(foil: TrainingFoil, pair: tuple[int, int], rng: np.random.Generator, zoom: float) -> list[np.ndarray]:
    """Maps (2, 3) from the pixels of both views to those of the piece."""
    (x, y), _ = epipolar_axes(foil.directions_rad, pair)
    mirrors = rng.choice([-1.0, 1.0], 2)
    linear = zoom * mirrors[:, None] * np.array([[x, y], [-y, x]])
    shape, lines = foil.views.shape[:0:-1], foil.visible_px[pair[0]]
    middle = lines[rng.integers(len(lines))] if len(lines) else np.array(shape) / 2
    middle = np.clip(middle + rng.uniform(-20, 20, 2) / zoom, 40 / zoom, np.array(shape) - 40 / zoom)
    offset = np.array(SIZE) / 2 - linear @ middle
    off = np.array([rng.uniform(-_OFF_PX, _OFF_PX), 0.0])
    return [np.column_stack([linear, offset]), np.column_stack([linear, offset + off])]


def _counted(foil: TrainingFoil, view: int, place: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """A view with noise, normalised and turned; or turned before it is counted, as rows may be those of the scan."""
    expected = np.maximum(foil.views[view], 0.0)
    before = rng.uniform() < 0.4
    if before:
        expected = np.maximum(_filled(expected, place), 0.0)
    image = normalised(stored(rng.poisson(dose * foil.electrons[view] * expected).astype(np.float32), rng))
    return image if before else turned(image, place, SIZE)


def _filled(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    """An image turned, with its own mean beyond it."""
    mean = np.float32(image.mean())
    return turned(image - mean, place, SIZE) + mean


def _told(foil: TrainingFoil, pair: tuple[int, int], places: list[np.ndarray]) -> np.ndarray:
    """`TARGETS` (4, Y/2, X/2): of each pixel of half the resolution what the nearest line has."""
    columns, rows = SIZE
    points = [np.zeros((0, 3))]
    for line in foil.lines_nm:
        seen = np.stack([foil.places_nm(line, view) for view in pair]) / foil.pixel_nm
        seen, _ = evenly(seen, np.zeros(len(line)), _STEP_PX)
        one, other = (mapped(curve, place) for curve, place in zip(seen, places))
        points.append(np.column_stack([one, other[:, 0] - one[:, 0]]))
    every = np.concatenate(points)
    every = every[((every[:, :2] > -4) & (every[:, :2] < np.array(SIZE) + 4)).all(axis=1)]
    hidden = mapped(foil.invisible_px[pair[0]], places[0])
    y, x = 2.0 * np.mgrid[: rows // 2, : columns // 2] + 1.0
    pixels = np.column_stack([x.ravel(), y.ravel()])
    distance, disparity = np.full(len(pixels), np.inf), np.zeros(len(pixels))
    if len(every):
        distance, index = (np.asarray(part) for part in KDTree(every[:, :2]).query(pixels))
        disparity = every[index, 2]
    to_hidden = KDTree(hidden).query(pixels)[0] if len(hidden) else np.full(len(pixels), np.inf)
    shape = np.array(foil.views.shape[:0:-1])
    back = np.linalg.inv(places[0][:, :2])
    here, there = (
        (pixels + np.column_stack([shift, 0 * shift]) - place[:, 2]) @ back.T
        for shift, place in zip((0 * disparity, disparity), places)
    )
    inside = ((here > 0) & (here < shape)).all(axis=1)
    line = distance < _LINE_PX
    known = line & inside & ((there > 0) & (there < shape)).all(axis=1) & (np.abs(disparity) <= RANGE_PX)
    counts = inside & (line | ((to_hidden > _HIDDEN_PX) & (distance > _LINE_PX + 1)))
    table = np.stack([np.where(known, disparity, 0.0), known, line, counts])
    return table.reshape(len(TARGETS), rows // 2, columns // 2).astype(np.float32)
