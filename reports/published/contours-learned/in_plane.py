"""Contours in the plane of the image: precision and recall within 2 pixels on the frozen test foils.

python reports/published/contours-learned/in_plane.py foils     # makes missing images, half a minute each
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial import KDTree

from veristem.bench.files.simulation import save_simulation
from veristem.bench.study.runner import list_cells
from veristem.datasets import Acquisition, formats
from veristem.datasets.polyline import resample
from veristem.datasets.recipe import load_recipe, load_study
from veristem.datasets.truth import LineTruth
from veristem.recon.contours import find_contours
from veristem.sim.simulate import simulate_recipe

HERE = Path(__file__).parent
WAYS = ("ridge", "learned")
REFERENCE_US, SIXTH_US = 590.0, 98.0
TARGET = {"precision": 0.90, "recall": 0.85}  # of glide at the reference dose
TOLERANCE_PX, RIM_PX, STEP_PX = 2.0, 3.0, 0.25


def make(folder: Path) -> list[Path]:
    """Folders of all test foils at the reference dose; images that are missing are simulated."""
    study = load_study("test-foils")
    places = []
    for cell in list_cells(study, load_recipe(study.recipe)):
        recipe = cell.recipe
        place = folder / f"{recipe.recipe.name}-{recipe.recipe.seed}-{REFERENCE_US:g}"
        if recipe.scan.dwell_us != REFERENCE_US or place in places:
            continue
        places.append(place)
        if not (place / "truth.h5").is_file():
            place.mkdir(parents=True, exist_ok=True)
            save_simulation(place, *simulate_recipe(recipe)[:2])
    return places


def along(lines, shape) -> np.ndarray:
    """Points (N, 2) at even steps along lines (K, 2), all in pixels, away from the rim of an image."""
    points = np.concatenate([np.zeros((0, 2)), *(resample(c, np.zeros(len(c)), STEP_PX)[0] for c in lines)])
    return points[((points > RIM_PX) & (points < np.array(shape[::-1]) - RIM_PX)).all(axis=1)]


def off(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest of others; inf where there are none."""
    return KDTree(others).query(points)[0] if len(points) and len(others) else np.full(len(points), np.inf)


def scores(truth: LineTruth, views: np.ndarray, pixel_nm: float, way: str) -> dict[str, float]:
    """Precision and recall over all views; also precision without what lies on lines that the reflection hides."""
    right = claimed = hidden = found = there = 0
    for view, curves in enumerate(find_contours(way, views, pixel_nm, None).curves_nm):
        shape = views.shape[1:]
        seen, unseen = (
            along([truth.project(c, view) / pixel_nm for c in truth.network.chains(which)], shape)
            for which in (truth.visible, ~truth.visible)
        )
        claims = along([c / pixel_nm for c in curves], shape)
        true = off(claims, seen) <= TOLERANCE_PX
        right, claimed = right + true.sum(), claimed + len(claims)
        hidden += (~true & (off(claims, unseen) <= TOLERANCE_PX)).sum()
        found, there = found + (off(seen, claims) <= TOLERANCE_PX).sum(), there + len(seen)
    return {
        "precision": right / claimed if claimed else np.nan,
        "recall": found / there if there else np.nan,
        "precision_without_hidden": right / (claimed - hidden) if claimed > hidden else np.nan,
    }


def measured(places: list[Path]) -> pd.DataFrame:
    """A row a foil, dose and way; a sixth of the dose is counted anew from what is expected."""
    rows = []
    for place in places:
        truth, images = formats.read(place / "truth.h5", LineTruth), formats.read(place / "acquisition.h5", Acquisition)
        kind, seed, _ = place.name.rsplit("-", 2)
        rng = np.random.default_rng(int(seed))
        few = rng.poisson(SIXTH_US / REFERENCE_US * truth.expected).astype(np.float32)
        for dwell, views in ((REFERENCE_US, images.views), (SIXTH_US, few)):
            for way in WAYS:
                row = {"kind": kind, "seed": int(seed), "dwell_us": dwell, "contours": way}
                rows.append(row | scores(truth, views, images.pixel_nm, way))
    return pd.DataFrame(rows)


def table(rows: pd.DataFrame) -> list[str]:
    """Means by kind and dose with 95 % intervals of the mean, and of the paired difference (Student's t over foils)."""
    names = ("precision", "recall")
    head = ["dwell µs", "kind", "foils"]
    for name in names:
        head += [f"{name} {way}" for way in WAYS] + ["difference"]
    lines = [
        "| " + " | ".join([*head, "precision learned without hidden lines"]) + " |",
        "|" + " --- |" * (len(head) + 1),
    ]
    for dwell in (REFERENCE_US, SIXTH_US):
        for kind in [*dict.fromkeys(rows["kind"]), "all"]:
            some = rows[(rows["dwell_us"] == dwell) & ((rows["kind"] == kind) | (kind == "all"))]
            texts = [f"{dwell:g}", kind, str(len(some) // len(WAYS))]
            for name in names:
                wide = some.pivot(index=["kind", "seed"], columns="contours", values=name)
                texts += [interval(wide[way].to_numpy()) for way in WAYS]
                texts.append(interval((wide["learned"] - wide["ridge"]).to_numpy(), sign="+"))
            clean = some[some["contours"] == "learned"]["precision_without_hidden"]
            lines.append("| " + " | ".join([*texts, f"{clean.mean():.2f}"]) + " |")
    return lines


def interval(values: np.ndarray, sign: str = "") -> str:
    """Mean and half its 95 % interval, foils without a value left out."""
    values = values[np.isfinite(values)]
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():{sign}.2f} ± {half:.2f}"


def main() -> None:
    """Images, in-plane.csv beside this file, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the images")
    rows = measured(make(parser.parse_args().folder))
    rows.round(4).to_csv(HERE / "in-plane.csv", index=False)
    print("\n".join(table(rows)))
    glide = rows[(rows["kind"] == "glide") & (rows["dwell_us"] == REFERENCE_US) & (rows["contours"] == "learned")]
    for name, wanted in TARGET.items():
        mean = float(np.mean(glide[name].to_numpy()))
        print(f"glide, {name}: {mean:.3f}, {'met' if mean >= wanted else 'not met'} ({wanted:.2f} wanted)")


if __name__ == "__main__":
    main()
