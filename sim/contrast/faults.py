"""Places along a ray where the crystal is not the same above and below: planar faults, and the exit face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from veristem.datasets.errors import InputError


class Fault(NamedTuple):
    """A planar fault as rays see it (Whelan & Hirsch, Phil. Mag. 2 (1957) 1121).

    Parameters
    ----------
    depth_slices : (...) float
        Slices that the ray of a pixel passes before the fault; NaN, inf or a depth outside the crystal where it does
        not cross it.
    phase : float
        g . R_F in turns, R_F the shift of the exit side less that of the entrance side: phi_g gains
        exp(2 pi i phase) below the fault, beam n of a row n times that.
    """

    depth_slices: np.ndarray
    phase: float


class Events(NamedTuple):
    """Faults and exits in the order in which blocks of pixels meet them.

    Parameters
    ----------
    first : (blocks + 1,) int
        Those of a block are ``first[block]`` up to ``first[block + 1]``, by slice, lane and depth.
    slice, lane : (events,) int
        Where: slice of the foil, pixel of the block.
    fraction : (events,) float
        Part of the slice that lies above.
    turns : (events,) float
        Phase of a fault, in -0.5 ... 0.5; NaN for an exit.
    """

    first: np.ndarray
    slice: np.ndarray
    lane: np.ndarray
    fraction: np.ndarray
    turns: np.ndarray


def pixel_exit(exit_slices, shape: tuple[int, ...], slices: int) -> np.ndarray:
    """``exit_slices`` for each pixel of ``shape``.

    Raises
    ------
    InputError
        For another shape, and for depths outside the foil.
    """
    depth = _per_pixel("exit_slices", exit_slices, shape)
    outside = ~((depth >= 0) & (depth <= slices))
    if outside.any():
        raise InputError(f"exit_slices: {depth[outside].flat[0]:g} found, 0 to {slices} slices allowed")
    return depth


def pack_events(faults: Sequence[Fault], exit_slices: np.ndarray | None, shape, slices: int, lanes: int) -> Events:
    """Sort what rays meet into blocks of ``lanes`` pixels, the pixels of ``shape`` taken one after the other.

    Raises
    ------
    InputError
        For a depth of another shape than the image, and for a phase that is not a finite number.
    """
    pixels, depths, turns = [np.empty(0, int)], [np.empty(0)], [np.empty(0)]
    for fault in faults:
        if not np.isfinite(fault.phase):
            raise InputError(f"phase of a fault: {fault.phase} found, a finite number of turns allowed")
        depth = _per_pixel("depth_slices of a fault", fault.depth_slices, shape).ravel()
        pixels.append(np.flatnonzero((depth > 0) & (depth < slices)))
        depths.append(depth[pixels[-1]])
        turns.append(np.full(len(pixels[-1]), fault.phase - np.round(fault.phase)))
    if exit_slices is not None:
        pixels.append(np.arange(exit_slices.size))
        depths.append(exit_slices.ravel())
        turns.append(np.full(exit_slices.size, np.nan))
    pixel, depth, turn = (np.concatenate(parts) for parts in (pixels, depths, turns))
    above = np.where(np.isnan(turn), np.maximum(np.ceil(depth) - 1, 0), np.floor(depth)).astype(int)
    block, lane = np.divmod(pixel, lanes)
    order = np.lexsort((depth, lane, above, block))
    first = np.searchsorted(block[order], np.arange(-(-int(np.prod(shape)) // lanes) + 1))
    return Events(first, above[order], lane[order], (depth - above)[order], turn[order])


def _per_pixel(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    value = np.asarray(value, float)
    if value.shape not in ((), tuple(shape)):
        raise InputError(f"{name}: shape {value.shape} found, {tuple(shape)} allowed, one number a pixel")
    return np.broadcast_to(value, shape)
