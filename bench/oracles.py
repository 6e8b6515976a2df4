"""Stages of a method handed in from the truth, to find where the error is made.

In a study a method is asked for with them by name: ``"stereo-classical contours=truth"``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import widest_pair
from veristem.datasets.intermediate import Alignment, Contours, Detections, Matches, PointMatches
from veristem.datasets.kinds import kind_of
from veristem.datasets.particle_rays import shown
from veristem.datasets.polyline import resample
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth
from veristem.recon.methods import without_oracles


def handed_in(method: str, truth: Truth, acquisition: Acquisition) -> tuple[str, dict]:
    """A method as it is asked for, without the stages that are the truth's, and these stages.

    Raises
    ------
    InputError
        For a stage that a specimen of this kind has not.
    """
    method, stages = without_oracles(method)
    makers = _MAKERS[kind_of(truth).name]
    for stage in stages:
        if stage not in makers:
            raise InputError(f"method {method}: {stage}=truth found, allowed are {', '.join(makers)} of this specimen")
    return method, {stage: makers[stage](truth, acquisition, np.random.default_rng(0)) for stage in stages}


def true_alignment(truth: LineTruth, acquisition: Acquisition, rng: np.random.Generator) -> Alignment:
    """The true directions and places of the views; nothing in it is random."""
    return Alignment(truth.directions_rad, truth.to_image)


def true_contours(
    truth: LineTruth,
    acquisition: Acquisition,
    rng: np.random.Generator,
    jitter_px: float = 0.0,
    visible_only: bool = True,
) -> Contours:
    """The projections of the true lines, each vertex moved at random normal to its line.

    Parameters
    ----------
    truth : LineTruth
        The lines.
    acquisition : Acquisition
        Pixel size; the true directions are taken from the truth.
    rng : numpy.random.Generator
        Of the jitter.
    jitter_px : float
        Root mean square of the displacement of each vertex; vertices are one pixel apart.
    visible_only : bool
        Leave out what the reflection does not show.

    Returns
    -------
    Contours
        In every view.
    """
    step = acquisition.pixel_nm
    lines = truth.network.chains(truth.visible if visible_only else None)
    curves, sigmas = [], []
    for number in range(len(truth.directions_rad)):
        view = [truth.project(line, number) for line in lines]
        view = [_jittered(resample(c, np.zeros(len(c)), step)[0], jitter_px * step, rng) for c in view]
        view = [c for c in view if len(c) >= 3]
        curves.append(tuple(view))
        sigmas.append(tuple(np.full(len(c), max(jitter_px, 0.02) * step) for c in view))
    return Contours(tuple(curves), tuple(sigmas))


def true_line_matches(
    truth: LineTruth, acquisition: Acquisition, rng: np.random.Generator, jitter_px: float = 0.0
) -> Matches:
    """The projections of the visible true lines into the widest pair of views, vertex by vertex, moved as contours."""
    step = acquisition.pixel_nm
    lines = [resample(c, np.zeros(len(c)), step)[0] for c in truth.network.chains(truth.visible)]
    lines = [line for line in lines if len(line) >= 3]
    pair = widest_pair(truth.directions_rad)
    seen = [[_jittered(truth.project(c, v), jitter_px * step, rng) for c in lines] for v in pair]
    sigma = tuple(np.full(len(c), np.sqrt(2) * max(jitter_px, 0.02) * step) for c in lines)
    return Matches(pair, tuple(np.stack(places) for places in zip(*seen)), sigma)


def _jittered(curve: np.ndarray, rms: float, rng: np.random.Generator) -> np.ndarray:
    tangent = np.gradient(curve, axis=0)
    length = np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / length
    return curve + rms * rng.normal(size=(len(curve), 1)) * normal


def true_detections(
    truth: ParticleTruth, acquisition: Acquisition, rng: np.random.Generator, jitter_px: float = 0.0
) -> Detections:
    """The projections of the true particles into every view, each moved at random.

    Parameters
    ----------
    truth : ParticleTruth
        The particles.
    acquisition : Acquisition
        Pixel size and field; the true directions are taken from the truth.
    rng : numpy.random.Generator
        Of the jitter.
    jitter_px : float
        Standard deviation of the displacement in x and in y.

    Returns
    -------
    Detections
        In the order of the truth, those beyond the edges of a view left out.
    """
    return _projected(truth, acquisition, rng, jitter_px)[0]


def true_matches(
    truth: ParticleTruth, acquisition: Acquisition, rng: np.random.Generator, jitter_px: float = 0.0
) -> PointMatches:
    """The same, with which of them are one particle; particles that fewer than two views show are left out."""
    detections, index = _projected(truth, acquisition, rng, jitter_px)
    index = index[(index >= 0).sum(axis=1) >= 2]
    return PointMatches(detections, index, np.zeros(len(index)))


def _projected(
    truth: ParticleTruth, acquisition: Acquisition, rng: np.random.Generator, jitter_px: float
) -> tuple[Detections, np.ndarray]:
    """True detections, and the number (N, V) of each particle's in each view, -1 for none.

    A particle that scatters into the views shows farther from the axis than the centre's projection: there it is
    detected.
    """
    pixel, particles = acquisition.pixel_nm, truth.particles
    rescattering = truth.recipe.get("specimen", {}).get("rescattering", True)
    radius = float(np.median(particles.radii_nm)) if len(particles.radii_nm) else 0.0
    seem = shown(acquisition, radius, (-truth.focus_nm, truth.thickness_nm - truth.focus_nm), rescattering)
    seem = replace(seem, directions_rad=seem.directions_rad + truth.directions_rad - acquisition.directions_rad)
    points, covariances, radii, index = [], [], [], []
    for view in range(len(truth.directions_rad)):
        at = seem.places(
            particles.centers_nm, view, truth.focus_nm, None if truth.to_image is None else truth.to_image[view]
        )
        seen = ((at >= 0) & (at <= acquisition.field_nm)).all(axis=1)
        count = int(seen.sum())
        points.append(at[seen] + jitter_px * pixel * rng.normal(size=(count, 2)))
        covariances.append(np.tile((max(jitter_px, 0.02) * pixel) ** 2 * np.eye(2), (count, 1, 1)))
        radii.append(particles.radii_nm[seen])
        index.append(np.where(seen, np.cumsum(seen) - 1, -1))
    return Detections(tuple(points), tuple(covariances), tuple(radii)), np.stack(index, axis=1)


_MAKERS = {
    "dislocations": {"alignment": true_alignment, "contours": true_contours, "matches": true_line_matches},
    "particles": {"detections": true_detections, "matches": true_matches},
}
