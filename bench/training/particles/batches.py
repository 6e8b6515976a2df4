"""Batches of training: a piece of a film, counted anew at some dose, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from veristem.bench.training.particles.films import TrainingFilm
from veristem.recon.particles.background import background
from veristem.recon.particles.sweep import PLANES, RADIUS_PX, stacked, sweep_of

SIDE_PX = 80
CHANNELS = (
    *(f"particle_{plane}" for plane in range(PLANES)),
    *(f"offset_z_{plane}" for plane in range(PLANES)),
    *(f"near_z_{plane}" for plane in range(PLANES)),
    "offset_x", "offset_y", "near", "weight",
)  # fmt: skip
DOSE_PER_NM2 = (150.0, 80_000.0)  # of the beam, for particles of `_USUAL_NM`
_USUAL_NM = 2.25  # radius; larger ones are as clear with fewer electrons
_RIM_PX = 8  # of a piece, where the network sees too little of what is beyond
_NEAR_PX, _NEAR = 1.5, 1.5  # of a particle, in pixels and planes: so far the way to it is told
_MARGIN_PX = 20  # about a piece, from where views may be shifted into it
_WITH_PARTICLES = 0.8  # share of pieces that are taken about a particle
_RADIUS, _STRENGTH = 0.05, 0.1  # relative standard deviations of what is known of size and absorption


def batch(films: Sequence[TrainingFilm], size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sweeps (N, `sweep.CHANNELS`, S, S) and `CHANNELS` (N, …, S, S) of what is to be told, S = `SIDE_PX`.

    Parameters
    ----------
    films : sequence of TrainingFilm
        From which pieces are drawn.
    size : int
        N.
    rng : numpy.random.Generator
        Of everything.
    """
    drawn = [_piece(films[int(rng.integers(len(films)))], rng) for _ in range(size)]
    images, targets = (np.stack(part) for part in zip(*drawn))
    return images, targets


def counted(film: TrainingFilm, dose_per_nm2: float, rng: np.random.Generator) -> np.ndarray:
    """Counts (V, Y, X) of a film at a dose of the beam [electrons/nm²]."""
    electrons = dose_per_nm2 * film.pixel_nm**2 * film.fraction
    return rng.poisson(np.maximum(film.views.astype(np.float32), 0) * electrons[:, None, None]).astype(np.float32)


def usual_dose(film: TrainingFilm, dose_per_nm2: float) -> float:
    """A dose for a film that is to be as clear as particles of 4.5 nm at that dose: fewer electrons for larger ones."""
    return float(dose_per_nm2 * (_USUAL_NM / np.median(film.particles[:, 3])) ** 2)


@lru_cache(maxsize=4096)
def _ground(film: TrainingFilm) -> np.ndarray:
    """What each view of a film would show without particles, as a share of its electrons."""
    return background(film.views.astype(np.float32))


