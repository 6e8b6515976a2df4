"""From the pixels that lie on lines to curves: skeleton, branches, gaps closed, smoothed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from veristem.datasets import polyline
from veristem.recon.contours.linking import link


def curves_along(
    skeleton: np.ndarray, center: np.ndarray, sigma: np.ndarray, scale: float, shortest: float = 4.0
) -> list[np.ndarray]:
    """Curves (K, 3) of a skeleton: x, y and standard deviation [px].

    Parameters
    ----------
    skeleton : (Y, X) bool
        Pixels, one wide.
    center : (Y, X, 2) float
        From the corner of each pixel to the centre of the line, x and y [px].
    sigma : (Y, X) float
        Standard deviation of that [px].
    scale : float
        Half the width of a line's image [px]: spurs, gaps and the shortest curve are told in it.
    shortest : float
        Length below which a curve is left out, in scales.
    """
    from skan import Skeleton

    if skeleton.sum() < 3:
        return []
    graph = Skeleton(skeleton, keep_images=False)
    pieces = []
    for path in np.flatnonzero(~_spurs(graph, 3.5 * scale)):
        j, i = graph.path_coordinates(int(path)).round().astype(int).T
        if len(j) >= 3:
            pieces.append(np.column_stack([np.column_stack([i, j]) + center[j, i], sigma[j, i]]))
    joined = link(pieces, gap=8 * scale, reach=2.7 * scale)
    return [_smooth(c) for c in joined if polyline.length(c[:, :2]) >= shortest * scale]


def _spurs(graph, longest_px: float) -> np.ndarray:
    """Which paths of a skeleton hang on a junction, end free, and are no longer than this."""
    degrees = graph.degrees
    ends = np.array([(graph.path(n)[0], graph.path(n)[-1]) for n in range(graph.n_paths)])
    free = (degrees[ends] == 1).sum(axis=1) == 1
    hanging = (degrees[ends] > 2).any(axis=1)
    return free & hanging & (graph.path_lengths() <= longest_px)


def _smooth(curve: np.ndarray) -> np.ndarray:
    """The curve at steps of one pixel, averaged over about three of them."""
    at = polyline.arc_length(curve[:, :2])
    keep = np.concatenate([[True], np.diff(at) > 1e-9])
    even = np.linspace(0, at[-1], max(3, int(np.ceil(at[-1])) + 1))
    columns = np.column_stack([np.interp(even, at[keep], curve[keep, c]) for c in range(3)])
    columns[1:-1, :2] = ndimage.gaussian_filter1d(columns[:, :2], 1.5, axis=0, mode="nearest")[1:-1]
    return columns
