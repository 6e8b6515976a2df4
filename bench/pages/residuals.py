"""What can be said of a reconstruction without the truth: how well it lies on the contours of its own images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize

from veristem.bench.metrics.base import mean, percentile, rms
from veristem.bench.metrics.lines import Lines
from veristem.datasets import Acquisition, CurveSet
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Alignment
from veristem.recon import registration
from veristem.recon.registration.coarse import correlation
from veristem.recon.registration.pictures import Picture
from veristem.recon.tomography import series

NEAR_PX = 3.0  # within this distance a contour and a projected curve explain each other
_SIDE_PX = 96  # of the pictures by which a reconstruction is laid on the images
_MOST = 400  # vertices by which its place is refined
CAP_PX = 10.0  # beyond, a curve is on no contour: how far does not matter, and one wild vertex must not decide


@dataclass(frozen=True, eq=False)
class Residuals:
    """Distances in the images between a projected reconstruction and the contours detected there.

    Parameters
    ----------
    vertex_px : tuple of (K,) float
        For each vertex of each curve, the largest over the views of the distance from its projection to the nearest
        contour of that view [pixels]. Views in which the vertex lies outside the image do not count: NaN where none is
        left. Infinite where a view that counts holds no contour.
    per_view : list of dict
        One a view: ``view``, its number; over the projected length of the reconstruction within the image, in even
        steps, with distances capped at ``CAP_PX`` (which is also the distance in a view without contours): ``rms_px``
        and ``median_px`` of the distance to the nearest contour and ``within_3px``, the share within ``NEAR_PX``; and
        ``explained``, the share of the length of the contours within ``NEAR_PX`` of the projected reconstruction. The
        first three are None where nothing of the reconstruction lies in the image, the last without contours.
    moved_nm : (3,) float
        By which the reconstruction was moved as a whole to lie on the images [nm]: views of several scans do not tell
        where its origin is. 0 for views of one scan.
    """

    vertex_px: tuple[np.ndarray, ...]
    per_view: list[dict[str, Any]]
    moved_nm: np.ndarray = field(default_factory=lambda: np.zeros(3))


def reprojection_residuals(acquisition: Acquisition, curves: CurveSet) -> Residuals:
    """Project a reconstruction into every view and measure it against the contours of the ridge detector.

    Small residuals are necessary, not sufficient. They cannot see an error that moves a line along itself in the
    image: a wrong depth of a line that runs along the epipolar direction, and, with two views, the matching of two
    such lines with each other. And a method that starts from the same detector has fitted its curves to these very
    contours: what the detector misses, invents or displaces does not show. The detector is blind for some pixels along
    the rim of an image; a curve that reaches the rim has a residual of that size there.

    Parameters
    ----------
    acquisition : Acquisition
        The images and their nominal geometry, one view or more.
    curves : CurveSet
        The reconstruction.

    Raises
    ------
    InputError
        For a coordinate beyond a metre.
    """
    from veristem.recon.contours.ridge import ridge_contours

    pixel, size = acquisition.pixel_nm, np.asarray(acquisition.field_nm)
    starts = np.cumsum([len(c) for c in curves.curves_nm])[:-1]
    vertices = np.concatenate([np.zeros((0, 3)), *curves.curves_nm])
    worst, per_view = np.full(len(vertices), np.nan), []
    ridges = ridge_contours(acquisition.views, pixel).curves_nm
    contours = [_lines(curves, pixel) for curves in ridges]
    alignment, free = _aligned(acquisition)
    moved = np.zeros(3)
    if free and len(vertices):
        moved = _moved_nm(acquisition, alignment, curves.curves_nm, ridges, contours)
    for view, seen in enumerate(contours):
        at = _project(alignment, vertices + moved, view, acquisition.focus_nm)
        found = _lines(np.split(at, starts) if len(at) else [], pixel, size)
        inside = ((at >= 0) & (at <= size)).all(axis=1)
        worst = np.fmax(worst, np.where(inside, seen.nearest(_flat(at))[0] / pixel, np.nan))

        points, length, _ = found.samples
        distance = np.minimum(seen.nearest(points)[0] / pixel, CAP_PX)
        contour_points, contour_length, _ = seen.samples
        per_view.append(
            {
                "view": view,
                "rms_px": rms(distance, length),
                "median_px": percentile(distance, length, 0.5),
                "within_3px": mean(distance <= NEAR_PX, length),
                "explained": mean(found.nearest(contour_points)[0] <= NEAR_PX * pixel, contour_length),
            }
        )
    return Residuals(tuple(np.split(worst, starts)) if len(curves.curves_nm) else (), per_view, moved)


def _aligned(acquisition: Acquisition) -> tuple[Alignment, bool]:
    """How views lie as methods find it, and whether depths have no zero: a series by all views together."""
    if series.of_series(acquisition):
        return series.align(acquisition).alignment, True
    return registration.align(acquisition)


def _project(alignment: Alignment, points_nm: np.ndarray, view: int, focus_nm: float) -> np.ndarray:
    to_image = None if alignment.to_image is None else alignment.to_image[view]
    return project(points_nm, alignment.directions_rad[view], focus_nm, to_image)


def _moved_nm(acquisition: Acquisition, alignment: Alignment, curves, ridges, contours: list[Lines]) -> np.ndarray:
    """By how much (3,) a reconstruction must move as a whole to fit images that do not tell its origin [nm].

    The lines drawn in each view are correlated with its contours, the shifts of all views tell one move in space, and
    from there, or from where the reconstruction lies, the mean distance is made least.
    """
    a = acquisition
    coarse = max(a.field_nm) / _SIDE_PX
    shape = (max(8, round(a.field_nm[1] / coarse)), max(8, round(a.field_nm[0] / coarse)))
    everywhere, middle = np.ones(shape, bool), np.array(shape[::-1]) - 1
    rows, shifts = [], []
    for view, seen in enumerate(ridges):
        there = [_project(alignment, curve, view, a.focus_nm) for curve in curves]
        drawn = (Picture(series.drawn(lines, shape, coarse, 1.5 * coarse), everywhere) for lines in (there, seen))
        alike = correlation(*drawn)
        row, column = np.unravel_index(alike.argmax(), alike.shape)
        here = alike[row, column] * (np.eye(2, 3) if alignment.to_image is None else alignment.to_image[view])[:, :2]
        rows.append(here @ np.column_stack([np.eye(2), -np.tan(alignment.directions_rad[view])]))
        shifts.append(alike[row, column] * coarse * (np.array([column, row]) - middle))
    start = np.linalg.lstsq(np.concatenate(rows), np.concatenate(shifts), rcond=None)[0]
    vertices = np.concatenate(curves)
    vertices = vertices[:: -(-len(vertices) // _MOST)]

    def off(move) -> float:
        places = (_project(alignment, vertices + move, view, a.focus_nm) for view in range(len(contours)))
        cap = CAP_PX * a.pixel_nm
        return sum(float(np.minimum(c.nearest(_flat(p))[0], cap).mean()) for c, p in zip(contours, places))

    step = np.diag([coarse, coarse, 4 * coarse])  # depth moves a view by its tangent alone
    ends = [minimize(off, at, method="Nelder-Mead", options={"initial_simplex": at + np.vstack([np.zeros(3), step]),
            "xatol": a.pixel_nm / 10, "fatol": 1e-3 * a.pixel_nm}) for at in (np.zeros(3), start)]  # fmt: skip
    return min(ends, key=lambda end: end.fun).x


def _lines(polylines, pixel_nm: float, field_nm: np.ndarray | None = None) -> Lines:
    """Polylines (K, 2) of an image as lines in the plane z = 0, cut to the field if one is given."""
    return Lines.of(CurveSet(tuple(_flat(p) for p in polylines)), NEAR_PX * pixel_nm, field_nm)


def _flat(points: np.ndarray) -> np.ndarray:
    return np.column_stack([points, np.zeros(len(points))])
