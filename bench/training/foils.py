"""One training foil: its expected images through discs of several radii, and where its lines are in each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from veristem.bench.training.draws import drawn
from veristem.datasets import polyline
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.geometry import project
from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import LineTruth
from veristem.sim.noise import electrons_per_pixel
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen
from veristem.sim.views import expected_views

_STEP_PX = 0.25  # of the points along lines


@dataclass(frozen=True, eq=False)
class TrainingFoil:
    """What is kept of a training foil: images before noise, whose dose and faults are drawn when they are used.

    Parameters
    ----------
    views : (V, Y, X) float32
        Share of the electrons of its disc that each pixel of a view receives.
    electrons : (V,) float
        Nominal electrons that fall on a pixel within the disc of each view.
    visible_px, invisible_px : (V) sequences of (N, 2) float32
        Points along the lines that the reflection shows, and along the others, in each view: (x, y), the middle of the
        first pixel at 0.5.
    boundary : (V, Y, X) bool
        Where boundaries between regions are seen.
    lines_nm : sequence of (K, 3) float32
        The lines that the reflection shows, in the foil.
    directions_rad : (V, 2) float
    to_image : (V, 2, 3) float
        True mean direction of each view, and where its scan put the focus plane.
    focus_nm : float
        Depth of that plane.
    recipe : str
        The recipe, as JSON.
    """

    views: np.ndarray
    electrons: np.ndarray
    visible_px: Sequence[np.ndarray]
    invisible_px: Sequence[np.ndarray]
    boundary: np.ndarray
    lines_nm: Sequence[np.ndarray]
    directions_rad: np.ndarray
    to_image: np.ndarray
    focus_nm: float
    recipe: str

    @property
    def pixel_nm(self) -> float:
        """Pixel size of the views [nm]."""
        return float(json.loads(self.recipe)["scan"]["pixel_nm"])

    def places_nm(self, points_nm: np.ndarray, view: int) -> np.ndarray:
        """Where points (K, 3) of the foil are seen in a view, (K, 2)."""
        return project(points_nm, self.directions_rad[view], self.focus_nm, self.to_image[view])


def made(recipe: Recipe, radii_mrad: Sequence[float]) -> TrainingFoil:
    """Image a foil through the discs of a recipe's detector, with each of some radii [mrad]."""
    specimen_rng, errors = streams(recipe.recipe.seed)
    specimen = make_specimen(recipe, specimen_rng)
    discs = recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    regions = [replace(disc, outer_rad=1e-3 * radius) for radius in radii_mrad for disc in discs]
    alpha, pixel = 1e-3 * recipe.microscope.convergence_mrad, recipe.scan.pixel_nm
    fraction = np.array([region.fraction(alpha) for region in regions])
    views = expected_views(specimen, recipe, regions, errors, lambda tilts, _: tilts)
    expected = np.array([view.share / part for view, part in zip(views, fraction)], np.float32)
    truth = specimen.truth(
        recipe,
        expected=expected,
        directions_rad=np.array([view.mean_rad for view in views]),
        to_image=np.array([view.to_image for view in views]),
    )
    assert isinstance(truth, LineTruth)
    dose = electrons_per_pixel(recipe.microscope.current_nA, recipe.scan.dwell_us)
    return TrainingFoil(
        expected,
        dose * fraction,
        [_points(truth, truth.visible, view, pixel) for view in range(len(views))],
        [_points(truth, ~truth.visible, view, pixel) for view in range(len(views))],
        truth.labels == 3,
        [line.astype(np.float32) for line in truth.network.chains(truth.visible)],
        truth.directions_rad,
        np.asarray(truth.to_image),
        truth.focus_nm,
        recipe.model_dump_json(),
    )


def _points(truth: LineTruth, which: np.ndarray, view: int, pixel_nm: float) -> np.ndarray:
    lines = [truth.project(line, view) / pixel_nm for line in truth.network.chains(which)]
    points = [polyline.resample(line, np.zeros(len(line)), _STEP_PX)[0] for line in lines]
    return np.concatenate([np.zeros((0, 2)), *points]).astype(np.float32)


def write(path: Path, foil: TrainingFoil) -> None:
    """Write a foil as .npz, whole or not at all."""
    arrays: dict[str, np.ndarray] = {"views": foil.views, "electrons": foil.electrons, "boundary": foil.boundary}
    for view, (seen, hidden) in enumerate(zip(foil.visible_px, foil.invisible_px)):
        arrays |= {f"visible_{view}": seen, f"invisible_{view}": hidden}
    arrays |= {"lines": np.concatenate([np.zeros((0, 3), np.float32), *foil.lines_nm])}
    arrays |= {"vertices": np.array([len(line) for line in foil.lines_nm], int)}
    arrays |= {"directions": foil.directions_rad, "to_image": foil.to_image, "focus": np.array(foil.focus_nm)}
    arrays["recipe"] = np.frombuffer(foil.recipe.encode(), np.uint8)
    with atomic_path(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[reportArgumentType]


def read(path: Path) -> TrainingFoil:
    """The foil of a file of `write`.

    Raises
    ------
    InputError
        For a file that holds none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            count = range(len(file["views"]))
            seen, hidden = ([file[f"{name}_{view}"] for view in count] for name in ("visible", "invisible"))
            lines = np.split(file["lines"], np.cumsum(file["vertices"])[:-1]) if len(file["vertices"]) else []
            recipe = file["recipe"].tobytes().decode()
            return TrainingFoil(
                file["views"], file["electrons"], seen, hidden, file["boundary"], lines, file["directions"],
                file["to_image"], float(file["focus"]), recipe,
            )  # fmt: skip
    except (KeyError, ValueError, BadZipFile, EOFError) as error:
        raise InputError(f"{path}: no training foil ({error}); remove it, and it is made anew") from None


def make(number: int, seed: int, bases: Sequence[Recipe]) -> TrainingFoil | None:
    """The foil drawn for a number; None when no line in it can be seen.

    Raises
    ------
    InputError
        When the foil cannot hold the network that was drawn.
    """
    foil = made(*drawn(number, seed, bases))
    return foil if any(len(points) for points in foil.visible_px) else None
