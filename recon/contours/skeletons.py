"""From the pixels that lie on lines to curves: skeleton, branches, gaps closed, smoothed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from veristem.datasets import polyline
from veristem.recon.contours.linking import link


def curves_along(
    skeleton: np.ndarray,
    center: np.ndarray,
    sigma: np.ndarray,
    scale: float,
    shortest: float = 4.0,
    spacing: tuple[float, ...] | None = None,
) -> list[np.ndarray]:
    """Curves (K, D + 1) of a skeleton in D dimensions, 2 or 3: x, y (z) and standard deviation [px].

    Parameters
    ----------
    skeleton : (Y, X) or (Z, Y, X) bool
        Pixels, one wide.
    center : (Y, X, 2) or (Z, Y, X, 3) float
        From the corner of each pixel to the centre of the line, x, y (and z) [px].
    sigma : (Y, X) or (Z, Y, X) float
        Standard deviation of that [px].
    scale : float
        Half the width of a line's image [px]: spurs, gaps and the shortest curve are told in it.
    shortest : float
        Length below which a curve is left out, in scales.
    spacing : tuple of D floats, optional
        What a step along each axis of the arrays counts in the lengths of spurs and of the shortest curve; 1 if not
        given.
    """
    from skan import Skeleton

    if skeleton.sum() < 3:
        return []
    spacing = spacing or (1.0,) * skeleton.ndim
    graph = Skeleton(skeleton, spacing=spacing, keep_images=False)  # type: ignore
    pieces = []
    for path in np.flatnonzero(~_spurs(graph, 3.5 * scale)):
        index = graph.path_coordinates(int(path)).round().astype(int)
        if len(index) >= 3:
            at = tuple(index.T)
            pieces.append(np.column_stack([index[:, ::-1] + center[at], sigma[at]]))
    joined = link(pieces, gap=8 * scale, reach=2.7 * scale, dimensions=skeleton.ndim)
    return [_smooth(c) for c in joined if polyline.length(c[:, :-1] * spacing[::-1]) >= shortest * scale]


def _spurs(graph, longest_px: float) -> np.ndarray:
    """Which paths of a skeleton hang on a junction, end free, and are no longer than this."""
    degrees = graph.degrees
    ends = np.array([(graph.path(n)[0], graph.path(n)[-1]) for n in range(graph.n_paths)])
    free = (degrees[ends] == 1).sum(axis=1) == 1
    hanging = (degrees[ends] > 2).any(axis=1)
    return free & hanging & (graph.path_lengths() <= longest_px)


def _smooth(curve: np.ndarray) -> np.ndarray:
    """The curve at steps of one pixel, averaged over about three of them."""
    at = polyline.arc_length(curve[:, :-1])
    keep = np.concatenate([[True], np.diff(at) > 1e-9])
    even = np.linspace(0, at[-1], max(3, int(np.ceil(at[-1])) + 1))
    columns = np.column_stack([np.interp(even, at[keep], column) for column in curve[keep].T])
    columns[1:-1, :-1] = ndimage.gaussian_filter1d(columns[:, :-1], 1.5, axis=0, mode="nearest")[1:-1]
    return columns
