"""What it costs to tell a method something false about an acquisition: angle, thickness, tilt axis, sense of g.

python reports/published/wrong-knowledge/make.py          # eight foils, about ten minutes of one core
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import veristem as vs
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method
from veristem.reports.figures import open_figure, styled
from veristem.reports.style import METHODS as COLOURS

HERE = Path(__file__).parent
METHODS = ("stereo-classical", "stereo-learned")
FIRST_SEED, FOILS = 7000, 8
NEAR_NM = 20.0  # in the projection, where a vertex and the true line nearest to it are compared


def turned(acquisition: Acquisition, degrees: float) -> Acquisition:
    """The views told to lie along another azimuth."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return replace(acquisition, directions_rad=acquisition.directions_rad @ np.array([[cos, sin], [-sin, cos]]))


def scaled(acquisition: Acquisition, factor: float) -> Acquisition:
    """The angle between the views told to be another."""
    return replace(acquisition, directions_rad=factor * acquisition.directions_rad)


def thicker(acquisition: Acquisition, factor: float) -> Acquisition:
    """The foil told to be thicker; the focus stays in what is taken for its middle."""
    assert acquisition.thickness_nm is not None
    thickness = factor * acquisition.thickness_nm
    return replace(acquisition, thickness_nm=thickness, focus_nm=factor * acquisition.focus_nm)


def reversed_g(acquisition: Acquisition) -> Acquisition:
    """The other sense of g."""
    assert acquisition.g is not None
    return replace(acquisition, g=-acquisition.g)


TOLD: dict[str, Callable[[Acquisition], Acquisition]] = {
    "what is true": lambda a: a,
    "angle +5 %": lambda a: scaled(a, 1.05),
    "angle -5 %": lambda a: scaled(a, 0.95),
    "thickness +10 %": lambda a: thicker(a, 1.1),
    "thickness -10 %": lambda a: thicker(a, 0.9),
    "axis +2 deg": lambda a: turned(a, 2.0),
    "axis -2 deg": lambda a: turned(a, -2.0),
    "g reversed": reversed_g,
}


def depth_scale(truth: LineTruth, curves: CurveSet) -> tuple[float, float]:
    """Slope of the depths found against the true ones, and their difference in the middle of the foil [nm].

    Each vertex against the true line nearest in the projection, by Theil and Sen: a wrong partner weighs little.
    """
    from scipy.spatial import KDTree

    from veristem.datasets.polyline import resample

    lines = [resample(line, np.zeros(len(line)), 2.0)[0] for line in truth.network.chains(truth.visible)]
    if not lines or not len(curves.curves_nm):
        return np.nan, np.nan
    true, found = np.concatenate(lines), np.concatenate(curves.curves_nm)
    distance, index = KDTree(true[:, :2]).query(found[:, :2])
    near = distance < NEAR_NM
    middle = truth.thickness_nm / 2
    picked = np.random.default_rng(0).permutation(np.flatnonzero(near))[:1000]
    line: Any = stats.theilslopes(found[picked, 2] - middle, true[np.asarray(index)[picked], 2] - middle)
    return float(line[0]), float(line[1])


def in_the_crystal_deg(truth: LineTruth, right: CurveSet, curves: CurveSet) -> float:
    """Angle between where the crystal's axes were told to be and where they are [deg]."""
    one, other = right.crystal_from_specimen, curves.crystal_from_specimen
    if one is None or other is None:
        return np.nan
    return float(np.degrees(np.arccos(np.clip((np.trace(one.T @ other) - 1) / 2, -1, 1))))


def rows() -> list[dict]:
    """One a foil, method and thing told."""
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + FOILS):
        truth, acquisition, *_ = vs.simulate("demo-foil", values={"recipe.seed": seed})
        assert isinstance(truth, LineTruth)
        assert acquisition is not None
        for method in METHODS:
            right: CurveSet | None = None
            for told, change in TOLD.items():
                curves = run_method(method, change(acquisition))
                assert isinstance(curves, CurveSet)
                right = right or curves
                slope, level = depth_scale(truth, curves)
                scores = vs.score(truth, curves)
                found.append({
                    "seed": seed, "method": method, "told": told, "f_score": scores["f_score_visible"],
                    "f_score_at_20nm": vs.score(truth, curves, tolerance_nm=20.0)["f_score_visible"],
                    "depth_scale": slope, "depth_offset_nm": level,
                    "crystal_deg": in_the_crystal_deg(truth, right, curves),
                })  # fmt: skip
                print(seed, method, told, f"{found[-1]['f_score']:.2f}", f"{slope:.3f}", f"{level:.1f}", flush=True)
    return found


def interval(values: Sequence[float]) -> str:
    """Mean and half of its 95 % interval by Student's t."""
    given = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(given) - 1) * given.std(ddof=1) / np.sqrt(len(given))
    return f"{given.mean():.2f} ± {half:.2f}" if np.isfinite(half) else "–"


def table(found: pd.DataFrame) -> list[str]:
    """Markdown: what is told, by method; differences are paired with the truth told."""
    lines = ["| method | told | F(10 nm) | change | F(20 nm) | depth scale | offset nm | crystal axes off ° |"]
    lines.append("|" + " --- |" * 8)
    for method, of in found.groupby("method"):
        base = of[of["told"] == "what is true"].set_index("seed")
        for told in TOLD:
            one = of[of["told"] == told].set_index("seed")
            change = one["f_score"] - base["f_score"]
            lines.append(
                f"| {method} | {told} | {one['f_score'].mean():.2f} | {interval(change.tolist())} "
                f"| {one['f_score_at_20nm'].mean():.2f} | {interval(one['depth_scale'].tolist())} "
                f"| {interval(one['depth_offset_nm'].tolist())} | {one['crystal_deg'].mean():.1f} |"
            )
    return lines


@styled
def draw(found: pd.DataFrame):
    """F of each foil by what was told."""
    figure = open_figure((7.2, 2.8))
    names = list(TOLD)
    for ax, (score, words) in zip(
        figure.subplots(1, 2, sharey=True), {"f_score": "F(10 nm)", "f_score_at_20nm": "F(20 nm)"}.items()
    ):
        for method, shift, marker, colour in zip(METHODS, (-0.15, 0.15), "os", COLOURS):
            one = found[found["method"] == method]
            at = np.array([names.index(told) for told in one["told"]]) + shift
            ax.plot(at, one[score], marker, ls="none", markersize=3, color=colour, label=method)
            means = [one.loc[one["told"] == name, score].mean() for name in names]
            ax.plot(np.arange(len(names)) + shift, means, "_", markersize=9, markeredgewidth=2, color=colour)
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
        ax.set(ylabel=f"{words} of the visible lines", ylim=(0, 1))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles[:2], labels[:2], loc="outside upper center", ncols=2)
    return figure


def main() -> None:
    """Rows, table and figure beside this file."""
    found = pd.DataFrame(rows())
    found.round(5).to_csv(HERE / "results.csv", index=False)
    print("\n".join(table(found)))
    draw(found).savefig(HERE / "told.png", dpi=200)


if __name__ == "__main__":
    main()
