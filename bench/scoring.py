"""Scores of what was found against the truth: every metric of curves, points, masks or disparity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from veristem.bench.metrics import scorers
from veristem.datasets import (
    CurveSet,
    DislocationNetwork,
    InputError,
    LineTruth,
    ParticleDispersion,
    ParticleTruth,
    PointSet,
)  # fmt: skip
from veristem.datasets.geometry import epipolar_direction
from veristem.datasets.kinds import check_same_kind
from veristem.datasets.results import SUFFIXES
from veristem.datasets.shapes import as_array, check_positive

if TYPE_CHECKING:
    from veristem.bench.limits.lines import LineLimits
    from veristem.bench.metrics.junctions import Label
    from veristem.bench.metrics.pair import Pair
    from veristem.bench.metrics.point_pair import PointPair

TOLERANCE_NM = 10.0
REACH_PX = 2.0


def score(
    truth,
    reconstruction: CurveSet | PointSet,
    *,
    tolerance_nm: float | None = None,
    directions_rad=None,
    metrics: Sequence[str] = (),
    **limits,
):
    """Scores of a reconstruction by the function of its kind, `score_curves` or `score_points`.

    ``metrics`` are further ones from outside, as module:function.

    Raises
    ------
    InputError
        When one side is of lines and the other of particles, or on what these two find.
    """
    scorer = _SCORERS[check_same_kind(truth, reconstruction).name]
    return scorer(
        truth, reconstruction, tolerance_nm=tolerance_nm, directions_rad=directions_rad, metrics=metrics, **limits
    )


def score_points(
    truth: ParticleTruth | ParticleDispersion,
    reconstruction: PointSet,
    *,
    tolerance_nm: float | None = None,
    directions_rad=None,
    metrics: Sequence[str] = (),
    covariance_nm2: np.ndarray | None = None,
) -> dict[str, float | None]:
    """All scores of particles by name, and ``tolerance_nm`` as given; None for no value, never NaN or infinity.

    Each side is matched to at most one of the other. A match is right within the tolerance across the beam, and in
    depth within the larger of the tolerance and three standard deviations of the limit. True particles beyond the field
    may be matched, but neither they nor what is found of them counts.

    Parameters
    ----------
    truth : ParticleTruth or ParticleDispersion
        What is there.
    reconstruction : PointSet
        What was found.
    tolerance_nm : float, optional
        Distance within which a particle counts as found [nm]; its radius if not given.
    directions_rad : optional
        Of the views, which scores of points do not use.
    metrics : sequence of str
        Further ones from outside, as module:function.
    covariance_nm2 : (N, 3, 3) float, optional
        Limits of the true particles, from `limits.points.point_limits`; computed for a ParticleTruth if not given.
        Without them ``*_over_limit`` is None.

    Raises
    ------
    InputError
        On a tolerance that is not positive.
    """
    pair = point_pair(truth, reconstruction, tolerance_nm, covariance_nm2)
    return {"tolerance_nm": tolerance_nm} | _scores("points", pair, metrics=metrics)


def point_pair(
    truth: ParticleTruth | ParticleDispersion,
    reconstruction: PointSet,
    tolerance_nm: float | None = None,
    covariance_nm2: np.ndarray | None = None,
) -> PointPair:
    """True and reconstructed particles matched, as `score_points` scores them."""
    from veristem.bench.metrics.point_pair import PointPair

    if tolerance_nm is not None:
        check_positive("tolerance_nm", tolerance_nm)
    if isinstance(truth, ParticleTruth):
        if covariance_nm2 is None:
            from veristem.bench.limits.points import point_limits

            covariance_nm2 = point_limits(truth)
        truth = truth.particles
    return PointPair.of(truth, reconstruction, tolerance_nm, covariance_nm2)


def score_curves(
    truth: LineTruth | DislocationNetwork | CurveSet,
    reconstruction: CurveSet,
    *,
    tolerance_nm: float | None = None,
    directions_rad=None,
    field_nm=None,
    metrics: Sequence[str] = (),
    limits: LineLimits | None = None,
) -> dict[str, float | None]:
    """All scores by name, and ``tolerance_nm``; None where one has no value, never NaN or infinity.

    Plain names are over all truth. ``*_visible`` asks for the visible truth alone: recall, completeness, length and
    topology are of the visible lines; but what was found counts against *all* truth, since a line that is really there
    is not wrong for being called invisible. So precision, accuracy and the errors in depth are the plain ones, and the
    F-score is the harmonic mean of precision against all truth and recall of the visible. ``*_psi_above_25`` takes of
    these only the lines steeper than 25 degrees to the epipolar direction, ``*_psi_below_25`` only the others, which
    carry little depth; paths and topology have no value there.

    Curves as truth count as visible. Of a network without its reflection it is not known: all variants are None. The
    last two are None also without two different view directions.

    Parameters
    ----------
    truth : LineTruth, DislocationNetwork or CurveSet
        What is there.
    reconstruction : CurveSet
        What was found.
    tolerance_nm : float, optional
        Distance within which a point counts as found [nm]; 10 nm if not given.
    directions_rad : (V, 2) float, optional
        Mean directions of the views [rad]; those of a LineTruth if not given. The widest pair is epipolar.
    field_nm : (2,) float, optional
        Width and height to which both sides are cut, not in depth [nm]; those of a LineTruth if not given.
    metrics : sequence of str
        Further ones from outside, as module:function.
    limits : LineLimits, optional
        From `veristem.bench.limits.lines`; without them scores over the limit are None.

    Raises
    ------
    InputError
        On a tolerance or a field that is not positive, a wrong shape, or a coordinate beyond a metre.
    """
    tolerance_nm = TOLERANCE_NM if tolerance_nm is None else tolerance_nm
    directions_rad = getattr(truth, "directions_rad", None) if directions_rad is None else directions_rad
    epipolar = None
    if directions_rad is not None:
        epipolar = epipolar_direction(as_array("directions_rad", directions_rad, (None, 2)))
    pair = curve_pair(truth, reconstruction, tolerance_nm=tolerance_nm, field_nm=field_nm, limits=limits)
    variants = (pair, pair.visible(), pair.steep(epipolar), pair.steep(epipolar, False))
    scores: dict[str, float | None] = {"tolerance_nm": float(tolerance_nm)}
    for suffix, part in zip(SUFFIXES, variants, strict=True):
        scores |= _scores("curves", part, suffix, metrics)
    return scores


def curve_pair(
    truth: LineTruth | DislocationNetwork | CurveSet,
    reconstruction: CurveSet,
    *,
    tolerance_nm: float = TOLERANCE_NM,
    field_nm=None,
    limits: LineLimits | None = None,
) -> Pair:
    """Both sides as `score_curves` compares them, which says what the parameters and the errors are."""
    from veristem.bench.metrics.lines import Lines
    from veristem.bench.metrics.pair import Pair

    check_positive("tolerance_nm", tolerance_nm)
    field_nm = getattr(truth, "field_nm", None) if field_nm is None else field_nm
    if field_nm is not None:
        field_nm = as_array("field_nm", field_nm, (2,))
        if field_nm.min() <= 0:
            raise InputError(f"field_nm: {field_nm.min():g} found, positive numbers allowed")
    return Pair.of(Lines.of(truth, tolerance_nm, field_nm), Lines.of(reconstruction, tolerance_nm, field_nm), limits)


def junction_table(
    truth: LineTruth | DislocationNetwork | CurveSet, reconstruction: CurveSet, **how
) -> dict[Label, tuple[int, int]]:
    """For each kind of junction how many there are, and how many of them were found within the tolerance.

    A kind is the Burgers vectors of the lines that meet [nm], up to their sign and in order; () where the truth has
    none. Of a truth that tells what is visible only visible lines count, as in ``junction_recall_visible``.

    Parameters
    ----------
    truth, reconstruction, **how
        As of `curve_pair`.
    """
    from veristem.bench.metrics.junctions import table

    pair = curve_pair(truth, reconstruction, **how)
    wanted = (pair.visible() or pair).counted_graph
    assert wanted is not None
    return table(wanted, pair.found_graph)


def score_reprojected(
    truth: LineTruth | DislocationNetwork | CurveSet,
    reconstruction: CurveSet,
    tilts_deg: Sequence[float],
    *,
    axis_rad: float | None = None,
    tolerance_nm: float = TOLERANCE_NM,
    directions_rad=None,
    field_nm=None,
) -> list[dict[str, float | None]]:
    """Scores in the images that would be taken of the specimen at other tilts, a dictionary each.

    Parameters
    ----------
    truth, reconstruction, tolerance_nm, directions_rad, field_nm
        As of `score_curves`.
    tilts_deg : sequence of float
        Angles of the specimen, right-handed about the axis [degree].
    axis_rad : float, optional
        Azimuth of the axis in the image [rad]. That of the recipe of a LineTruth if not given, or else 90 degrees from
        the epipolar direction.

    Returns
    -------
    list of dict
        As `metrics.reprojected.reprojected` gives them.

    Raises
    ------
    InputError
        As `score_curves`; for a tilt beyond 89 degrees; where nothing tells the axis.
    """
    from veristem.bench.metrics.lines import Lines
    from veristem.bench.metrics.reprojected import reprojected
    from veristem.datasets.recipe import Recipe

    check_positive("tolerance_nm", tolerance_nm)
    field_nm = getattr(truth, "field_nm", None) if field_nm is None else field_nm
    if axis_rad is None and isinstance(truth, LineTruth):
        axis_rad = Recipe.from_table(truth.recipe, "truth").tilt_axis_rad
    if axis_rad is None:
        given = np.zeros((0, 2)) if directions_rad is None else as_array("directions_rad", directions_rad, (None, 2))
        epipolar = epipolar_direction(given)
        if epipolar is None:
            raise InputError("`reproject`: no tilt axis known; give the acquisition, or a truth.h5")
        axis_rad = float(np.arctan2(epipolar[1], epipolar[0])) + np.pi / 2
    there, found = (Lines.of(side, tolerance_nm, field_nm) for side in (truth, reconstruction))
    return [reprojected(there, found, tilt, axis_rad) for tilt in tilts_deg]


def score_masks(truth, found, *, tolerance_px: float = 0.0, pixel_nm: float | None = None) -> dict[str, float | None]:
    """All scores of masks by name, and ``tolerance_px``; None for no value.

    Parameters
    ----------
    truth, found : (Y, X) bool
        True where a line is; `veristem.bench.metrics.mask_pair` draws them from a truth and from contours.
    tolerance_px : float
        Distance within which a pixel counts as found; clDice knows none.
    pixel_nm : float, optional
        Pixel size [nm]; without it scores by length, the topological one, have no value.

    Raises
    ------
    InputError
        On masks that are not of one shape or have other values than 0 and 1, or a tolerance below 0.
    """
    from veristem.bench.metrics.mask_pair import MaskPair

    return {"tolerance_px": float(tolerance_px)} | _scores("masks", MaskPair.of(truth, found, tolerance_px, pixel_nm))


def score_disparity(truth_px, found_px, *, reach_px: float = REACH_PX) -> dict[str, float | None]:
    """All scores of a disparity by name, and ``reach_px``; None for no value.

    Parameters
    ----------
    truth_px, found_px : (Y, X) float
        Disparity of the pixels of the first view [px], NaN where there is none;
        `veristem.bench.metrics.disparity_pair` draws them from a truth and from matches.
    reach_px : float
        Each pixel of the truth is compared with the nearest one that has a disparity, no farther than this.

    Raises
    ------
    InputError
        On maps that are not of one shape, an infinite disparity, or a reach below 0.
    """
    from veristem.bench.metrics.disparity_pair import DisparityPair

    return {"reach_px": float(reach_px)} | _scores("disparity", DisparityPair.of(truth_px, found_px, reach_px))


def _scores(kind: str, pair, suffix: str = "", metrics: Sequence[str] = ()) -> dict[str, float | None]:
    """All metrics of a kind by name; None where one has no value, and of no pair."""
    scores: dict[str, float | None] = {}
    for metric, function in scorers(metrics):
        if kind in metric.of:
            value = None if pair is None else function(pair)
            scores[metric.name + suffix] = None if value is None or not np.isfinite(value) else float(value)
    return scores


def vertex_errors_nm(
    truth: LineTruth | DislocationNetwork | CurveSet, reconstruction: CurveSet
) -> tuple[np.ndarray, ...]:
    """Distance (K,) of every vertex of every curve to the nearest truth line, all truth [nm]; NaN without any truth."""
    from veristem.bench.metrics.lines import Lines

    lines = Lines.of(truth, TOLERANCE_NM)
    errors = (lines.nearest(curve)[0] for curve in reconstruction.curves_nm)
    return tuple(np.where(np.isfinite(e), e, np.nan) for e in errors)


_SCORERS = {"dislocations": score_curves, "particles": score_points}
