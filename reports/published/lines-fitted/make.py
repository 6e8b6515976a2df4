"""Lines before and after they are fitted to the images of 2, 3, 5 and 9 views at the dose of the pair in all.

    python reports/published/lines-fitted/make.py -o results      # three foils, about ten minutes of one core

Images in the folder are kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import veristem as vs
from veristem.bench.limits.lines import line_limits
from veristem.bench.metrics.depth_errors import DepthErrors
from veristem.bench.metrics.lines import Lines
from veristem.bench.scoring import score
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.polyline import arc_length, resample
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method

HERE = Path(__file__).parent
SEEDS = (7100, 7101, 7102)
DENSE = 5e13  # of lines [1/m²], so that a foil tells enough
FAN = {2: (0, 8), 3: (0, 4, 8), 5: (0, 2, 4, 6, 8), 9: tuple(range(9))}
DOSES = (1 / 6, 1.0, 2.3)  # of the pair, of the reference dose
OFF_NM, SMOOTH_NM = (1.5, 6.0), 60.0  # true lines moved aside and in depth, evenly over such lengths
SCORES = ("f_score", "precision", "recall", "depth_spread_nm", "lateral_rmse_nm", "calibration")


def foil(folder: Path, seed: int) -> tuple[LineTruth, Acquisition]:
    """Truth and images of nine discs, those in the folder if they are there."""
    at = folder / f"seed{seed}"
    if not (at / "truth.vtp").exists():
        values = {
            "recipe.seed": seed,
            "specimen.network.density_per_m2": DENSE,
            "specimen.field_nm": [448.0, 448.0],
            "scan.shape": [224, 224],
            "microscope.detector.views": 9,
            "microscope.aberrations": "none",
        }
        vs.simulate("cantor-stereo", at, values=values)
    return vs.load(at / "truth.h5"), vs.load(at / "acquisition.h5")


def some(truth: LineTruth, a: Acquisition, keep: tuple[int, ...], dose: float) -> tuple[LineTruth, Acquisition]:
    """Some of the views, each with its own noise and its part of the dose of a pair."""
    index, share, recipe = np.array(keep), 2 * dose / len(keep), deepcopy(truth.recipe)
    recipe["microscope"]["detector"]["views"] = len(keep)
    recipe["scan"]["dwell_us"] *= share
    expected = truth.expected[index] * share
    assert truth.contrast_directions_rad is not None
    assert a.regions is not None
    assert a.electrons_per_pixel is not None
    fewer = replace(
        truth,
        expected=expected,
        labels=truth.labels[index],
        directions_rad=truth.directions_rad[index],
        contrast_directions_rad=truth.contrast_directions_rad[index],
        steady=None,
        recipe=recipe,
    )
    views = np.random.default_rng([truth.recipe["recipe"]["seed"], *keep]).poisson(expected).astype(np.float32)
    return fewer, replace(
        a,
        views=views,
        directions_rad=a.directions_rad[index],
        regions=tuple(a.regions[k] for k in keep),
        electrons_per_pixel=a.electrons_per_pixel[index] * share,
    )


def moved(truth: LineTruth, rng: np.random.Generator) -> CurveSet:
    """The visible lines within the field, moved at random aside and in depth."""
    curves = []
    for line in truth.network.chains(truth.visible):
        even = resample(line, np.zeros(len(line)), 2.0)[0]
        inside = np.flatnonzero(((even[:, :2] > 4) & (even[:, :2] < np.array(truth.field_nm) - 4)).all(axis=1))
        for run in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
            if len(run) < 8:
                continue
            curve = even[run]
            at, along = arc_length(curve), np.gradient(curve[:, :2], axis=0)
            normal = np.column_stack([-along[:, 1], along[:, 0]]) / np.linalg.norm(along, axis=1)[:, None]
            knots = np.linspace(0, at[-1], max(2, round(at[-1] / SMOOTH_NM)))
            aside, deep = (np.interp(at, knots, far * rng.normal(size=len(knots))) for far in OFF_NM)
            curves.append(curve + np.column_stack([aside[:, None] * normal, deep]))
    return CurveSet(tuple(curves), tuple(np.full(len(c), OFF_NM[1]) for c in curves))


def answers(folder: Path, seed: int) -> Iterator[tuple[dict, LineTruth, dict[str, CurveSet]]]:
    """Every condition with its truth, what is begun with and what is fitted."""
    whole = foil(folder, seed)
    conditions = [(views, 1.0, "found") for views in FAN] + [(2, dose, "found") for dose in DOSES if dose != 1]
    conditions += [(views, 1.0, "true, moved") for views in (2, 9)]
    for views, dose, kind in conditions:
        truth, images = some(*whole, FAN[views], dose)
        name = "stereo-learned" if views == 2 else "lines-multiview"
        start = moved(truth, np.random.default_rng(seed)) if kind != "found" else run_method(name, images)
        known = {"seed": seed, "start": name if kind == "found" else kind, "views": views, "dose": dose}
        yield known, truth, {"before": start, "fitted": run_method("lines-fitted", images, start=start)}


def rows(folder: Path) -> tuple[Any, Any]:
    """Scores of every answer, and errors of depth over their limit, a piece of line each."""
    scored, pieces = [], []
    for seed in SEEDS:
        for known, truth, steps in answers(folder, seed):
            limits = line_limits(truth)
            for step, found in steps.items():
                told = score(truth, found, limits=limits)
                scored.append(known | {"step": step} | {name: told[f"{name}_visible"] for name in SCORES})
                over = DepthErrors.of(Lines.of(found, 10.0, truth.field_nm), limits).over_limit
                over = over - (np.median(over) if len(over) else 0.0)
                pieces += [known | {"step": step, "over_limit": float(one)} for one in over]
                print(scored[-1], flush=True)
    return pd.DataFrame(scored), pd.DataFrame(pieces)


def table(scored: Any, pieces: Any) -> Any:
    """Means over the foils, and the scatter of depths over their limit with all pieces together."""
    by = ["start", "views", "dose", "step"]
    mean = scored.groupby(by, sort=False)[list(SCORES)].mean().reset_index()
    scatter = []
    for _, row in mean.iterrows():
        own = pieces[np.logical_and.reduce([pieces[name] == row[name] for name in by])]["over_limit"].to_numpy()
        scale = DepthErrors(own, np.zeros(len(own))).scale
        scatter.append("–" if scale is None else f"{scale.value:.2f} ({scale.low:.2f} to {scale.high:.2f})")
    return mean.assign(scatter_over_limit=scatter)


def main() -> None:
    """Scores beside this file, and the table on the screen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True, help="where images are kept")
    scored, pieces = rows(parser.parse_args().out)
    scored.round(4).to_csv(HERE / "scores.csv", index=False)
    shown = table(scored, pieces)
    shown.round(4).to_csv(HERE / "means.csv", index=False)
    print("| " + " | ".join(map(str, shown.columns)) + " |\n|" + " --- |" * len(shown.columns))
    for row in shown.itertuples(index=False):
        print("| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row) + " |")


if __name__ == "__main__":
    main()
