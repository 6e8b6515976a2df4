"""Quadrants of one scan beside a tomogram of the same film (question T19).

    python reports/published/particles-tomogram/make.py [-o DIR]      # three films, about ten minutes of one core

Images in DIR are kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

import veristem as vs
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Alignment
from veristem.datasets.reconstruction import PointSet
from veristem.datasets.truth import ParticleTruth
from veristem.recon.methods import run_method

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
FILM = {"specimen.dispersion.concentration_mg_per_ml": 10.0}
SERIES = FILM | {
    "microscope.convergence_mrad": 10.0,
    "microscope.detector": {"kind": "annular", "outer_mrad": 10.0},
    "stage.tilts_deg": {"start": -60.0, "stop": 60.0, "step": 2.0},
    "stage.shift_nm": 20.0,
    "stage.axis_error_deg": 1.0,
    "stage.angle_error_deg": 0.1,
    "scan.shape": [256, 256],
    "scan.pixel_nm": 0.8,
}
TOMOGRAM = "points-tomo diameter_nm=4.5"
METHODS = {"tomogram, views known": TOMOGRAM, "tomogram, views found": TOMOGRAM, "quadrants": "points-matched"}
_SAME_NM = 3.0  # between a particle of a moved film and the one that it is


def imaged(folder: Path, seed: int, name: str) -> tuple[ParticleTruth, Acquisition]:
    """Truth and images of a film, as a series or by quadrants; those in the folder if they are there."""
    at = folder / f"{name}{seed}"
    if not (at / "truth.csv").exists():
        vs.simulate("particles-small", at, values={"recipe.seed": seed} | (SERIES if name == "series" else FILM))
    return vs.load(at / "truth.h5"), vs.load(at / "acquisition.h5")


def laid_on(found: PointSet, centers_nm: np.ndarray) -> np.ndarray:
    """Points (N, 3) moved as a whole onto the true ones: a series knows neither its first shift nor zero depth."""
    steps = (found.points_nm[:, None] - centers_nm).reshape(-1, 3)
    steps = steps[np.linalg.norm(steps, axis=1) < 60]
    many = KDTree(steps).query_ball_point(steps, _SAME_NM, return_length=True)
    shift = steps[int(np.argmax(many))]
    for _ in range(5):
        far, index = KDTree(centers_nm).query(found.points_nm - shift)
        near = far < _SAME_NM
        shift = shift + np.mean((found.points_nm - shift)[near] - centers_nm[np.asarray(index)[near]], axis=0)
    return found.points_nm - shift


def rows(folder: Path) -> list[dict]:
    """Scores of each film and way."""
    found = []
    for seed in SEEDS:
        for way, method in METHODS.items():
            truth, a = imaged(folder, seed, "quadrants" if way == "quadrants" else "series")
            known = {"alignment": Alignment(truth.directions_rad, truth.to_image)} if way.endswith("known") else {}
            points = run_method(method, a, **known)
            assert isinstance(points, PointSet)
            if way.endswith("found"):
                points = PointSet(
                    laid_on(points, truth.particles.centers_nm), points.covariance_nm2, points.radii_nm, points.views
                )
            scores = vs.score(truth, points)
            names = ("count_truth", "count_found", "f_score", "precision", "recall", "depth_rmse_nm", "lateral_rmse_nm")
            centers = truth.particles.centers_nm
            inside = ((centers[:, :2] > 0) & (centers[:, :2] < np.array(truth.field_nm))).all(axis=1)
            found.append(
                {"seed": seed, "way": way}
                | {name: scores[name] for name in names}
                | {"calibration": scores["calibration"]}
                | {"neighbour_nm": neighbour(points.points_nm), "true_neighbour_nm": neighbour(centers[inside])}
            )
            print(found[-1], flush=True)
    return found


def neighbour(points_nm: np.ndarray) -> float:
    """Median distance to the nearest other particle [nm]."""
    return float(np.median(KDTree(points_nm).query(points_nm, 2)[0][:, 1]))


def main() -> None:
    """Rows and table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=HERE / "images", help="where images are kept")
    table: Any = pd.DataFrame(rows(parser.parse_args().out))
    table.round(5).to_csv(HERE / "scores.csv", index=False)
    mean = table.drop(columns="seed").groupby("way", sort=False).mean().reset_index()
    print("| " + " | ".join(map(str, mean.columns)) + " |\n|" + " --- |" * len(mean.columns))
    for row in mean.itertuples(index=False):
        print("| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row) + " |")


if __name__ == "__main__":
    main()
