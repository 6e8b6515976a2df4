"""The stereo network of the thesis beside our other methods, on some of the frozen test foils.

python reports/published/stereo-thesis/make.py results
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import veristem as vs
from veristem.bench.oracles import handed_in
from veristem.bench.study.runner import list_cells
from veristem.datasets.recipe import load_recipe, load_study
from veristem.recon.methods import run_method

HERE = Path(__file__).parent
SEEDS, DWELL_US = (9000,), 590
METHODS = (
    "stereo-classical",
    "stereo-learned bands=false",
    "stereo-learned",
    "stereo-thesis",
    "stereo-thesis snap_px=0",
    "stereo-classical contours=truth",
    "stereo-thesis contours=truth",
    "stereo-thesis contours=truth snap_px=0",
)
SCORES = {
    "epe_px": "EPE px", "bad1": "bad-1", "bad3": "bad-3", "bad5": "bad-5", "coverage": "coverage",
    "f_score_visible": "F(10 nm)", "f_score_at_20nm_visible": "F(20 nm)", "depth_rmse_nm_visible": "depth RMSE nm",
    "calibration_visible": "error / σ",
}  # fmt: skip


def scored(folder: Path, recipe) -> list[dict]:
    """Scores of every method on one foil, whose images are kept in a folder."""
    place = folder / f"{recipe.recipe.name}-{recipe.recipe.seed}"
    if not (place / "truth.h5").exists():
        vs.simulate(recipe, out=place)
    truth, images = vs.load(place / "truth.h5"), vs.load(place / "acquisition.h5")
    rows = []
    for asked in METHODS:
        method, stages = handed_in(asked, truth, images)
        found = run_method(method, images, **stages)
        scores = vs.score(truth, found, acquisition=images) | vs.score(truth, found, of="disparity")
        about = {"recipe": recipe.recipe.name, "seed": recipe.recipe.seed, "method": asked}
        rows.append(about | {name: scores[name] for name in SCORES})
    return rows


def table(rows: pd.DataFrame, by: list[str]) -> list[str]:
    """Means of the scores over foils, as lines of Markdown."""
    lines = ["| " + " | ".join([*by, *SCORES.values()]) + " |", "|" + " --- |" * (len(by) + len(SCORES))]
    for key, one in rows.groupby(by, sort=False):
        means = [one[name].astype(float).mean() for name in SCORES]
        lines.append("| " + " | ".join([*map(str, key), *("–" if np.isnan(m) else f"{m:.2f}" for m in means)]) + " |")
    return lines


def main() -> None:
    """Scores beside this file, and tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder for the images")
    folder = parser.parse_args().results
    study = load_study("test-foils")
    cells = list_cells(study, load_recipe(study.recipe))
    recipes = {f"{c.recipe.recipe.name} {c.recipe.recipe.seed}": c.recipe for c in cells
               if c.recipe.recipe.seed in SEEDS and c.recipe.scan.dwell_us == DWELL_US}  # fmt: skip
    rows = pd.DataFrame([row for recipe in recipes.values() for row in scored(folder, recipe)])
    rows.to_csv(HERE / "scores.csv", index=False, float_format="%.4g")
    print("\n".join(table(rows, ["method"])))
    print()
    print("\n".join(table(rows, ["recipe", "method"])))


if __name__ == "__main__":
    main()
