"""How well particles are found on films that were not trained on, before the joint fit."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from veristem.bench.training.agreement import Agreement
from veristem.bench.training.particles.batches import DOSE_PER_NM2, counted, usual_dose
from veristem.bench.training.particles.films import TrainingFilm
from veristem.bench.training.stage import Answer
from veristem.recon.particles.background import background
from veristem.recon.particles.learned import particles_in
from veristem.recon.particles.sweep import sweep_of

TOLERANCE_PX, TOLERANCE = 2.0, 1.0  # half a radius across, and one plane along the beam
_RIM_PX = 2.0  # of the image, where too little of a particle is seen
_SIDE_PX = 192  # of the middle of a film that is looked at


def checked(film: TrainingFilm, answer: Answer, seed: int) -> Agreement:
    """Agreement in the middle of a film, at one of its doses."""
    rng = np.random.default_rng([seed, film.views.shape[1], len(film.particles)])
    counts = counted(film, usual_dose(film, np.exp(rng.uniform(*np.log(DOSE_PER_NM2)))), rng)
    radius, strength = float(np.median(film.particles[:, 3])), film.strength_per_nm * film.pixel_nm
    sweep = sweep_of(counts, background(counts), film.tangents, film.pixel_nm, radius / film.pixel_nm, strength)
    corner = [max(0, (n - _SIDE_PX) // 2) for n in sweep.views.shape[1:]]
    part = tuple(slice(start, start + _SIDE_PX) for start in corner)
    middle = sweep.part(*part)
    least, most = film.depths_nm / sweep.plane_nm
    found = particles_in(middle, (least, most), answer)
    truth = film.particles[:, :3] / np.append(film.pixel_nm / sweep.zoom, sweep.plane_nm) - [*corner[::-1], 0]
    return agreement(found, truth, middle.views.shape[1:])


def agreement(found: np.ndarray, truth: np.ndarray, shape: tuple[int, int]) -> Agreement:
    """Of particles (N, 5), as of `learned.particles_in`, with true ones (M, 3) in an image of a shape."""
    scale = np.array([TOLERANCE_PX, TOLERANCE_PX, TOLERANCE])
    partner = np.full(len(found), -1)
    if len(found) and len(truth):  # the nearest first, each once
        near = KDTree(truth / scale).query_ball_point(found[:, :3] / scale, 1.0)
        pairs = [(np.linalg.norm((found[n, :3] - truth[m]) / scale), n, m) for n, few in enumerate(near) for m in few]
        taken = set()
        for _, n, m in sorted(pairs):
            if partner[n] < 0 and m not in taken:
                partner[n] = m
                taken.add(m)
    right = partner >= 0
    low, high = _RIM_PX, np.array(shape[::-1]) - _RIM_PX
    counts = np.asarray(((truth[:, :2] > low) & (truth[:, :2] < high)).all(axis=1))
    here = np.asarray(((found[:, :2] > low) & (found[:, :2] < high)).all(axis=1))
    here[right] = counts[partner[right]]
    error = found[right & here, :3] - truth[partner[right & here]]
    sigma = np.maximum(found[right & here, 3:], 1e-6)
    surprise = np.column_stack([(error[:, :2] ** 2).mean(axis=1), error[:, 2] ** 2]) / sigma**2
    hits = float((right & here).sum())
    return Agreement(hits, float(counts.sum()), hits, float(here.sum()), None, surprise)
