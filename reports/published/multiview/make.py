"""How many views of one scan does it take? And which angle do the discs of the thesis have (question T11)?

    python reports/published/multiview/make.py -o results      # six foils of 17 views, about ten minutes of one core

Images in the folder are kept.
"""

from __future__ import annotations

import argparse
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[3] / "tests"))

import veristem as vs
from validation.depth_scale import discs_deg
from veristem.bench.limits.lines import line_limits
from veristem.bench.metrics.depth_errors import DepthErrors
from veristem.bench.metrics.lines import Lines
from veristem.bench.scoring import score
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS

HERE = Path(__file__).parent
SEEDS = range(7200, 7206)
MOST, PAIR_DEG, RADIUS_MRAD = 17, 8.0, 4.0  # discs that do not touch, so that no electron counts twice
FAN = (2, 3, 5, 9, 17)
DWELL_US = 590.0 * (15.0 / RADIUS_MRAD) ** 2  # 10^4 incident electrons a pixel in each disc
THESIS = ((60.0, 6.54), (60.0, 6.88), (91.0, 6.88), (91.0, 9.32))  # cone [mrad] and angle of the discs [deg]
THESIS_MRAD, BURGERS = 20.0, ((1, 0, 1), (0, 1, 1))  # twice those of the lines that rise
SCORES = ("f_score_at_20nm", "f_score", "precision", "recall", "depth_spread_nm")


def foil(folder: Path, seed: int) -> tuple[LineTruth, Acquisition]:
    """Truth and images of all discs, those in the folder if they are there."""
    at = folder / f"seed{seed}"
    if not (at / "truth.h5").exists():
        values = {
            "recipe.seed": seed,
            "specimen.network.density_per_m2": 5e13,
            "specimen.field_nm": [256.0, 256.0],
            "scan.shape": [128, 128],
            "scan.dwell_us": DWELL_US,
            "microscope.detector.views": MOST,
            "microscope.detector.radius_mrad": RADIUS_MRAD,
            "microscope.aberrations": "none",
        }
        vs.simulate("cantor-stereo", at, values=values)
    return vs.load(at / "truth.h5"), vs.load(at / "acquisition.h5")


def some(truth: LineTruth, a: Acquisition, views: int, share: float) -> tuple[LineTruth, Acquisition]:
    """Evenly spaced views of all, with a share of their dose."""
    index, recipe = np.linspace(0, MOST - 1, views).astype(int), deepcopy(truth.recipe)
    recipe["microscope"]["detector"]["views"] = views
    recipe["scan"]["dwell_us"] *= share
    assert truth.contrast_directions_rad is not None
    assert a.regions is not None
    assert a.electrons_per_pixel is not None
    expected = truth.expected * share  # of all views, so that those of one scan have one noise
    counts = np.random.default_rng([truth.recipe["recipe"]["seed"], round(1e3 * share)]).poisson(expected)
    fewer = replace(
        truth,
        expected=expected[index],
        labels=truth.labels[index],
        directions_rad=truth.directions_rad[index],
        contrast_directions_rad=truth.contrast_directions_rad[index],
        steady=None,
        recipe=recipe,
    )
    return fewer, replace(
        a,
        views=counts[index].astype(np.float32),
        directions_rad=a.directions_rad[index],
        regions=tuple(a.regions[k] for k in index),
        electrons_per_pixel=a.electrons_per_pixel[index] * share,
    )


def rows(folder: Path) -> tuple[Any, Any]:
    """Scores of every foil and fan; and errors of depth over the limit of the pair, a piece of line each."""
    scored, pieces = [], []
    for seed in SEEDS:
        whole, pair = foil(folder, seed), None
        for dose, views in [("a view", v) for v in FAN] + [("in all", v) for v in FAN[1:]]:
            truth, images = some(*whole, views, 1.0 if dose == "a view" else 2 / views)
            limits, found = line_limits(truth), run_method("lines-multiview", images)
            deep = limits.parallax_nm[:, 1]
            pair = pair or limits  # the first is that of the pair
            steep = (limits.psi_deg > 25) & (pair.parallax_nm[:, 1] <= 10)  # the same pieces for every fan
            deep, deep_of_pair = deep[steep], pair.parallax_nm[steep, 1]
            told = score(truth, found, limits=limits)
            known = {"seed": seed, "dose": dose, "views": views}
            scored.append(
                known
                | {name: told[f"{name}_visible"] for name in SCORES}
                | {"limit_nm": np.sqrt(np.mean(deep**2)), "predicted": np.median(deep_of_pair / deep)}
            )
            over = DepthErrors.of(Lines.of(found, 10.0, truth.field_nm), pair).over_limit
            over = over - (np.median(over) if len(over) else 0.0)  # where depths begin is no part of the question
            pieces += [known | {"over_pair": float(one)} for one in over]
            print(scored[-1], flush=True)
    return pd.DataFrame(scored), pd.DataFrame(pieces)


