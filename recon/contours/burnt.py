"""Scale bars that were burnt into an image: found by what no specimen shows, and taken out before lines are sought.

A bar, or the field it stands on, is a rectangle along the rows, all of one grey, the brightest or darkest there is.
Text of the same grey beside it goes with it. Both views of a pair have it at the same place, where it would be matched
as a line in the plane of focus.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_ROWS_PX, _COLUMNS_PX, _SHARE = 2, 24, 0.05  # the smallest bar: at least that share of the image wide
_MOST = 0.1  # share of pixels of that grey beside bars: at few counts any may be 0, and rectangles come by chance
_LARGEST = 0.25  # share of the image that a field may take
_FILLED = 0.95  # share of the box around it that a bar fills, what is written on it included
_RAGGED = 0.1  # share of the pixels next to a bar that may have its grey by chance
_STEP = 0.4  # of the way to the middle grey that is made in the pixel next to it
_BESIDE = 0.3  # of the length of a bar: how far above and below it text may reach
_LETTER_PX = 8  # pixels of a part of a letter; clipped noise makes smaller ones
_RIM_PX = 3.0  # about what is drawn, which was smoothed into its surroundings
_FILL_PX = (20.0, 10.0, 5.0, 3.0)  # standard deviations over which the surroundings are averaged in turn


def without_bars(view: np.ndarray) -> np.ndarray:
    """A view (Y, X) with bars and their text replaced by the grey around them; the view itself where there are none."""
    drawn = bars_in(view)
    if not drawn.any():
        return view
    hidden = np.asarray(ndimage.distance_transform_edt(~drawn)) <= _RIM_PX
    filled = np.where(hidden, np.median(view[~hidden]), view)
    for reach in _FILL_PX:  # ever nearer, so that no step is left at the edge, nor within
        filled = np.where(hidden, ndimage.gaussian_filter(filled, reach), view)
    return filled.astype(np.float32)


def bars_in(view: np.ndarray) -> np.ndarray:
    """(Y, X) bool: bars, the fields that they stand on and their text."""
    from skimage.measure import label

    found = np.zeros(view.shape, bool)
    middle = np.median(view)
    smallest = np.ones((_ROWS_PX, max(_COLUMNS_PX, round(_SHARE * view.shape[1]))), bool)
    for grey in (view.max(), view.min()):
        same = view == grey
        runs = np.asarray(ndimage.binary_opening(same, smallest), bool)
        blocks = np.asarray(ndimage.binary_opening(same, np.ones((3, 3), bool)), bool)
        if not runs.any() or (same & ~blocks).sum() > _MOST * view.size:
            continue
        beside = []
        for solid in (blocks, runs):  # fields, in which text parts runs; and bars, without clipped noise beside them
            labels = np.asarray(label(solid, connectivity=1))
            boxes = ndimage.find_objects(labels)
            for box in (boxes[number - 1] for number in np.unique(labels[runs]) if number):
                rows, columns = (part.stop - part.start for part in box)
                if rows * columns > _LARGEST * view.size or found[box].all():
                    continue
                full = np.mean(np.asarray(ndimage.binary_fill_holes(same[box]))) >= _FILLED
                if full and _sharp(view, box, grey, middle):
                    found[box] = True
                    reach = round(_BESIDE * columns)
                    beside.append(tuple(slice(max(part.start - reach, 0), part.stop + reach) for part in box))
        for place in beside:
            letters = np.asarray(label(same[place], connectivity=2))
            small = np.bincount(letters.ravel()) < _LETTER_PX
            found[place] |= (letters > 0) & ~small[letters]
    return found


def _sharp(view: np.ndarray, box: tuple[slice, slice], grey: float, middle: float) -> bool:
    """Whether a rectangle ends at once, as lines that were clipped do not: they are ragged and fade."""
    next_to = _around(view, box)
    return (next_to == grey).mean() <= _RAGGED and np.median(np.abs(next_to - grey)) >= _STEP * abs(middle - grey)


def _around(view: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """The pixels next to a box, within the image."""
    ring = np.zeros(view.shape, bool)
    ring[tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)] = True
    ring[box] = False
    return view[ring]
