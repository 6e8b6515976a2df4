"""Stages of a method handed in from the truth, to find where the error is made."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Contours
from veristem.datasets.truth import LineTruth
from veristem.recon.stereo.matching import resample


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
    for direction in truth.directions_rad:
        view = [project(line, direction, truth.focus_nm) for line in lines]
        view = [_jittered(resample(c, np.zeros(len(c)), step)[0], jitter_px * step, rng) for c in view]
        view = [c for c in view if len(c) >= 3]
        curves.append(tuple(view))
        sigmas.append(tuple(np.full(len(c), max(jitter_px, 0.02) * step) for c in view))
    return Contours(tuple(curves), tuple(sigmas))


def _jittered(curve: np.ndarray, rms: float, rng: np.random.Generator) -> np.ndarray:
    tangent = np.gradient(curve, axis=0)
    length = np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / length
    return curve + rms * rng.normal(size=(len(curve), 1)) * normal
