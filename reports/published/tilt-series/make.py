"""A tilt series: what the missing wedge does (T2), how many views are needed (T6), what other tilts show (T7).

    python reports/published/tilt-series/make.py [-o DIR]      # two specimens, about 20 minutes of one core

Images in DIR are kept; where the views lie is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates

import veristem as vs
from veristem.bench.scoring import score_reprojected
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.polyline import resample
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.datasets.volume import Volume
from veristem.recon.contours import find_contours
from veristem.recon.contours.ridge import default_scale_nm
from veristem.recon.methods import run_method
from veristem.recon.tomography.series import elongation
from veristem.reports.figures import open_figure, styled
from veristem.reports.style import METHODS as COLOURS

HERE = Path(__file__).parent
SEEDS = (0, 1)
STEPS = {45: 1, 23: 2, 12: 4, 5: 11, 3: 22, 2: 44}  # views, and of how many of the series each is one
PAIRS_DEG = (8, 16)  # between the two views of a pair in the middle of the series
FROM_DEG = (-44.0, -6.39, 8.0, 44.0)
RANGES_DEG = (10, 20, 30, 44)  # to both sides
TOMOGRAPHY = ("tomo-wbp contours=learned", "tomo-sirt contours=learned", "tomo-sirt", "tomo-lines", "lines-multiview")
_MOST_PAIRED = 12  # views that `lines-multiview` is given
_STEEP_DEG = 35.0  # to the epipolar direction, of lines whose cross-section is looked at
_FACE_NM = 40.0  # from the faces to these
_REACH_NM = 60.0


def series(folder: Path, seed: int) -> tuple[LineTruth, Acquisition]:
    """Truth and images of a specimen, those in the folder if they are there; the stage does what it says."""
    at = folder / f"seed{seed}"
    if not (at / "truth.vtp").exists():
        sure = {"stage.shift_nm": 0.0, "stage.axis_error_deg": 0.0, "stage.angle_error_deg": 0.0}
        vs.simulate("tilt-series", at, values={"recipe.seed": seed} | sure)
    return vs.load(at / "truth.h5"), vs.load(at / "acquisition.h5")


def some(truth: LineTruth, a: Acquisition, contours: Contours, keep: Sequence[int]):
    """The truth, images and contours of some of the views."""
    index, dose = np.asarray(keep), a.electrons_per_pixel
    assert a.tilts_rad is not None
    assert a.regions is not None
    fewer = replace(
        a,
        views=a.views[index],
        directions_rad=a.directions_rad[index],
        tilts_rad=a.tilts_rad[index],
        regions=tuple(a.regions[k] for k in keep),
        electrons_per_pixel=None if dose is None else dose[index],
    )
    lines = Contours(tuple(contours.curves_nm[k] for k in keep), tuple(contours.sigma_nm[k] for k in keep))
    assert truth.to_image is not None
    return fewer, Alignment(truth.directions_rad[index], truth.to_image[index]), lines


def reconstructed(method: str, a: Acquisition, alignment, lines: Contours):
    """What a method makes of views whose places are known; learned contours are found once."""
    name, *rest = method.split(" contours=learned")
    stages = {} if name.startswith("tomo-sirt") and not rest else {"contours": lines}
    return run_method(name + "".join(rest), a, alignment=alignment, **stages)


def rows(folder: Path) -> tuple[list[dict], list[dict], list[dict]]:
    """Scores by the number of views, scores at other tilts, and widths by the range of tilts."""
    counted, tilted, wedges = [], [], []
    for seed in SEEDS:
        truth, a = series(folder, seed)
        scale = default_scale_nm(a.field_nm, a.pixel_nm)
        contours = find_contours("learned", a.views, a.pixel_nm, scale)
        assert a.tilts_rad is not None
        tilts = np.degrees(a.tilts_rad).round().astype(int).tolist()
        for views, step in STEPS.items():
            given = some(truth, a, contours, range(0, len(tilts), step))
            for method in TOMOGRAPHY:
                if method == "lines-multiview" and views > _MOST_PAIRED:
                    continue
                found = reconstructed(method, *given)
                counted.append({"seed": seed, "method": method, "views": views, "wide_deg": 88} | scores(truth, found))
                print(counted[-1], flush=True)
                if views == 45 and method in ("tomo-sirt contours=learned", "tomo-lines"):
                    tilted += [
                        {"seed": seed, "method": method, "views": views} | seen for seen in seen_from(truth, found)
                    ]
        for wide in PAIRS_DEG:
            given = some(truth, a, contours, [tilts.index(-wide // 2), tilts.index(wide // 2)])
            found = reconstructed("stereo-learned", *given)
            counted.append(
                {"seed": seed, "method": "stereo-learned", "views": 2, "wide_deg": wide} | scores(truth, found)
            )
            name = f"stereo-learned, {wide}°"
            tilted += [{"seed": seed, "method": name, "views": 2} | seen for seen in seen_from(truth, found)]
            print(counted[-1], flush=True)
        for range_deg in RANGES_DEG:
            keep = [k for k, tilt in enumerate(tilts) if abs(tilt) <= range_deg]
            given = some(truth, a, contours, keep)
            for name in ("tomo-wbp", "tomo-sirt"):
                volume = run_method(f"{name} volume=true", given[0], alignment=given[1], contours=given[2])
                assert isinstance(volume, Volume)
                across, along, expected = widths_nm(volume, truth, a.tilts_rad[keep])
                wedges.append({
                    "seed": seed, "method": name, "range_deg": range_deg, "views": len(keep), "across_nm": across,
                    "along_nm": along, "expected": expected,
                })  # fmt: skip
                print(wedges[-1], flush=True)
    return counted, tilted, wedges


def scores(truth: LineTruth, found: CurveSet) -> dict:
    """Of the visible lines."""
    near, wide = (vs.score(truth, found, tolerance_nm=within) for within in (10.0, 20.0))
    names = ("f_score", "precision", "recall", "depth_rmse_nm", "lateral_rmse_nm", "calibration")
    return {name: near[f"{name}_visible"] for name in names} | {"f_score_at_20nm": wide["f_score_visible"]}


def seen_from(truth: LineTruth, found: CurveSet) -> list[dict]:
    """Scores in images at other tilts."""
    return score_reprojected(truth, found, FROM_DEG)


def widths_nm(volume: Volume, truth: LineTruth, tilts_rad: np.ndarray) -> tuple[float, float, float]:
    """Full widths at half maximum of the mean tube [nm], across and along the beam, and the ratio that is expected.

    Of visible lines steeper than `_STEEP_DEG` to the epipolar direction, in the plane across each; the value on the rim
    is what a foil without lines has. Expected: Radermacher's, for the views as that plane has them.
    """
    at, points, aside, along = np.arange(-_REACH_NM, _REACH_NM + 0.5), [], [], []
    for line in truth.network.chains(truth.visible):
        even = resample(line, np.zeros(len(line)), 5.0)[0]
        tangent = np.gradient(even, axis=0) if len(even) > 2 else np.tile([1.0, 0.0, 0.0], (len(even), 1))
        tangent /= np.linalg.norm(tangent, axis=1)[:, None]
        kept = np.abs(tangent[:, 1]) > np.sin(np.radians(_STEEP_DEG))
        kept &= np.abs(even[:, 2] - truth.thickness_nm / 2) < truth.thickness_nm / 2 - _FACE_NM
        kept &= ((even[:, :2] > _REACH_NM) & (even[:, :2] < np.array(truth.field_nm) - _REACH_NM)).all(axis=1)
        level = np.column_stack([tangent[:, 1], -tangent[:, 0], np.zeros(len(even))])
        level /= np.linalg.norm(level, axis=1)[:, None]
        points.append(even[kept])
        aside.append(level[kept])
        along.append(np.cross(level, tangent)[kept])
    places, found = np.concatenate(points), []
    for axis in (np.concatenate(aside), np.concatenate(along)):
        index = (places[:, None] + at[:, None] * axis[:, None] - volume.origin_nm) / volume.voxel_nm - 0.5
        profile = map_coordinates(volume.values, np.moveaxis(index[..., ::-1], -1, 0), order=1).mean(axis=0)
        found.append(full_width(at, profile - profile[[0, -1]].mean()))
    rays = np.column_stack([np.tan(tilts_rad), np.zeros(len(tilts_rad)), np.ones(len(tilts_rad))])
    slopes = (rays @ np.concatenate(aside).T) / (rays @ np.concatenate(along).T)
    return found[0], found[1], float(np.mean([elongation(of) for of in slopes.T]))


def full_width(at: np.ndarray, profile: np.ndarray) -> float:
    """Between the places beside the highest point where a profile falls to half of it."""
    top = int(profile.argmax())
    high = profile >= profile[top] / 2
    left = top - int(np.argmin(high[top::-1])) + 1
    right = top + int(np.argmin(high[top:])) - 1
    half = profile[top] / 2
    begin = np.interp(half, [profile[left - 1], profile[left]], [at[left - 1], at[left]])
    end = np.interp(half, [profile[right + 1], profile[right]], [at[right + 1], at[right]])
    return float(end - begin)


@styled
def draw(counted: Any, tilted: Any, wedges: Any):
    """F and depth error against the number of views, F at other tilts, and elongation against the range."""
    figure = open_figure((7.2, 5.2))
    axes = figure.subplots(2, 2).ravel()
    colours = dict(zip((*TOMOGRAPHY, "stereo-learned"), COLOURS))
    for ax, (score, words) in zip(
        axes, {"f_score": "F(10 nm), visible lines", "depth_rmse_nm": "depth RMSE (nm)"}.items()
    ):
        for method, of in counted.groupby("method", sort=False):
            if method == "stereo-learned":
                for wide, marker in zip(PAIRS_DEG, "^v"):
                    values = of.loc[of["wide_deg"] == wide, score]
                    ax.plot(2, values.mean(), marker, color=colours[method], label=f"{method}, ±{wide // 2}°")
                continue
            mean = of.groupby("views")[score].mean()
            ax.plot(mean.index, mean, "o-", markersize=3, color=colours[method], label=method)
        ax.set_xscale("log")
        ax.set_xticks(list(STEPS), [str(views) for views in STEPS])
        ax.minorticks_off()
        ax.set(xlabel="views within ±44°", ylabel=words)
    axes[0].set_ylim(0, 1.03)
    axes[1].set_ylim(0, None)
    for (name, of), marker in zip(tilted.groupby("method", sort=False), "os^v"):
        mean = of.groupby("tilt_deg")["f_score"].mean()
        colour = colours[name.split(",")[0]]
        axes[2].plot(mean.index, mean, marker + "-", markersize=4, color=colour, label=name)
    axes[2].set(xlabel="tilt of the image (°)", ylabel="F(10 nm) in the image", ylim=(0, 1.03))
    axes[2].legend(loc="lower center")
    for (method, of), marker, colour in zip(wedges.groupby("method", sort=False), "os", COLOURS):
        ratio = of.assign(ratio=of["along_nm"] / of["across_nm"]).groupby("range_deg")["ratio"].mean()
        axes[3].plot(ratio.index, ratio, marker + "-", markersize=4, color=colour, label=method)
    expected = wedges.groupby("range_deg")["expected"].mean()
    axes[3].plot(expected.index, expected, "k--", linewidth=1, label="Radermacher")
    axes[3].set(xlabel="tilts to both sides (°)", ylabel="tube, length over width", ylim=(0, None))
    axes[3].legend()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    for ax, letter in zip(axes, "abcd"):
        ax.set_title(letter, loc="left", fontweight="bold")
    return figure


def table(frame: Any, by: list[str]) -> str:
    """Markdown: means over the specimens."""
    mean = frame.groupby(by, sort=False).mean(numeric_only=True).drop(columns="seed").reset_index()
    names = [str(name) for name in mean.columns]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in mean.itertuples(index=False):
        lines.append("| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row) + " |")
    return "\n".join(lines)


def main() -> None:
    """Rows, tables and figure beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=HERE / "images", help="where images are kept")
    folder = parser.parse_args().out
    names, by = (
        ("views", "tilts", "wedge"),
        (["method", "views", "wide_deg"], ["method", "tilt_deg"], ["method", "range_deg"]),
    )
    frames = [pd.DataFrame(one) for one in rows(folder)]
    for name, frame, keys in zip(names, frames, by):
        frame.round(5).to_csv(HERE / f"{name}.csv", index=False)
        print(f"\n{table(frame, keys)}")
    draw(*frames).savefig(HERE / "tilt-series.png", dpi=200)


if __name__ == "__main__":
    main()
