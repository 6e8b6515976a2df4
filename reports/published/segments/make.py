"""Quadrants of 4 and of 16 segments: which angle scales the depths of lines, and what stereo finds (question T10).

    python reports/published/segments/make.py [-o DIR] [--seeds 3]

What scores.json in the folder has already is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[3] / "tests"))

from validation.depth_scale import angle_deg, foil_with, shift_nm
from veristem.bench.scoring import score_curves
from veristem.datasets import Acquisition, CurveSet, LineTruth
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.geometry import Region, pair_angle_rad
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.recon.methods import run_method
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS
from veristem.sim.acquire import acquire
from veristem.sim.simulate import simulate_recipe

CONES_MRAD = (28.0, 60.0)
LENSES = ("none", "corrected")
PAIRS = {"4 segments": (2, 3), "16 segments": (3,)}  # of four rings, those that a pair sums: the outer half, the rim
TOLERANCE_NM = 20.0
_BURGERS = ((1, 0, 1), (0, 1, 1))  # twice the Burgers vectors of the lines: contrast shifts them oppositely
_FACE_NM = 15.0  # from the faces to both ends of a line
_BANDS = 24


def recipe_of(cone_mrad: float, lens: str, **values) -> Recipe:
    """All four rings of quadrants to the rim of the cone, A and C along the Kikuchi line; images registered."""
    detector = {"kind": "segmented", "inner_mrad": 0.0, "outer_mrad": cone_mrad, "segments": 16}
    aberrations = {"preset": lens} if lens == "none" else {"preset": lens, "balanced_mrad": 0.75 * cone_mrad}
    return load_recipe("cantor-stereo").with_values(
        {
            "microscope.convergence_mrad": cone_mrad,
            "microscope.detector": detector,
            "microscope.aberrations": aberrations,
            "scan.registered": True,
        }
        | {key.replace("__", "."): value for key, value in values.items()}
    )


def summed(truth: LineTruth, acquisition: Acquisition, rings) -> tuple[LineTruth, Acquisition]:
    """Views of the quadrants A to D, each the sum over some rings."""
    assert acquisition.regions is not None
    assert acquisition.electrons_per_pixel is not None
    of = [[4 * ring + quadrant for ring in rings] for quadrant in range(4)]
    expected = np.array([truth.expected[n].sum(axis=0) for n in of])
    received = [truth.expected[n].sum(axis=(1, 2), dtype=float) for n in of]
    directions = np.array([np.average(truth.directions_rad[n], axis=0, weights=w) for n, w in zip(of, received)])
    regions = tuple(
        Region((0.0, 0.0), last.outer_rad, first.inner_rad, first.start_rad, first.width_rad)
        for first, last in ((acquisition.regions[n[0]], acquisition.regions[n[-1]]) for n in of)
    )
    assert acquisition.convergence_rad is not None
    nominal = np.array([region.mean_direction_rad(acquisition.convergence_rad) for region in regions])
    return (
        replace(truth, expected=expected, labels=truth.labels[[n[-1] for n in of]], directions_rad=directions,
                contrast_directions_rad=None, to_image=None),
        replace(acquisition, views=np.array([acquisition.views[n].sum(axis=0) for n in of]), directions_rad=nominal,
                regions=regions, electrons_per_pixel=np.array([acquisition.electrons_per_pixel[n].sum() for n in of])),
    )  # fmt: skip


def effective(cone_mrad: float, lens: str, twice_b) -> dict[str, dict[str, float]]:
    """Angles between A and C [deg] by pair, of a line that rises from face to face across the epipolar direction.

    measured: that which turns the shifts of its profile into the true depths; mean: of the rays of the segments in the
    cone; likeness: median correlation of what was shifted; spread_nm: rms of depth that is left.
    """
    width, length, pixel = 96.0, 256.0, 2.0
    shape = [round(length / pixel), round(width / pixel)]
    recipe = recipe_of(cone_mrad, lens, specimen__field_nm=[width, length], scan__shape=shape, scan__pixel_nm=pixel)
    foil = foil_with(recipe, 0, _FACE_NM, np.array(twice_b) / 2)
    truth, acquisition = acquire(foil, recipe, np.random.default_rng(0))
    assert isinstance(truth, LineTruth)
    z = _FACE_NM + (foil.thickness_nm - 2 * _FACE_NM) * (np.arange(shape[0]) + 0.5) / shape[0]
    bands = np.array_split(np.arange(shape[0]), _BANDS)[2:-2]  # the ends near the faces left out
    found = {}
    for name, rings in {**PAIRS, **{f"ring {n + 1}": (n,) for n in range(3)}}.items():
        seen, nominal = summed(truth, acquisition, rings)
        left, right = seen.expected[[0, 2]].astype(float)
        matched = [shift_nm(left[band].mean(axis=0), right[band].mean(axis=0), pixel) for band in bands]
        angle, spread = angle_deg(np.array([z[band].mean() for band in bands]), np.array(matched)[:, 0])
        mean = np.degrees(pair_angle_rad(nominal.directions_rad[0], nominal.directions_rad[2]))
        found[name] = {
            "measured": angle,
            "mean": float(mean),
            "likeness": float(np.median(np.array(matched)[:, 1])),
            "spread_nm": spread,
        }
    return found


def scores(cone_mrad: float, lens: str, seed: int) -> dict[str, dict[str, float | None]]:
    """What stereo-classical makes of A and C of a foil of lines that glide, by pair."""
    recipe = recipe_of(
        cone_mrad, lens, recipe__seed=seed, specimen__field_nm=[256.0, 256.0], scan__shape=[128, 128],
        specimen__network__density_per_m2=6e13,
    )  # fmt: skip
    truth, acquisition, _ = simulate_recipe(recipe)
    assert isinstance(truth, LineTruth)
    found = {}
    for name, rings in PAIRS.items():
        told, seen = summed(truth, acquisition, rings)
        assert seen.electrons_per_pixel is not None
        told = replace(
            told, expected=told.expected[::2], labels=told.labels[::2], directions_rad=told.directions_rad[::2]
        )
        pair = {"views": seen.views[::2], "directions_rad": seen.directions_rad[::2]}
        seen = replace(seen, **pair, electrons_per_pixel=seen.electrons_per_pixel[::2], regions=None)
        curves = run_method("stereo-classical", seen)
        assert isinstance(curves, CurveSet)
        row = score_curves(told, curves, tolerance_nm=TOLERANCE_NM)
        found[name] = {key: row[key] for key in ("f_score_visible", "f_score", "depth_rmse_nm", "depth_bias_nm")}
    return found


def cells(seeds: int) -> Iterator[tuple[str, dict]]:
    """Everything there is to measure, the quickest first: its key, and how."""
    for cone, lens, b in product(CONES_MRAD, LENSES, _BURGERS):
        yield f"angle {cone:g} {lens} {b}", {"of": effective, "by": (cone, lens, b)}
    for seed, cone, lens in product(range(seeds), CONES_MRAD, LENSES):
        yield f"scores {cone:g} {lens} {seed}", {"of": scores, "by": (cone, lens, seed)}


def measure(folder: Path, seeds: int) -> dict[str, dict]:
    """Everything, kept in scores.json as it comes."""
    path = folder / "scores.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for key, cell in cells(seeds):
        if key not in found:
            found[key] = cell["of"](*cell["by"])
            with atomic_path(path) as partial:
                partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(key, flush=True)
    return found


def _angles(found: dict, cone: float, lens: str, name: str) -> np.ndarray:
    """Measured, mean, likeness, spread (lines, 4)."""
    rows = [found[f"angle {cone:g} {lens} {b}"][name] for b in _BURGERS]
    return np.array([[row[key] for key in ("measured", "mean", "likeness", "spread_nm")] for row in rows])


def _scored(found: dict, cone: float, lens: str, name: str, key: str) -> np.ndarray:
    """Values (seeds,) of a score."""
    start = f"scores {cone:g} {lens} "
    return np.array([row[name][key] for at, row in found.items() if at.startswith(start)], float)


def tables(found: dict) -> tuple[str, str]:
    """Rows of both tables of the page."""
    angles, scored = [], []
    for cone, name, lens in product(CONES_MRAD, [*PAIRS, "ring 3", "ring 2", "ring 1"], LENSES):
        lines = _angles(found, cone, lens, name)
        each = ", ".join(f"{value:.2f}" for value in lines[:, 0])
        mean = lines[0, 1]
        angles.append(
            f"| {cone:g} | {name} | {lens} | {lines[:, 0].mean():.2f} ({each}) | {mean:.2f} "
            f"| {lines[:, 0].mean() / mean:.2f} | {lines[:, 2].min():.2f} | {lines[:, 3].mean():.1f} |"
        )
    for cone, name, lens in product(CONES_MRAD, PAIRS, LENSES):
        f = _scored(found, cone, lens, name, "f_score_visible")
        rmse, bias = (_scored(found, cone, lens, name, key) for key in ("depth_rmse_nm", "depth_bias_nm"))
        scored.append(
            f"| {cone:g} | {name} | {lens} | {np.nanmean(f):.2f} ({', '.join(f'{value:.2f}' for value in f)}) "
            f"| {np.nanmean(rmse):.1f} | {np.nanmean(bias):+.1f} |"
        )
    return "\n".join(angles), "\n".join(scored)


@styled
def figure(found: dict):
    """Measured angle over that of the mean directions by ring, and F by cone and lens."""
    drawing = open_figure((6.7, 2.8))
    left, right = drawing.subplots(1, 2)
    for (cone, lens), colour in zip(product(CONES_MRAD, LENSES), METHODS):
        title = f"{cone:g} mrad, {'ideal' if lens == 'none' else 'corrected'}"
        marker = "o" if lens == "none" else "s"
        ratios = [
            (lambda a: a[:, 0] / a[:, 1])(_angles(found, cone, lens, name))
            for name in ("ring 1", "ring 2", "ring 3", "16 segments")
        ]
        left.plot(range(1, 5), [r.mean() for r in ratios], marker, ls="-", lw=1, ms=4, color=colour, label=title)
        for at, name in enumerate(PAIRS):
            f = _scored(found, cone, lens, name, "f_score_visible")
            place = at + 0.16 * (list(product(CONES_MRAD, LENSES)).index((cone, lens)) - 1.5)
            right.plot(np.full(len(f), place), f, marker, ms=3, mfc="none", color=colour)
            right.plot(place, np.nanmean(f), "_", ms=12, mew=2, color=colour)
    left.axhline(1, color="0.5", lw=0.8, ls=(0, (4, 3)), zorder=0)
    left.set(xlabel="ring of segments, from the axis", xticks=range(1, 5), ylabel="measured angle / mean direction")
    left.legend()
    right.set(xticks=range(len(PAIRS)), xticklabels=list(PAIRS), ylabel="F, visible lines", ylim=(0, 1))
    return drawing


def write_study(folder: Path, seeds: int) -> Path:
    """Measure what is missing; write segments.png and README.md into a folder and return the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    found = measure(folder, seeds)
    (folder / "segments.png").write_bytes(drawn(figure(found), "png", 200))
    angles, scored = tables(found)
    text = _README.format(angles=angles, scored=scored, seeds=seeds, tolerance=TOLERANCE_NM)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder / "README.md"


_README = """@README@"""


def main() -> None:
    """Write the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, help="folder of README.md")
    parser.add_argument("--seeds", type=int, default=3, help="foils a condition")
    options = parser.parse_args()
    print(write_study(options.out, options.seeds))


if __name__ == "__main__":
    main()
