"""tomo-sirt: simultaneous iterative reconstruction in which no voxel falls below zero, and the lines in it."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.volume import Volume
from veristem.recon.tomography import series
from veristem.recon.tomography.projector import Projector

ITERATIONS = 24
MOST_ITERATIONS = 10_000


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    volume: bool = False,
    iterations: int = ITERATIONS,
    discrepancy: bool = False,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    voxel_nm: float | None = None,
) -> CurveSet | Volume:
    """Lines in 3D from all views, or the volume itself.

    Parameters
    ----------
    acquisition, alignment, contours, volume, depth_margin_nm, depth_range_nm, scale_nm, voxel_nm
        As of `series.reconstruct`.
    iterations : int
        Of `sirt`; with ``discrepancy`` the most of them.
    discrepancy : bool
        End each slice as soon as it differs from its views by no more than their noise, which is told by how the maps
        scatter beside lines (Morozov's principle). Lines fill little of their maps, so that this ends early, with faint
        lines left out.

    Raises
    ------
    InputError
        As `series.reconstruct`, and for fewer than one iteration.
    """
    if not 1 <= iterations <= MOST_ITERATIONS:
        raise InputError(f"iterations: {iterations} found, 1 to {MOST_ITERATIONS} allowed")
    return series.reconstruct(
        acquisition,
        lambda projector, maps: sirt(
            projector, maps.grey, maps.inside, iterations, noise_of(maps.grey, maps.inside) if discrepancy else 0.0
        ),
        alignment=alignment,
        contours=contours,
        volume=volume,
        depth_margin_nm=depth_margin_nm,
        depth_range_nm=depth_range_nm,
        scale_nm=scale_nm,
        voxel_nm=voxel_nm,
    )


def noise_of(maps: np.ndarray, inside: np.ndarray) -> float:
    """Standard deviation of maps beside lines, which fill little of them."""
    return 1.4826 * float(np.median(np.abs(maps[inside]))) if inside.any() else 0.0


def sirt(
    projector: Projector, maps: np.ndarray, inside: np.ndarray, iterations: int = ITERATIONS, noise: float = 0.0
) -> np.ndarray:
    """Slices (R, Z, C) whose projections come near the maps of the views.

    x <- max(0, x + C Aᵀ R (b - A x)), R and C the inverse sums of the rows and the columns of A, rays that no view
    shows left out (Gilbert, J. Theor. Biol. 36 (1972) 105).

    Parameters
    ----------
    projector : Projector
        Of the views.
    maps : (V, R, C) float
        What the rays gathered.
    inside : (V, R, C) bool
        Which of them are known.
    iterations : int
        From nothing.
    noise : float
        Standard deviation of the maps: a slice is left as it is once its projections are that near (rms); 0 never is.
    """
    sums = np.asarray(projector.forth.sum(axis=1))
    per_ray = (1 / np.maximum(sums, 1e-6 * sums.max(initial=1e-6))).astype(np.float32)

    def solve(given: np.ndarray, known: np.ndarray) -> np.ndarray:
        seen = projector.back @ known
        per_voxel = np.where(seen > 0, 1 / np.maximum(seen, 1e-6), 0).astype(np.float32)
        found = np.zeros_like(per_voxel)
        enough = noise**2 * known.sum(axis=0)
        for _ in range(iterations):
            off = known * (given - projector.forth @ found)
            going = (off**2).sum(axis=0) > enough
            if not going.any():
                break
            found += going * per_voxel * (projector.back @ (per_ray * off))
            np.maximum(found, 0, out=found)
        return found

    return projector.each(solve, maps, inside)
