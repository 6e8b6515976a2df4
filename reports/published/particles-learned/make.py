"""Learned particles on the frozen test films, beside points-matched.

veristem study test-films -o results --workers 2
python reports/published/particles-learned/make.py results

veristem train particles -o weights --minutes 40
python reports/published/particles-learned/make.py --weights weights     # ships them: recon/weights
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from veristem.bench.study.store import read_table
from veristem.recon.trained import WEIGHTS

HERE = Path(__file__).parent
METHODS = ("points-matched", "points-learned")
SCORES = ("f_score", "precision", "recall")


def ship(trained: Path) -> None:
    """Weights and card of a training to where the package looks for them."""
    for name, suffix in (("particles.onnx", ".onnx"), ("particles.safetensors", ".safetensors"), ("card.md", ".md")):
        shutil.copyfile(trained / name, WEIGHTS / f"particles{suffix}")


def compared(rows: pd.DataFrame) -> list[str]:
    """By kind and dose: scores of both methods, and the gain in F with its 95 % interval (Student's t over films)."""
    head = ["kind", "dwell µs", "films", *(f"{score} {method}" for score in SCORES for method in METHODS), "gain in F"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for kind in dict.fromkeys(rows["recipe"]):
        for dwell in sorted(set(rows["scan.dwell_us"]), reverse=True):
            some = rows[(rows["recipe"] == kind) & (rows["scan.dwell_us"] == dwell)]
            wide = {score: some.pivot_table(index="seed", columns="method", values=score) for score in SCORES}
            both = wide["f_score"].reindex(columns=list(METHODS)).dropna()
            cells = [kind, f"{dwell:g}", str(len(both))]
            cells += [f"{wide[score].loc[both.index, method].mean():.3f}" for score in SCORES for method in METHODS]
            lines.append(
                "| " + " | ".join([*cells, _interval((both[METHODS[1]] - both[METHODS[0]]).to_numpy())]) + " |"
            )
    return lines


def _interval(gain: np.ndarray) -> str:
    if len(gain) < 2:
        return f"{gain.mean():+.3f}" if len(gain) else ""
    half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
    return f"{gain.mean():+.3f} ± {half:.3f}"


def main() -> None:
    """Weights to their place; the table beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="folder of the study")
    parser.add_argument("--weights", type=Path, help="folder of a training, whose weights are to be shipped")
    given = parser.parse_args()
    if given.weights is not None:
        ship(given.weights)
    if given.results is not None:
        print("\n".join(compared(read_table(given.results))))
        for name in ("results.parquet", "study.json"):
            shutil.copyfile(given.results / name, HERE / name)


if __name__ == "__main__":
    main()
