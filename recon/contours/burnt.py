"""Scale bars that were burnt into an image: found by what no specimen shows, and taken out before lines are sought.

A bar, or the field it stands on, is a rectangle along the rows, all of one grey, the brightest or darkest there is.
Text of the same grey beside it goes with it. Both views of a pair have it at the same place, where it would be matched
as a line in the plane of focus.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_SMALLEST_PX = (2, 12)  # rows and columns of a bar
_MOST = 0.1  # share of pixels of that grey beside bars: at few counts any may be 0, and rectangles come by chance
_LARGEST = 0.25  # share of the image that a field may take
_FILLED = 0.95  # share of the box around it that a bar fills, what is written on it included
_BESIDE = 0.3  # of the length of a bar: how far above and below it text may reach
_LETTER_PX = 8  # pixels of a part of a letter; clipped noise makes smaller ones
_RIM_PX = 3.0  # about what is drawn, which was smoothed into its surroundings
_FILL_PX = (20.0, 10.0, 5.0, 3.0)  # standard deviations over which the surroundings are averaged in turn


def without_bars(view: np.ndarray) -> np.ndarray:
    """A view (Y, X) with bars and their text replaced by the grey around them; the view itself where there are none."""
    drawn = bars_in(view)
    if not drawn.any():
        return view
    hidden = ndimage.distance_transform_edt(~drawn) <= _RIM_PX
    filled = np.where(hidden, np.median(view[~hidden]), view)
    for reach in _FILL_PX:  # ever nearer, so that no step is left at the edge, nor within
        filled = np.where(hidden, ndimage.gaussian_filter(filled, reach), view)
    return filled.astype(np.float32)


def bars_in(view: np.ndarray) -> np.ndarray:
    """(Y, X) bool: bars, the fields that they stand on and their text."""
    found = np.zeros(view.shape, bool)
    for grey in (view.max(), view.min()):
        same = view == grey
        blocks = ndimage.binary_opening(same, np.ones(_SMALLEST_PX, bool))  # without clipped noise
        if (same & ~blocks).sum() > _MOST * view.size:
            continue
        solid, _ = ndimage.label(blocks)
        beside = []
        for number, box in enumerate(ndimage.find_objects(solid), 1):
            rows, columns = (part.stop - part.start for part in box)
            if rows * columns > _LARGEST * view.size or found[box].all():
                continue
            if ndimage.binary_fill_holes(solid[box] == number).sum() >= _FILLED * rows * columns:
                found[box] = True
                reach = round(_BESIDE * columns)
                beside.append(tuple(slice(max(part.start - reach, 0), part.stop + reach) for part in box))
        for place in beside:
            letters, _ = ndimage.label(same[place], np.ones((3, 3)))
            small = np.bincount(letters.ravel()) < _LETTER_PX
            found[place] |= (letters > 0) & ~small[letters]
    return found
