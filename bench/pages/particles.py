"""What the page shows of particles: the reconstruction beside the truth, its limits, and g(r)."""

from __future__ import annotations

from contextlib import suppress
from math import floor

import numpy as np

from veristem.bench.limits.points import point_limits
from veristem.bench.pages.missed import explain_losses, losses_text
from veristem.bench.scoring import point_pair, score_points
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.particle_rays import shown
from veristem.datasets.reconstruction import PointSet
from veristem.datasets.truth import ParticleTruth
from veristem.reports.particles import ParticleScene, RadialCurves
from veristem.reports.words import counted

_PAIRS = 10  # at least expected in a bin at twice a diameter, of particles that take no notice of each other
_DRAWS = 8
_NEAR_PX = 1.0


def make_scene(
    acquisition: Acquisition, points: PointSet, truth: ParticleTruth | None, method: str, tolerance_nm: float | None
) -> ParticleScene:
    """A scene for the page: scored when the truth is known, else with its residuals in the images."""
    radial = radial_curves(acquisition, points, truth)
    if truth is None:
        residuals: list[dict] = []
        with suppress(InputError):
            residuals = point_residuals(acquisition, points) if len(points.points_nm) else []
        return ParticleScene(acquisition, points, method=method, radial=radial, residuals=residuals)
    covariance = point_limits(truth)
    pair = point_pair(truth, points, tolerance_nm, covariance)
    right = pair.partner >= 0
    errors, limits = np.full((2, len(right), 3), np.nan)
    errors[right] = points.points_nm[right] - truth.particles.centers_nm[pair.partner[right]]
    limits[right] = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))[pair.partner[right]]
    found = np.zeros(len(truth.particles.radii_nm), bool)
    found[pair.partner[right]] = True
    scores = score_points(truth, points, tolerance_nm=tolerance_nm, covariance_nm2=covariance)
    losses = ""
    if (truth.inside & ~found).any():
        from veristem.recon.particles.matched import detect

        with suppress(InputError):  # a view in which nothing can be detected
            losses = losses_text(explain_losses(truth, acquisition, pair, detect(acquisition)))
    return ParticleScene(
        acquisition, points, truth, errors, limits, found, scores, method, losses=losses, radial=radial
    )


def radial_curves(acquisition: Acquisition, points: PointSet, truth: ParticleTruth | None) -> RadialCurves | None:
    """g(r) of the truth, of the reconstruction, and of the truth blurred by the covariance that was reported.

    None for fewer than two particles, in a wedge, or where the thickness is not known: faces must be parallel.
    """
    from veristem.recon.particles import radial_distribution, radial_distribution_bands

    wedge = truth is not None and truth.recipe["specimen"].get("wedge_deg")
    if acquisition.thickness_nm is None or wedge:
        return None
    box = np.array([*acquisition.field_nm, acquisition.thickness_nm])

    def inside(where: np.ndarray) -> np.ndarray:
        return where[((where >= 0) & (where <= box)).all(axis=1)]

    given = points.points_nm if truth is None else truth.particles.centers_nm
    radii = points.radii_nm if truth is None else truth.particles.radii_nm
    if len(inside(given)) < 2:
        return None
    diameter = 2 * float(np.nanmedian(radii)) if np.isfinite(radii).any() else 5.0
    shell = len(inside(given)) ** 2 / 2 / box.prod() * 4 * np.pi * (2 * diameter) ** 2
    width = float(np.clip(_PAIRS / shell, diameter / 8, diameter))
    edges = np.arange(0.0, min(8 * diameter, box.min()) + width, width)
    curves: dict[str, np.ndarray] = {}
    band = None
    rng = np.random.default_rng(0)
    found = inside(points.points_nm)
    if len(found) > 1:
        curves["reconstruction"] = radial_distribution(found, box, edges)
        band = np.stack(radial_distribution_bands(found, box, edges, rng))
    if truth is not None:
        curves["truth"] = radial_distribution(inside(given), box, edges)
        known = points.covariance_nm2[np.isfinite(points.covariance_nm2).all(axis=(1, 2))]
        if len(known):
            draws = (inside(given + _displacements(known, len(given), rng)) for _ in range(_DRAWS))
            curves["blurred"] = np.mean([radial_distribution(draw, box, edges) for draw in draws], axis=0)
    middle = (edges[1:] + edges[:-1]) / 2
    peaks = {name: first_peak_nm(middle, g, diameter) for name, g in curves.items()}
    return RadialCurves(middle, width, band=band, first_peak_nm=peaks, **curves)


