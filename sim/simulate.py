"""The way in: a recipe into truth and images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import Truth
from veristem.sim.acquire import acquire
from veristem.sim.scan4d import check_pixelated, simulate_scan
from veristem.sim.specimen import Specimen, make_specimen
from veristem.sim.views import Progress


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """The generators of the specimen and of the noise of a seed."""
    specimen, noise = np.random.SeedSequence(seed).spawn(2)
    return np.random.default_rng(specimen), np.random.default_rng(noise)


def simulate_recipe(
    recipe: Recipe, specimen: Specimen | None = None, progress: Progress = lambda tilts, _: tilts
) -> tuple[Truth, Acquisition, Specimen]:
    """Truth, acquisition and specimen of a recipe.

    Parameters
    ----------
    recipe : Recipe
        What to make, and how to image it.
    specimen : Foil or Film, optional
        One already made of this recipe's specimen table and seed, used again.
    progress : callable
        Wraps the loop over (tilts, number of tilts).

    Raises
    ------
    InputError
        On what `make_specimen` and `acquire` find.
    """
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    if specimen is None:
        specimen = make_specimen(recipe, specimen_rng)
    return *acquire(specimen, recipe, noise_rng, progress), specimen


def simulate_4d(
    recipe: Recipe, folder: Path, key: str, progress: Progress = lambda rows, _: rows
) -> tuple[Truth, Specimen, list[Path]]:
    """Write the 4D scan of a recipe and that of the vacuum; truth, that of the views of its detector, and specimen.

    Parameters
    ----------
    recipe : Recipe
        Its detector is a pixelated one.
    folder : Path
        An existing folder.
    key : str
        Of what the counts depend on: a stopped run goes on only under the same key.
    progress : callable
        Wraps the loop over (rows of the scan, number of rows).

    Raises
    ------
    InputError
        On what `make_specimen` and `simulate_scan` find.
    """
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    check_pixelated(recipe)
    specimen = make_specimen(recipe, specimen_rng)
    paths = simulate_scan(specimen, recipe, noise_rng, folder, key, progress)
    unlimited = {"microscope.response.bits": None, "microscope.response.saturation_electrons": None}
    truth, _ = acquire(specimen, recipe.with_values(unlimited), noise_rng)
    return replace(truth, recipe=recipe.model_dump(mode="json")), specimen, paths
