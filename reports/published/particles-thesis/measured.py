"""Rows and curves that `make.py` measured, and those of published studies, with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from veristem.bench.pages.particles import first_peak_nm

PUBLISHED = Path(__file__).parents[1]
DIAMETER_NM = 4.5
ELECTRONS = {4.0: 250, 12.0: 750, 40.0: 2500, 1400.0: 87_000}  # a pattern
T20_NM = {2.0: 6.0, 2.2: 5.9, 2.8: 5.6, 3.0: 5.5}
T22_FOUND = {40: 264, 50: 309, 70: 363}
THRESHOLD, LEARNED, MATCHED = "points-threshold fewest_views=4", "points-learned", "points-matched"
HOUGH = "points-hough fewest_views=4 rescattering=false"
MEAN_DEG = 2.25  # between opposite quadrants of 14 to 28 mrad
SWEPT = (4.0, 12.0, 40.0)  # dwells at all radii
RADII = (30, 40, 50, 60, 70)
CONTACT_NM = 5.7  # of two spheres with their shells
_DRAWN = 500  # times that films are drawn anew
Table = Any  # pandas tells less of its tables than they hold


def sure(holds: bool, sentence: str) -> str:
    """A sentence that the rows must bear out."""
    if not holds:
        raise AssertionError(f"the rows say otherwise: {sentence}")
    return sentence


def interval(values) -> str:
    """Mean and its 95 % interval over films (Student's t); both where there are two."""
    v = np.asarray(values, float)
    digits = 0 if np.abs(v).max() >= 20 else 2
    if len(v) < 3:
        return " and ".join(f"{one:.{digits}f}" for one in v)
    return f"{v.mean():.{digits}f} ± {stats.t.ppf(0.975, len(v) - 1) * v.std(ddof=1) / np.sqrt(len(v)):.{digits}f}"


class Measured:
    """Rows and curves of `make.py`, and those of the published studies that answer a question."""

    def __init__(self, folder: Path):
        self.rows: Table = pd.read_csv(folder / "rows.csv")
        self.curves: Table = pd.read_csv(folder / "curves.csv")

    def of(self, question: str, condition: str, method: str, dwell_us: float | None = None) -> Table:
        """Rows of one condition and method."""
        rows = self.rows
        keep = (rows["question"] == question) & (rows["condition"] == condition) & (rows["method"] == method)
        return rows[keep if dwell_us is None else keep & (rows["dwell_us"] == dwell_us)]

    def peak(self, question: str, condition: str, curve: str, dwell_us: float | None = None):
        """First peak of the mean g(r) of all films [nm], None where there is none, and those of films drawn anew."""
        c = self.curves
        keep = (c["question"] == question) & (c["condition"] == condition) & (c["curve"] == curve)
        if dwell_us is not None:
            keep &= c["dwell_us"] == dwell_us
        wide = c[keep].pivot_table(index="r_nm", columns="seed", values="g", dropna=False)
        if wide.empty:
            return None, []
        r, g, rng = wide.index.to_numpy(float), wide.to_numpy(float), np.random.default_rng(0)
        films = [rng.integers(0, g.shape[1], g.shape[1]) for _ in range(_DRAWN)]
        again = [first_peak_nm(r, g[:, some].mean(axis=1), DIAMETER_NM) for some in films]
        return first_peak_nm(r, g.mean(axis=1), DIAMETER_NM), [one for one in again if one is not None]

    def peak_text(self, *of) -> str:
        """The peak with its 95 % interval (bootstrap over films)."""
        peak, again = self.peak(*of)
        if peak is None:
            return "none"
        low, high = np.quantile(again, [0.025, 0.975])
        return f"{peak:.2f}" + (f" ({low:.2f} to {high:.2f})" if high > low else "")


def published(name: str, **conditions) -> Table:
    """Rows of a study of record under some conditions, their last words as keys."""
    rows: Table = pd.read_parquet(PUBLISHED / name / "results.parquet")
    for key, value in conditions.items():
        (column,) = [c for c in rows.columns if c.rpartition(".")[2] == key]
        rows = rows[rows[column] == value]
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def shares(rows: Table) -> tuple[str, str]:
    """Found in 3D of what the first view has, and of what is there."""
    return interval(rows["found"] / rows["first_view"]), interval(rows["found"] / rows["truth"])


def pixelated(m: Measured) -> list[list[str]]:
    """Rows of T22 to T24: a condition and dose each."""
    found = []
    for question in ("T22", "T23", "T24"):
        of = m.rows[m.rows["question"] == question]
        for condition in dict.fromkeys(of["condition"]):
            for dwell in sorted(set(of[of["condition"] == condition]["dwell_us"])):
                one = m.of(question, condition, THRESHOLD, dwell)
                cells = [question, condition, f"{ELECTRONS[dwell]}", interval(one["truth"])]
                cells += [interval(one["first_view"]), interval(one["found"])]
                for method in (LEARNED, MATCHED):
                    cells.append(interval(m.of(question, condition, method, dwell)["found"]))
                for method in (THRESHOLD, LEARNED, MATCHED):
                    cells.append(interval(m.of(question, condition, method, dwell)["f_score"]))
                cells.append(f"{one['limit_nm'].mean():.2g}")
                found.append(cells)
    return found


def best_radii(recall: dict[int, float]) -> str:
    """Radii at which as many are found as at the best one, to 0.02."""
    top = max(recall.values())
    if top < 0.02:
        return "none"
    good = [radius for radius, share in recall.items() if share > top - 0.02]
    return f"{good[0]} px" if len(good) == 1 else f"{min(good)} to {max(good)} px"
