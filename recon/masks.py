"""Sums of the pixels in many masks, in one pass over a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

import numba
import numpy as np

from veristem.datasets.scan4d import Scan4D

_FULL = {2**bits - 1 for bits in (6, 8, 10, 12, 14, 16, 24, 32)}  # what counters end at


def virtual_images(
    scan: Scan4D,
    masks: np.ndarray,
    shifts_px: np.ndarray | None = None,
    progress: Callable[[Iterable, int], Iterable] = lambda rows, _: rows,
    threads: int = 2,
    broken: np.ndarray | None = None,
) -> np.ndarray:
    """Image (V, Y, X) of each mask, float64: the exact sum of its pixels, of counts up to 2^53.

    Pixels of no mask are not touched, those that masks share are summed once.

    Parameters
    ----------
    scan : Scan4D
        Read once, in parts.
    masks : (V, rows, columns) bool
        Pixels of the detector.
    shifts_px : (Y, X, 2) int, optional
        How far the masks are moved at each scan pixel, x and y, with a pattern that is not still; what leaves the
        detector is lost.
    progress : callable
        Wraps the loop over (rows, number of rows).
    threads : int
        That read and sum.
    broken : (rows, columns) bool, optional
        Pixels of the detector that no mask counts.

    Raises
    ------
    InputError
        Where the file cannot be read.
    """
    images = np.zeros((len(masks), *scan.scan_shape))
    moves = np.zeros((1, 2), int) if shifts_px is None else np.unique(shifts_px.reshape(-1, 2), axis=0)
    good = True if broken is None else ~broken
    runs = {tuple(move): _runs(moved(masks, move) & good) for move in moves.tolist()}

    def work(patterns: np.ndarray, row: int, columns: slice) -> None:
        frames = patterns.reshape(len(patterns), -1)
        if patterns.dtype.kind == "f" or patterns.dtype.itemsize > 4:
            frames = frames.astype(np.float64)
        if shifts_px is None:
            images[:, row, columns] = _summed(frames, *runs[0, 0])
            return
        here = shifts_px[row, columns]
        for move in np.unique(here, axis=0):
            same = (here == move).all(axis=1)
            images[:, row, columns][:, same] = _summed(frames[same], *runs[tuple(move.tolist())])

    for _ in progress(scan.each(work, threads=threads), scan.scan_shape[0]):
        pass
    return images


class Peaks:
    """The largest count that was seen, and where: counters are full at one value, which is then seen often."""

    def __init__(self):
        self.top = -1
        self.times: np.ndarray | int = 0
        self.patterns = 0
        self.lock = Lock()

    def add(self, patterns: np.ndarray) -> None:
        """See some patterns (F, rows, columns); from any thread."""
        top = int(patterns.max())
        times = (patterns == top).sum(axis=0)
        with self.lock:
            self.patterns += len(patterns)
            self.times = times + (self.times if top == self.top else 0) if top >= self.top else self.times
            self.top = max(top, self.top)

    def saturated(self, pixels: np.ndarray) -> float:
        """Share of some pixels (rows, columns) of all patterns that stand at a value at which counters are full."""
        if self.top not in _FULL or not pixels.any():
            return 0.0
        return float(np.asarray(self.times)[pixels].sum() / (pixels.sum() * self.patterns))


def mean_pattern(
    scan: Scan4D, every: int = 1, shifts_px: np.ndarray | None = None, peaks: Peaks | None = None
) -> np.ndarray:
    """Mean (rows, columns) of the patterns of every n-th scan row, each moved back by its shift; peaks see them all."""
    sums: dict[int, np.ndarray] = {}

    def work(patterns: np.ndarray, row: int, columns: slice) -> None:
        if peaks is not None and patterns.dtype.kind in "ui":
            peaks.add(patterns)
        if shifts_px is None:
            part = patterns.sum(axis=0, dtype=float)
        else:
            back = -shifts_px[row, columns]
            part = np.zeros(scan.shape)
            for one, (x, y) in zip(patterns, back):
                part += np.roll(one, (y, x), axis=(0, 1))
        sums[row * scan.scan_shape[1] + columns.start] = part

    count = len(list(scan.each(work, every))) * scan.scan_shape[1]
    return np.sum([sums[key] for key in sorted(sums)], axis=0) / count


def moved(masks: np.ndarray, shift_px) -> np.ndarray:
    """Masks (V, rows, columns) moved by whole pixels, x and y; nothing comes in from the other side."""
    x, y = (int(n) for n in shift_px)
    rows, columns = masks.shape[1:]
    found = np.zeros_like(masks)
    if abs(x) >= columns or abs(y) >= rows:
        return found
    found[:, max(y, 0) : rows + min(y, 0), max(x, 0) : columns + min(x, 0)] = masks[
        :, max(-y, 0) : rows - max(y, 0), max(-x, 0) : columns - max(x, 0)
    ]
    return found


def _runs(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs (N, 3) of pixels in the same masks: first, last + 1 and their set; and which sets each mask has (V, S)."""
    flat = masks.reshape(len(masks), -1)
    edges = np.flatnonzero((flat[:, 1:] != flat[:, :-1]).any(axis=0)) + 1
    first = np.concatenate([[0], edges])
    sets, which = np.unique(flat[:, first], axis=1, return_inverse=True)
    runs = np.column_stack([first, np.append(edges, flat.shape[1]), which.ravel()])
    return runs[sets[:, runs[:, 2]].any(axis=0)], sets


def _summed(frames: np.ndarray, runs: np.ndarray, sets: np.ndarray) -> np.ndarray:
    sums = np.zeros((len(frames), sets.shape[1]))
    _sum_runs(frames, runs, sums)
    return sets.astype(float) @ sums.T


@numba.njit(cache=True, nogil=True)
def _sum_runs(frames, runs, sums):
    """Add the runs of each frame (F, pixels) to the sums (F, S) of their sets."""
    for f in range(frames.shape[0]):
        frame = frames[f]
        for n in range(len(runs)):
            total = frame[0] * 0  # of a type that holds a run: numba widens integers
            for p in range(runs[n, 0], runs[n, 1]):
                total += frame[p]
            sums[f, runs[n, 2]] += total
