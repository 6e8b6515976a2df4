"""A field of absorption fitted to the views of a series, beside back projection and lines fitted to contours.

    python reports/published/tilt-series/field.py -o images      # four small specimens, about ten minutes of one core

Images in the folder are kept; where the views lie is known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t

import veristem as vs
from veristem.datasets.intermediate import Alignment
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method

HERE = Path(__file__).parent
SEEDS = range(7400, 7404)
VALUES = {
    "specimen.network.density_per_m2": 5e13,
    "specimen.field_nm": [256.0, 256.0],
    "scan.shape": [128, 128],
    "stage.tilts_deg": {"start": -44.0, "stop": 44.0, "step": 8.0},
    "stage.shift_nm": 0.0,
    "stage.axis_error_deg": 0.0,
    "stage.angle_error_deg": 0.0,
}
METHODS = (
    "tomo-wbp",
    "tomo-sirt",
    "field-absorption",
    "tomo-sirt contours=learned",
    "field-absorption contours=learned",
    "tomo-lines",
)
SCORES = {"f_score": "F(10 nm)", "precision": "precision", "recall": "recall", "depth_rmse_nm": "depth RMSE nm"}


def rows(folder: Path) -> list[dict]:
    """Scores of every method on every specimen, of the visible lines."""
    found = []
    for seed in SEEDS:
        at = folder / f"field{seed}"
        if not (at / "truth.h5").exists():
            vs.simulate("tilt-series", at, values=VALUES | {"recipe.seed": seed})
        truth, a = vs.load(at / "truth.h5"), vs.load(at / "acquisition.h5")
        assert isinstance(truth, LineTruth)
        for method in METHODS:
            curves = run_method(method, a, alignment=Alignment(truth.directions_rad, truth.to_image))
            told = vs.score(truth, curves)
            found.append({"seed": seed, "method": method} | {name: told[f"{name}_visible"] for name in SCORES})
            print(found[-1], flush=True)
    return found


def table(scored: pd.DataFrame) -> list[str]:
    """Means over specimens with half of their intervals of 95 %, as lines of Markdown."""
    lines = ["| method | " + " | ".join(SCORES.values()) + " | F less that of tomo-sirt |", "|" + " --- |" * 6]
    sirt = scored[scored["method"] == "tomo-sirt"].set_index("seed")["f_score"]
    for method, own in scored.groupby("method", sort=False):
        values = [*(own[name] for name in SCORES), own.set_index("seed")["f_score"] - sirt]
        told = [f"{v.mean():.2f} ± {t.ppf(0.975, len(v) - 1) * v.std() / np.sqrt(len(v)):.2f}" for v in values]
        lines.append(f"| {method} | " + " | ".join(told) + " |")
    return lines


def main() -> None:
    """Scores beside this file, and the table on the screen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=HERE / "images", help="where images are kept")
    scored = pd.DataFrame(rows(parser.parse_args().out))
    scored.to_csv(HERE / "field.csv", index=False, float_format="%.4g")
    print("\n".join(table(scored)))


if __name__ == "__main__":
    main()
