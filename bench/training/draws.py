"""Which conditions training images are made in: drawn anew for every foil, from a broad mixture or about recipes.

The seeds of foils begin at `FIRST_SEED`, beyond those of every study of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from veristem.datasets.detectors.virtual import Detector as Pair
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe

FIRST_SEED = 1_000_000
SPREAD = {  # about a recipe: the largest factor up or down of what is drawn evenly on a logarithmic scale
    "specimen.network.density_per_m2": 2.0,
    "specimen.thickness_nm": 1.25,
    "microscope.detector.pair_angle_deg": 1.25,
    "microscope.detector.radius_mrad": 1.6,
    "scan.dwell_us": 4.0,
}
_RADII = 3  # of the discs that one foil is imaged with
_SIDE_PX = 224  # of the field, whatever that of a recipe
_FCC = ("Al", "CoCrFeMnNi", "Cu", "Ni")
_BCC = ("alpha-Fe", "Ta", "W")
_GENERATORS = {
    "glide": 6, "junctions": 3, "tangles": 5, "cell_walls": 4, "cross_slipped": 3, "loops": 1, "kinked": 1,
    "pile_up": 1, "dissociated": 2, "frank_read": 1, "helix": 1,
}  # fmt: skip
_STOPPED = ("glide", "tangles", "cross_slipped")  # those whose lines end at boundaries of lamellae
_PLANES = ((1, 1, 1), (1, -1, 1), (-1, 1, 1), (1, 1, -1))


def drawn(number: int, seed: int, bases: Sequence[Recipe] = ()) -> tuple[Recipe, list[float]]:
    """The recipe of a training foil, and the radii of the discs it is imaged with [mrad].

    Parameters
    ----------
    number : int
        Of the foil.
    seed : int
        Of the training.
    bases : sequence of Recipe
        Of the user's session: each foil takes one in turn, spread as `SPREAD` says. A broad mixture of materials,
        networks, lamellae, lenses and scans if not given.

    Raises
    ------
    InputError
        When nothing drawn about a recipe is allowed.
    """
    rng = np.random.default_rng([seed, number])
    error: InputError | None = None
    for _ in range(20):  # a drawn cone may not hold the drawn discs
        base = bases[number % len(bases)] if bases else Recipe.from_table(_BASE, "training")
        values, radii = _near(base, rng) if bases else _broad(rng)
        values["recipe.seed"] = FIRST_SEED * (seed + 1) + number
        try:
            return base.with_values(values), radii
        except InputError as refused:
            error = refused
    assert error is not None
    raise error


_BASE: dict[str, Any] = {
    "recipe": {"name": "training"},
    "scan": {"shape": [_SIDE_PX, _SIDE_PX], "pixel_nm": 2.0},
    "specimen": {"field_nm": [2.0 * _SIDE_PX, 2.0 * _SIDE_PX]},
    "microscope": {"detector": {"kind": "virtual", "pair_angle_deg": 6.0, "radius_mrad": 5.0}},
}


def _broad(rng: np.random.Generator) -> tuple[dict[str, Any], list[float]]:
    """Values of one foil of the broad mixture, and its radii."""
    names = list(_GENERATORS)
    weights = np.array([_GENERATORS[name] for name in names], float)
    generator = str(rng.choice(names, p=weights / weights.sum()))
    material = str(rng.choice(["gamma-TiAl", *_FCC, *_BCC], p=[0.25, 0.2, 0.2, 0.1, 0.1, 0.07, 0.04, 0.04]))
    if generator == "dissociated":
        material = "CoCrFeMnNi"
    thickness, angle, cone = rng.uniform(90, 260), rng.uniform(3.0, 10.0), rng.uniform(86, 100)
    most = min(16.5, cone - 500 * np.radians(angle) - 0.5)
    radii = [float(r) for r in np.sort(np.exp(rng.uniform(np.log(3.5), np.log(max(most, 4.0)), _RADII)))]
    dense = rng.uniform(np.log(2e13), np.log(2e14 if generator in ("tangles", "cell_walls") else 1e14))
    values: dict[str, Any] = {
        "specimen.material": material,
        "specimen.thickness_nm": float(thickness),
        "specimen.g_azimuth_deg": float(rng.uniform(0, 180)),
        "specimen.tilt_off_bragg_deg": float(rng.uniform(0.0, 0.35)),
        "specimen.beams": 2 if rng.uniform() < 0.45 else None,
        "specimen.network": {
            "generator": generator,
            "density_per_m2": float(np.exp(dense)),
            "visible_fraction": float(rng.uniform(0.6, 1.0)),
        },
        "microscope.convergence_mrad": float(cone),
        "microscope.detector.pair_angle_deg": float(angle),
        "microscope.detector.radius_mrad": max(radii),
        "microscope.aberrations": str(rng.choice(["corrected", "none", "unbalanced"], p=[0.65, 0.3, 0.05])),
        "microscope.source_size_nm": float(rng.choice([0.0, rng.uniform(0.2, 2.0)])),
        "scan.dwell_us": float(np.exp(rng.uniform(np.log(60), np.log(3000)))),
        "scan.jitter_nm": float(rng.choice([0.0, 0.0, rng.uniform(0.1, 1.2)])),
    }
    if rng.uniform() < 0.35:
        values["specimen.contamination"] = float(rng.uniform(0.02, 0.2))
    if rng.uniform() < 0.3:
        values["specimen.wedge_deg"] = float(rng.uniform(-8, 8))
    if rng.uniform() < 0.2:
        values["specimen.bend_deg"] = float(rng.uniform(-0.3, 0.3))
    if generator in _STOPPED and material not in _BCC and rng.uniform() < 0.75:
        values["specimen.regions"] = {
            "size_nm": float(np.exp(rng.uniform(np.log(60), np.log(260)))),
            "plane": [int(i) for i in _PLANES[rng.integers(len(_PLANES))]],
            "variants": material == "gamma-TiAl" and bool(rng.uniform() < 0.7),
            "tilt_spread_deg": float(rng.uniform(0.1, 0.45)),
        }
    return values, radii


def _near(base: Recipe, rng: np.random.Generator) -> tuple[dict[str, Any], list[float]]:
    """Values of one foil about a recipe, and its radii."""
    detector = base.microscope.detector
    if base.specimen.kind != "dislocations" or not isinstance(detector, Pair):
        raise InputError(
            f"recipe {base.recipe.name}: {base.specimen.kind} with a {detector.kind} detector found, dislocations with "
            "a virtual one allowed"
        )
    pixel = base.scan.pixel_nm
    values: dict[str, Any] = {
        "scan.shape": [_SIDE_PX, _SIDE_PX],
        "specimen.field_nm": [_SIDE_PX * pixel, _SIDE_PX * pixel],
    }
    table = base.model_dump(mode="json")
    for path, factor in SPREAD.items():
        value = table
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            values[path] = float(value * factor ** rng.uniform(-1, 1))
    largest = base.microscope.convergence_mrad - 500 * np.radians(values["microscope.detector.pair_angle_deg"])
    radius, factor = detector.radius_mrad, SPREAD["microscope.detector.radius_mrad"]
    radii = sorted(float(min(radius * factor**power, largest)) for power in rng.uniform(-1, 1, _RADII))
    return values | {"microscope.detector.radius_mrad": max(radii)}, radii
