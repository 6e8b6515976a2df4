"""Scores of the frozen test foils, and what tells that they are the same foils.

veristem study test-foils -o results --workers 2
python reports/published/test-foils/make.py results
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from veristem.bench.study.runner import list_cells
from veristem.bench.study.store import read_table
from veristem.datasets.recipe import Recipe, load_recipe, load_study
from veristem.reports.figures import open_figure, styled
from veristem.reports.style import METHODS as COLOURS
from veristem.sim.foil import Foil
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen

HERE = Path(__file__).parent
SHOWN = {
    "f_score_visible": "F(10 nm)",
    "f_score_at_20nm_visible": "F(20 nm)",
    "recall_visible": "recall",
    "precision_visible": "precision",
    "depth_rmse_nm_visible": "depth RMSE nm",
    "depth_sigma_over_limit_visible": "scatter / limit",
}
METHODS = {"stereo-classical": "ridge", "stereo-classical contours=truth": "true contours"}


def foils() -> dict[str, Recipe]:
    """The recipe of each foil, by kind and seed."""
    study = load_study("test-foils")
    cells = list_cells(study, load_recipe(study.recipe))
    return {f"{cell.recipe.recipe.name} {cell.recipe.recipe.seed}": cell.recipe for cell in cells}


def fingerprint(recipe: Recipe) -> str:
    """Of the lines in a foil: places to a thousandth of a nm, segments, Burgers vectors."""
    foil = make_specimen(recipe, streams(recipe.recipe.seed)[0])
    assert isinstance(foil, Foil)
    network = foil.foil_network()
    digest = hashlib.sha256(np.rint(1e3 * network.nodes_nm).astype(np.int64).tobytes())
    digest.update(np.asarray(network.segments, np.int64).tobytes())
    digest.update(np.rint(1e5 * network.burgers_nm).astype(np.int64).tobytes())
    return digest.hexdigest()[:16]


def table(rows: pd.DataFrame, by: list[str]) -> list[str]:
    """Means of the scores that are shown, as lines of Markdown."""
    shown = [name for name in SHOWN if name in rows]
    head = [*(label.removeprefix("scan.") for label in by), *(SHOWN[name] for name in shown)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for key, one in rows.groupby(by, sort=False):
        keys = key if isinstance(key, tuple) else (key,)
        means = [_mean(np.asarray(one[name], float)) for name in shown]
        texts = ["–" if np.isnan(value) else f"{value:.2f}" for value in means]
        lines.append("| " + " | ".join([*map(_text, keys), *texts]) + " |")
    return lines


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _text(value) -> str:
    return METHODS.get(value, f"{value:g}" if isinstance(value, float) else str(value))


@styled
def draw(rows: pd.DataFrame):
    """F of every foil at the reference dose, ridge against true contours, by kind."""
    now = rows[rows["scan.dwell_us"] == 590]
    kinds = list(dict.fromkeys(now["recipe"]))
    figure = open_figure((6.7, 2.9))
    ax = figure.subplots()
    for shift, (method, name), marker, colour in zip((-0.12, 0.12), METHODS.items(), "os", COLOURS):
        one = now[now["method"] == method]
        at = np.array([kinds.index(kind) for kind in one["recipe"]]) + shift
        ax.plot(at, one["f_score_visible"], marker, label=name, ls="none", color=colour)
    ax.set_xticks(range(len(kinds)), kinds)
    ax.set(ylabel="F of the visible lines, 10 nm", ylim=(0, 1.03))
    ax.legend(loc="lower left")
    return figure


def main() -> None:
    """Table, figure and fingerprints beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of the study")
    folder = parser.parse_args().results
    rows = read_table(folder)
    if failed := int(rows["error"].notna().sum()):
        print(f"{failed} of {len(rows)} runs failed")
    print("\n".join(table(rows, ["recipe", "scan.dwell_us", "method"])))
    print()
    print("\n".join(table(rows[rows["scan.dwell_us"] == 590], ["recipe", "seed", "method"])))
    for name in ("results.parquet", "study.json"):
        shutil.copyfile(folder / name, HERE / name)
    draw(rows).savefig(HERE / "foils.png", dpi=200)
    found = {name: fingerprint(recipe) for name, recipe in foils().items()}
    (HERE / "foils.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
