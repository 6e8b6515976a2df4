"""Figures and tables of a report as files, to use elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from veristem.datasets import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.reports import budget, charts, tables
from veristem.reports.pictures import SHOWN, AnyScene, drawn, scene_renders
from veristem.reports.rows import split

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "csv")
PRINT_DPI = 300


def read_formats(text: str) -> list[str]:
    """Formats from a list with commas.

    Raises
    ------
    InputError
        For one that is not in `FORMATS`.
    """
    formats = [part.strip().lower() for part in text.split(",") if part.strip()]
    for found in formats:
        if found not in FORMATS:
            raise InputError(f"`format`: {found!r} found, allowed are {', '.join(FORMATS)}, with commas between")
    return formats


def write_files(
    folder: Path,
    formats: Sequence[str],
    scenes: Sequence[tuple[str, AnyScene]],
    table: pd.DataFrame | None,
) -> list[Path]:
    """Write every figure as .png (300 dpi) and .svg, and the results and their means as .csv; returns the files.

    The 3D pictures of a scene are pixels: they come as .png alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def write(name: str, content: bytes) -> None:
        with atomic_path(folder / name) as partial:
            partial.write_bytes(content)
        written.append(folder / name)

    def write_figure(name: str, figure: Figure) -> None:
        kinds: tuple[Literal["png", "svg"], ...] = ("png", "svg")
        for kind in kinds:
            if kind in formats:
                write(f"{name}.{kind}", drawn(figure, kind, PRINT_DPI))

    if "png" in formats or "svg" in formats:
        for heading, scene in scenes:
            shown = SHOWN[scene.kind]
            prefix = charts.file_name(heading or shown.FILE).lower()
            for name, figure in shown.figures_of(scene).items():
                write_figure(f"{prefix}-{name}", figure)
            for name, picture in scene_renders(scene)[0].items() if "png" in formats else ():
                write(f"{prefix}-3d-{name}.png", picture)
        for result in split(table):
            for chart in (*charts.study_charts(result), *budget.budget_charts(result)):
                write_figure(chart.name, chart.figure)
    if "csv" in formats and table is not None:
        write("results.csv", _csv(table))
        write("summary.csv", _csv(tables.summary(table)))
    return written


def _csv(table: pd.DataFrame) -> bytes:
    """The table as .csv, in which no text is a formula: a spreadsheet would compute what a file from outside says."""
    texts = table.select_dtypes(exclude="number").columns

    def harmless(value):
        return "'" + value if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@") else value

    safe = table.assign(**{name: table[name].map(harmless) for name in texts})
    return safe.rename(columns=harmless).to_csv(index=False).encode(errors="replace")
