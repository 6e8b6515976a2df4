"""Which conditions training films are made in: drawn anew for every film, from a broad mixture or about recipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from veristem.bench.training.draws import FIRST_SEED
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe

SPREAD = {  # about a recipe: the largest factor up or down of what is drawn evenly on a logarithmic scale
    "specimen.dispersion.concentration_mg_per_ml": 2.0,
    "specimen.dispersion.diameter_nm": 1.2,
    "specimen.thickness_nm": 1.25,
}
_SIDE_RADII = 80  # of the field
_MOST_SIDE_PX = 600
_USUAL_NM = 4.5  # diameter of which a film of a concentration covers as much as one of larger particles
_CHAINS = ((2, 5), (5, 20), (21, 60))


def drawn(number: int, seed: int, bases: Sequence[Recipe] = ()) -> Recipe:
    """The recipe of a training film.

    Parameters
    ----------
    number : int
        Of the film.
    seed : int
        Of the training.
    bases : sequence of Recipe
        Of the user's session: each film takes one in turn, spread as `SPREAD` says. A broad mixture of arrangements,
        sizes, films and detectors if not given.

    Raises
    ------
    InputError
        When nothing drawn about a recipe is allowed.
    """
    rng = np.random.default_rng([seed, number, 2])
    error: InputError | None = None
    for _ in range(20):
        base = bases[number % len(bases)] if bases else Recipe.from_table(_BASE, "training")
        values = _near(base, rng) if bases else _broad(rng)
        values["recipe.seed"] = FIRST_SEED * (seed + 1) + number
        try:
            return base.with_values(values)
        except InputError as refused:
            error = refused
    assert error is not None
    raise error


_BASE: dict[str, Any] = {
    "recipe": {"name": "training"},
    "specimen": {"kind": "particles", "field_nm": [204.8, 204.8]},
    "microscope": {"convergence_mrad": 28.0, "detector": {"kind": "segmented"}, "current_nA": 0.1},
    "scan": {"shape": [512, 512], "pixel_nm": 0.4},
}


def _broad(rng: np.random.Generator) -> dict[str, Any]:
    """Values of one film of the broad mixture."""
    diameter = float(np.exp(rng.uniform(np.log(3.0), np.log(10.0)))) if rng.uniform() < 0.5 else _USUAL_NM
    kind = str(rng.choice(["spheres", "attractive", "chains"], p=[0.4, 0.15, 0.45]))
    dispersion: dict[str, Any] = {
        "generator": kind,
        "diameter_nm": diameter,
        "concentration_mg_per_ml": float(np.exp(rng.uniform(np.log(4.0), np.log(60.0))) * diameter / _USUAL_NM),
        "spread": float(rng.choice([0.0, rng.uniform(0.0, 0.12)])),
        "shell_nm": float(rng.uniform(0.2, 1.2)),
    }
    if kind == "chains":
        shortest, longest = _CHAINS[rng.integers(len(_CHAINS))]
        dispersion |= {"shortest": shortest, "longest": longest, "bend_deg": float(rng.uniform(15, 60))}
    cone = float(rng.uniform(20, 34))
    thickness = float(rng.uniform(60, 280) * max(1.0, diameter / _USUAL_NM / 1.5))
    values: dict[str, Any] = {
        "specimen.dispersion": dispersion,
        "specimen.thickness_nm": thickness,
        "specimen.wedge_deg": float(rng.choice([0.0, 0.0, rng.uniform(-8, 8)])),
        "microscope.convergence_mrad": cone,
        "microscope.detector": _detector(cone, rng),
        "microscope.aberrations": str(rng.choice(["none", "corrected"], p=[0.75, 0.25])),
        "microscope.source_size_nm": float(rng.choice([0.0, rng.uniform(0.1, 0.5)])),
    }
    return values | _raster(diameter, float(np.exp(rng.uniform(np.log(2.2), np.log(7.0)))))


def _detector(cone: float, rng: np.random.Generator) -> dict[str, Any]:
    """Quadrants most often, else four rings of them or a pair of discs."""
    kind = rng.uniform()
    if kind < 0.8:
        return {
            "kind": "segmented", "inner_mrad": cone * float(rng.uniform(0.2, 0.6)),
            "outer_mrad": cone * float(rng.uniform(0.95, 1.0)), "rotation_deg": float(rng.uniform(-45, 45)),
            "segments": 4 if kind < 0.65 else 16,
        }  # fmt: skip
    radius = cone * float(rng.uniform(0.25, 0.45))
    return {
        "kind": "virtual", "radius_mrad": radius, "pair_azimuth_deg": float(rng.uniform(0, 180)),
        "pair_angle_deg": float(np.degrees(2e-3 * (cone - radius) * rng.uniform(0.85, 1.0))),
    }  # fmt: skip


def _raster(diameter_nm: float, radius_px: float) -> dict[str, Any]:
    """A field of so many radii in pixels of which a radius has so many."""
    side = min(round(_SIDE_RADII * radius_px), _MOST_SIDE_PX)
    pixel = diameter_nm / 2 / radius_px
    return {"scan.shape": [side, side], "scan.pixel_nm": pixel, "specimen.field_nm": [side * pixel, side * pixel]}


def _near(base: Recipe, rng: np.random.Generator) -> dict[str, Any]:
    """Values of one film about a recipe."""
    table = base.model_dump(mode="json")
    detector, stage = base.microscope.detector, base.stage
    dispersion = table["specimen"].get("dispersion", {})
    if base.specimen.kind != "particles" or "diameter_nm" not in dispersion or len(stage.angles_deg) > 1:
        raise InputError(
            f"recipe {base.recipe.name}: {base.specimen.kind} with a {detector.kind} detector and "
            f"{len(stage.angles_deg)} tilts found, generated particles and views taken at once allowed"
        )
    values: dict[str, Any] = {}
    for path, factor in SPREAD.items():
        value = table
        for key in path.split("."):
            value = value[key]
        values[path] = float(value * factor ** rng.uniform(-1, 1))
    diameter = values["specimen.dispersion.diameter_nm"]
    return values | _raster(diameter, max(diameter / 2 / base.scan.pixel_nm, 1.0))
