"""What the page shows of lines: the reconstruction beside the truth, or how it lies on its images."""

from __future__ import annotations

import numpy as np

from veristem.bench.limits.lines import line_limits
from veristem.bench.pages.residuals import Residuals, reprojection_residuals
from veristem.bench.scoring import TOLERANCE_NM, score_curves, vertex_errors_nm
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.reports.scenes import Scene


def make_scene(
    acquisition: Acquisition, found: CurveSet, truth: LineTruth | None, method: str, tolerance_nm: float | None
) -> Scene:
    """A scene for the page: scored when the truth is known, else with its residuals in the images."""
    if truth is None:
        residuals = reprojection_residuals(acquisition, found) if found.curves_nm else Residuals((), [])
        return Scene(acquisition, found, method=method, residuals_px=residuals.vertex_px, residuals=residuals.per_view)
    tolerance_nm = tolerance_nm or TOLERANCE_NM
    limits = line_limits(truth)
    scores = score_curves(truth, found, tolerance_nm=tolerance_nm, limits=limits)
    limit = float(np.hypot(*limits.typical_nm(limits.parallax_nm, tolerance_nm)))
    told = {"scores": scores, "method": method, "limit_nm": limit if np.isfinite(limit) else None}
    return Scene(acquisition, found, truth, vertex_errors_nm(truth, found), **told)


def headline(scene: Scene) -> str:
    """One sentence on what was recovered."""
    found, wanted = scene.scores.get("f_score_visible"), scene.scores.get("depth_rmse_nm")
    if found is None:
        return "No line is visible in this field with this reflection."
    depth = "" if wanted is None else f", with a depth error of {wanted:.1f} nm rms where they were found"
    directions = scene.acquisition.directions_rad
    angle = np.degrees(pair_angle_rad(*directions[list(widest_pair(directions))]))
    return (
        f"From two views {angle:.1f}° apart, the visible lines are recovered with F = {found:.2f} at a tolerance of "
        f"{scene.scores['tolerance_nm']:g} nm{depth}."
    )


def residual_sentence(scene: Scene) -> str:
    """One sentence on how well a reconstruction fits its images, which is all that can be said without a truth."""
    near, explained = ([v[key] for v in scene.residuals if v[key] is not None] for key in ("within_3px", "explained"))
    if not near or not explained:
        return "No truth is known, and there is nothing to lay over the contours of the images."
    return (
        f"No truth is known. In every view at least {100 * min(near):.0f} % of the reconstruction lies within 3 pixels "
        f"of the detected contours, and at least {100 * min(explained):.0f} % of these within 3 pixels of it; this "
        "does not prove that its depths are right."
    )
