"""P(missed): fitted on foils of their own, checked on the frozen test foils at other doses.

veristem train volume -o volume --seed 3          # its 18 foils; any other folder of foils of a seed of its own will do
python reports/published/contours-learned/missed.py fit volume/foils
python reports/published/contours-learned/missed.py check foils
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.spatial import KDTree
from scipy.special import expit

from veristem.bench.training.foils import read
from veristem.datasets import formats
from veristem.datasets.polyline import resample
from veristem.datasets.truth import LineTruth
from veristem.recon.contours.learned import answer, lines_in
from veristem.recon.contours.missed import CELL_PX, FIT, unfound

HERE = Path(__file__).parent
DOSES = (0.3, 1.0, 4.0)  # times that of a training foil
DWELLS = (98.0, 590.0, 1357.0)  # of test foils [us]
BINS = np.linspace(0, 1, 6)
_TOLERANCE_PX, _RIM_PX, _STEP_PX = 2.0, 3.0, 0.25


class Cells(NamedTuple):
    """By cell of a view: what the map is made of, and length of the visible lines and of those missed [px]."""

    foil: str
    dose: float
    unfound: np.ndarray
    there: np.ndarray
    missed: np.ndarray


def cells_of(foil: str, dose: float, counts: np.ndarray, seen_px: np.ndarray) -> Cells:
    """Of a view (Y, X), with points (N, 2) at steps of a quarter of a pixel along its visible lines."""
    outputs = answer(counts)
    curves = [resample(curve[:, :2], curve[:, 2], 0.5)[0] for curve in lines_in(outputs)]
    found = np.concatenate([np.full((1, 2), np.inf), *curves])
    seen = seen_px[((seen_px > _RIM_PX) & (seen_px < np.array(counts.shape[::-1]) - _RIM_PX)).all(axis=1)]
    off = KDTree(found[1:]).query(seen)[0] if len(found) > 1 and len(seen) else np.full(len(seen), np.inf)
    odds = unfound(outputs)
    there, lost = np.zeros(odds.shape), np.zeros(odds.shape)
    column, row = (seen // CELL_PX).astype(int).T
    np.add.at(there, (row, column), _STEP_PX)
    np.add.at(lost, (row, column), _STEP_PX * (off > _TOLERANCE_PX))
    return Cells(foil, dose, odds.ravel(), there.ravel(), lost.ravel())


def of_training(folder: Path) -> Iterator[Cells]:
    """Views of training foils, counted at several doses."""
    for path in sorted(folder.glob("foil-*.npz")):
        foil = read(path)
        for view in range(2):
            for dose in DOSES:
                rng = np.random.default_rng([view, int(10 * dose)])
                counts = rng.poisson(dose * foil.electrons[view] * np.maximum(foil.views[view], 0.0))
                yield cells_of(path.stem, dose, counts.astype(np.float32), foil.visible_px[view])


def of_test(folder: Path) -> Iterator[Cells]:
    """Views of the test foils at 590 us, counted anew at all doses of their study from what is expected."""
    for path in sorted(folder.glob("*-590/truth.h5")):
        truth = formats.read(path, LineTruth)
        pixel = truth.recipe["scan"]["pixel_nm"]
        for view, expected in enumerate(truth.expected):
            lines = [truth.project(line, view) / pixel for line in truth.network.chains(truth.visible)]
            points = [resample(line, np.zeros(len(line)), _STEP_PX)[0] for line in lines]
            seen = np.concatenate([np.zeros((0, 2)), *points])
            for dwell in DWELLS:
                counts = np.random.default_rng([view, int(dwell)]).poisson(dwell / 590.0 * expected)
                yield cells_of(path.parent.name.rpartition("-")[0], dwell, counts.astype(np.float32), seen)


def lengths(cells: list[Cells]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the map is made of, lengths of visible lines and of those missed, of all cells in a row."""
    odds, there, lost = (np.concatenate(part) for part in zip(*(cell[2:] for cell in cells)))
    return odds, there, lost


def fitted(cells: list[Cells]) -> tuple[float, float]:
    """Offset and slope of the logistic curve, by maximum likelihood of the lengths."""
    odds, there, lost = lengths(cells)

    def surprise(fit):
        t = fit[0] + fit[1] * odds
        return (np.logaddexp(0, -t) * lost + np.logaddexp(0, t) * (there - lost)).sum() / there.sum()

    found = minimize(surprise, (0.0, 1.0)).x
    return float(found[0]), float(found[1])


def reliability(chance: np.ndarray, there: np.ndarray, lost: np.ndarray) -> pd.DataFrame:
    """By bin of P(missed): length of visible lines, and the missed share of it as expected and as it is."""
    rows = []
    for low, high in pairwise(BINS):
        inside = (chance >= low) & (chance <= high if high == 1 else chance < high)
        length = float(there[inside].sum())
        if length > 0:
            expected, observed = (chance * there)[inside].sum() / length, lost[inside].sum() / length
            rows.append({"from": low, "to": high, "length_px": length, "expected": expected, "observed": observed})
    return pd.DataFrame(rows)


def of_map(cells: list[Cells], fit: tuple[float, float]) -> pd.DataFrame:
    """The same of what a fit tells of cells."""
    odds, there, lost = lengths(cells)
    return reliability(expit(fit[0] + fit[1] * odds), there, lost)


def grouped(cells: list[Cells], fit: tuple[float, float]) -> pd.DataFrame:
    """By kind of foil and dose: missed share as expected and as it is."""
    rows = []
    for kind, dose in dict.fromkeys((cell.foil.rpartition("-")[0], cell.dose) for cell in cells):
        odds, there, lost = lengths([c for c in cells if (c.foil.rpartition("-")[0], c.dose) == (kind, dose)])
        expected = (expit(fit[0] + fit[1] * odds) * there).sum() / there.sum()
        rows.append({"kind": kind, "dwell_us": dose, "length_px": there.sum(), "expected": expected,
                     "observed": lost.sum() / there.sum()})  # fmt: skip
    return pd.DataFrame(rows)


def cross_validated(cells: list[Cells]) -> pd.DataFrame:
    """By bin, each foil told of by the fit of the five sixths of the foils that it is not in."""
    foils, parts = sorted({cell.foil for cell in cells}), []
    for part in range(6):
        out = set(foils[part::6])
        fit = fitted([cell for cell in cells if cell.foil not in out])
        odds, *rest = lengths([cell for cell in cells if cell.foil in out])
        parts.append((expit(fit[0] + fit[1] * odds), *rest))
    return reliability(*(np.concatenate(part) for part in zip(*parts)))


def main() -> None:
    """Fit, or check and write tables beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "check"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.what == "fit":
        cells = list(of_training(given.folder))
        print(cross_validated(cells).round(3).to_string(index=False))
        print(f"FIT = ({', '.join(f'{value:.3f}' for value in fitted(cells))})")
        return
    cells = list(of_test(given.folder))
    for name, table in (("missed", of_map(cells, FIT)), ("missed-kinds", grouped(cells, FIT))):
        table.round(3).to_csv(HERE / f"{name}.csv", index=False)
        print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
