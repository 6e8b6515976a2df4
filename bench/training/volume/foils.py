"""Foils to learn disparities from: those of contours, but imaged with two beams and through one pair of discs.

How far lines lie apart in both views needs fewer examples of contrast than what a line looks like: a foil takes a
third of the time. Those of a training of contours do as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from veristem.bench.training import draws, foils
from veristem.datasets.recipe import Recipe


def drawn(number: int, seed: int, bases: Sequence[Recipe] = ()) -> tuple[Recipe, list[float]]:
    """The recipe of a foil and the radius of its discs [mrad]; arguments and errors as of `draws.drawn`."""
    recipe, radii = draws.drawn(number, seed, bases)
    radius = radii[number % len(radii)]
    return recipe.with_values({"specimen.beams": 2, "microscope.detector.radius_mrad": radius}), [radius]


def make(number: int, seed: int, bases: Sequence[Recipe]) -> foils.TrainingFoil | None:
    """The foil drawn for a number; as of `foils.make`."""
    foil = foils.made(*drawn(number, seed, bases))
    return foil if any(len(points) for points in foil.visible_px) else None
