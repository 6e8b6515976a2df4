"""How a page shows a scene of particles."""

from __future__ import annotations

import numpy as np

from veristem.reports.particle_figures import particle_figures as figures_of
from veristem.reports.particles import ParticleScene, reconstruction_plotter, truth_plotter
from veristem.reports.scenes import MOST_SPHERES
from veristem.reports.words import dose_numbers, number

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
    """Values and names of the numbers under the headline; what is not known is left out."""
    named = (
        ("f_score", "F", ""), ("depth_rmse_nm", "depth RMSE", " nm"), ("lateral_rmse_nm", "lateral RMSE", " nm"),
    )  # fmt: skip
    known = [(scene.scores.get(key), name, unit) for key, name, unit in named]
    found = [(number(v) + unit, name) for v, name, unit in known if v is not None and np.isfinite(v)]
    if scene.truth is not None:
        count = int(scene.truth.inside.sum())
        missed = f", {scene.is_missed.sum():,} missed" if scene.found is not None else ""
        found.append((f"{count:,}", f"particle{'s' if count != 1 else ''} in the field{missed}"))
    count = len(scene.points.points_nm)
    false = f", {scene.is_false.sum():,} false" if scene.errors_nm is not None else ""
    found.append((f"{count:,}", f"point{'s' if count != 1 else ''} found{false}"))
    views = len(scene.acquisition.views)
    angles = np.hypot(*scene.acquisition.directions_rad.T)
    found.append((str(views), f"view{'s' if views != 1 else ''}, inclined up to {1e3 * angles.max():.3g} mrad"))
    return found + dose_numbers(scene.acquisition)
