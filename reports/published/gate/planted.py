"""Losses planted in reconstructions, and the noise of the same images drawn again: what the gate is tried on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from veristem.bench.limits.lines import line_limits
from veristem.bench.limits.points import point_limits
from veristem.bench.metrics import recall
from veristem.bench.scoring import TOLERANCE_NM, curve_pair, point_pair, score
from veristem.datasets.recipe import Recipe, Study
from veristem.datasets.reconstruction import CurveSet, Reconstruction
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth
from veristem.recon.methods import run_method
from veristem.sim.acquire import acquire
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen

SAME, REDRAWN = "same", "noise drawn again"
Loss = Callable[[Reconstruction, Truth, float, np.random.Generator], Reconstruction]  # tolerance in nm


def worse_depth(found: Reconstruction, truth: Truth, tolerance_nm: float, rng: np.random.Generator) -> Reconstruction:
    """Every error in depth, to the nearest true line or the matched particle, 10 % larger."""
    if isinstance(found, CurveSet):
        from veristem.bench.metrics.lines import Lines

        assert isinstance(truth, LineTruth)
        lines = Lines.of(truth, tolerance_nm, truth.field_nm)
        moved = [curve + 0.1 * (curve - lines.nearest(curve)[1]) * [0, 0, 1] for curve in found.curves_nm]
        return replace(found, curves_nm=tuple(np.where(np.isfinite(m), m, c) for m, c in zip(moved, found.curves_nm)))
    assert isinstance(truth, ParticleTruth)
    partner = point_pair(truth, found, None, point_limits(truth)).partner
    points = found.points_nm.copy()
    right = partner >= 0
    points[right, 2] += 0.1 * (points[right, 2] - truth.particles.centers_nm[partner[right], 2])
    return replace(found, points_nm=points)


def fewer_found(found: Reconstruction, truth: Truth, tolerance_nm: float, rng: np.random.Generator) -> Reconstruction:
    """Recall 3 % lower: every curve has lost an end, as large a share of it as that takes; or particles at random."""
    if isinstance(found, CurveSet):
        assert isinstance(truth, LineTruth)

        def cut(share: float) -> CurveSet:
            left = [_shortened(curve, sigma, share) for curve, sigma in zip(found.curves_nm, found.sigma_nm)]
            return replace(found, curves_nm=tuple(c for c, _ in left), sigma_nm=tuple(s for _, s in left))

        def recall_of(curves: CurveSet) -> float:
            return recall.score(curve_pair(truth, curves, tolerance_nm=tolerance_nm)) or 0.0

        whole = recall_of(found)
        if not whole:
            return found
        low, high = 0.0, 1.0
        for _ in range(10):
            share = (low + high) / 2
            enough = recall_of(cut(share)) <= 0.97 * whole
            low, high = (share, high) if enough else (low, share)
        return cut(low)
    count = len(found.points_nm)
    lost = rng.choice(count, int(0.03 * count + rng.random()), replace=False)
    return found.where(~np.isin(np.arange(count), lost))


def shifted(*step_nm: float) -> Loss:
    """Everything moved by a step (x, y, z) [nm]."""

    def shift(found: Reconstruction, truth: Truth, tolerance_nm: float, rng: np.random.Generator) -> Reconstruction:
        if isinstance(found, CurveSet):
            return replace(found, curves_nm=tuple(curve + step_nm for curve in found.curves_nm))
        return replace(found, points_nm=found.points_nm + step_nm)

    return shift


def one_shifted(found: Reconstruction, truth: Truth, tolerance_nm: float, rng: np.random.Generator) -> Reconstruction:
    """The longest curve alone, or one particle, moved across the beam by 1 nm."""
    step = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    if isinstance(found, CurveSet):
        lengths = [np.linalg.norm(np.diff(curve, axis=0), axis=1).sum() for curve in found.curves_nm]
        longest = int(np.argmax(lengths)) if lengths else -1
        return replace(found, curves_nm=tuple(c + step * (i == longest) for i, c in enumerate(found.curves_nm)))
    first = np.arange(len(found.points_nm)) == 0
    return replace(found, points_nm=found.points_nm + step * first[:, None])


LOSSES: dict[str, Loss] = {
    "errors in depth 10 % larger": worse_depth,
    "recall 3 % lower": fewer_found,
    "all shifted by 1 nm across the beam": shifted(np.sqrt(0.5), np.sqrt(0.5), 0.0),
    "all shifted by +1 nm in depth": shifted(0.0, 0.0, 1.0),
    "all shifted by -1 nm in depth": shifted(0.0, 0.0, -1.0),
    "one line or particle shifted by 1 nm": one_shifted,
}


def planted_rows(study: Study, recipe: Recipe, seed: int, planted: bool) -> Iterator[dict[str, Any]]:
    """Rows of one seed as a study has them, with ``variant``: the noise drawn again, and every loss if asked for.

    Parameters
    ----------
    study, recipe : Study, Recipe
        What is run, with the first method only.
    seed : int
        Specimen, and noise but where it is drawn again.
    planted : bool
        Whether every loss of `LOSSES` is planted too.
    """
    specimen = None
    method, tolerance = study.methods[0], study.tolerance_nm or TOLERANCE_NM
    for conditions in study.cells():
        changed = recipe.with_values({**conditions, "recipe.seed": seed})
        specimen_rng, noise = streams(seed)
        specimen = make_specimen(changed, specimen_rng) if specimen is None else specimen
        again, loss_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4)[2:])
        conditions_json = json.dumps(conditions, sort_keys=True)
        base = {"method": method, "conditions": conditions_json, "seed": seed, "version": version("veristem")}
        draws: list[tuple[np.random.Generator, dict[str, Loss | None]]] = [(again, {REDRAWN: None})]
        draws += [(noise, {SAME: None, **LOSSES})] if planted else []
        for noise_rng, losses in draws:
            try:
                truth, acquisition = acquire(specimen, changed, noise_rng)
                found = run_method(method, acquisition)
                worse = {
                    name: loss(found, truth, tolerance, loss_rng) if loss else found for name, loss in losses.items()
                }
                how: dict[str, Any] = _limits(truth) | {"tolerance_nm": study.tolerance_nm}
                rows = [{"variant": name, "error": None} | score(truth, w, **how) for name, w in worse.items()]
            except Exception as error:  # as in a study, where it costs its own rows only
                rows = [{"variant": name, "error": f"{type(error).__name__}: {error}"} for name in losses]
            yield from (base | row for row in rows)


def _limits(truth: Truth) -> dict[str, Any]:
    """The limits as `score` takes them."""
    if isinstance(truth, LineTruth):
        return {"limits": line_limits(truth)}
    return {"covariance_nm2": point_limits(truth)}


def _shortened(curve: np.ndarray, sigma: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """A curve up to a share of its length."""
    along = np.append(0.0, np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum())
    end = share * along[-1]
    kept = along < end
    last = [np.interp(end, along, column) for column in curve.T]
    return np.vstack([curve[kept], last]), np.append(sigma[kept], np.interp(end, along, sigma))
