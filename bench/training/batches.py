"""Batches of training: a piece of a view, turned, stretched, painted and counted anew, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from veristem.bench.training.foils import TrainingFoil
from veristem.bench.training.painting import painted
from veristem.recon.contours.learned import normalised

SIDE_PX = 128
CHANNELS = ("line", "line_weight", "offset_x", "offset_y", "near", "boundary", "boundary_weight")
_LINE_PX = 1.5  # a pixel this near to a line is on it
_EDGE_PX = 2.5  # up to here it is told with little weight
_NEAR_PX = 5.0  # up to here the way to the centre is told
_HIDDEN_PX = 4.0  # about lines that the reflection does not show, of which nothing is told
_WITH_LINES = 0.8  # share of pieces that are taken about a line
_DOSE = (0.5, 12.0)  # by what the electrons of a foil are multiplied
_ZOOM = (0.85, 2.6)  # how many times finer pixels are made, in half of the pieces


def batch(foils: Sequence[TrainingFoil], size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Normalised images (N, 1, S, S) and `CHANNELS` (N, 7, S, S) of what is to be told, S = `SIDE_PX`.

    Parameters
    ----------
    foils : sequence of TrainingFoil
        From which views are drawn.
    size : int
        N.
    rng : numpy.random.Generator
        Of everything.
    """
    drawn = [_piece(foils[int(rng.integers(len(foils)))], rng) for _ in range(size)]
    images, targets = (np.stack(part) for part in zip(*drawn))
    return images[:, None], targets


def _piece(foil: TrainingFoil, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    view = int(rng.integers(len(foil.views)))
    place = _placed(foil.views[view].shape, foil.visible_px[view], rng)
    size, points = (SIDE_PX, SIDE_PX), (foil.visible_px[view], foil.invisible_px[view])

    def shown(values, how: int, border: int) -> np.ndarray:
        return cv2.warpAffine(values, _of_indices(place), size, flags=how, borderMode=border)

    image = shown(foil.views[view], cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101)
    boundary = shown(foil.boundary[view].astype(np.uint8), cv2.INTER_NEAREST, cv2.BORDER_REFLECT_101)
    beyond = shown(np.ones(foil.views[view].shape, np.uint8), cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) == 0
    visible, hidden = (p @ place[:, :2].T + place[:, 2] for p in points)
    distance, offset = _nearest(visible)
    hidden_at = _nearest(hidden)[0]
    image, edges, faint = painted(np.maximum(image, 0.0), distance, rng)
    boundary, lost = boundary.astype(bool) | edges, beyond | faint
    dose = foil.electrons[view] * np.exp(rng.uniform(*np.log(_DOSE)))
    counts = stored(rng.poisson(dose * image).astype(np.float32), rng)
    wide = np.asarray(ndimage.binary_dilation(boundary), bool)
    line_weight = np.where((distance > _LINE_PX) & (distance < _EDGE_PX), 0.3, 1.0)
    line_weight[((hidden_at < _HIDDEN_PX) & (distance > _EDGE_PX)) | lost] = 0.0
    target = np.stack([
        distance < _LINE_PX, line_weight, offset[..., 0], offset[..., 1], (distance < _NEAR_PX) & ~lost, wide,
        np.where(beyond, 0.0, np.where((distance < _NEAR_PX) & ~wide, 0.3, 1.0)),
    ]).astype(np.float32)  # fmt: skip
    return _turned(normalised(counts), target, rng)


def _placed(shape: tuple[int, int], lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The map (2, 3) from places in a view to those in a piece of it: stretched and turned, mostly within the view."""
    zoom, turn = 1.0, 0.0
    if rng.uniform() < 0.5:
        zoom = float(np.exp(rng.uniform(*np.log(_ZOOM))))
    if rng.uniform() < 0.6:
        turn = float(rng.uniform(-np.pi, np.pi))
    half, size = SIDE_PX / 2 / zoom, np.array(shape[::-1])
    low, high = np.minimum(half, size / 2), np.maximum(size - half, size / 2)
    middle = rng.uniform(low, high)
    if len(lines) and rng.uniform() < _WITH_LINES:
        middle = np.clip(lines[rng.integers(len(lines))] + rng.uniform(-half / 2, half / 2, 2), low, high)
    if not turn and zoom == 1.0:
        middle = np.round(middle)  # whole pixels keep their noise-free values
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack([linear, SIDE_PX / 2 - linear @ middle])


def _of_indices(place: np.ndarray) -> np.ndarray:
    """The same map between pixels counted from their middles, as OpenCV counts them."""
    return np.column_stack([place[:, :2], place[:, 2] + place[:, :2] @ [0.5, 0.5] - 0.5])


def _nearest(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (S, S) of pixels from the nearest point, inf where all are far, and the way there (S, S, 2) [px]."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
    pixels = np.column_stack([x.ravel(), y.ravel()])
    near = points[((points > -8) & (points < SIDE_PX + 8)).all(axis=1)]
    distance, offset = np.full(len(pixels), np.inf), np.zeros((len(pixels), 2))
    if len(near):
        distance, index = (np.asarray(part) for part in KDTree(near).query(pixels, distance_upper_bound=6.0))
        found = np.isfinite(distance)
        offset[found] = near[index[found]] - pixels[found]
    return distance.reshape(SIDE_PX, SIDE_PX), offset.reshape(SIDE_PX, SIDE_PX, 2)


def stored(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts as files may hold them: blurred, with another gamma, or in 8 bit."""
    if rng.uniform() < 0.2:
        counts = cv2.GaussianBlur(counts, (0, 0), rng.uniform(0.4, 1.2))
    if rng.uniform() < 0.2:
        counts = max(float(counts.mean()), 1e-9) * (counts / max(float(counts.max()), 1e-9)) ** rng.uniform(0.5, 1.6)
    if rng.uniform() < 0.2:
        low, high = np.percentile(counts, [rng.uniform(0, 1), rng.uniform(99, 100)])
        counts = np.round(np.clip((counts - low) / max(float(high - low), 1e-9), 0, 1) * 255)
    return counts.astype(np.float32)


def _turned(image: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both mirrored and transposed, or not; ways to the centre turn with them."""
    x, y = CHANNELS.index("offset_x"), CHANNELS.index("offset_y")
    if rng.uniform() < 0.5:
        image, target = image[:, ::-1], target[:, :, ::-1].copy()
        target[x] *= -1
    if rng.uniform() < 0.5:
        image, target = image[::-1], target[:, ::-1].copy()
        target[y] *= -1
    if rng.uniform() < 0.5:
        image, target = image.T, target.transpose(0, 2, 1).copy()
        target[[x, y]] = target[[y, x]]
    return np.ascontiguousarray(image), target
