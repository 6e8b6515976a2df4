"""Scores of a reconstruction of lines against the truth: every metric, over three parts of the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veristem.bench.metrics import metric_modules
from veristem.datasets import CurveSet, DislocationNetwork, InputError, LineTruth
from veristem.datasets.geometry import widest_pair
from veristem.datasets.results import CURVE_SCORES
from veristem.datasets.shapes import as_array

if TYPE_CHECKING:
    from veristem.bench.metrics.base import Metric

TOLERANCE_NM = 10.0


def metrics() -> list[Metric]:
    """All metrics: those of the results table in its order, then others by name."""
    rank = {name: i for i, name in enumerate(CURVE_SCORES)}
    return sorted((m.METRIC for m in metric_modules()), key=lambda m: (rank.get(m.name, len(rank)), m.name))


def score_curves(
    truth: LineTruth | DislocationNetwork | CurveSet,
    reconstruction: CurveSet,
    *,
    tolerance_nm: float = TOLERANCE_NM,
    directions_rad=None,
    field_nm=None,
) -> dict[str, float | None]:
    """All scores by name, and ``tolerance_nm``; None where one has no value, never NaN or infinity.

    Plain names are over all truth. ``*_visible`` asks for the visible truth alone: recall, completeness, length and
    topology are of the visible lines; but what was found counts against *all* truth, since a line that is really there
    is not wrong for being called invisible. So precision, accuracy and the errors in depth are the plain ones, and the
    F-score is the harmonic mean of precision against all truth and recall of the visible. ``*_psi_above_25`` takes of
    these only the lines steeper than 25 degrees to the epipolar direction; paths and topology have no value there.

    Curves as truth count as visible. Of a network without its reflection it is not known: both variants are None. The
    second one is None also without two different view directions.

    Parameters
    ----------
    truth : LineTruth, DislocationNetwork or CurveSet
        What is there.
    reconstruction : CurveSet
        What was found.
    tolerance_nm : float
        Distance within which a point counts as found [nm].
    directions_rad : (V, 2) float, optional
        Mean directions of the views [rad]; those of a LineTruth if not given. The widest pair is epipolar.
    field_nm : (2,) float, optional
        Width and height to which both sides are cut, not in depth [nm]; those of a LineTruth if not given.

    Raises
    ------
    InputError
        On a tolerance or a field that is not positive, a wrong shape, or a coordinate beyond a metre.
    """
    from veristem.bench.metrics.lines import Lines
    from veristem.bench.metrics.pair import Pair

    if not (np.isfinite(tolerance_nm) and tolerance_nm > 0):
        raise InputError(f"tolerance_nm: {tolerance_nm} found, a positive number allowed")
    if isinstance(truth, LineTruth):
        directions_rad = truth.directions_rad if directions_rad is None else directions_rad
        field_nm = truth.field_nm if field_nm is None else field_nm
    if field_nm is not None:
        field_nm = as_array("field_nm", field_nm, (2,))
        if field_nm.min() <= 0:
            raise InputError(f"field_nm: {field_nm.min():g} found, positive numbers allowed")

    pair = Pair.of(Lines.of(truth, tolerance_nm, field_nm), Lines.of(reconstruction, tolerance_nm, field_nm))
    variants = {
        "": pair,
        "_visible": pair.visible(),
        "_psi_above_25": pair.psi_above_25(_epipolar(directions_rad)),
    }
    scores: dict[str, float | None] = {"tolerance_nm": float(tolerance_nm)}
    for suffix, part in variants.items():
        for module in metric_modules():
            value = None if part is None else module.score(part)
            scores[module.METRIC.name + suffix] = value if value is None or np.isfinite(value) else None
    return scores


def vertex_errors_nm(
    truth: LineTruth | DislocationNetwork | CurveSet, reconstruction: CurveSet
) -> tuple[np.ndarray, ...]:
    """Distance (K,) of every vertex of every curve to the nearest truth line, all truth [nm]; NaN without any truth."""
    from veristem.bench.metrics.lines import Lines

    lines = Lines.of(truth, TOLERANCE_NM)
    errors = (lines.nearest(curve)[0] for curve in reconstruction.curves_nm)
    return tuple(np.where(np.isfinite(e), e, np.nan) for e in errors)


def _epipolar(directions_rad) -> np.ndarray | None:
    """Direction (2,) in the image along which the widest pair of views shifts what lies deeper; None without a pair."""
    if directions_rad is None:
        return None
    directions = as_array("directions_rad", directions_rad, (None, 2))
    if not len(directions) or np.ptp(directions, axis=0).max() < 1e-6:
        return None
    first, second = np.tan(directions[list(widest_pair(directions))])
    return first - second
