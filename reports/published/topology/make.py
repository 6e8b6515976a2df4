"""Rows T13 to T18 of the thesis in small: imaging conditions ranked by the topology of classical masks, truth known.

    python reports/published/topology/make.py [-o DIR] [--seeds 8] [--row T13 ...]

The thesis ranks one image a condition, segmented by its network, against lines drawn by hand (chapter 5). Here every
condition images the same simulated specimens, lines come from `ridge_contours`, and both sides are drawn alike. Seeds
that scores.json in the folder has already are kept, and only further ones are run.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thesis_figure import thesis_figure
from veristem.bench.study.facts import machine, versions
from veristem.bench.topology.ranking import Ranked, rank_scores
from veristem.bench.topology.score import Topology, topological_score
from veristem.bench.topology.tubes import draw
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.geometry import project
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.truth import LineTruth
from veristem.recon.contours.ridge import ridge_contours
from veristem.reports.pictures import drawn
from veristem.sim.foil import Foil
from veristem.sim.simulate import simulate_recipe, streams
from veristem.sim.specimen import make_specimen
from veristem.sim.visibility import visibility

WIDTH_NM = 8.0  # of drawn lines, about that of their images
GRID_NM = 2.0  # pixels of the masks, whatever those of the images: counts of pixels do not matter then


@dataclass(frozen=True)
class Row:
    """One question of the thesis.

    Parameters
    ----------
    name, question, thesis : str
        Row of the table of its results, what is asked, what it found.
    recipe : str
        What the conditions change.
    values : dict
        What all of them have in common, by dotted path.
    conditions : dict of str to dict
        Their names, and what each changes.
    """

    name: str
    question: str
    thesis: str
    recipe: str
    values: dict[str, Any]
    conditions: dict[str, dict[str, Any]]


def _each(path: str, values, unit: str) -> dict[str, dict[str, Any]]:
    return {f"{value:g} {unit}": {path: value} for value in values}


def _pixels(field_nm: float, sizes) -> dict[str, dict[str, Any]]:
    """The field in whole pixels of about these sizes."""
    counts = {size: round(field_nm / size) for size in sizes}
    return {
        f"{size:g} nm": {"scan.shape": [n, n], "scan.pixel_nm": field_nm / n} for size, n in counts.items()
    }  # fmt: skip


def _annular(element: str, lengths) -> dict[str, dict[str, Any]]:
    detector = {"kind": "annular", "element": element}
    return {f"{n:g} mm": {"microscope.detector": {**detector, "camera_length_mm": n}} for n in lengths}


_WIDE = {"specimen.beams": 2, "specimen.field_nm": [512.0, 512.0], "specimen.network.density_per_m2": 2.0e13}
_COARSE = {**_WIDE, "scan.shape": [146, 146], "scan.pixel_nm": 512 / 146}
_QUADRANTS = {
    "specimen.beams": 2,
    "microscope.convergence_mrad": 28.0,
    "microscope.detector": {"kind": "segmented", "inner_mrad": 7.5, "outer_mrad": 28.0},
    "microscope.aberrations": "corrected",
}
_DISCS = {
    **_WIDE,
    "microscope.convergence_mrad": 91.0,
    "microscope.aberrations": "corrected",
    "microscope.current_nA": 0.01,
    "scan.registered": True,
    "scan.shape": [128, 128],
    "scan.pixel_nm": 4.0,
}
_VIRTUAL = {"kind": "virtual", "pair_angle_deg": 9.32}

ROWS = (
    Row(
        "T13", "excitation error, as tilt off the Bragg angle", "0.14°, slightly positive; worse beyond 0.5°",
        "tial-stem", {"scan.dwell_us": 4.0},
        _each("specimen.tilt_off_bragg_deg", [-0.5, 0.0, 0.07, 0.14, 0.25, 0.5, 1.0], "°"),
    ),
    Row(
        "T14 BF", "camera length of the bright field", "220 mm (18.4 mrad)",
        "tial-stem", {"scan.dwell_us": 4.0}, _annular("BF", [34, 115, 220, 550, 1100]),
    ),
    Row(
        "T14 HAADF", "camera length of the annular dark field", "2100 to 3300 mm",
        "tial-stem", {"scan.dwell_us": 4.0}, _annular("HAADF", [1100, 2100, 3300, 5000]),
    ),
    Row(
        "T15 pixel", "pixel size without corrector, 4 µs", "7 nm",
        "tial-stem", {**_WIDE, "scan.dwell_us": 4.0, "microscope.aberrations": "uncorrected"},
        _pixels(512.0, [3.5, 5, 7, 10, 14]),
    ),
    Row(
        "T15 dwell", "dwell time without corrector, 3.5 nm", "2 µs, flat above",
        "tial-stem", {**_COARSE, "microscope.aberrations": "uncorrected"},
        _each("scan.dwell_us", [0.25, 0.5, 1, 2, 4, 8], "µs"),
    ),
    Row(
        "T16 angle", "inner angle of the quadrants, 1.9 nm, 10 µs", "7.5 mrad (145 mm)",
        "tial-stem", {**_QUADRANTS, "scan.dwell_us": 10.0, "scan.shape": [135, 135], "scan.pixel_nm": 256 / 135},
        _each("microscope.detector.inner_mrad", [0.5, 7.5, 14, 22], "mrad"),
    ),
    Row(
        "T16 dwell", "dwell time of the quadrants, 2.7 nm", "8 µs, longer than for the annular detector",
        "tial-stem", {**_QUADRANTS, "scan.shape": [95, 95], "scan.pixel_nm": 256 / 95},
        _each("scan.dwell_us", [0.5, 1, 2, 4, 8, 16], "µs"),
    ),
    Row(
        "T16 pixel", "pixel size of the quadrants, 16 µs", "1.9 nm",
        "tial-stem", {**_QUADRANTS, "scan.dwell_us": 16.0}, _pixels(256.0, [1.9, 2.7, 3.8, 5.4]),
    ),
    Row(
        "T17 dose", "electrons a frame of the pixelated detector, 13 nm", "2 µs, which would be 125 electrons",
        "tial-stem",
        {**_QUADRANTS, **_WIDE, "microscope.detector": {"kind": "virtual", "pair_angle_deg": 1.0, "radius_mrad": 15.0},
         "microscope.current_nA": 0.01, "scan.shape": [39, 39], "scan.pixel_nm": 512 / 39},
        {f"{n:g} electrons": {"scan.dwell_us": n / 62.415} for n in (250, 2500, 8600, 25000, 86000)},
    ),
    Row(
        "T17 pixel", "pixel size of the pixelated detector, 86 000 electrons a frame", "9 nm better than 13",
        "tial-stem",
        {**_QUADRANTS, **_WIDE, "microscope.detector": {"kind": "virtual", "pair_angle_deg": 1.0, "radius_mrad": 15.0},
         "microscope.current_nA": 0.01, "scan.dwell_us": 86000 / 62.415}, _pixels(512.0, [6, 9, 13]),
    ),
    Row(
        "T18", "radius of virtual discs 4.66° off the axis, 86 000 electrons a frame",
        "15 mrad (20 px); 19 mrad blurred",
        "cantor-stereo", {**_DISCS, "scan.dwell_us": 86000 / 62.415},
        {f"{r:g} mrad": {"microscope.detector": {**_VIRTUAL, "radius_mrad": r}} for r in (3.75, 7.5, 15, 18.75)},
    ),
)  # fmt: skip


_ENDS = slice(None, -1), slice(1, None)


def masks(truth: LineTruth, acquisition: Acquisition) -> tuple[np.ndarray, np.ndarray]:
    """What was found in the first view and what is there, drawn alike on the same pixels; (Y, X) bool each."""
    found = ridge_contours(acquisition.views[:1], acquisition.pixel_nm).curves_nm[0]
    there = [truth.project(chain, 0) for chain in truth.network.chains(truth.visible)]
    return _drawn(found, truth.field_nm), _drawn(there, truth.field_nm)


def _drawn(curves, field_nm) -> np.ndarray:
    shape = tuple(round(length / GRID_NM) for length in field_nm[::-1])
    start, stop = (np.concatenate([np.zeros((0, 2)), *(c[part] for c in curves)]) for part in _ENDS)
    return draw(start, stop, WIDTH_NM / 2, shape, GRID_NM)


def scores_of(row: Row, seeds: range, tell=lambda text: None) -> dict[str, list[float]]:
    """Topological score [1/µm] of every condition of a row, a number a seed; less is better."""
    base = load_recipe(row.recipe)
    scores: dict[str, list[float]] = {name: [] for name in row.conditions}
    for seed in seeds:
        specimen, made_of = None, ""
        for name, values in row.conditions.items():
            recipe: Recipe = base.with_values({**row.values, **values, "recipe.seed": seed})
            specimen = specimen if recipe.specimen_key == made_of else None
            truth, acquisition, specimen = simulate_recipe(recipe, specimen)
            made_of = recipe.specimen_key
            assert isinstance(truth, LineTruth)
            found, there = masks(truth, acquisition)
            scores[name].append(topological_score(Topology.of(found, GRID_NM), Topology.of(there, GRID_NM)))
        tell(f"{row.name}: seed {seed} of {seeds.start} to {seeds.stop - 1}")
    return scores


def nothing_found(row: Row, seeds: range) -> float:
    """Mean score of empty masks [1/µm]: a condition that is not below it might as well show nothing."""
    recipe = load_recipe(row.recipe).with_values({**row.values, **next(iter(row.conditions.values()))})
    region = recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)[0]
    direction = region.mean_direction_rad(1e-3 * recipe.microscope.convergence_mrad)
    scores = []
    for seed in seeds:
        specimen = make_specimen(recipe.with_values({"recipe.seed": seed}), streams(seed)[0])
        assert isinstance(specimen, Foil)
        foil = specimen.foil_network()
        chains = foil.chains(visibility(foil, specimen.g_per_nm)[2])
        there = _drawn([project(chain, direction, specimen.focus_nm) for chain in chains], specimen.field_nm)
        truth, none = (Topology.of(mask, GRID_NM) for mask in (there, np.zeros_like(there)))
        scores.append(topological_score(none, truth))
    return float(np.mean(scores))


def table(row: Row, order: list[Ranked], nothing: float) -> list[str]:
    """A row of the report, in Markdown."""
    lines = [
        f"### {row.name}: {row.question}", "", f"The thesis: {row.thesis}. Empty masks: {nothing:.1f}.", "",
        "| condition | score (1/µm) | 95 % interval | chance of being the best | may be the best |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for r in order:
        interval = f"{r.low:.1f} to {r.high:.1f}"
        may = "yes" if r.tied else ""
        lines.append(f"| {r.condition} | {r.score:.1f} | {interval} | {100 * r.best_probability:.0f} % | {may} |")
    return [*lines, ""]


def main() -> None:
    """Rank the conditions of all rows, or of some, and write scores.json, tables.md and ranking.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, help="folder for what is written")
    parser.add_argument("--seeds", type=int, default=8, help="specimens a condition")
    parser.add_argument("--row", action="append", choices=[row.name for row in ROWS], help="this row only; repeatable")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    path, lines, ran, nothing = given.out / "scores.json", [], {}, {}
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else {}
    for row in ROWS:
        if given.row and row.name not in given.row:
            continue
        asked = json.loads(json.dumps(asdict(row)))
        before = kept.get(row.name, {})
        scores = before["scores_per_um"] if before.get("row") == asked else {name: [] for name in row.conditions}
        more = scores_of(row, range(len(next(iter(scores.values()))), given.seeds), print)
        scores = {name: np.array([*own, *more[name]]) for name, own in scores.items()}
        kept[row.name] = {"row": asked, "scores_per_um": {name: list(s) for name, s in scores.items()}}
        ran[row.name], nothing[row.name] = scores, nothing_found(row, range(given.seeds))
        lines += table(row, rank_scores(scores, np.random.default_rng(0)), nothing[row.name])
        facts = {"versions": versions(), "machine": machine(), "rows": kept}
        for name, text in (("scores.json", json.dumps(facts, indent=1)), ("tables.md", "\n".join(lines))):
            with atomic_path(given.out / name) as partial:
                partial.write_text(text, encoding="utf-8")
    if given.seeds > 1:
        with atomic_path(given.out / "ranking.png") as partial:
            partial.write_bytes(drawn(thesis_figure(ran, nothing), "png"))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
