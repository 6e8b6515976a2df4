"""The stereo network of the thesis beside our other methods, on some of the frozen test foils.

python reports/published/stereo-thesis/make.py results
python reports/published/stereo-thesis/make.py --foils volume     # the network alone, on the foils kept from training
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import veristem as vs
from veristem.bench.oracles import handed_in
from veristem.bench.study.runner import list_cells
from veristem.bench.training.foils import read
from veristem.bench.training.volume.batches import TARGETS, piece
from veristem.datasets.recipe import load_recipe, load_study
from veristem.recon.methods import run_method
from veristem.recon.stereo.thesis import VERSION, soft_argmin
from veristem.recon.trained import trained

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
_PIECES = 25  # of a foil
_BINS = (0, 2), (2, 4), (4, 6), (6, 9), (9, 16)
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
        keys = key if isinstance(key, tuple) else (key,)
        lines.append("| " + " | ".join([*map(str, keys), *("–" if np.isnan(m) else f"{m:.2f}" for m in means)]) + " |")
    return lines


def alone(training: Path) -> list[str]:
    """Errors of the disparity on the pixels of lines, of foils that chose the weights, by the true disparity."""
    network, rng, pixels = trained("volume", VERSION), np.random.default_rng(7), []
    for path in sorted((training / "foils").glob("*.npz"))[5::6]:
        foil = read(path)
        for _ in range(_PIECES):
            views, target = piece(foil, 0, rng)
            told = dict(zip(TARGETS, target))
            found = np.stack([told["disparity"], soft_argmin(network(views)).mean_px])
            pixels.append(found[:, told["known"] > 0])
    true, found = np.concatenate(pixels, axis=1)
    lines = [f"slope of what is told against what is true: {np.polyfit(true, found, 1)[0]:.2f}", ""]
    lines += ["| true disparity px | pixels | EPE px | bad-1 | bad-3 | too near to 0 by px |", "|" + " --- |" * 6]
    for low, high in (*_BINS, (0, 16)):
        own = (np.abs(true) >= low) & (np.abs(true) < high)
        off = (found - true)[own]
        error, short = np.abs(off), -off * np.sign(true[own])
        means = (error.mean(), (error > 1).mean(), (error > 3).mean(), short.mean())
        lines.append(f"| {low}–{high} | {own.sum()} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")
    return lines


def main() -> None:
    """Scores beside this file, and tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="folder for the images")
    parser.add_argument("--foils", type=Path, help="folder of the training")
    given = parser.parse_args()
    if given.foils:
        print("\n".join(alone(given.foils)))
    if given.results:
        compare(given.results)


def compare(folder: Path) -> None:
    """Methods on the test foils."""
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
