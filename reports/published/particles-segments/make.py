"""What sixteen segments add over four quadrants: the limit of every particle, and what points-matched makes of both.

python reports/published/particles-segments/make.py
"""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from veristem.bench.limits.points import point_limits
from veristem.bench.scoring import score_points
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import ParticleTruth
from veristem.recon.methods import run_method
from veristem.sim.simulate import simulate_recipe

HERE = Path(__file__).parent
SEEDS = (8100,)
DWELL_US = (10.0, 1.0)
METHODS = {
    4: ("points-matched",),
    16: ("points-matched fewest_views=8", "points-matched"),
}  # by segments, 14 to 28 mrad
SCORES = ("f_score", "precision", "recall", "depth_rmse_nm", "depth_rmse_nm_over_limit", "lateral_rmse_nm")


def main() -> None:
    """The table beside this file."""
    rows = []
    for seed, dwell, segments in product(SEEDS, DWELL_US, METHODS):
        values = {"recipe.seed": seed, "scan.dwell_us": dwell, "microscope.detector.segments": segments}
        truth, acquisition, _ = simulate_recipe(load_recipe("particles-small").with_values(values))
        assert isinstance(truth, ParticleTruth)
        limits = point_limits(truth)
        sigma = np.sqrt(np.diagonal(limits, axis1=1, axis2=2))[truth.inside]
        for method in METHODS[segments]:
            start = time.process_time()
            found = run_method(method, acquisition)
            took = time.process_time() - start
            scores = score_points(truth, found, covariance_nm2=limits)
            rows.append({
                "dwell_us": dwell, "segments": segments, "method": method, "seed": seed,
                "particles": int(truth.inside.sum()), "limit_z_nm": float(np.median(sigma[:, 2])),
                "limit_x_nm": float(np.median(sigma[:, 0])), **{score: scores[score] for score in SCORES},
                "cpu_s": took,
            })  # fmt: skip
            pd.DataFrame(rows).round(4).to_csv(HERE / "table.csv", index=False)
    print(table(pd.DataFrame(rows)))


def table(rows: pd.DataFrame) -> str:
    """Means over the films, as Markdown."""
    groups = rows.drop(columns="seed").groupby(["dwell_us", "segments", "method"], sort=False)
    mean = pd.DataFrame(groups.mean(numeric_only=True))
    head = ["dwell µs", "segments", "method", *mean.columns]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for (dwell, segments, method), values in mean.iterrows():  # type: ignore[reportGeneralTypeIssues]
        cells = [f"{dwell:g}", str(segments), method, *(f"{value:.3g}" for value in values)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
