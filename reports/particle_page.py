"""How a page shows a scene of particles."""

from __future__ import annotations

import numpy as np

from veristem.reports.particle_figures import particle_figures as figures_of
from veristem.reports.particles import ParticleScene, reconstruction_plotter, truth_plotter
from veristem.reports.scenes import MOST_SPHERES
from veristem.reports.words import box_words, counted, dose_numbers, number

__all__ = ["COLUMNS", "FILE", "TITLE", "figures_of", "reconstruction_plotter", "truth_plotter"]

TITLE, FILE = "Particles", "particles"
COLUMNS = {"": "value"}  # of the table of scores, by the ending of their names


def as_lines(scene: ParticleScene) -> tuple[str, ...]:
    """The figures that are smaller as lines than as pixels."""
    few = len(scene.points.points_nm) < MOST_SPHERES
    return ("radial", "calibration", "side", *(("errors",) if few else ()))


def most_spheres(scene: ParticleScene) -> int:
    """Up to how many spheres are drawn, where there are more; else 0."""
    there = scene.truth.inside.sum() if scene.truth else 0
    return MOST_SPHERES if max(len(scene.points.points_nm), there) > MOST_SPHERES else 0


def is_empty(scene: ParticleScene) -> bool:
    """Whether the truth holds no particle in the field."""
    return scene.truth is not None and not scene.truth.inside.any()


def tolerance_nm(scene: ParticleScene) -> float | None:
    """Of the scores [nm]; None where it is each particle's radius."""
    return scene.scores.get("tolerance_nm")


def numbers(scene: ParticleScene) -> list[tuple[str, str]]:
    """Values and what they are, each to be understood alone; what is not known is left out."""
    named = (
        ("f_score", "F of the particles, 1 is perfect", ""),
        ("depth_rmse_nm", "depth error (rms) of the particles found", " nm"),
        ("lateral_rmse_nm", "error across the beam (rms) of the particles found", " nm"),
    )
    known = [(scene.scores.get(key), name, unit) for key, name, unit in named] if not is_empty(scene) else []
    found = [(number(v) + unit, name) for v, name, unit in known if v is not None and np.isfinite(v)]
    points = len(scene.points.points_nm)
    if scene.truth is not None:
        there = int(scene.truth.inside.sum())
        if scene.found is None or not there:
            found.append((f"{there:,}", f"true particle{'s' if there != 1 else ''} in the field"))
        else:
            found.append((f"{there - scene.is_missed.sum():,} of {there:,}", "true particles in the field were found"))
    if scene.errors_nm is None:
        found.append((f"{points:,}", f"point{'s' if points != 1 else ''} found"))
    else:
        found.append((f"{scene.is_false.sum():,} of {points:,}", "points found are false: no particle belongs to them"))
    views = len(scene.acquisition.views)
    angles = np.hypot(*scene.acquisition.directions_rad.T)
    found.append((str(views), f"view{'s' if views != 1 else ''}, inclined by up to {1e3 * angles.max():.3g} mrad"))
    return found + dose_numbers(scene.acquisition)


def alts(scene: ParticleScene) -> dict[str, str]:
    """What each picture shows, by its name, for who does not see it."""
    points = counted(len(scene.points.points_nm), "point")
    there = counted(0 if scene.truth is None else int(scene.truth.inside.sum()), "true particle")
    beside, too = (f" beside {there}", " beside true particles") if scene.truth is not None else ("", "")
    film, label = box_words(scene, "film"), scene.shade[1]
    return {
        "views": f"Images: the whole field in the first of {counted(len(scene.acquisition.views), 'view')}, and the "
        "part of it in the frame in each, up to four",
        "plan": f"{points}{beside} along the beam: the whole field, and a part of it on the first view",
        "plan-without-truth": f"{points} along the beam, without the truth: the whole field, and a part of it",
        "side": f"A slab of the film from the side, x against depth: points{too}",
        "errors": "Scatter of the depth errors against depth, and of the errors across the beam",
        "calibration": "Histograms of errors over reported standard deviations in x, y and z, with the standard normal",
        "radial": "Curves of the pair correlation g(r) and of the potential of mean force against distance",
        "truth": f"3D picture of {there} {film}",
        "truth_beam": f"The same {there} seen along the beam, x against y",
        "reconstruction": f"3D picture of {points}, coloured by {label}, {film}",
        "reconstruction_edge": f"The same {points} seen edge-on, y against depth",
    }


def words(scene: ParticleScene) -> dict[str, bool]:
    """What captions may speak of, as it is drawn."""
    matched, peaks = scene.is_matched, scene.radial.first_peak_nm if scene.radial is not None else {}
    limits = None if scene.limits_nm is None else np.asarray(scene.limits_nm, float)[matched]
    return {
        "has_sigma": bool(np.isfinite(scene.points.sigma_nm[:, 2]).any()),
        "has_limits": limits is not None and bool(np.isfinite(limits).all(axis=1).any()),
        "has_peaks": any(peak is not None for peak in peaks.values()),
    }
