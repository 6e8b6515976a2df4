"""What can be said of a reconstruction without the truth: how well it lies on the contours of its own images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from veristem.bench.metrics.base import mean, percentile, rms
from veristem.bench.metrics.lines import Lines
from veristem.datasets import Acquisition, CurveSet
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Alignment
from veristem.recon import registration
from veristem.recon.tomography import series

NEAR_PX = 3.0  # within this distance a contour and a projected curve explain each other
_DEPTHS_NM = 200.0  # where the thickness is not known
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
    """

    vertex_px: tuple[np.ndarray, ...]
    per_view: list[dict[str, Any]]


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

    pixel, field = acquisition.pixel_nm, np.asarray(acquisition.field_nm)
    starts = np.cumsum([len(c) for c in curves.curves_nm])[:-1]
    vertices = np.concatenate([np.zeros((0, 3)), *curves.curves_nm])
    worst, per_view = np.full(len(vertices), np.nan), []
    contours = [_lines(curves, pixel) for curves in ridge_contours(acquisition.views, pixel).curves_nm]
    alignment, free = _aligned(acquisition)
    focus = _focus_nm(acquisition, alignment, vertices, contours) if free and len(vertices) else acquisition.focus_nm
    for view, seen in enumerate(contours):
        at = _project(alignment, vertices, view, focus)
        found = _lines(np.split(at, starts) if len(at) else [], pixel, field)
        inside = ((at >= 0) & (at <= field)).all(axis=1)
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
    return Residuals(tuple(np.split(worst, starts)) if len(curves.curves_nm) else (), per_view)


def _aligned(acquisition: Acquisition) -> tuple[Alignment, bool]:
    """How views lie as methods find it, and whether depths have no zero: a series by all views together."""
    if series.of_series(acquisition):
        return series.align(acquisition).alignment, True
    return registration.align(acquisition)


def _project(alignment: Alignment, points_nm: np.ndarray, view: int, focus_nm: float) -> np.ndarray:
    to_image = None if alignment.to_image is None else alignment.to_image[view]
    return project(points_nm, alignment.directions_rad[view], focus_nm, to_image)


def _focus_nm(acquisition: Acquisition, alignment: Alignment, vertices: np.ndarray, contours: list[Lines]) -> float:
    """Depth of the focus plane with which a reconstruction fits registered images best, which do not tell it."""
    cap = CAP_PX * acquisition.pixel_nm

    def off(focus: float) -> float:
        places = (_project(alignment, vertices, view, focus) for view in range(len(contours)))
        return sum(float(np.minimum(c.nearest(_flat(p))[0], cap).mean()) for c, p in zip(contours, places))

    deep = acquisition.thickness_nm or _DEPTHS_NM
    return min(acquisition.focus_nm + deep * np.linspace(-0.4, 0.4, 17), key=off)


def _lines(polylines, pixel_nm: float, field_nm: np.ndarray | None = None) -> Lines:
    """Polylines (K, 2) of an image as lines in the plane z = 0, cut to the field if one is given."""
    return Lines.of(CurveSet(tuple(_flat(p) for p in polylines)), NEAR_PX * pixel_nm, field_nm)


def _flat(points: np.ndarray) -> np.ndarray:
    return np.column_stack([points, np.zeros(len(points))])
