"""What the page shows of lines: the reconstruction beside the truth, or how it lies on its images."""

from __future__ import annotations

from math import floor

import numpy as np

from veristem.bench.limits.lines import line_limits
from veristem.bench.pages.residuals import Residuals, reprojection_residuals
from veristem.bench.scoring import TOLERANCE_NM, score_curves, vertex_errors_nm
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import mapped, pair_angle_rad, widest_pair
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.recon import registration
from veristem.reports.registration import Registered
from veristem.reports.scenes import Scene
from veristem.reports.words import counted


def make_scene(
    acquisition: Acquisition, found: CurveSet, truth: LineTruth | None, method: str, tolerance_nm: float | None
) -> Scene:
    """A scene for the page: scored when the truth is known, else with its residuals in the images."""
    lies = registered(acquisition)
    if truth is None:
        residuals = reprojection_residuals(acquisition, found) if found.curves_nm else Residuals((), [])
        told = {"residuals_px": residuals.vertex_px, "residuals": residuals.per_view, "registration": lies}
        return Scene(acquisition, found, method=method, **told)
    tolerance_nm = tolerance_nm or TOLERANCE_NM
    limits = line_limits(truth)
    scores = score_curves(truth, found, tolerance_nm=tolerance_nm, limits=limits)
    limit = float(np.hypot(*limits.typical_nm(limits.parallax_nm, tolerance_nm)))
    told = {"scores": scores, "method": method, "limit_nm": limit if np.isfinite(limit) else None, "registration": lies}
    return Scene(acquisition, found, truth, vertex_errors_nm(truth, found), **told)


def registered(acquisition: Acquisition) -> Registered | None:
    """How views that were taken one after the other lie, and of a pair what was tracked; None for one scan."""
    if not registration.sequential(acquisition):
        return None
    found = registration.register(acquisition)
    text = " ".join(line[0].upper() + line[1:] + "." for line in registration.told(acquisition))
    link = found.links[0]
    first, second = np.tan(acquisition.directions_rad[list(link.views)])
    across = np.array([second[1] - first[1], first[0] - second[0]]) / np.linalg.norm(first - second)
    off = (link.moves_nm @ across)[:, None] * across, link.off_nm[:, None] * across
    nothing = slice(None) if len(found.links) == 1 else slice(0)  # of a series there is no one picture
    maps = found.alignment.to_image
    places = link.places_nm if maps is None else mapped(link.places_nm, maps[link.views[0]])
    shown = (part[nothing] for part in (places, *off, link.point, link.lost))
    return Registered(found.alignment, text, link.views[0], *shown)


def headline(scene: Scene) -> str:
    """One sentence on what was recovered."""
    assert scene.truth is not None
    curves = len(scene.curves.curves_nm)
    if not scene.truth.visible.any():
        lines = len(scene.truth.network.segments)
        text = "No line is visible in this field with this reflection" if lines else "There is no line in this field"
        return text + (f"; {counted(curves, 'curve')} reconstructed all the same." if curves else ".")
    views = _views_words(scene.acquisition)
    if not curves:
        return f"From {views}, nothing was reconstructed, though lines are visible."
    found, seen = scene.scores.get("f_score_visible"), scene.scores.get("depth_rmse_nm_visible")
    wanted = scene.scores.get("depth_rmse_nm") if seen is None else seen
    depth = "" if wanted is None else f", with a depth error of {wanted:.1f} nm rms where they were found"
    if found is None:
        return f"From {views}, {counted(curves, 'curve')} reconstructed; F of the visible lines is not known."
    return (
        f"From {views}, the visible lines are recovered with F = {found:.2f} at a tolerance of "
        f"{scene.tolerance_nm:g} nm{depth}."
    )


def _views_words(acquisition: Acquisition) -> str:
    """How many views there are and how far apart."""
    directions, count = acquisition.directions_rad, len(acquisition.views)
    if np.ptp(directions, axis=0).max() < 1e-6:
        return "one view" if count == 1 else f"{count} views in one direction"
    angle = np.degrees(pair_angle_rad(*directions[list(widest_pair(directions))]))
    return f"two views {angle:.1f}° apart" if count == 2 else f"{count} views up to {angle:.1f}° apart"


def residual_sentence(scene: Scene) -> str:
    """One sentence on how well a reconstruction fits its images, which is all that can be said without a truth."""
    near, explained = ([v[key] for v in scene.residuals if v[key] is not None] for key in ("within_3px", "explained"))
    if not scene.curves.curves_nm:
        return "No truth is known, and nothing was reconstructed."
    if not near or not explained:
        return "No truth is known, and there is nothing to lay over the contours of the images."
    least, seen = floor(100 * min(near)), floor(100 * min(explained))
    return (
        f"No truth is known. In every view at least {least} % of the reconstruction lies within 3 pixels "
        f"of the detected contours, and at least {seen} % of these within 3 pixels of it; this "
        "does not prove that its depths are right."
    )
