"""Put the results of a study, and the pictures that its page shows, beside the README of its report of record.

veristem study common-mode -o results
python reports/published/draw.py results
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from veristem.bench.study.store import read_table
from veristem.reports.budget import budget_charts
from veristem.reports.charts import score_curves
from veristem.reports.rows import StudyResult, split

HERE = Path(__file__).parent


def pictures(result: StudyResult) -> Iterator[tuple[str, Figure]]:
    """Name and figure of each picture of a page; none where the page has only tables."""
    if result.name in ("camera-length", "camera-length-haadf", "excitation-error"):
        yield result.name, score_curves(result, ["line_cnr"])
    if result.name == "common-mode":
        yield (
            result.name,
            _name_below(score_curves(result, ["f_score", "depth_rmse_nm"], ["scan.drift_nm_per_s", "scan.jitter_nm"])),
        )
    if result.name == "detector-radius":
        radius, lens = "microscope.detector.radius_mrad", "microscope.aberrations"
        for name, rows in result.rows.groupby(lens):
            axes = tuple(axis for axis in result.axes if axis != lens)
            of_lens = replace(result, rows=rows, axes=axes)
            yield str(name), _name_below(score_curves(of_lens, ["f_score", "depth_rmse_nm", "line_cnr"], [radius]))
    if result.name == "conditions":
        yield "depth", score_curves(result, ["f_score", "depth_rmse_nm", "line_cnr"])
        yield from (("budget", chart.figure) for chart in budget_charts(result))


def _name_below(figure: Figure) -> Figure:
    """The limit's name off the curves above it."""
    for text in (text for ax in figure.axes for text in ax.texts):
        text.set(va="top", position=(5, -3))
    return figure


def main() -> None:
    """Copy and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of the study")
    folder = parser.parse_args().results
    table: pd.DataFrame = read_table(folder)
    (result,) = split(table)
    out = HERE / result.name
    for name in ("results.parquet", "study.json"):
        shutil.copyfile(folder / name, out / name)
    for name, figure in pictures(result):
        figure.savefig(out / f"{name}.png", dpi=300)


if __name__ == "__main__":
    main()