def _piece(film: TrainingFilm, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    radius_px = float(np.median(film.particles[:, 3])) / film.pixel_nm * np.exp(rng.normal(0, _RADIUS))
    zoom = RADIUS_PX / radius_px
    shape, side = np.array(film.views.shape[1:]), (SIDE_PX + 2 * _MARGIN_PX) / zoom
    low = rng.uniform(-side / 4, np.maximum(shape - side * 3 / 4, 1 - side / 4))
    if rng.uniform() < _WITH_PARTICLES:
        x, y = film.particles[rng.integers(len(film.particles)), :2] / film.pixel_nm
        low = np.clip(
            [y, x] - side * rng.uniform(0.3, 0.7, 2), -side / 4, np.maximum(shape - side * 3 / 4, 1 - side / 4)
        )
    corner, stop = np.maximum(low, 0).astype(int), np.minimum(low + side, shape).astype(int)
    window = (slice(None), slice(corner[0], stop[0]), slice(corner[1], stop[1]))
    views = rng.permutation(len(film.views))[: _kept(len(film.views), rng)]
    dose = usual_dose(film, float(np.exp(rng.uniform(*np.log(DOSE_PER_NM2)))))
    electrons = (dose * film.pixel_nm**2 * film.fraction[views])[:, None, None]
    expected = np.maximum(film.views[window][views].astype(np.float32), 0) * electrons
    counts = rng.poisson(expected * _contaminated(expected.shape[1:], zoom, rng)).astype(np.float32)
    ground = _ground(film)[window][views] * electrons * np.float32(np.exp(rng.normal(0, 0.004)))
    strength = film.strength_per_nm * film.pixel_nm * np.exp(rng.normal(0, _STRENGTH))
    tangents = film.tangents[views].copy()
    places = film.particles[:, :3].copy()
    places[:, :2] -= corner[::-1] * film.pixel_nm
    extent = np.array([stop - corner])[0][::-1] * film.pixel_nm
    counts, ground, tangents, places = _turned(counts, ground, tangents, places, extent, rng)
    sweep = sweep_of(counts, ground, tangents, film.pixel_nm, radius_px, strength)
    least, most = film.depths_nm / sweep.plane_nm
    ends = np.sort([least - 0.5, most - PLANES + 1.5])
    first = float(rng.uniform(*ends))
    free = np.array(sweep.views.shape[1:]) - SIDE_PX
    y, x = (int(rng.integers(min(0, n), max(0, n) + 1)) if abs(n) < 2 * _MARGIN_PX else n // 2 for n in free)
    image = stacked(sweep, first, slice(y, y + SIDE_PX), slice(x, x + SIDE_PX))
    at = np.column_stack([places[:, :2] / film.pixel_nm * sweep.zoom - [x, y], places[:, 2] / sweep.plane_nm - first])
    return image, told(at)


def _kept(count: int, rng: np.random.Generator) -> int:
    """How many of the views are used: mostly all."""
    return count - 1 if count > 3 and rng.uniform() < 0.1 else count


def told(at: np.ndarray) -> np.ndarray:
    """`CHANNELS` (C, S, S) of particles (N, 3) at x, y [px] and plane."""
    target = np.zeros((len(CHANNELS), SIDE_PX, SIDE_PX), np.float32)
    target[-1, _RIM_PX:-_RIM_PX, _RIM_PX:-_RIM_PX] = 1.0
    reach = _NEAR_PX + 1
    here = ((at[:, :2] > -reach) & (at[:, :2] < SIDE_PX + reach)).all(axis=1)
    here &= (at[:, 2] > -0.5 - _NEAR) & (at[:, 2] < PLANES - 0.5 + _NEAR)
    nearest, nearest_z = np.full((SIDE_PX, SIDE_PX), np.inf), np.full((PLANES, SIDE_PX, SIDE_PX), np.inf)
    plane = np.arange(PLANES)[:, None, None]
    for x, y, z in at[here]:
        k, j, i = int(np.round(z)), int(np.floor(y)), int(np.floor(x))
        if 0 <= k < PLANES and 0 <= j < SIDE_PX and 0 <= i < SIDE_PX:
            target[k, j, i] = 1.0
        rows, columns = (slice(max(n - 2, 0), max(min(n + 3, SIDE_PX), 0)) for n in (j, i))
        dy, dx = y - (np.arange(SIDE_PX)[rows] + 0.5)[:, None], x - (np.arange(SIDE_PX)[columns] + 0.5)
        across = np.hypot(dy, dx)
        closer = across < np.minimum(nearest[rows, columns], _NEAR_PX)
        nearest[rows, columns] = np.where(closer, across, nearest[rows, columns])
        for channel, way in ((3 * PLANES, dx), (3 * PLANES + 1, dy), (3 * PLANES + 2, 1.0)):
            target[channel, rows, columns] = np.where(closer, way, target[channel, rows, columns])
        apart = np.hypot(across / _NEAR_PX, (z - plane) / _NEAR)
        closer = apart < np.minimum(nearest_z[:, rows, columns], 1.0)
        nearest_z[:, rows, columns] = np.where(closer, apart, nearest_z[:, rows, columns])
        for channel, way in ((PLANES, z - plane), (2 * PLANES, 1.0)):
            those = slice(channel, channel + PLANES)
            target[those, rows, columns] = np.where(closer, way, target[those, rows, columns])
    return target


def _contaminated(shape: tuple[int, ...], zoom: float, rng: np.random.Generator) -> np.ndarray:
    """(Y, X) factor of a film that something smooth lies on, in some pieces."""
    if rng.uniform() < 0.75:
        return np.ones(shape, np.float32)
    size = np.exp(rng.uniform(np.log(4.0), np.log(40.0))) / zoom
    field = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), size)
    return np.exp(field * np.float32(rng.uniform(0.005, 0.05) / max(float(field.std()), 1e-12)))


def _turned(counts, ground, tangents, places, extent, rng: np.random.Generator):
    """All of it mirrored and transposed, or not."""
    if rng.uniform() < 0.5:
        counts, ground = counts[:, :, ::-1], ground[:, :, ::-1]
        tangents, places = tangents * [-1, 1], np.column_stack([extent[0] - places[:, 0], places[:, 1:]])
    if rng.uniform() < 0.5:
        counts, ground = counts[:, ::-1], ground[:, ::-1]
        tangents = tangents * [1, -1]
        places = np.column_stack([places[:, 0], extent[1] - places[:, 1], places[:, 2]])
    if rng.uniform() < 0.5:
        counts, ground = counts.transpose(0, 2, 1), ground.transpose(0, 2, 1)
        tangents, places = tangents[:, ::-1], places[:, [1, 0, 2]]
    return np.ascontiguousarray(counts), np.ascontiguousarray(ground), tangents, places
