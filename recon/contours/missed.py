"""How likely a line is missed by the learned contours, by the place in an image.

A network that is trained on pixels is unsure where it finds nothing: the share of the probability of lines that lies on
no contour, taken over a neighbourhood, orders places by what is missed there, and a logistic curve of it, fitted on
simulated foils of known truth, makes it the share of the visible length that is missed. Noise and boundaries need no
terms of their own: with them places were told no better (reports/published/contours-learned/README.md).
"""

from __future__ import annotations

import numpy as np

from veristem.recon.contours.burnt import without_bars
from veristem.recon.contours.learned import VERSION, answer, like_training, lines_in, ratio_of
from veristem.recon.trained import trained

CELL_PX = 16  # side of the areas that are told of, in pixels of the network
_NEAR_PX = 3  # of a contour: the probability there is of what was found
_REACH_CELLS = 2.0  # standard deviation of the neighbourhood
_PRIOR_PX = 2.0  # pixels of line by which the whole view counts where a neighbourhood tells nothing
# of the weights of the package: offset and slope of the logistic curve, by missed.py of that report
FIT = (2.489, 1.488)


def missed(views: np.ndarray, pixel_nm: float, scale_nm: float | None = None) -> np.ndarray:
    """Probability that a visible line which crosses a place is not among the learned contours of that view.

    It does not say that there is one. Where nothing suggests a line it is that of the whole view, and 1 or nearly so in
    a view in which nothing is found. It holds for foils as the network of the package was trained on, and of each view
    alone; in 3D a line must be found in two.

    Parameters
    ----------
    views, pixel_nm, scale_nm
        As of `learned_contours`.

    Returns
    -------
    (V, Y, X) float32
        From 0 to 1, the same within areas of `CELL_PX` pixels of the network (32 nm if lines are 6 nm half wide).
    """
    ratio = ratio_of(views.shape, pixel_nm, scale_nm)
    told = np.empty(views.shape, np.float32)
    for view, place in zip(views, told):
        image, zoom = like_training(without_bars(view), ratio)
        cells = missed_cells(answer(image))
        columns, rows = (
            np.minimum(((np.arange(n) + 0.5) * z).astype(int) // CELL_PX, limit - 1)
            for n, z, limit in zip(view.shape[::-1], zoom, cells.shape[::-1])
        )
        place[:] = cells[np.ix_(rows, columns)]
    return told


def missed_cells(outputs: np.ndarray, fit: tuple[float, float] = FIT) -> np.ndarray:
    """(Y / `CELL_PX`, X / `CELL_PX`), rounded up: the same of the answer of the network (5, Y, X) `OUTPUTS`."""
    from scipy.special import expit

    return expit(fit[0] + fit[1] * unfound(outputs))


def unfound(outputs: np.ndarray) -> np.ndarray:
    """Log-odds of the share of the probability of lines that lies on no contour, around each cell (Y, X)."""
    from scipy.ndimage import binary_dilation, gaussian_filter
    from scipy.special import expit, logit

    from veristem.datasets.polyline import resample

    chance, found = expit(outputs[0]), np.zeros(outputs[0].shape, bool)
    for curve in lines_in(outputs, trained("contours", VERSION).calibration[0]):
        places = resample(curve[:, :2], curve[:, 2], 0.5)[0].astype(int)
        column, row = np.clip(places, 0, np.array(found.shape[::-1]) - 1).T
        found[row, column] = True
    left = np.where(binary_dilation(found, iterations=_NEAR_PX), 0.0, chance)
    of_view = left.sum() / max(chance.sum(), 1e-12)
    left, every = (gaussian_filter(_summed(part), _REACH_CELLS, mode="reflect") for part in (left, chance))
    return logit(np.clip((left + _PRIOR_PX * of_view) / (every + _PRIOR_PX), 1e-3, 1 - 1e-3))


def _summed(image: np.ndarray) -> np.ndarray:
    """Sums over cells; those at the far edges hold less."""
    rows, columns = (np.arange(0, n, CELL_PX) for n in image.shape)
    return np.add.reduceat(np.add.reduceat(image, rows, axis=0), columns, axis=1)