def _displacements(covariance_nm2: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random displacements (count, 3) [nm], each of one of the covariances (N, 3, 3), drawn at random."""
    values, vectors = np.linalg.eigh(covariance_nm2[rng.integers(len(covariance_nm2), size=count)])
    steps = rng.normal(size=(count, 3)) * np.sqrt(np.maximum(values, 0.0))
    return np.einsum("nij,nj->ni", vectors, steps)


def first_peak_nm(r_nm: np.ndarray, g: np.ndarray, diameter_nm: float) -> float | None:
    """Place of the highest bin between 0.8 and 2 diameters [nm], refined by a parabola.

    None where no bin there exceeds 1, or where bins are wider than a quarter of a diameter: no place is then known.
    """
    near = np.flatnonzero((r_nm > 0.8 * diameter_nm) & (r_nm < 2 * diameter_nm) & np.isfinite(g))
    if not len(near) or g[near].max() <= 1 or r_nm[1] - r_nm[0] > diameter_nm / 4:
        return None
    k = int(near[g[near].argmax()])
    if not 0 < k < len(g) - 1 or not np.isfinite(g[k - 1 : k + 2]).all():
        return float(r_nm[k])
    left, top, right = g[k - 1 : k + 2]
    bend = left - 2 * top + right
    return float(r_nm[k] + (0.5 * (left - right) / bend if bend < 0 else 0.0) * (r_nm[1] - r_nm[0]))


def point_residuals(acquisition: Acquisition, points: PointSet) -> list[dict]:
    """How well points fit the particles that the matched filter sees in each view by itself, in pixels.

    One dictionary a view: ``rms_px`` of the distance of projected points to the nearest detection, as far as it is
    within three pixels; ``within_1px``, the share of them that has one within a pixel; ``explained``, the share of the
    detections that has a projected point so near. Small residuals are necessary, not sufficient.
    """
    from scipy.spatial import KDTree

    from veristem.recon.particles.matched import detect
    from veristem.recon.particles.triangulate import depth_range_nm

    pixel, found = acquisition.pixel_nm, detect(acquisition)
    seen, radii = found.points_nm, np.concatenate(found.radii_nm)
    seem = shown(acquisition, float(np.median(radii)) if len(radii) else 0.0, depth_range_nm(acquisition))
    residuals = []
    for view in range(len(acquisition.views)):
        at = seem.places(points.points_nm, view, acquisition.focus_nm)
        at = at[((at >= 0) & (at <= acquisition.field_nm)).all(axis=1)]
        told: dict = {"view": view, "rms_px": None, "within_1px": None, "explained": None}
        if len(at) and len(seen[view]):
            off = KDTree(seen[view]).query(at)[0] / pixel
            back = KDTree(at).query(seen[view])[0] / pixel
            close = off[off <= 3 * _NEAR_PX]
            told["rms_px"] = float(np.sqrt((close**2).mean())) if len(close) else None
            told["within_1px"] = float((off <= _NEAR_PX).mean())
            told["explained"] = float((back <= _NEAR_PX).mean())
        residuals.append(told)
    return residuals


def headline(scene: ParticleScene) -> str:
    """One sentence on what was recovered."""
    assert scene.truth is not None
    views, points = counted(len(scene.acquisition.views), "view"), len(scene.points.points_nm)
    there, false = int(scene.truth.inside.sum()), int(scene.is_false.sum())
    if not there:
        all_false = f"; {counted(false, 'point')} found in it {'is' if false == 1 else 'are'} false" if false else ""
        return f"There is no particle in this field{all_false}."
    if not points:
        return f"From {views}, none of {counted(there, 'particle')} was found."
    f, depth, ratio = (scene.scores.get(k) for k in ("f_score", "depth_rmse_nm", "depth_rmse_nm_over_limit"))
    text = f"From {views}, {there - scene.is_missed.sum():,} of {counted(there, 'particle')} were found"
    text += f", with {counted(false, 'false point')}" if false else ", and no false point"
    text += "" if f is None else f": F = {f:.3f}"
    if depth is None:
        return text + "."
    limit = "" if ratio is None else f", {ratio:.2f} times the smallest that the counted electrons allow"
    return f"{text}, with a depth error of {depth:.2f} nm rms{limit}."


def residual_sentence(scene: ParticleScene) -> str:
    """One sentence on how well points fit their images, which is all that can be said without a truth."""
    near, explained = ([v[key] for v in scene.residuals if v[key] is not None] for key in ("within_1px", "explained"))
    if not len(scene.points.points_nm):
        return "No truth is known, and no particle was found."
    if not near or not explained:
        return "No truth is known, and there is nothing to lay over the particles of the images."
    least, seen = floor(100 * min(near)), floor(100 * min(explained))
    return (
        f"No truth is known. In every view at least {least} % of the particles found lie within a pixel "
        f"of one that the view shows, and at least {seen} % of these within a pixel of one found; "
        "this does not prove that the depths are right."
    )
