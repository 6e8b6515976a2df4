"""Learned contours and bands on the frozen test foils, beside the ridge filter and the true contours.

veristem study test-foils -o results --workers 2 --method stereo-classical --method "stereo-learned bands=false" \\
  --method stereo-learned --method "stereo-classical contours=truth"
python reports/published/contours-learned/make.py results

veristem train contours -o weights --seed 2
veristem train bands -o bands --examples weights --seed 2
python reports/published/contours-learned/make.py --weights weights bands     # ships them: recon/weights
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from veristem.bench.study.store import read_table
from veristem.recon.trained import WEIGHTS
from veristem.reports.figures import open_figure, styled
from veristem.reports.style import METHODS as COLOURS
from veristem.reports.training import learning_curve

HERE = Path(__file__).parent
METHODS = {
    "stereo-classical": "ridge",
    "stereo-learned bands=false": "learned contours",
    "stereo-learned": "and bands",
    "stereo-classical contours=truth": "true contours",
}
SCORES = {"f_score_visible": "F(10 nm)", "f_score_at_20nm_visible": "F(20 nm)"}


def ship(trained: Path) -> str:
    """Weights and card of a training to where the package looks for them; the name of the stage."""
    stage = json.loads((trained / "training.json").read_text("utf-8"))["stage"]
    for name, suffix in ((f"{stage}.onnx", ".onnx"), (f"{stage}.safetensors", ".safetensors"), ("card.md", ".md")):
        shutil.copyfile(trained / name, WEIGHTS / f"{stage}{suffix}")
    return stage


def history(trained: Path) -> pd.DataFrame:
    """What was checked while training went on."""
    from safetensors import safe_open

    with safe_open(trained / "state.safetensors", "np") as file:
        told = json.loads(file.metadata()["told"])
    return pd.DataFrame(told["history"])


def gaps(rows: pd.DataFrame) -> list[str]:
    """By kind and dose: scores of the three, and the share of the gap that is closed, with a 95 % interval."""
    head = ["kind", "dwell µs", "foils"]
    for name in SCORES.values():
        head += [f"{name} {method}" for method in METHODS.values()]
        head += [f"gap closed {name}", f"by contours {name}"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    kinds = [*dict.fromkeys(rows["recipe"]), "all"]
    for dwell in sorted(set(rows["scan.dwell_us"])):
        for kind in kinds:
            some = rows[(rows["scan.dwell_us"] == dwell) & ((rows["recipe"] == kind) | (kind == "all"))]
            texts = [kind, f"{dwell:g}", str(len(some) // len(METHODS))]
            for score in SCORES:
                wide = some.pivot_table(index=["recipe", "seed"], columns="method", values=score)[list(METHODS)]
                texts += [f"{value:.2f}" for value in wide.mean()]
                ridge, contours, both, best = (wide[name].to_numpy() for name in METHODS)
                texts += [_closed(ridge, both, best), _closed(ridge, contours, best)]
            lines.append("| " + " | ".join(texts) + " |")
    return lines


def _closed(ridge: np.ndarray, learned: np.ndarray, best: np.ndarray) -> str:
    """Share of the mean gap that is closed; its interval is that of the paired gain (Student's t), over that gap."""
    gap, gain = (best - ridge).mean(), learned - ridge
    if len(gain) < 2:
        return f"{gain.mean() / gap:.2f}"
    half = stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
    return f"{gain.mean() / gap:.2f} ± {half / gap:.2f}"


@styled
def draw(rows: pd.DataFrame):
    """F of every foil at the reference dose, by kind and method."""
    now = rows[rows["scan.dwell_us"] == 590]
    kinds = list(dict.fromkeys(now["recipe"]))
    figure = open_figure((7.2, 2.9))
    for ax, (score, words) in zip(figure.subplots(1, 2, sharey=True), SCORES.items()):
        for shift, (method, name), marker, colour in zip((-0.27, -0.09, 0.09, 0.27), METHODS.items(), "os^D", COLOURS):
            one = now[now["method"] == method]
            at = np.array([kinds.index(kind) for kind in one["recipe"]]) + shift
            ax.plot(at, one[score], marker, markersize=4, label=name, ls="none", color=colour)
        ax.set_xticks(range(len(kinds)), kinds, rotation=30, ha="right")
        ax.set(ylabel=f"{words} of the visible lines", ylim=(-0.02, 1.03))
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4)
    return figure


def main() -> None:
    """Weights to their place; tables and figures beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", help="folder of the study")
    parser.add_argument(
        "--weights", type=Path, nargs="*", default=(), help="folders of trainings, whose weights are to be shipped"
    )
    given = parser.parse_args()
    for folder in given.weights:
        stage = ship(folder)
        learned = history(folder)
        learned.round(4).to_csv(HERE / f"learning-{stage}.csv", index=False)
        learning_curve(learned, stage).savefig(HERE / f"learning-{stage}.png", dpi=200)
    if given.results is None:
        return
    rows = read_table(given.results)
    if failed := int(rows["error"].notna().sum()):
        print(f"{failed} of {len(rows)} runs failed")
    print("\n".join(gaps(rows)))
    for name in ("results.parquet", "study.json"):
        shutil.copyfile(given.results / name, HERE / name)
    draw(rows).savefig(HERE / "foils.png", dpi=200)


if __name__ == "__main__":
    main()
