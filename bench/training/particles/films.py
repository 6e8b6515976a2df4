"""One training film: its expected images, and where its particles are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from veristem.bench.training.particles.draws import drawn
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.particle_rays import shown
from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import ParticleTruth
from veristem.recon.particles.background import background
from veristem.recon.particles.fit import Images, Spheres, fit, thickness
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen
from veristem.sim.views import expected_views

_CLEAR = 1e4  # counts a pixel
_RIGID = 0.05  # spread of radii


@dataclass(frozen=True, eq=False)
class TrainingFilm:
    """What is kept of a training film: images before noise, whose dose and faults are drawn when they are used.

    Parameters
    ----------
    views : (V, Y, X) float16
        Share of the electrons within its region that each pixel of a view receives.
    fraction : (V,) float
        Of the beam's electrons, those within the region of each view.
    tangents : (V, 2) float
        Of the directions under which particles show in the views.
    particles : (N, 4) float
        x, y where the particles cross the focus plane, apparent depth below it, radius [nm].
    depths_nm : (2,) float
        Least and largest apparent depth in the film.
    pixel_nm : float
        Scan step [nm].
    strength_per_nm : float
        Absorption per thickness of a particle, as the joint fit of one view finds it [1/nm].
    recipe : str
        The recipe, as JSON.
    """

    views: np.ndarray
    fraction: np.ndarray
    tangents: np.ndarray
    particles: np.ndarray
    depths_nm: np.ndarray
    pixel_nm: float
    strength_per_nm: float
    recipe: str


def made(recipe: Recipe) -> TrainingFilm:
    """Image a film as its recipe says, but for noise."""
    specimen_rng, errors = streams(recipe.recipe.seed)
    specimen = make_specimen(recipe, specimen_rng)
    regions = recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    alpha, pixel = 1e-3 * recipe.microscope.convergence_mrad, recipe.scan.pixel_nm
    fraction = np.array([region.fraction(alpha) for region in regions])
    drawn_views = expected_views(specimen, recipe, regions, errors, lambda tilts, _: tilts)
    directions = np.array([view.mean_rad for view in drawn_views])
    truth = specimen.truth(recipe, expected=np.zeros((0, 1, 1), np.float32), directions_rad=directions)
    assert isinstance(truth, ParticleTruth)
    acquisition = Acquisition(
        np.zeros((len(regions), 1, 1), np.float32), np.array([r.mean_direction_rad(alpha) for r in regions]), pixel,
        truth.focus_nm, truth.thickness_nm, energy_keV=recipe.microscope.energy_keV, convergence_rad=alpha,
        regions=tuple(regions), kind="particles",
    )  # fmt: skip
    ends = (-truth.focus_nm, truth.thickness_nm - truth.focus_nm)
    radii = truth.particles.radii_nm
    seem = shown(acquisition, float(radii.mean()) if len(radii) else 1.0, ends)
    depth = seem.apparent(truth.particles.centers_nm[:, 2] - truth.focus_nm)
    shares = np.array([view.share / part for view, part in zip(drawn_views, fraction)])
    tangents = np.tan(seem.directions_rad)
    particles = np.column_stack([truth.particles.centers_nm[:, :2], depth, radii])
    return TrainingFilm(
        shares.astype(np.float16),
        fraction,
        tangents,
        particles,
        np.array([float(seem.apparent(end)) for end in ends]),
        pixel,
        _strength(shares[:1], particles[:, :2] - particles[:, 2:3] * tangents[0], radii, pixel) if len(radii) else 0.0,
        recipe.model_dump_json(),
    )


def _strength(share: np.ndarray, places_nm: np.ndarray, radii_nm: np.ndarray, pixel_nm: float) -> float:
    """Absorption per nm of the particles, fitted to one view (1, Y, X) without noise."""
    counts = (_CLEAR * share).astype(np.float32)
    images = Images(counts, background(counts), (np.zeros((1, 2)),), (np.ones(1),))
    places = np.column_stack([places_nm / pixel_nm, np.zeros(len(radii_nm))])
    radii = radii_nm / pixel_nm
    spheres = Spheres(places, radii, 0.05 / float(radii.mean()), float(radii.mean()))
    for _ in range(2):
        spheres = fit(images, spheres, _RIGID, flat=True, common=True)
        passing = np.exp(np.float32(-spheres.strength) * thickness(images, spheres))
        images = replace(images, background=background(counts, passing))
    return spheres.strength / pixel_nm


def make(number: int, seed: int, bases: Sequence[Recipe]) -> TrainingFilm | None:
    """The film drawn for a number; None when nothing is in it.

    Raises
    ------
    InputError
        When its particles do not fit.
    """
    film = made(drawn(number, seed, bases))
    return film if len(film.particles) else None


def write(path: Path, film: TrainingFilm) -> None:
    """Write a film as .npz, whole or not at all."""
    arrays = {name: np.asarray(getattr(film, name)) for name in (*_ARRAYS, *_NUMBERS)}
    arrays["recipe"] = np.frombuffer(film.recipe.encode(), np.uint8)
    with atomic_path(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[reportArgumentType]


def read(path: Path) -> TrainingFilm:
    """The film of a file of `write`.

    Raises
    ------
    InputError
        For a file that holds none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
            numbers = {name: float(file[name]) for name in _NUMBERS}
            recipe = file["recipe"].tobytes().decode()
            return TrainingFilm(**arrays, **numbers, recipe=recipe)  # type: ignore[reportArgumentType]
    except (KeyError, ValueError, BadZipFile, EOFError) as error:
        raise InputError(f"{path}: no training film ({error}); remove it, and it is made anew") from None


_ARRAYS = ("views", "fraction", "tangents", "particles", "depths_nm")
_NUMBERS = ("pixel_nm", "strength_per_nm")