def scatter(over: np.ndarray) -> float:
    """Half of the width that holds 68 % of errors: a standard deviation that outliers hardly move."""
    low, high = np.percentile(over, [15.87, 84.13])
    return float(high - low) / 2


def table(scored: Any, pieces: Any) -> Any:
    """Means over foils with half of their 95 % interval, and gains over the pair; foils are drawn again for theirs."""
    from scipy.stats import t

    rng, seeds, lines = np.random.default_rng(0), list(SEEDS), []
    drawn = [seeds, *rng.choice(seeds, (2000, len(seeds)))]
    errors = {k: one["over_pair"].to_numpy() for k, one in pieces.groupby(["dose", "views", "seed"])}
    none = np.zeros(0)
    pooled = {
        key: np.array([scatter(np.concatenate([errors.get((*key, s), none) for s in draw])) for draw in drawn])
        for key in {key[:2] for key in errors}
    }
    pair = scored[scored["views"] == 2].set_index("seed")
    for key, of in scored.groupby(["dose", "views"], sort=False):
        own, gain_of = of.set_index("seed"), pooled["a view", 2] / pooled[key]
        line: dict[str, Any] = dict(zip(("dose", "views"), key))
        for name in (*SCORES, "limit_nm", "predicted"):
            line[name] = own[name].mean()
        for name in ("f_score_at_20nm", "depth_spread_nm"):
            line[f"{name}_half"] = t.ppf(0.975, len(own) - 1) * own[name].sem()
            gain = own[name] - pair[name]
            line[f"{name}_more"], line[f"{name}_more_half"] = gain.mean(), t.ppf(0.975, len(gain) - 1) * gain.sem()
        line["pieces"] = sum(len(one) for k, one in errors.items() if k[:2] == key)
        for name, value in (("scatter_over_pair", pooled[key]), ("gain", gain_of)):
            line[name] = value[0]
            line[f"{name}_low"], line[f"{name}_high"] = np.percentile(value[1:], [2.5, 97.5])
        lines.append(line)
    return pd.DataFrame(lines)


@styled
def figure(means: Any):
    """F, depth error over limit, and the gain found beside the one predicted."""
    drawing = open_figure((10.0, 3.4))
    axes = drawing.subplots(1, 3)
    for dose, colour, beside in (("a view", METHODS[0], 1.0), ("in all", METHODS[1], 1.03)):
        of = means[(means["dose"] == dose) | (means["views"] == 2)]
        x, label = beside * of["views"], f"the pair's dose {dose}"  # bars beside each other
        axes[0].errorbar(x, of["f_score_at_20nm"], of["f_score_at_20nm_half"], color=colour, marker="o", label=label)
        axes[1].errorbar(x, of["depth_spread_nm"], of["depth_spread_nm_half"], color=colour, marker="o", label=label)
        axes[1].plot(x, of["limit_nm"], "--", color=colour, label=f"limit, {dose}")
        away = np.abs(of[["gain_low", "gain_high"]].sub(of["gain"], axis=0).to_numpy().T)
        axes[2].errorbar(x, of["gain"], away, color=colour, marker="o", label=f"found, {dose}")
        axes[2].plot(x, of["predicted"], "--", color=colour, label=f"information, {dose}")
    for ax, what in zip(
        axes, ("F (20 nm), visible lines", "depth error and limit (nm)", "gain in depth over the pair")
    ):
        ax.set(xscale="log", xlabel="views", ylabel=what, xticks=FAN, xticklabels=map(str, FAN))
        ax.minorticks_off()
        ax.set_ylim(0, 1.3 * ax.get_ylim()[1])  # the legend above the bars
        ax.legend(fontsize=7)
    return drawing


def angles() -> Any:
    """The discs of the thesis: the angle between centres, that of mean directions, and that which images show."""
    found = []
    for cone, pair in THESIS:
        lines = np.array([discs_deg(cone, pair, THESIS_MRAD, b) for b in BURGERS])
        told = {"mean_deg": lines[0, 1], "measured_deg": lines[:, 0].mean(), "likeness": lines[:, 2].min()}
        each = {"first_deg": lines[0, 0], "second_deg": lines[1, 0], "left_nm": lines[:, 3].mean()}
        found.append({"cone_mrad": cone, "centres_deg": pair, "rim_deg": np.degrees(2e-3 * cone)} | told | each)
        print(found[-1], flush=True)
    return pd.DataFrame(found)


def main() -> None:
    """Tables and figure beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True, help="where images are kept")
    scored, pieces = rows(parser.parse_args().out)
    scored.round(4).to_csv(HERE / "scores.csv", index=False)
    means = table(scored, pieces)
    means.round(4).to_csv(HERE / "means.csv", index=False)
    (HERE / "multiview.png").write_bytes(drawn(figure(means), "png", 110))
    angles().round(4).to_csv(HERE / "angles.csv", index=False)


if __name__ == "__main__":
    main()
